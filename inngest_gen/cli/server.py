"""HTTP for `dev`: events in, as Inngest's dev server takes them. The one file that needs the extra `server` (hypercorn, starlette).

`POST /e/{key}` and `POST /events` take one event or a list of them and answer {"ids": [...], "status": 200}, or 400 with an "error": then none was
taken. `GET /` says what runs here. Promises: no web page can send events: a request with a foreign Origin is refused.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import orjson
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from inngest_gen.errors import InngestGenError
from inngest_gen.event import Event

_BODY_BYTES: Final = 32 * 1024 * 1024
_EVENTS: Final = 5000
_GRACE_S: Final = 2.0
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Send = Callable[..., Awaitable[list[str]]]


class _BadRequest(Exception):
    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


def application(send: Send, status: Callable[[], Mapping[str, Any]]) -> Starlette:
    """Make the ASGI application. `send` takes events and gives their ids; `status` says what `GET /` answers."""

    async def post(request: Request) -> JSONResponse:
        try:
            _check_origin(request)
            ids = await send(*await _events(request))
        except _BadRequest as bad:
            return _answer({"ids": [], "status": bad.status, "error": str(bad)}, bad.status)
        except InngestGenError as error:
            return _answer({"ids": [], "status": 400, "error": str(error)}, 400)
        return _answer({"ids": ids, "status": 200}, 200)

    async def look(_: Request) -> JSONResponse:
        return _answer({**status(), "status": 200}, 200)

    return Starlette(
        routes=[
            Route("/", look, methods=["GET"]),
            Route("/e/{key}", post, methods=["POST"]),
            Route("/events", post, methods=["POST"]),
        ]
    )


async def serve(app: Starlette, listener: socket.socket, stopping: Callable[[], Awaitable[None]], *, loop: str) -> None:
    """Serve on a listening socket until `stopping` returns; then for at most 2 s more. `loop` is "asyncio" or "trio"."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = _GRACE_S
    config.errorlog = None
    asked = anyio.Event()

    async def stop() -> None:
        await asked.wait()

    async with anyio.create_task_group() as tasks:

        async def serving() -> None:
            await _server(loop)(app, config, shutdown_trigger=stop)
            tasks.cancel_scope.cancel()

        tasks.start_soon(serving)
        await stopping()
        asked.set()
        # A client that keeps its connection open does not keep the engine from stopping.
        await anyio.sleep(_GRACE_S)
        tasks.cancel_scope.cancel()


def _server(loop: str) -> Callable[..., Awaitable[None]]:
    if loop == "trio":
        from hypercorn.trio import serve as serve_trio

        return serve_trio
    from hypercorn.asyncio import serve as serve_asyncio

    return serve_asyncio


async def _events(request: Request) -> Sequence[Event]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type.startswith("multipart/") or content_type == "application/x-www-form-urlencoded":
        raise _BadRequest(f"events are sent as JSON, not as {content_type} (curl: use --json, or -H content-type:application/json)")
    try:
        value = orjson.loads(await _body(request))
    except orjson.JSONDecodeError as error:
        raise _BadRequest(f"the body is not valid JSON: {error}") from None
    many = value if isinstance(value, list) else [value]
    if len(many) > _EVENTS:
        raise _BadRequest(f"a request holds at most {_EVENTS:,} events, not {len(many):,}")
    return [_event(one, f"event {place}" if isinstance(value, list) else "the event") for place, one in enumerate(many)]


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > _BODY_BYTES:
                    raise _BadRequest(f"a request has at most {_BODY_BYTES:,} bytes: send the events in several", 413)
    except ClientDisconnect:
        raise _BadRequest("the client went away") from None
    return bytes(body)


def _event(value: Any, what: str) -> Event:
    if not isinstance(value, dict):
        raise _BadRequest(f'{what} must be a JSON object, such as {{"name": "order/placed", "data": {{}}}}')
    if "name" not in value:
        raise _BadRequest(f"{what} has no name")
    unknown = sorted(set(value) - {"name", "data", "id", "ts", "meta", "user", "v"})
    if unknown:
        raise _BadRequest(f"{what} has keys that no event has: {', '.join(unknown)}")
    return Event(value["name"], value.get("data"), id=value.get("id"), ts=value.get("ts"), meta=value.get("meta"))


def _check_origin(request: Request) -> None:
    # Browsers let any page post to this machine; they say which page it was.
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).hostname not in _LOCAL:
        raise _BadRequest(f"pages of {origin} may not send events here", 403)


def _answer(value: Mapping[str, Any], status: int) -> JSONResponse:
    return JSONResponse(value, status_code=status)
