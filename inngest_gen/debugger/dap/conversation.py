"""Conversation: one client's, from its first request to its last, over a byte stream.

    begun --initialize--> ready --launch, attach--> configuring --configurationDone--> debugging --terminate, the end--> over
                          and from each of them --disconnect, the end of the stream--> parted

Promises: each request gets one response, in order, what is wrong with it included; a request that comes too early or too late gets an error. What is
under way is cancelled when the client wants to pause or to part, and a handler that does not come back does not keep it from that.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, Literal

import anyio
import anyio.abc

from inngest_gen.debugger.dap import arguments as args
from inngest_gen.debugger.dap.adapter import Adapter, Opener, Tell
from inngest_gen.debugger.dap.framing import Decoder, Lost, Malformed, encode
from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.dap.requests import CAPABILITIES, CONFIGURING, REQUESTS, answer
from inngest_gen.debugger.dap.stage import Stage
from inngest_gen.errors import InngestGenError

State = Literal["begun", "ready", "configuring", "debugging", "over", "parted"]

_URGENT: Final = {"pause", "terminate", "disconnect"}
"""What does not wait for what is under way."""
_PATIENCE_S: Final = 2.0
"""How long a request that moves nothing may go on when something urgent has come."""
_QUEUE: Final = 1_000

_UNTIMELY: Final[dict[State, str]] = {
    "begun": "the first request is initialize",
    "ready": "launch or attach comes first",
    "configuring": "configurationDone comes first",
    "debugging": "it is under way already",
    "over": "the session has ended: disconnect, and launch again",
    "parted": "the client has parted",
}


class Conversation:
    """A conversation with a client. `loop` is the event loop under which handlers are replayed where the client says none.

    `reload` says that this process has debugged something before, so that the code is to be loaded anew.
    """

    def __init__(self, stream: anyio.abc.ByteStream, opener: Opener, *, loop: str, tell: Tell, reload: bool = False) -> None:
        self._stream = stream
        self._opener = opener
        self._loop = loop
        self._tell = tell
        self._reload = reload
        self._state: State = "begun"
        self._client = args.Initialize()
        self._attached = False
        self._ends_process = False
        self._seq = 0
        self._stack = AsyncExitStack()
        self._stage: Stage | None = None
        self._adapter: Adapter | None = None
        self._urgent = 0
        self._scope: anyio.CancelScope | None = None
        self._moving = False

    async def run(self) -> bool:
        """Answer the client until it parts. Says whether it wants the process to end."""
        send, receive = anyio.create_memory_object_stream[Any](_QUEUE)
        async with self._stack:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, send)
                try:
                    async with receive:
                        async for message in receive:
                            await self._take(message)
                            if self._state == "parted":
                                break
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):  # nobody listens any more
                    pass
                tasks.cancel_scope.cancel()
            self._state = "parted"
            if self._stage is not None and self._adapter is not None and not self._stage.stuck:
                await self._stage.run(self._adapter.drop)
        return self._ends_process

    # What comes.

    async def _read(self, queue: anyio.abc.ObjectSendStream[Any]) -> None:
        decoder = Decoder()
        async with queue:
            try:
                while True:
                    for message in decoder.feed(await self._stream.receive()):
                        if isinstance(message, dict) and message.get("command") in _URGENT:
                            self._hurry()
                        await queue.send(message)
            except Lost as lost:
                await queue.send(lost)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass
            self._hurry()

    def _hurry(self) -> None:
        self._urgent += 1
        if self._scope is not None:
            self._scope.deadline = min(self._scope.deadline, self._patience())

    def _patience(self) -> float:
        return anyio.current_time() + (0 if self._moving else _PATIENCE_S)

    async def _take(self, message: Any) -> None:
        if isinstance(message, Lost):
            await self._respond(0, "", error=Refused(f"{message}: the conversation cannot go on"))
            self._state = "parted"
        elif isinstance(message, Malformed):
            await self._respond(0, "", error=Refused(message.why))
        elif not isinstance(message, dict) or message.get("type") not in {"request", "response", "event"}:
            await self._respond(0, "", error=Refused('a message is a JSON object with the type "request"'))
        elif message["type"] == "request":
            seq, command = message.get("seq"), message.get("command")
            if not isinstance(seq, int) or not isinstance(command, str):
                await self._respond(
                    seq if isinstance(seq, int) else 0,
                    str(command or ""),
                    error=Refused("a request has a number, seq, and a text, command"),
                )
                return
            if command in _URGENT:
                self._urgent -= 1
            await self._request(seq, command, message.get("arguments"))

    async def _request(self, seq: int, command: str, given: object) -> None:
        body: dict[str, Any] | None = None
        error: Exception | None = Refused("cancelled: it took too long, and something urgent came")

        async def work() -> None:
            nonlocal body, error
            try:
                body, error = await self._answer(command, given), None
            except Exception as raised:  # noqa: BLE001 - each request gets a response
                error = raised

        done = await self._under_way(work)
        await self._respond(seq, command, body, error=error)
        if not done and self._state == "debugging":
            await self._stand()
        if command in {"launch", "attach"} and error is None:
            await self._event("initialized")
        await self._flush()
        if self._adapter is not None and self._adapter.then is not None:
            then, self._adapter.then = self._adapter.then, None
            await self._move(then)

    async def _under_way(self, work: Callable[[], Any], *, moving: bool = False) -> bool:
        """Do something that something urgent may cancel; says whether it came to its end."""
        self._moving = moving
        with anyio.CancelScope() as scope:
            if self._urgent:
                scope.deadline = self._patience()
            self._scope = scope
            try:
                await work()
            finally:
                self._scope = None
        return not scope.cancelled_caught

    async def _move(self, then: Callable[[], Any]) -> None:
        assert self._stage is not None
        stage = self._stage
        why: list[str] = []

        async def work() -> None:
            try:
                await stage.run(then)
            except Exception as error:  # noqa: BLE001 - whatever a replay raises, the client can go back from it
                why.append(_sentence(error))

        done = await self._under_way(work, moving=True)
        if not done or why:
            await self._stand(*why)
        await self._flush()

    async def _stand(self, why: str | None = None) -> None:
        """Stand where it stood, after something that did not come to its end; with `why` that is told as a stop."""
        assert self._stage is not None
        assert self._adapter is not None
        try:
            await self._stage.run(partial(self._adapter.resume, why))
        except Exception as error:  # noqa: BLE001 - there is nowhere to stand any more
            self._adapter.say("important", f"{_sentence(error)}\n")
            self._adapter.terminate()

    # What it is answered.

    async def _answer(self, command: str, given: object) -> dict[str, Any] | None:
        match command:
            case "initialize":
                self._needs("begun")
                self._client = args.read(args.Initialize, given)
                self._state = "ready"
                return CAPABILITIES
            case "launch" | "attach":
                self._needs("ready")
                await self._launch(args.read(args.Launch, given), attached=command == "attach")
                self._state = "configuring"
            case "configurationDone":
                self._needs("configuring")
                assert self._adapter is not None
                self._adapter.then = partial(self._adapter.begin, "attach" if self._attached else "launch")
                self._state = "debugging"
            case "terminate":
                self._ends_process = self._attached
                if self._adapter is None:
                    self._state = "over"
                else:
                    self._adapter.terminate()
            case "disconnect":
                wanted = args.read(args.Disconnect, given).terminate_debuggee
                self._ends_process = self._ends_process or (self._attached and wanted is True)
                self._state = "parted"
            case _:
                return await self._ask(command, given)
        return None

    async def _ask(self, command: str, given: object) -> dict[str, Any]:
        if command not in REQUESTS:
            raise Refused(f"there is no request {command!r} here")
        self._needs("debugging", *(("configuring",) if command in CONFIGURING else ()))
        assert self._stage is not None
        assert self._adapter is not None
        return await self._stage.run(partial(answer, self._adapter, command, given))

    def _needs(self, *states: State) -> None:
        if self._state not in states:
            raise Refused(f"not now: {_UNTIMELY[self._state]}")

    async def _launch(self, launch: args.Launch, *, attached: bool) -> None:
        if self._stage is not None:  # of a launch that failed
            await self._stack.aclose()
        self._stage = await self._stack.enter_async_context(Stage(launch.loop or self._loop))
        opened = partial(Adapter.open, self._opener, launch, self._client, self._tell, reload=self._reload)
        self._adapter = await self._stage.run(opened)
        self._attached = attached

    # What goes.

    async def _respond(self, seq: int, command: str, body: dict[str, Any] | None = None, *, error: Exception | None = None) -> None:
        told: dict[str, Any] = {"type": "response", "request_seq": seq, "success": error is None, "command": command}
        if error is not None:
            sentence = _sentence(error)
            told["message"] = sentence
            told["body"] = {"error": {"id": 1, "format": sentence, "showUser": isinstance(error, Refused) and error.shown}}
        elif body is not None:
            told["body"] = body
        await self._send(told)

    async def _flush(self) -> None:
        adapter = self._adapter
        if adapter is not None:
            events, adapter.events = adapter.events, []
            for name, body in events:
                await self._event(name, body)
            if adapter.over and self._state in {"configuring", "debugging"}:
                self._state = "over"

    async def _event(self, name: str, body: dict[str, Any] | None = None) -> None:
        await self._send({"type": "event", "event": name, **({} if not body else {"body": body})})

    async def _send(self, told: dict[str, Any]) -> None:
        self._seq += 1
        await self._stream.send(encode({"seq": self._seq, **told}))


def _sentence(error: Exception) -> str:
    if isinstance(error, (Refused, InngestGenError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
