"""An app as a WSGI application, for any framework and server that speaks WSGI.

Promises: handlers run in a loop that outlives the request; a body is cut off at the app's limits; it answers on its path, or wherever it is mounted.
Refuses: a body of unknown length from a server that does not say where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Protocol
from wsgiref.util import request_uri

from inngest_gen.app.app import App
from inngest_gen.protocol.reply import Reply, problem_reply
from inngest_gen.serving import background
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.serving.request import BodyRefused, Request, take_in_now

Environ = dict[str, Any]

_PIECE = 65536


class StartResponse(Protocol):
    """What a WSGI server gives an application to begin its answer."""

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]: ...


class ServedWSGI:
    """The WSGI application of an app. Made by `serve`."""

    def __init__(self, endpoint: Endpoint, loop: background.LoopName) -> None:
        self.endpoint: Endpoint = endpoint
        self._loop: background.LoopName = background.checked(loop)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as PEP 3333 has it."""
        reply = self._reply(environ)
        headers = [(name, value) for name, value in reply.headers.items()]
        headers.append(("content-length", str(len(reply.body))))
        start_response(status_line(reply.status), headers)
        return [reply.body]

    def _reply(self, environ: Environ) -> Reply:
        if not self._is_mine(environ):
            return problem_reply(404, "not_found", f"nothing is served here: the app's path is {self.endpoint.path}")
        headers = headers_of(environ)
        try:
            body = take_in_now(_pieces(environ), headers, self.endpoint.app.settings.limits.request_bytes)
        except BodyRefused as refused:
            return refused.reply
        request = Request(method=environ["REQUEST_METHOD"], url=request_uri(environ), headers=headers, body=body, framework="wsgi")
        return background.call(self.endpoint.handle, request, loop=self._loop)

    def _is_mine(self, environ: Environ) -> bool:
        """Say whether the request is for this app: on its path, or mounted so that nothing of the path is left."""
        root, rest = environ.get("SCRIPT_NAME", "").rstrip("/"), environ.get("PATH_INFO", "").rstrip("/")
        return self.endpoint.path.rstrip("/") in {rest, root + rest} or (bool(root) and not rest)


def serve(app: App, *, path: str = "/api/inngest", origin: str | None = None, loop: background.LoopName = "asyncio") -> ServedWSGI:
    """Make the WSGI application through which an Inngest server calls an app's functions.

    It stands alone under any WSGI server with threads, and can be mounted. `path` and `origin` are as for `ig.serve`; `loop`, "asyncio" or "trio", is
    under what handlers run: one loop a process, in a thread of its own. Raises ConfigError as `ig.serve` does, and for another loop.
    """
    return ServedWSGI(Endpoint(app, path=path, origin=origin), loop)


def status_line(status: int) -> str:
    """Give a status as WSGI wants it, "200 OK"."""
    return f"{status} {HTTPStatus(status).phrase}"


def headers_of(environ: Environ) -> dict[str, str]:
    """Give a request's headers by lowercase name."""
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def _pieces(environ: Environ) -> Iterator[bytes]:
    stream = environ["wsgi.input"]
    declared = environ.get("CONTENT_LENGTH", "")
    left = int(declared) if declared.isdecimal() else None
    if left is None and not environ.get("wsgi.input_terminated"):
        if environ.get("HTTP_TRANSFER_ENCODING"):
            raise BodyRefused(411, "this server does not say where a body ends: send its length")
        return
    while left is None or left > 0:
        piece = stream.read(_PIECE if left is None else min(_PIECE, left))
        if not piece:
            if left:
                raise BodyRefused(400, "the body is shorter than its length")
            return
        if left is not None:
            left -= len(piece)
        yield piece
