"""HookedExecution: a run being driven through the hooks of middleware.

Promises: the hooks run in the run's own task and contextvars, so that what `wrap_function` sets is set for the handler and its step bodies; a
recorded result is shown to them on its way to the handler, whether it was recorded before or just now; an error of theirs is the attempt's.
Refuses: a scope of a hook's own around the handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from inngest_gen.driver import mistakes
from inngest_gen.driver.around import Around
from inngest_gen.driver.execution import Execution, as_recorded, is_final
from inngest_gen.driver.flow import Leaf
from inngest_gen.driver.turn import Diverged, Ended, Raised, Returned, Turn
from inngest_gen.errors import InngestGenError
from inngest_gen.ids import step_hash
from inngest_gen.intents.defer import Defer
from inngest_gen.intents.step import Step
from inngest_gen.loops import being_cancelled, scope_marker
from inngest_gen.middleware.chain import Chain
from inngest_gen.middleware.info import StepPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How a request begins: `receive` takes its call through the hooks, `make` then makes the handler. `first` says that its run begins here."""

    receive: Callable[[], Awaitable[None]]
    make: Callable[[], Awaitable[object]]
    first: bool


class HookedExecution(Execution):
    """An execution with the `chain` of its request. Its handler is made in the first turn, as `beginning` says."""

    def __init__(self, chain: Chain, *given: Any) -> None:
        super().__init__(*given)
        self.chain: Chain = chain
        self._beginning: Beginning | None = None
        self._around: Around | None = None
        self._told: set[tuple[str, type]] = set()
        """The defers of which the hooks were told: a shell may let them wait for a message over several turns."""
        self._remembers = True
        """Whether recorded results are still to come."""
        self._shows = chain.sees_results
        if chain.transforms_steps:
            self._transform = self._transformed
        if chain.transforms_defers:
            self.lazy.chain = chain

    def begin_with(self, beginning: Beginning) -> None:
        """Give it, in place of `start`, what makes the handler."""
        self._beginning = beginning

    @property
    def must_close(self) -> bool:
        """Whether `let_go` has something to await."""
        return self._around is not None or super().must_close

    async def let_go(self, grace: float | None = None) -> bool:
        """Close what `ctx.using` entered, then the hooks around the handler, and drop the handler without running it."""
        closed = True
        deadline = None if grace is None else anyio.current_time() + grace
        try:
            closed = await self._close_resources(grace)
            if self._around is not None:
                closing = self._close("the middleware", self._around.close())
                if deadline is None:
                    await closing
                else:
                    with anyio.CancelScope(deadline=deadline, shield=True) as scope:
                        await closing
                    closed = closed and not scope.cancelled_caught
        finally:
            self.drop()
        return closed

    def drop(self) -> None:
        """Drop the handler and the hooks around it; a `finally` of theirs that awaits is cut short."""
        self._finalizer.quiet = True
        around, self._around = self._around, None
        if around is not None:
            around.drop()
        self._beginning = None
        super().drop()

    # The request, from its beginning to its end.

    async def _turn(self, turn: Turn, budget: int) -> Turn:
        if self._beginning is not None:
            beginning, self._beginning = self._beginning, None
            await self._begin_within(beginning)
        await super()._turn(turn, budget)
        if not turn.paused:
            await self._end_memoization()  # what is recorded and was not asked for by now is not asked for at all
        if self.ended is not None:
            await self._end_within()
            turn.ended = self.ended
        elif self.chain.tells_defers:
            await self._tell_defers()
        return turn

    async def _begin_within(self, beginning: Beginning) -> None:
        """Take the call in, call the hooks up to the handler, and make it."""
        refused: Exception | None = None
        try:
            await beginning.receive()
        except Exception as error:  # noqa: BLE001 - a hook may raise anything: the attempt has failed
            refused = error
        if not self._history.memos:
            await self._end_memoization()
        if beginning.first:
            await self.chain.run_started()
        if refused is not None:
            self._fail(refused, final=is_final(refused))
            return
        if self.chain.wraps_function:
            mark_now = scope_marker()
            mark = mark_now()
            self._around = Around(self.chain.around)
            await self._run_hooks(self._around, self._around.enter())
            if self.ended is not None:
                return
            if mark_now() is not mark:
                self._fail(mistakes.scope_over_next(), final=True)
                return
        try:
            self.start(await beginning.make())
        except Exception as error:  # noqa: BLE001 - the user's schema, or a handler that cannot be called so: no further attempt can help
            self._fail(error, final=True)

    async def _end_within(self) -> None:
        """Take the handler's end through the hooks: what they make of it counts."""
        if isinstance(self.ended, Diverged):
            return
        self.ended = self._as_output(self.ended)
        around = self._around
        if around is not None and around.entered:
            match self.ended:
                case Returned(value):
                    await self._run_hooks(around, around.leave(None, value))
                case Raised(error):
                    await self._run_hooks(around, around.leave(error, None))
            await self._settle_lazy()
            self.ended = self._as_output(self.ended)
        if self.chain.tells_defers:
            await self._tell_defers()
        match self.ended:
            case Returned(value):
                await self.chain.run_completed(value)
            case Raised(error, final):
                await self.chain.run_failed(error, final=final)

    async def _tell_defers(self) -> None:
        new = [op for op in self.lazy.waiting() if not isinstance(op, Defer) and (op.hash, type(op)) not in self._told]
        self._told.update([(op.hash, type(op)) for op in new])
        await self.chain.deferred(new)

    def _as_output(self, ended: Ended | None) -> Ended | None:
        if not isinstance(ended, Returned):
            return ended
        try:
            return Returned(self.chain.output(ended.value))
        except InngestGenError as error:
            return Raised(error, final=True)

    def _fail(self, error: BaseException, *, final: bool) -> None:
        self.ended = Raised(mistakes.located(error), final=final)

    async def _run_hooks(self, around: Around, hooks: Awaitable[Any]) -> None:
        """Run the hooks around the handler. Where they end, with a result or an error, that is the run's end."""
        before = self.ended
        try:
            value = await hooks
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or self._finalizer.quiet:
                raise
            if self._was_woken and being_cancelled():
                if isinstance(error, anyio.get_cancelled_exc_class()):
                    raise
                await self._vanish()
            same = isinstance(before, Raised) and before.error is error
            if not same:
                self._fail(error, final=is_final(error))
        else:
            if self._was_woken and being_cancelled():
                await self._vanish()
            if not around.entered:
                self.ended = Returned(value)

    async def _end_memoization(self) -> None:
        if self._remembers:
            self._remembers = False
            await self.chain.memoization_ended()

    # Steps.

    async def _transformed(self, step: Step[Any]) -> Exception | None:
        try:
            await self.chain.transform_step(step, self._look_up)
        except Exception as error:  # noqa: BLE001 - a hook may raise anything: it is thrown at the yield
            return error
        return None

    def _look_up(self, id: str) -> tuple[str, bool]:
        """Give the hash that a step with this id would have now, and whether the record has its result."""
        hash = step_hash(self._next_key(id)[0])
        return hash, hash in self._history.memos

    async def _deliver(self, leaf: Leaf) -> None:
        memo = self._take(leaf)
        step = leaf.op.step
        if not self._history.memos:
            await self._end_memoization()

        async def result() -> Any:
            if memo.error is not None:
                raise as_recorded(memo.error, step)
            return memo.data

        op = leaf.op
        place = StepPlace(position=op.position, index=op.index, path=op.path, at=op.at)
        try:
            data = await self.chain.recorded(step, op.hash, place, result)
        except Exception as error:  # noqa: BLE001 - the step's own, or what a hook raises instead
            self._tree.settle(leaf.parent, leaf.slot, error, None)
        else:
            self._settle_with(leaf, data)
