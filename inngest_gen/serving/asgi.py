"""An app as an ASGI application: `ig.serve(app)`.

Promises: it stands alone (then it answers on its path only) and fits into any router's route; a slow or endless body is cut off at the app's limits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final

from inngest_gen.app.app import App
from inngest_gen.durations import seconds
from inngest_gen.loops import within_time
from inngest_gen.protocol.reply import Reply, problem_reply
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.serving.request import BodyRefused, Intake, Request, check_length, refusal

_NAMES: Final = {
    name.encode(): name
    for name in (
        "host", "user-agent", "content-length", "content-type", "accept-encoding", "traceparent", "x-inngest-generation-id", "x-inngest-job-id",
        "x-inngest-req-version", "x-inngest-server-kind", "x-inngest-signature", "x-inngest-step-id", "x-request-id", "x-run-id",
    )
}  # fmt: skip
"""The names that a server's requests have, so that they are decoded once."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Served:
    """The ASGI application of an app. Made by `ig.serve`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint: Endpoint = endpoint
        limits = endpoint.app.settings.limits
        self._most_bytes = limits.request_bytes
        self._most_digits = len(str(limits.request_bytes))
        self._longest_s = seconds(limits.request_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI has it (version 3)."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        headers = _headers(scope)
        if not self._is_mine(scope):
            await _send(send, problem_reply(404, "not_found", f"nothing is served here: the app's path is {self.endpoint.path}"))
            return
        try:
            body = await within_time(self._longest_s, self._take_in(headers, receive))
        except BodyRefused as refused:
            await _send(send, refused.reply)
            return
        except TimeoutError:
            await _send(send, refusal(408, "body_late", "the request's body did not come in time"))
            return
        if body is None:
            return
        request = Request(scope["method"], _url(scope, headers), headers, body, _framework(scope))
        await _send(send, await self.endpoint.handle(request))

    async def _take_in(self, headers: dict[str, str], receive: Receive) -> bytes | None:
        """Give the request's body, or None where the client has gone away. Raises BodyRefused."""
        limit = self._most_bytes
        if len(headers.get("content-length", "")) >= self._most_digits:  # else it is small enough
            check_length(headers, limit)
        intake: Intake | None = None
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            piece: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            if intake is None:
                if not more and "content-encoding" not in headers and piece.__class__ is bytes and len(piece) <= limit:
                    return piece  # as a rule
                intake = Intake(headers, limit)
            intake.add(piece)
            if not more:
                return intake.whole()

    def _is_mine(self, scope: Scope) -> bool:
        """Say whether the request is for this app: on its path, or wherever a router has sent it here."""
        path = scope["path"]
        if path == self.endpoint.path:
            return True
        if (scope.get("endpoint") is self or "app_root_path" in scope) and not self._is_sent_the_rest(scope):
            return True
        root = scope.get("root_path", "")
        rest = path.removeprefix(root) if root else path
        wanted = self.endpoint.path.rstrip("/")
        return rest.rstrip("/") == wanted or path.rstrip("/") == wanted or (root.rstrip("/") == wanted and not rest.strip("/"))

    def _is_sent_the_rest(self, scope: Scope) -> bool:
        """Say whether a Starlette application has mounted this at its root, and so sends here whatever it has no other route for."""
        if scope.get("app_root_path") != scope.get("root_path", ""):
            return False
        return any(
            not getattr(route, "path", "/") and getattr(route, "app", None) is self for route in getattr(scope.get("app"), "routes", ())
        )

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            case other:
                raise NotImplementedError(f"this application speaks HTTP, not {other!r}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.endpoint.api.prepare()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.endpoint.api.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return


def serve(app: App, *, path: str = "/api/inngest", origin: str | None = None) -> Served:
    """Make the ASGI application through which an Inngest server calls an app's functions.

    It stands alone under any ASGI server, on asyncio or trio, and fits into Starlette (`Route(path, ig.serve(app))`) and FastAPI
    (`api.add_route(path, ig.serve(app))`). `path` is where it answers when it stands alone; `origin` ("https://example.com") is what the server is
    told to call where requests do not say, as behind a proxy. Which server, and with what keys, is in the app's settings. Raises ConfigError for a
    path without a slash at its beginning or an origin that is none.
    """
    return Served(Endpoint(app, path=path, origin=origin))


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw in scope["headers"]:
        name = _NAMES.get(raw_name) or raw_name.decode("latin-1").lower()
        value = raw.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _url(scope: Scope, headers: dict[str, str]) -> str:
    host = headers.get("host")
    if not host:
        server = scope.get("server")
        host = f"{server[0]}:{server[1]}" if server and server[1] is not None else "localhost"  # else a Unix socket
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host}{scope['path']}" + (f"?{query}" if query else "")


def _framework(scope: Scope) -> str:
    app = scope.get("app")
    name = type(app).__module__.partition(".")[0] if app is not None else ""
    if name in {"fastapi", "starlette"}:
        return name
    return "aws-lambda" if "aws.event" in scope else "asgi"  # as Mangum puts it


@lru_cache(maxsize=256)
def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    """Encode a header: most are the same in every reply."""
    return name.encode("latin-1"), value.encode("latin-1")


async def _send(send: Send, reply: Reply) -> None:
    headers = list(map(_encoded, reply.headers, reply.headers.values()))
    headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
