"""A small HTTP server on loopback that plays a script of replies, faults among them, and keeps what it was asked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel

from inngest_gen.net.api import Api
from inngest_gen.options.settings import Settings

HANG = b"hang"
CLOSE = b"close"
ENDLESS = b"endless"

SIGNING_KEY = "signkey-test-12345678"
BEARER = "Bearer signkey-test-b2ed992186a5cb19f6668aade821f502c1d00970dfd0e35128d51bac4649916c"
FALLBACK_KEY = "signkey-test-deadbeef"
FALLBACK_BEARER = "Bearer signkey-test-5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953"


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def reply(status: int, body: Any = None, **headers: str) -> bytes:
    """The bytes of a whole reply; a body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} X",
        f"content-length: {len(content)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@dataclass
class Server:
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: list[bytes] = field(default_factory=list)
    otherwise: bytes = reply(200, {})
    connections: int = 0
    pauses: list[float] = field(default_factory=list)

    def api(self, **settings: Any) -> Api:
        """An Api of this server, with keys, that notes its pauses and makes none."""
        given = {"mode": "cloud", "event_key": "ek", "signing_key": SIGNING_KEY} | settings

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            await anyio.lowlevel.checkpoint()

        return Api(Settings(api_url=self.url, event_url=self.url, **given), sleep=pause, jitter=lambda: 0.5, entropy=bytes)

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        self.connections += 1
        async with stream:
            buffer = b""
            try:
                while True:
                    while b"\r\n\r\n" not in buffer:
                        buffer += await stream.receive()
                    head, _, buffer = buffer.partition(b"\r\n\r\n")
                    first, *lines = head.decode("utf-8").split("\r\n")
                    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                    length = int(headers.get("content-length", 0))
                    while len(buffer) < length:
                        buffer += await stream.receive()
                    method, path, _ = first.split()
                    self.asked.append(Asked(method, path, headers, buffer[:length]))
                    buffer = buffer[length:]
                    answer = self.script.pop(0) if self.script else self.otherwise
                    if answer == CLOSE:
                        return
                    if answer == HANG:
                        await anyio.sleep_forever()
                    if answer == ENDLESS:
                        await stream.send(b"HTTP/1.1 200 X\r\ncontent-length: 1000000000\r\n\r\n")
                        while True:
                            await stream.send(b"x" * 10_000)
                    await stream.send(answer)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    server.url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.serve)
        try:
            yield server
        finally:
            tasks.cancel_scope.cancel()
