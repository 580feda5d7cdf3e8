"""HTTP for `dev`: events in, as Inngest's dev server takes them. It needs the extra `server` (starlette).

`POST /e/{key}` and `POST /events` take one event or a list of them and answer {"ids": [...], "status": 200}, or 400 with an "error": then none was
taken. `GET /` says what runs here. Promises: no web page can send events: a request with a foreign Origin is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from inngest_gen.errors import InngestGenError
from inngest_gen.event import Event

_BODY_BYTES: Final = 32 * 1024 * 1024
_EVENTS: Final = 5000
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
