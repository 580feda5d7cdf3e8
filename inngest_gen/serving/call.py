"""One call of a function by an Inngest server: drives the handler to its frontier, runs the step that may run, and says what came of it.

A shell around the driver, as the embedded engine is; what it decides is what happens at the frontier. With checkpointing the handler stays alive and
goes on from step to step, each told to the server on the way; without, a step's result is the reply and the next call replays.
Promises: what a message did not take is in the next one or in the reply, defers above all (L11 to L13); a checkpoint refused as stale (409) stops
the handler at once, and what had not been sent is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import orjson

from inngest_gen import jsonvalue
from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAbort, LazyOp
from inngest_gen.calls.memo import Memo
from inngest_gen.clock import Clock
from inngest_gen.driver.attempt import Attempt
from inngest_gen.driver.body import RESULT_BYTES, Outcome, is_async, retry_time, run_body
from inngest_gen.driver.execution import Execution, is_final
from inngest_gen.driver.flow import Leaf
from inngest_gen.driver.turn import Diverged, Ended, Op, Raised, Returned
from inngest_gen.errors import InngestGenError, RetryAfterError, TooLarge
from inngest_gen.event import Event
from inngest_gen.ids import event_seed
from inngest_gen.intents.step import Run, SendEvent, SendSignal, Step
from inngest_gen.middleware.chain import Chain
from inngest_gen.net.api import Api, Stale
from inngest_gen.options.checkpointing import Checkpointing
from inngest_gen.protocol import ops
from inngest_gen.protocol.call import WireCall
from inngest_gen.protocol.checkpoint import checkpoint_body
from inngest_gen.protocol.events import wire_event
from inngest_gen.protocol.reply import Reply, error_reply, ops_reply, result_reply, step_not_found_reply
from inngest_gen.serving.due import is_due, may_run
from inngest_gen.serving.unsent import Unsent

_GRACE_S = 10.0
"""How long closing what `ctx.using` entered may take."""


class Call:
    """One call. `wire` is the request; `checkpointing` is None where this call may not checkpoint (F01); `sessions` are those to hand on, if any.

    `chain` is the middleware of this request; `threads` gives what limits how many sync bodies run at once.
    """

    __slots__ = (
        "_api", "_chain", "_checkpointing", "_clock", "_execution", "_function", "_log", "_sessions", "_started", "_telling",
        "_threads", "_unsent", "_wire",
    )  # fmt: skip

    def __init__(
        self,
        function: Function,
        wire: WireCall,
        execution: Execution,
        api: Api,
        clock: Clock,
        checkpointing: Checkpointing | None,
        sessions: Mapping[str, Any] | None,
        chain: Chain | None,
        threads: Callable[[], anyio.CapacityLimiter],
    ) -> None:
        self._function = function
        self._wire = wire
        self._execution = execution
        self._api = api
        self._clock = clock
        self._checkpointing = checkpointing
        self._sessions = sessions
        self._chain = chain
        self._threads = threads
        self._log: logging.Logger = function.app.logger
        self._started = 0.0 if checkpointing is None else clock.now()
        """When this call began; 0 where nobody is to know."""
        self._unsent = Unsent()
        self._telling: anyio.Lock | None = None
        """Where checkpoints may be sent at any time: one at a time, then."""

    def answer(self) -> Awaitable[Reply]:
        """Drive the handler as far as this call may; gives the reply."""
        interval = None if self._checkpointing is None else self._checkpointing.max_interval_s
        return self._answer() if interval is None else self._answer_telling(interval)

    async def _answer_telling(self, interval_s: float) -> Reply:
        """Drive, and send checkpoints at intervals too. One that finds this call stale ends all of it, a running body too."""
        reply: Reply | None = None
        stale = False
        self._telling = anyio.Lock()

        async def tell_regularly() -> None:
            nonlocal stale
            while True:
                await anyio.sleep(interval_s)
                try:
                    await self._tell()
                except Stale:
                    stale = True
                    tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tell_regularly)
            reply = await self._answer()
            tasks.cancel_scope.cancel()
        # What has ended before it was cancelled, or has caught that, has a reply as well.
        return self._stale() if stale or reply is None else reply

    async def _answer(self) -> Reply:
        """Drive, and close what the handler holds: here, inside the scopes in which it was opened."""
        execution = self._execution
        try:
            return await self._driven()
        except Stale:
            return self._stale()
        except anyio.get_cancelled_exc_class() as cancelled:
            error = await execution.struck(cancelled, _GRACE_S)
            try:
                return await self._end(Raised(error, final=is_final(error)))
            except Stale:
                return self._stale()
        finally:
            if execution.must_close:
                await execution.let_go(_GRACE_S)  # drops it, too
            else:
                execution.drop()

    def _stale(self) -> Reply:
        """Answer a call for which the server has no use any more (F13)."""
        self._unsent.log_dropped(self._wire.run_id, self._log, "the server has no use for this call any more")
        return ops_reply([ops.nothing(self._wire.run_id)])

    async def _driven(self) -> Reply:
        execution = self._execution
        wire = self._wire
        while True:
            turn = await execution.turn()
            lazy = execution.lazy.drain()
            if lazy:
                self._keep(lazy)
            target = wire.target
            passed = None if target is None or target in execution.pending else self._passed(target)
            if passed is not None:
                return passed
            if turn.ended is not None:
                if not is_due(wire, execution, execution.cause):
                    return ops_reply([ops.nothing(wire.run_id)])
                self._note_unused()
                return await self._end(turn.ended)
            leaves = list(execution.pending.values())
            if target is not None:
                wanted = execution.pending.get(target)
                if wanted is None:
                    return _step_not_found(target, leaves)
                leaves = [wanted]
            else:
                due = self._due(leaves) if execution.apart else leaves
                if not due:
                    return ops_reply([ops.nothing(wire.run_id)])
                if len(leaves) > 1 or wire.disable_immediate_execution or not may_run(wire, execution, leaves[0]):
                    return await self._plan(due)
            [leaf] = leaves
            if not runs_here(leaf.op.step) or (self._checkpointing is not None and self._out_of_time(self._checkpointing)):
                return await self._plan(leaves)
            reply = await self._step(leaf)
            if reply is not None:
                return reply

    def _due(self, leaves: list[Leaf]) -> list[Leaf]:
        """Give the leaves that are for this call to begin or to tell."""
        wire, execution = self._wire, self._execution
        return leaves if is_due(wire, execution, execution.cause) else [leaf for leaf in leaves if is_due(wire, execution, leaf.cause)]

    def _passed(self, target: str) -> Reply | None:
        """Answer a call for a step that the run has passed by; None where it has not."""
        if target in self._wire.stack:  # it has a result: what is next may not have been asked for
            return ops_reply([ops.discovery_request(self._clock.now(), race=self._execution.apart)])
        if target in self._execution.lost():  # its race was decided on the way: nobody waits for it
            return ops_reply([ops.nothing(self._wire.run_id)])
        return None

    def _out_of_time(self, checkpointing: Checkpointing) -> bool:
        """Say whether the next step goes back to the server (K06)."""
        return self._clock.now() - self._started >= checkpointing.max_runtime_s

    # What a turn leads to.

    async def _plan(self, leaves: Sequence[Leaf]) -> Reply:
        """Report steps that the server is to begin, or to run by calling again (A13, C62, F08)."""
        if self._unsent.steps and not await self._tell():
            return self._reply()
        return self._reply([self._planned(leaf) for leaf in leaves])

    def _planned(self, leaf: Leaf) -> ops.WireOp:
        op, race = leaf.op, self._execution.apart
        try:
            return ops.planned(op.step, op.hash, op.index, race=race, sessions=self._sessions)
        except InngestGenError as error:  # what cannot be sent has failed
            return ops.step_error(op.step, op.hash, op.index, Failure.of(error, no_retry=True), final=True, race=race)

    async def _step(self, leaf: Leaf) -> Reply | None:
        """Run a step; gives the reply, or None where the handler goes on with the result."""
        op = leaf.op
        wire = self._wire
        began = self._clock.now()
        outcome = await self._run(op)
        took_ns = max(0, int((self._clock.now() - began) * 1e9))  # whatever clock it is
        started_ns, inputs, race = int(began * 1e9), wire.inputs.get(op.hash), self._execution.apart
        if outcome.lazy and not await self._separated(outcome.lazy):
            self._log.info(
                "run %s: step %r runs again, so that what it takes back is not sent with what it takes back", wire.run_id, op.step.id
            )
            return self._reply()
        if outcome.failure is not None:
            final = outcome.failure.no_retry or wire.final
            failed = ops.step_error(
                op.step, op.hash, op.index, outcome.failure, final=final, started_ns=started_ns, took_ns=took_ns, inputs=inputs, race=race
            )
            return await self._step_failed(failed, outcome, final=final)
        self._unsent.steps.append(ops.step_run(op.step, op.hash, op.index, outcome.data, started_ns, took_ns, inputs, race=race))
        if outcome.lazy:
            self._keep(outcome.lazy)
        checkpointing = self._checkpointing
        if checkpointing is None or wire.attempt > 0:  # answered at once, the server counts attempts anew (F18)
            return self._reply()
        if len(self._unsent.steps) >= checkpointing.buffered_steps and not await self._tell():
            return self._reply()
        self._execution.resolve(op.hash, Memo(orjson.loads(outcome.data)))
        return None

    async def _step_failed(self, failed: ops.WireOp, outcome: Outcome, *, final: bool) -> Reply:
        told = not self._unsent.steps or await self._tell()
        self._keep(outcome.lazy)
        if not told:  # the failure is left out, and found again by the next call (F09)
            return self._reply()
        return self._reply([failed], no_retry=final, retry_after=None if final else _when(outcome.retry_in, outcome.retry_at))

    async def _end(self, ended: Ended) -> Reply:
        match ended:
            case Returned(value):
                what = f"the result of function {self._function.id!r}"
                try:
                    data = jsonvalue.encode(value, what)
                    if len(data) > RESULT_BYTES:
                        raise TooLarge(what, len(data), RESULT_BYTES)
                except InngestGenError as error:
                    return await self._raised(error, final=True)
                if self._checkpointing is None and not self._unsent:
                    return result_reply(data)
                return self._reply(last=[ops.run_complete(data)])
            case Raised(error, final):
                return await self._raised(error, final=final)
            case Diverged(error):
                return await self._raised(error, final=True)

    async def _raised(self, error: BaseException, *, final: bool) -> Reply:
        """Report the handler's own failure, once the server has all that came before it."""
        if self._unsent and (self._checkpointing is None or not await self._tell()):
            # The server asks again at once, and no attempt is used up (L12).
            return self._reply(
                last=[ops.discovery_request(self._clock.now())] if len(self._unsent.lazy) > 1 and not self._unsent.steps else ()
            )
        final = final or self._wire.final
        after = None
        if isinstance(error, RetryAfterError) and not final:
            try:
                after = _when(*retry_time(error))
            except (TypeError, ValueError) as wrong:
                self._log.error("run %s: RetryAfterError got no time: %s", self._wire.run_id, wrong)
        return error_reply(Failure.of(error, no_retry=final), no_retry=final, retry_after=after)

    # Steps that run here.

    def _run(self, op: Op) -> Coroutine[Any, Any, Outcome]:
        step = op.step
        inputs = self._wire.inputs.get(op.hash)
        match step:
            case Run():
                if inputs is not None:  # edited on the server (C53)
                    step.args, step.kwargs = tuple(inputs), {}
                body: Run[Any] = step
            case SendEvent():
                body = Run(step.id, step.name, self._send_events, (op,))
            case SendSignal():
                body = Run(step.id, step.name, self._api.send_signal, (step.signal, step.data))
            case _:
                raise AssertionError(f"{step!r} has no body")
        wire = self._wire
        return run_body(
            body,
            Attempt(wire.run_id, op.hash, wire.attempt),
            context=self._execution.context,
            prior_defers=self._execution.lazy.prior,
            on_misuse=self._function.app.defer_errors,
            log=self._log,
            threads=None if is_async(body.fn) else self._threads(),
            unsent=self._log_unsent,
            chain=self._chain if body is step else None,
        )

    async def _send_events(self, op: Op) -> list[str]:
        step = op.step
        assert isinstance(step, SendEvent)

        async def deliver(events: Sequence[Event]) -> list[str]:
            now = self._clock.now()
            wire = [wire_event(event, now=now, sessions=self._sessions) for event in events]
            return await self._api.send_events(wire, seed=event_seed(self._wire.run_id, op.hash))

        chain = self._chain
        return await (chain.send(step.events, deliver) if chain is not None and chain.sends else deliver(step.events))

    # Messages.

    async def _separated(self, lazy: Sequence[LazyOp]) -> bool:
        """See to it that no defer and its abort are in one message: the server acts on both at once, and the abort may come first (A46).

        Says whether that is so now. Where a body takes back what its handler has deferred and not sent, the defer has to go ahead: a replay will
        make it again, but not the abort.
        """
        if not any(isinstance(op, DeferAbort) and self._unsent.holds(op.hash) for op in lazy):
            return True
        wire = self._wire
        return bool(wire.fn_id and wire.qi_id) and await self._tell()

    def _keep(self, lazy: Sequence[LazyOp]) -> None:
        for op in lazy:
            if isinstance(op, DeferAbort) and self._unsent.holds(op.hash):  # the handler's own: a replay makes and takes back both
                self._unsent.forget(op.hash)
                continue
            try:
                wire = ops.lazy_op(op, sessions=self._sessions)
            except InngestGenError as error:
                self._log.warning(
                    "defer %r of run %s skipped: %s", op.id, self._wire.run_id, error, extra={"id": op.id, "run_id": self._wire.run_id}
                )
                continue
            if wire is not None:
                self._unsent.lazy.append((op, wire))

    async def _tell(self) -> bool:
        """Send what there is as a checkpoint; says whether the server took it. Raises Stale."""
        if self._telling is None:
            return await self._checkpoint()
        async with self._telling:
            return await self._checkpoint()

    async def _checkpoint(self) -> bool:
        unsent = self._unsent
        if not unsent:
            return True
        steps, lazy = len(unsent.steps), len(unsent.lazy)
        wire = self._wire
        now = self._clock.now()
        body = checkpoint_body(wire, unsent.ops(), started=self._started or now, now=now)
        if not await self._api.checkpoint(wire.run_id, body):
            return False
        unsent.sent(steps, lazy)
        return True

    def _reply(
        self,
        first: Sequence[ops.WireOp] = (),
        last: Sequence[ops.WireOp] = (),
        *,
        no_retry: bool | None = None,
        retry_after: float | datetime | None = None,
    ) -> Reply:
        return ops_reply([*first, *self._unsent.ops(), *last], no_retry=no_retry, retry_after=retry_after)

    def _note_unused(self) -> None:
        unused = self._execution.unused()
        if unused:
            self._log.warning(
                "run %s ended without asking for %d recorded steps (%s): its code has changed, or is not deterministic",
                self._wire.run_id, len(unused), ", ".join(unused[:5]),
            )  # fmt: skip

    def _log_unsent(self, lazy: Sequence[LazyOp]) -> None:
        self._unsent.log_dropped(self._wire.run_id, self._log, "the call was cut short before it was sent", lazy)


def _step_not_found(target: str, leaves: Sequence[Leaf]) -> Reply:
    return step_not_found_reply(target, [(leaf.op.hash, leaf.op.step.id, leaf.op.step.name) for leaf in leaves])


def runs_here(step: Step[Any]) -> bool:
    """Say whether a step runs in the app; the others are the server's to carry out."""
    return step.__class__ is Run or isinstance(step, (Run, SendEvent, SendSignal))


def _when(after_s: float | None, at: float | None) -> float | datetime | None:
    return after_s if at is None else datetime.fromtimestamp(at, UTC)
