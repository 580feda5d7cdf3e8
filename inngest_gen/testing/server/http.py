"""HTTP/1.1 on loopback: h11 over anyio's streams, so that it runs under asyncio and trio and can do what servers must not: lose an answer.

A handler is given a request and gives a response, or None to close the connection without one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio
import h11
from anyio.abc import ByteStream

from inngest_gen.testing.server.canonical import parse

__all__ = ["Request", "Response", "connection"]

_CHUNK: Final = 65_536
_BODY_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to the server. Header names are in lower case; `path` has no query and no escapes."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body. Raises ValueError."""
        return parse(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response of the server."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response | None]]


def connection(handler: Handler) -> Callable[[ByteStream], Awaitable[None]]:
    """Make what serves one connection, request by request."""

    async def serve(stream: ByteStream) -> None:
        state = h11.Connection(h11.SERVER)
        async with stream:
            try:
                while (request := await _receive(state, stream)) is not None:
                    response = await handler(request)
                    if response is None:
                        return
                    await _send(state, stream, response)
                    if state.our_state is not h11.DONE or state.their_state is not h11.DONE:
                        return
                    state.start_next_cycle()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, h11.RemoteProtocolError):
                return  # the client is gone, or speaks something else

    return serve


async def _receive(state: h11.Connection, stream: ByteStream) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = state.next_event()
        if event is h11.NEED_DATA:
            if state.they_are_waiting_for_100_continue:
                await stream.send(state.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            try:
                state.receive_data(await stream.receive(_CHUNK))
            except anyio.EndOfStream:
                state.receive_data(b"")
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _BODY_BYTES:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body))
        else:
            return None


def _request(head: h11.Request, body: bytes) -> Request:
    target = urlsplit(head.target.decode("ascii"))
    return Request(
        method=head.method.decode("ascii"),
        path=unquote(target.path),
        query=dict(parse_qsl(target.query, keep_blank_values=True)),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers},
        body=body,
    )


async def _send(state: h11.Connection, stream: ByteStream, response: Response) -> None:
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    data = state.send(h11.Response(status_code=response.status, headers=headers)) or b""
    data += state.send(h11.Data(data=response.body)) or b""
    data += state.send(h11.EndOfMessage()) or b""
    await stream.send(data)
