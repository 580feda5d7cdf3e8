"""A client of the Debug Adapter Protocol over memory: what it sends and what it gets is held to the protocol's schema."""

import contextlib
import functools
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.abc

from inngest_gen.cli.debug import telling
from inngest_gen.debugger.dap.adapter import Opener
from inngest_gen.debugger.dap.conversation import Conversation
from inngest_gen.debugger.dap.framing import Decoder, encode
from inngest_gen.recording.recording import Recording
from tests.debugger import rig
from tests.debugger.dap import schema, shop

PATIENCE_S = 20


class Memory(anyio.abc.ByteStream):
    """One end of a byte stream in memory."""

    def __init__(self, incoming: Any, outgoing: Any) -> None:
        self._in = incoming
        self._out = outgoing

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data: bytes = await self._in.receive()
        return data

    async def send(self, item: bytes) -> None:
        await self._out.send(item)

    async def send_eof(self) -> None:
        await self._out.aclose()

    async def aclose(self) -> None:
        await self._out.aclose()
        await self._in.aclose()


def pair() -> tuple[Memory, Memory]:
    """Two ends."""
    to_a, from_b = anyio.create_memory_object_stream[bytes](1_000)
    to_b, from_a = anyio.create_memory_object_stream[bytes](1_000)
    return Memory(from_a, to_a), Memory(from_b, to_b)


class Failed(Exception):
    """An error response."""


class Client:
    """Asks and hears. `events` are all so far."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self.stream = stream
        self.events: list[dict[str, Any]] = []
        self.ended: bool | None = None
        self._decoder = Decoder()
        self._arrived: list[dict[str, Any]] = []
        self._heard = 0
        self._seq = 0
        self._their_seq = 0

    async def send(self, command: str, **arguments: Any) -> int:
        """Send a request."""
        self._seq += 1
        request = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        schema.check(request)
        await self.stream.send(encode(request))
        return self._seq

    async def message(self) -> dict[str, Any]:
        """The next message that comes."""
        while not self._arrived:
            with anyio.fail_after(PATIENCE_S):
                self._arrived += self._decoder.feed(await self.stream.receive())
        message = self._arrived.pop(0)
        self._their_seq += 1
        assert message["seq"] == self._their_seq
        if message["type"] == "event" or message["command"]:
            schema.check(message)
        if message["type"] == "event":
            self.events.append(message)
        return message

    async def answer(self, seq: int) -> dict[str, Any]:
        """The response to a request."""
        while True:
            message = await self.message()
            if message["type"] == "response":
                assert message["request_seq"] == seq
                return message

    async def ask(self, command: str, **arguments: Any) -> Any:
        """The body of the response to a request; raises Failed."""
        response = await self.answer(await self.send(command, **arguments))
        assert response["command"] == command
        if not response["success"]:
            assert response["message"] == response["body"]["error"]["format"]
            raise Failed(response["message"])
        return response.get("body", {})

    async def until(self, event: str) -> dict[str, Any]:
        """The next event of a kind that has not been waited for; its body."""
        while True:
            for one in self.events[self._heard :]:
                self._heard += 1
                if one["event"] == event:
                    body: dict[str, Any] = one.get("body", {})
                    return body
            await self.message()

    async def go(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Move, and give the body of `stopped`."""
        self._heard = len(self.events)
        if command in {"next", "stepIn", "stepOut", "continue", "stepBack", "reverseContinue", "goto", "pause"}:
            arguments.setdefault("threadId", 1)
        await self.ask(command, **arguments)
        return await self.until("stopped")

    def output(self, category: str | None = None) -> str:
        """What has been written to the console."""
        bodies = [one["body"] for one in self.events if one["event"] == "output"]
        return "".join(one["output"] for one in bodies if category is None or one["category"] == category)

    async def launched(self, **arguments: Any) -> dict[str, Any]:
        """Initialize and launch; gives the capabilities. The breakpoints are to be set next."""
        capabilities: dict[str, Any] = await self.ask("initialize", adapterID="inngest-gen", supportsInvalidatedEvent=True)
        await self.ask("launch", **arguments)
        await self.until("initialized")
        return capabilities

    async def begin(self) -> dict[str, Any]:
        """Say that all is configured; gives the body of `stopped`."""
        return await self.go("configurationDone")

    async def breakpoints(self, *wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Set the breakpoints of the shop's file."""
        told = await self.ask("setBreakpoints", source={"path": shop.FILE}, breakpoints=list(wanted))
        found: list[dict[str, Any]] = told["breakpoints"]
        return found

    async def stack(self, thread: int = 1) -> list[dict[str, Any]]:
        """The frames of a thread."""
        found: list[dict[str, Any]] = (await self.ask("stackTrace", threadId=thread))["stackFrames"]
        return found

    async def scope(self, name: str, frame: int = 0, thread: int = 1) -> int:
        """The reference of a scope of a frame of a thread."""
        frames = await self.stack(thread)
        scopes = (await self.ask("scopes", frameId=frames[frame]["id"]))["scopes"]
        reference: int = next(one["variablesReference"] for one in scopes if one["name"] == name)
        return reference

    async def rows(self, reference: int, **paging: Any) -> dict[str, dict[str, Any]]:
        """What is inside a thing, by name."""
        told = await self.ask("variables", variablesReference=reference, **paging)
        return {one["name"]: one for one in told["variables"]}


@functools.cache
def recording() -> Recording:
    """A run of the shop, recorded by the engine."""
    with ThreadPoolExecutor(1) as thread:  # the test that asks first is in a loop already
        return thread.submit(anyio.run, rig.recorded, shop.app, {"order_id": "o1"}).result()


def opens(*, found: Any = None) -> Opener:
    """What opens the shop's run, or another one."""
    return lambda _: found if found is not None else (recording(), shop.app)


@contextlib.asynccontextmanager
async def talking(opener: Opener | None = None, *, loop: str = "asyncio") -> AsyncIterator[Client]:
    """A client that talks to a conversation."""
    ours, theirs = pair()
    client = Client(ours)
    opener = opener or opens()

    async def converse() -> None:
        async with theirs:
            conversation = Conversation(theirs, opener, loop=loop, tell=lambda answer: "\n".join(telling.lines(answer, lambda _: [])))
            client.ended = await conversation.run()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(converse)
        try:
            yield client
        finally:
            await ours.aclose()
