"""One run while it is in memory: brings the driver's frontier to the store and the store's results to the driver.

This is where driver and store meet. A result is given to the handler only after its commit. Nothing to do but wait: the run is suspended, its
frames dropped. Promises: results reach the driver in the order of their commits, which is the order of the record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, assert_never

import anyio
import orjson

from inngest_gen import jsonvalue
from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, LazyOp
from inngest_gen.calls.memo import Memo
from inngest_gen.driver.attempt import Attempt
from inngest_gen.driver.body import Outcome, failed_outcome, retry_time, run_body
from inngest_gen.driver.execution import Execution, is_final
from inngest_gen.driver.turn import Diverged, Ended, Op, Raised, Returned
from inngest_gen.engine.changes import Changes, returned, told_of, too_many_steps
from inngest_gen.engine.demand import Send, Wait, body_of, demand_of, send_event
from inngest_gen.engine.progress import Kind
from inngest_gen.engine.record import Record, planned
from inngest_gen.engine.rules import received
from inngest_gen.engine.rules.backoff import next_attempt
from inngest_gen.engine.store.tables import Tables, dumps
from inngest_gen.engine.store.writer import Job
from inngest_gen.engine.transitions import Change, Effects
from inngest_gen.errors import InngestGenError, RetryAfterError
from inngest_gen.event import Event
from inngest_gen.intents.http import AIInfer, Fetch
from inngest_gen.intents.step import Run, SendEvent, WaitForEvent, WaitForSignal
from inngest_gen.loops import bell
from inngest_gen.middleware.chain import Chain

if TYPE_CHECKING:
    from inngest_gen.engine.engine import Engine

BODIED = (Run, Fetch, AIInfer)
"""The steps that have a body here."""
Mail = tuple[str, Memo | None, bool]


class LiveRun:
    """A run in memory. `main` is its task."""

    def __init__(self, engine: Engine, run: int, record: Record | None) -> None:
        self.run: int = run
        self._engine = engine
        self._record = record
        self._mail: deque[Mail] = deque()
        self._news = bell()
        # Made in `main`: a callback of the writer, where this object is made, is no task, and anyio's objects can be made in tasks only.
        self._scope: anyio.CancelScope | None = None
        self._in_flight: dict[str, anyio.CancelScope | None] = {}
        """The steps under way here, by hash. The body that runs in the run's own task has no scope but the run's."""
        self._abandoned: set[str] = set()
        self._prelude: list[Change] = []
        self._chain: Chain | None = None
        """The middleware of this stay in memory."""
        self._lazy: list[LazyOp] = []
        """What the handler deferred and took back, to leave with the next commit."""
        self._over = False
        self._cancelled = False
        self._stopping = False
        self._broken: Exception | None = None
        self.mailed_late: bool = False
        """Whether something arrived after the run had decided to leave memory."""

    # What the engine calls, in the loop.

    def deliver(self, hash: str, memo: Memo | None) -> None:
        """Bring the result of a waiting step, or (`memo` None) say that its next attempt is due."""
        self._mail.append((hash, memo, False))
        self.mailed_late = True
        self._news.ring()

    def _forget_mail(self) -> None:
        """What came before the record was read is in it. Kept, the end of one wait for a next attempt would be taken for that of the following."""
        self._mail.clear()
        self.mailed_late = False

    def stop_when_idle(self) -> None:
        """Leave memory once the bodies that run now are finished and committed: the engine stops."""
        self._stopping = True
        self._news.ring()
        if not self._in_flight:
            self._leave()

    def _leave(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def cancel(self) -> None:
        """Stop at once: the run has been cancelled."""
        self._over = self._cancelled = True
        self._leave()
        self._cancel_bodies()

    def _cancel_bodies(self) -> None:
        for scope in self._in_flight.values():
            if scope is not None:
                scope.cancel()

    # The task.

    async def main(self) -> None:
        """Drive the run until it ends, waits or is let go."""
        try:
            with anyio.CancelScope() as self._scope:
                if not self._cancelled and not self._stopping:
                    await self._live()
            if self._broken is not None and not self._over:
                raise self._broken
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the run
            # The store failed, or the engine has a defect: what is committed stays, the rest is done again when an engine next opens the file.
            self._engine.stuck(self.run, self._record, error)
        finally:
            self._cancel_bodies()
            self._engine.left(self)

    async def _live(self) -> None:
        engine = self._engine
        record = self._record
        if record is None:
            record = await engine.load(self.run, self._forget_mail)
            if record is None:
                return
            self._record = record
        self._changes = Changes(record, engine.transitions)
        function = engine.functions.get(record.function)
        if function is None:
            return
        self._function = function
        self._max_attempts = function.options.retries + 1
        execution = await self._begin(record, function)
        if execution is None:
            return
        self._execution = execution
        try:
            await self._drive(execution)
        except anyio.get_cancelled_exc_class() as cancelled:
            error = await execution.struck(cancelled, engine.patience())
            if not self._over:
                self._cancel_bodies()
                await self._handler_failed(error, execution, final=is_final(error))
        finally:
            for what, where in execution.held():
                if execution.ended is None:
                    engine.log.warning(
                        "run %s is suspended at %s while it holds %s: Python closes it now, and the handler will not have it when it goes on;"
                        " use `yield ctx.using(...)`, or open it inside a step", record.id, where, what,
                    )  # fmt: skip
            self._log_unsent(self._drain())
            if not execution.must_close:
                execution.drop()
            elif not await execution.let_go(engine.patience()):
                engine.log.error("run %s: closing its resources took longer than the engine's grace, and was cut short", record.id)

    async def _begin(self, record: Record, function: Function) -> Execution | None:
        codes = self._engine.codes(function)
        strict = bool(codes) and record.codes in {None, codes}
        if record.codes is None:
            self._prelude.append(lambda tx, _: tx.started(record.run, self._engine.now(), codes))
            self._tell("run.started")
        elif record.codes not in {codes, ""}:
            self._prelude.append(lambda tx, _: tx.set_codes(record.run, ""))
        call = record.call(self._max_attempts)
        record.inherited = call.sessions if function.app.settings.session_propagation else None
        self._changed = not strict
        self._labels = {hash: memo.label for hash, memo in record.memos.items()} if self._changed else {}
        self._chain = chain = function.chain()
        try:
            return function.begin(
                call,
                memos=record.memos,
                prior_defers=record.defers,
                strict=strict,
                planned=planned(record) if strict else None,
                data=await function.receive(received.data_for(record.event)) if chain is None else None,
                chain=chain,
                first=record.codes is None,
            )
        except Exception as error:  # noqa: BLE001 - the user's schema, or a handler that cannot be called so
            # Data that does not fit, or a handler of the wrong shape: no further attempt can help (A56).
            await self._finish("failed", None, Failure.of(error, no_retry=True), [])
            return None

    async def _drive(self, execution: Execution) -> None:
        taken_up = bool(self._waiting)
        while True:
            turn = await execution.turn()
            if taken_up:
                taken_up = False
                self._end_forgotten_waits(execution)
            for op in turn.dropped:
                self._abandon(op)
            if turn.ended is not None:
                if not await self._end(turn.ended, execution):
                    return
                continue
            if turn.new:
                self._got_further()
            for op in turn.new:
                if op.position >= self._engine.max_steps:
                    await self._finish("failed", None, too_many_steps(self._engine.max_steps), self._drain())
                    return
            new = turn.new
            if len(new) == 1 and len(execution.pending) == 1 and isinstance(new[0].step, BODIED) and new[0].hash not in self._waiting:
                self._in_flight[new[0].hash] = None
                await self._attempt(new[0])
            else:
                # Waits first: what the others send at once is not missed (I32).
                for op in sorted(new, key=lambda op: not isinstance(op.step, (WaitForEvent, WaitForSignal))) if len(new) > 1 else new:
                    self._start(op)
            if not await self._receive(execution):
                return

    async def _receive(self, execution: Execution) -> bool:
        """Wait for results and bring them to the driver. Says False when the run leaves memory: it only waits, or the engine stops."""
        while not self._mail or self._stopping or self._broken is not None:
            if self._broken is not None:
                raise self._broken
            if not self._in_flight:
                if self._stopping:
                    return False
                if await self._suspended(execution):
                    return False
                continue
            await self._news.wait()
        self.mailed_late = False
        while self._mail:
            hash, memo, own = self._mail.popleft()
            if not own and hash not in self._waiting:
                continue  # the wait was given up in the meantime
            self._waiting.discard(hash)
            if memo is not None:
                if not own and hash in execution.pending:
                    self._tell_waited(execution.pending[hash].op, memo)
                execution.resolve(hash, memo)
            elif hash in execution.pending:
                self._start_body(execution.pending[hash].op)
        return True

    async def _suspended(self, execution: Execution) -> bool:
        """Commit that the run waits, and say whether it still does."""
        waiting = {leaf.op.hash for leaf in execution.pending.values()}
        lazy = self._drain()
        effects = await self._commit(self._changes.suspend(waiting, lazy))
        self._tell_lazy(lazy)
        return bool(effects.result) and not self._mail

    def _end_forgotten_waits(self, execution: Execution) -> None:
        """End the waits of steps that lost a race while the run was not in memory: nothing must come to them, a signal for instance."""
        for hash in self._waiting & execution.lost():
            self._waiting.discard(hash)
            self._prelude.append(self._changes.abandon(hash))
            plan = self._record.plans.get(hash) if self._record is not None else None
            self._tell("step.abandoned", step_id=None if plan is None else plan.label)

    # Steps.

    @property
    def _waiting(self) -> set[str]:
        assert self._record is not None
        return self._record.waiting

    def _start(self, op: Op) -> None:
        """Begin a step that has come to the frontier, unless it is waiting already."""
        hash = op.hash
        if hash in self._waiting:
            return
        step = op.step
        if isinstance(step, BODIED) or (isinstance(step, SendEvent) and self._chain is not None and self._chain.sends):
            self._start_body(op)
            return
        self._in_flight[hash] = None
        engine = self._engine
        record = self._record
        assert record is not None
        try:
            demand = demand_of(step, hash, record, engine.transitions, engine.now())
        except (InngestGenError, TypeError) as error:
            self._settle_failed(op, Failure.of(error, no_retry=True), (), engine.now())
            return
        match demand:
            case Wait(change, due):
                self._plan(op, change, due)
            case Send(change):
                self._send(op, change)
            case _:
                assert_never(demand)

    def _plan(self, op: Op, change: Change, due: float | None) -> None:
        """Record that a step waits."""
        self._in_flight.pop(op.hash, None)
        self._waiting.add(op.hash)
        self._submit(self._changes.plan(op, change), lambda _: self._tell("step.waiting", op=op, due=due))

    def _send(self, op: Op, change: Change) -> None:
        """Record what a step sends together with its result: it is sent exactly once."""
        self._submit(self._changes.send(op, change), lambda effects: self._completed(op, Memo(effects.result)))

    def _start_body(self, op: Op) -> None:
        self._in_flight[op.hash] = scope = anyio.CancelScope()
        self._engine.start_body(self.body, op, scope)

    async def body(self, op: Op, scope: anyio.CancelScope) -> None:
        """Run one attempt, in a task of its own, of a step's body or of the middleware's hooks around what it sends."""
        try:
            with scope:
                if isinstance(op.step, SendEvent):
                    await self._send_within(op, op.step)
                else:
                    await self._attempt(op)
        except Exception as error:  # noqa: BLE001 - a defect of the engine stops this run, not the others
            self._break(error)

    async def _send_within(self, op: Op, step: SendEvent) -> None:
        """Send events through the hooks of middleware. They are on disk, with the step's result, once the hooks have ended."""
        chain, record = self._chain, self._record
        assert chain is not None
        assert record is not None
        number = record.attempts.get(op.hash, 0)
        transitions, started = self._engine.transitions, self._engine.now()
        changes: list[Change] = []

        async def deliver(events: Sequence[Event]) -> list[str]:
            change, ids = send_event(events, record, transitions, started)
            changes.append(change)
            return ids

        try:
            ids = await chain.send(step.events, deliver)
            result = jsonvalue.decode(jsonvalue.encode(ids, f"the result of {step.kind} {step.id!r}"))
        except Exception as error:  # noqa: BLE001 - a hook may raise anything: the attempt has failed
            outcome = failed_outcome(error)
            assert outcome.failure is not None
            self._failed_attempt(op, outcome, outcome.failure, started, number)
            return

        def change(tx: Tables, effects: Effects) -> None:
            for one in changes:
                one(tx, effects)
            effects.result = result

        self._send(op, change)

    async def _attempt(self, op: Op) -> None:
        """Run one attempt of a step's body and submit what came of it."""
        engine = self._engine
        record = self._record
        assert record is not None
        execution = self._execution
        body = body_of(op.step)
        assert body is not None
        number = record.attempts.get(op.hash, 0)
        limiter = engine.limiter
        if not limiter.take():
            await limiter.acquire(self.run)
        try:
            if self._stopping:  # not begun: it runs after the next start
                self._landed(op)
                return
            self._lazy += execution.drain()  # so that the body can take back what the handler has deferred
            started = engine.now()
            if engine.watch is not None:
                self._tell("step.started", op=op, attempt=number)
            app = self._function.app
            outcome = await run_body(
                body,
                Attempt(record.id, op.hash, number),
                context=execution.context,
                prior_defers=execution.lazy.prior,
                on_misuse=app.defer_errors,
                log=app.logger,
                threads=engine.threads,
                unsent=self._log_unsent,
                chain=self._chain if body is op.step else None,  # what the engine itself does is no body of the user's
            )
        finally:
            limiter.release()
        if self._over:
            self._log_unsent(outcome.lazy)
        elif outcome.failure is None:
            self._settle_done(op, outcome, started, number)
        else:
            self._failed_attempt(op, outcome, outcome.failure, started, number)

    def _settle_done(self, op: Op, outcome: Outcome, started: float, number: int) -> None:
        lazy = [*self._drain(), *outcome.lazy]
        data = outcome.data
        self._submit(self._changes.done(op, data, lazy, started, number), lambda _: self._completed(op, memo, lazy, number))
        memo = Memo(orjson.loads(data))  # while the commit is under way

    def _failed_attempt(self, op: Op, outcome: Outcome, failure: Failure, started: float, number: int) -> None:
        if failure.no_retry or number + 1 >= self._max_attempts or op.hash in self._abandoned:
            self._settle_failed(op, failure, outcome.lazy, started, number)
            return
        hash = op.hash
        record = self._record
        assert record is not None
        now = self._engine.now()
        due = self._next_attempt(number, f"{record.id}:{hash}", now, outcome.retry_in, outcome.retry_at)
        lazy = [*self._drain(), *outcome.lazy]
        record.attempts[hash] = number + 1

        def done(_: Effects) -> None:
            self._tell("step.failed", op=op, attempt=number, failure=failure, due=due)
            self._tell_lazy(lazy)
            self._landed(op)

        self._waiting.add(hash)
        self._submit(self._changes.failed_attempt(op, failure, lazy, started, number, now, due), done)

    def _settle_failed(self, op: Op, failure: Failure, lazies: Sequence[LazyOp], started: float, number: int = 0) -> None:
        lazy = [*self._drain(), *lazies]

        def done(_: Effects) -> None:
            self._tell("step.failed", op=op, attempt=number, failure=failure)
            self._tell_lazy(lazy)
            self._settled(op, Memo(None, failure.error()))

        self._submit(self._changes.failed(op, failure, lazy, started, number), done)

    def _completed(self, op: Op, memo: Memo, lazy: Sequence[LazyOp] = (), attempt: int = 0) -> None:
        if self._engine.watch is not None:
            self._tell("step.completed", op=op, attempt=attempt)
            self._tell_lazy(lazy)
        self._settled(op, memo)

    def _settled(self, op: Op, memo: Memo) -> None:
        """Bring the result of a step that was under way here."""
        self._mail.append((op.hash, memo, True))
        self.mailed_late = True
        self._landed(op)

    def _landed(self, op: Op) -> None:
        """Note that an attempt is over and what came of it is durable."""
        self._in_flight.pop(op.hash, None)
        self._news.ring()
        if self._stopping and not self._in_flight:
            self._leave()  # the handler may be in an await of its own

    def _next_attempt(self, number: int, key: str, now: float, retry_in: float | None, retry_at: float | None) -> float:
        declared = self._engine.backoff_of(self._function)
        try:
            return next_attempt(number, key, now, backoff=declared, retry_in=retry_in, retry_at=retry_at)
        except Exception:
            self._engine.log.exception("the backoff of function %r failed: the default delays are used", self._function.id)
            return next_attempt(number, key, now, backoff=None, retry_in=retry_in, retry_at=retry_at)

    def _got_further(self) -> None:
        """Count the handler's attempts anew: it has come to a step that it had not come to before (I04)."""
        record = self._record
        assert record is not None
        if record.attempt:
            record.attempt = self._execution.attempt = 0
            if self._chain is not None:
                self._chain.attempts_anew()
            self._prelude.append(lambda tx, _: tx.set_attempt(self.run, 0))

    def _abandon(self, op: Op) -> None:
        """Let go of a race's loser: its wait is over, its body may finish but is not tried again."""
        self._abandoned.add(op.hash)
        self._waiting.discard(op.hash)
        self._submit(self._changes.abandon(op.hash, op), lambda _: self._tell("step.abandoned", op=op))

    # The end.

    async def _end(self, ended: Ended, execution: Execution) -> bool:
        """Commit the end of the handler. Says whether the run goes on in memory all the same."""
        match ended:
            case Returned(value):
                self._note_unused(execution)
                status, output, failure = returned(self._function.id, value)
                await self._finish(status, output, failure, self._drain())
            case Raised(error, final):
                await self._handler_failed(error, execution, final=final)
            case Diverged(error):
                failure = Failure.of(error, no_retry=True)
                await self._commit(lambda tx, effects: self._engine.transitions.block(tx, self.run, failure, effects))
                self._engine.log.error("run %s is blocked: %s", self._record and self._record.id, error)
        return False

    async def _handler_failed(self, error: BaseException, execution: Execution, *, final: bool) -> None:
        record = self._record
        assert record is not None
        engine = self._engine
        retry_in = retry_at = None
        if isinstance(error, RetryAfterError):
            try:
                retry_in, retry_at = retry_time(error)
            except (TypeError, ValueError) as wrong:
                engine.log.error("run %s: RetryAfterError got no time: %s", record.id, wrong)
        failure = Failure.of(error, no_retry=final)
        lazy = self._drain()
        number = record.attempt
        now = engine.now()
        if final or number + 1 >= self._max_attempts:
            self._note_unused(execution)
            await self._finish("failed", None, failure, lazy, told_of(error, number))
            return
        due = self._next_attempt(number, record.id, now, retry_in, retry_at)
        self._over = True
        await self._commit(self._changes.handler_failed(failure, lazy, number, now, due))
        self._tell_lazy(lazy)
        self._tell("handler.failed", attempt=number, failure=failure, due=due)

    async def _finish(
        self, status: Any, output: bytes | None, failure: Failure | None, lazy: Sequence[LazyOp], told: dict[str, Any] | None = None
    ) -> None:
        """Commit the end of the run. `told` is what the timeline says of a failed handler."""
        self._over = True
        await self._commit(self._changes.end(status, output, failure, lazy, told))
        self._tell_lazy(lazy)

    def _drain(self) -> list[LazyOp]:
        lazy, self._lazy = self._lazy, []
        return lazy + self._execution.drain()

    def _log_unsent(self, lazy: Sequence[LazyOp]) -> None:
        """Log defers that were made and not sent, if that is for good: else they are made again."""
        if lazy and self._over and self._record is not None:
            self._engine.log_dropped(self._record.id, lazy)
            self._submit(self._changes.unsent(lazy), lambda _: None)  # the timeline shows them as dropped

    def _note_unused(self, execution: Execution) -> None:
        """Note in the timeline what the record holds and the handler, whose code has changed, has not asked for up to its end."""
        unused = sorted(self._labels.get(hash) or hash for hash in execution.unused()) if self._changed else []
        if unused:
            text = f"the code has changed: {len(unused)} recorded step(s) were not asked for: {', '.join(unused)}"
            self._prelude.append(lambda tx, _: tx.log(self.run, self._engine.now(), "note", None, None, dumps({"text": text}), None))

    # Commits and news.

    def _submit(self, change: Change, done: Callable[[Effects], None]) -> None:
        """Queue a change; `done` is called in the loop once it is durable."""

        def finished(job: Job) -> None:
            if job.error is not None:
                self._break(job.error)
                return
            effects: Effects = job.result
            done(effects)

        self._engine.submit(self._with_prelude(change), finished)

    def _break(self, error: Exception) -> None:
        """Stop the run in this process: its record cannot be kept up."""
        self._broken = self._broken or error
        self._cancel_bodies()
        self._in_flight.clear()
        self._leave()

    async def _commit(self, change: Change) -> Effects:
        effects: Effects = await self._engine.commit(self._with_prelude(change))
        return effects

    def _with_prelude(self, change: Change) -> Callable[[Tables], Effects]:
        prelude, self._prelude = self._prelude, []

        def whole(tx: Tables) -> Effects:
            effects = Effects()
            for one in prelude:
                one(tx, effects)
            change(tx, effects)
            return effects

        return whole

    def _tell(
        self, kind: Kind, *, op: Op | None = None, attempt: int | None = None, failure: Failure | None = None, due: float | None = None,
        step_id: str | None = None,
    ) -> None:  # fmt: skip
        engine = self._engine
        record = self._record
        if engine.watch is None or record is None:
            return
        engine.tell(
            kind,
            record.id,
            record.function,
            step_id=step_id if op is None else op.step.name,
            step_kind=None if op is None else op.step.kind,
            path="" if op is None else op.path,
            attempt=attempt,
            error=None if failure is None else failure.error(),
            due=due,
        )

    def _tell_waited(self, op: Op, memo: Memo) -> None:
        if memo.error is None:
            self._tell("step.completed", op=op)
        else:
            self._tell("step.failed", op=op, attempt=0, failure=Failure.of(memo.error))

    def _tell_lazy(self, lazy: Sequence[LazyOp]) -> None:
        for op in lazy:
            kind: Kind = "defer.added" if isinstance(op, DeferAdd) else "defer.aborted" if isinstance(op, DeferAbort) else "defer.rejected"
            self._tell(kind, step_id=op.id)
