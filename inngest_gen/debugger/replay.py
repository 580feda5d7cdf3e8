"""Replay: one replay of a history by the driver, moved one intent at a time. It goes forward only; going back is another replay, of a shorter prefix.

Promises: no step body runs, `ctx.using` opens nothing, and nothing is sent anywhere: only the handler's own code between its yields runs, in the loop
of whoever moves it. `drop` drops the frames without running them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio.lowlevel

from inngest_gen.app.function import Function
from inngest_gen.calls.request import CallRequest, without_own_keys
from inngest_gen.debugger.capture import Tape, capturing, current_tape, tape_logger
from inngest_gen.debugger.history import History, as_it_is
from inngest_gen.debugger.stop import Settled, State
from inngest_gen.debugger.stub import stub_for
from inngest_gen.driver.execution import Execution
from inngest_gen.driver.turn import Diverged, Ended, Raised, Turn
from inngest_gen.intents.using import Using
from inngest_gen.middleware.chain import Chain

_TURN: Final = 16
"""How many stops a replay passes in its first turn; quick ones grow."""
_GIVE_WAY_S: Final = 0.005
"""A turn that takes longer lets the loop have its turn."""

UsingHook = Callable[[Any], Any]
"""Gets the context manager that `ctx.using` named and gives what stands for the entered resource."""


class Replay:
    """A replay that stands at stop `number`. Made by `begin`. `notes` tells what was odd on the way from the last stop."""

    def __init__(self, history: History, function: Function, using: UsingHook | None) -> None:
        self.history: History = history
        self.function: Function = function
        self.number: int = 0
        self.state: State = "start"
        self.ended: Ended | None = None
        self.settled: tuple[Settled, ...] = ()
        self.notes: list[str] = []
        self.tape: Tape = Tape()
        self.in_scope: bool = False
        """Whether the handler holds a cancel scope of its own here: it must not be dropped now."""
        self.chain: Chain | None = None
        """The middleware that the replay goes through, if any is declared."""
        self.loop: object = anyio.lowlevel.current_token()
        """The loop it lives in."""
        self._missing: str | None = None
        self._using = using
        self._execution: Execution | None = None

    @classmethod
    async def begin(cls, history: History, function: Function, using: UsingHook | None = None) -> Replay:
        """Make the replay, before the handler's first line. Data that the function's schema refuses ends it at once."""
        replay = cls(history, function, using)
        recording = history.recording
        call = CallRequest(
            run_id=recording.run_id,
            events=recording.events,
            attempt=recording.attempt,
            max_attempts=recording.max_attempts or function.options.retries + 1,
            sessions=dict(recording.sessions),
            error=None if recording.failure is None else recording.failure.error(),
            parents=recording.parents,
        )
        chain = function.chain()
        if chain is not None:
            chain.mute()  # hooks that change something are called, those that are told of something are not
        try:
            with capturing():
                data = (
                    None
                    if chain is not None
                    else await function.receive(without_own_keys(recording.events[0].data if recording.events else {}))
                )
                execution = function.begin(
                    call,
                    memos=history.memos(),
                    memo_of=as_it_is,
                    prior_defers=history.prior_defers(),
                    strict=history.held,
                    planned=history.planned if history.held else None,
                    data=data,
                    chain=chain,
                    enter=replay._enter,
                    logger=tape_logger(),
                )
                execution.context.run(current_tape.set, replay.tape)
                if chain is not None:  # it makes the handler in its first turn
                    replay.ended = (await execution.turn(0)).ended
        except Exception as error:  # noqa: BLE001 - the user's schema, or a handler of the wrong shape: as in the engine, that ends the run
            replay.ended, replay.state = Raised(error, final=True), "ended"
            return replay
        replay.chain, replay._execution = chain, execution
        if replay.ended is not None:
            replay.state = "ended"
        return replay

    @property
    def execution(self) -> Execution:
        """The driver's execution. Only where the run has begun."""
        assert self._execution is not None
        return self._execution

    @property
    def has_begun(self) -> bool:
        """Whether there is an execution."""
        return self._execution is not None

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to replay."""
        return self.state in {"frontier", "ended", "diverged"}

    def frontier(self) -> str | None:
        """Give the hash of the frontier: the first step asked for that has no outcome and that the run did not do without; None: not come to."""
        pending = self.execution.pending
        if self._missing is None or self._missing not in pending:
            history = self.history
            self._missing = next((one for one in pending if not history.has(one) and not history.is_abandoned(one)), None)
        return self._missing

    async def forward(self, count: int, before_last: Callable[[Replay], None] | None = None) -> bool:
        """Move forward by `count` stops, or to the last one. `before_last` is called at the stop before the one that it comes to.

        Says False where the last stop came earlier: then the replay is past its details and of no further use.
        """
        if count < 1 or self.is_last:
            return True
        execution = self.execution
        with capturing():
            if not await self._pass(count - 1):
                return False
            if before_last is not None:
                before_last(self)
            self.tape.clear()
            self.notes.clear()
            waiting = {hash: leaf.op.step.id for hash, leaf in execution.pending.items()}
            turn = await execution.turn(1)
        self._arrive(turn, waiting)
        return True

    async def _pass(self, left: int) -> bool:
        """Move past so many stops, in turns short enough that the move can be cancelled where the handler's own code is slow."""
        execution = self.execution
        size = _TURN
        while left > 0:
            began = time.perf_counter()
            turn = await execution.turn(min(size, left))
            self.number += turn.yielded
            if not turn.paused:
                return False
            left -= turn.yielded
            took = time.perf_counter() - began
            if took < _GIVE_WAY_S / 2:
                size *= 2
            elif took > _GIVE_WAY_S:
                size = max(1, size // 4)
                if not execution.in_scope:  # there the loop might cancel it by the handler's own scope
                    await anyio.lowlevel.checkpoint()
        return True

    def _arrive(self, turn: Turn, waiting: Mapping[str, str]) -> None:
        execution = self.execution
        self.ended = turn.ended
        self.in_scope = execution.in_scope
        # Where nothing is left and no intent came, that is a stop of its own.
        self.number += 1
        if turn.ended is not None:
            self.state = "diverged" if isinstance(turn.ended, Diverged) else "ended"
        else:
            self.state = "yield" if turn.paused else "frontier"
        gone = [hash for hash in waiting if hash not in execution.pending]
        self.settled = tuple(self._settled(hash, waiting[hash]) for hash in gone) if gone else ()

    def _settled(self, hash: str, id: str) -> Settled:
        if hash in self.execution.lost():
            return Settled(id=id, hash=hash, how="lost")
        return Settled(id=id, hash=hash, how="error" if self.history.failed(hash) else "result")

    def drop(self) -> None:
        """Drop the handler without running it."""
        if self._execution is not None:
            self._execution.drop()

    async def _enter(self, using: Using) -> Any:
        manager = using.manager
        if self._using is not None:
            return self._using(manager)

        def told(what: str) -> None:
            note = f"{what} was used, of a resource that is not open: a replay opens nothing"
            if note not in self.notes:
                self.notes.append(note)

        return stub_for(manager, told)


async def replay_to(
    history: History,
    function: Function,
    number: int,
    *,
    using: UsingHook | None = None,
    before_last: Callable[[Replay], None] | None = None,
    begun: Callable[[Replay], None] | None = None,
) -> Replay:
    """Make a replay that stands at a stop, or at the last one where there are fewer. `begun` is given each that is made on the way."""

    async def at(wanted: int, *, exact: bool) -> Replay | int:
        replay = await Replay.begin(history, function, using)
        if begun is not None:
            begun(replay)
        try:
            if await replay.forward(wanted, before_last):
                if exact and not replay.is_last:
                    await replay.forward(1, before_last)
                return replay
        except BaseException:
            replay.drop()
            raise
        replay.drop()
        return replay.number

    found = await at(number, exact=False)
    if isinstance(found, int):  # how many intents there are in all: the last stop is at the last of them, or the one after
        found = await at(found, exact=True)
        assert isinstance(found, Replay)
    return found
