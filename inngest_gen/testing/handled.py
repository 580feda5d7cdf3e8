"""One run while a memory engine has it: brings the driver's frontier to the tables, and their results to the driver, one step after the other.

What `engine/live.py` does with tasks, a writer's thread and real time, this does in the test's own task: so a test is the same each time. With
`always_replay` every stop of the handler is held against a handler that was rebuilt from the record (see `rebuilt`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from inngest_gen import jsonvalue
from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAdd, LazyOp, PriorDefers
from inngest_gen.calls.memo import Memo
from inngest_gen.driver.attempt import Attempt
from inngest_gen.driver.body import Outcome, failed_outcome, retry_time, run_body
from inngest_gen.driver.execution import Execution
from inngest_gen.driver.turn import Diverged, Ended, Op, Raised, Returned
from inngest_gen.engine.changes import Changes, returned, told_of, too_many_steps
from inngest_gen.engine.demand import Wait, demand_of, send_event
from inngest_gen.engine.live import BODIED
from inngest_gen.engine.record import Record, load, planned
from inngest_gen.engine.rules import received
from inngest_gen.engine.rules.backoff import next_attempt
from inngest_gen.engine.store.tables import Tables
from inngest_gen.engine.transitions import Change, Effects
from inngest_gen.errors import ConfigError, InngestGenError, RetryAfterError
from inngest_gen.event import Event
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Run, SendEvent, Sleep, SleepUntil, WaitForEvent, WaitForSignal
from inngest_gen.intents.using import Using
from inngest_gen.middleware.chain import Chain
from inngest_gen.testing import bodies
from inngest_gen.testing.failures import CheckFailed, is_found
from inngest_gen.testing.rebuilt import MUTED, check_held, check_same
from inngest_gen.testing.standins import MISSING, NEVER, REAL, RECORD_ONLY, reduced
from inngest_gen.testing.stops import stop_at

if TYPE_CHECKING:
    from inngest_gen.testing.engine import MemoryEngine

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line

Enter = Callable[[Using], Coroutine[Any, Any, Any]]


class Handled:
    """A run in memory."""

    def __init__(self, engine: MemoryEngine, run: int) -> None:
        self.run: int = run
        self._engine = engine
        self._execution: Execution | None = None
        self._mail: list[tuple[str, Memo | None, bool]] = []
        self._in_flight: set[str] = set()
        self._abandoned: set[str] = set()
        self._prelude: list[Change] = []
        self._lazy: list[LazyOp] = []
        self._chain: Chain | None = None
        """The middleware of this stay in memory."""
        self._attempt = 0
        """The handler's attempt that was begun with."""
        self._results = 0
        """How many results the handler has been given."""
        self._left: list[Op] = []
        """The steps that were under way when it stepped aside."""
        self.aside: bool = False
        """Whether it has stepped aside for another run: its handler comes back when something is to happen to it."""
        self.over: bool = False
        self.suspended: bool = False

    # What the engine calls.

    @property
    def record(self) -> Record:
        """The run's record, as far as it has been read."""
        return self._record

    @property
    def execution(self) -> Execution | None:
        """The handler, where it is in memory."""
        return self._execution

    @property
    def name(self) -> str:
        """What messages call it: its function."""
        return repr(self._record.function) if hasattr(self, "_record") else f"run number {self.run}"

    def under_way(self) -> list[Op]:
        """List the steps that have been asked for and have no result."""
        return list(self._left) if self._execution is None else [leaf.op for leaf in self._execution.pending.values()]

    @property
    def holds(self) -> bool:
        """Whether the handler holds what `ctx.using` has entered, which is open in the test's own task."""
        return self._execution is not None and self._execution.must_close

    def deliver(self, hash: str, memo: Memo | None) -> None:
        """Bring the result of a waiting step, or (`memo` None) say that its next attempt is due."""
        self._mail.append((hash, memo, False))

    async def drive(self) -> None:
        """Take the handler as far as it goes now: until it ends, or waits for bodies, events or the time."""
        if self.over:
            return
        if self._execution is None and not await self._begin():
            return
        execution = self._execution
        assert execution is not None
        self._take_mail(execution)
        while True:
            turn = await execution.turn()
            self._lazy += execution.drain()
            self._note_taken_back(execution.lazy.taken_back)
            self._end_forgotten_waits(execution)
            for op in turn.dropped:
                self._abandon(op)
            if turn.ended is not None:
                await self._check(execution, turn.ended)
                self._stopped(turn.ended)
                self._end(turn.ended)
                await self.let_go()
                return
            await self._check(execution, None)
            self._stopped(None)
            if turn.new:
                self._got_further()
            if any(op.position >= self._engine.max_steps for op in turn.new):
                self._finish("failed", None, too_many_steps(self._engine.max_steps), self._drain())
                await self.let_go()
                return
            # Waits first: what the others send at once is not missed (I32).
            for op in sorted(turn.new, key=lambda op: not isinstance(op.step, (WaitForEvent, WaitForSignal))):
                self._start(op)
            if not self._mail:
                break
            self._take_mail(execution)
        if not self._in_flight:
            self._suspend(execution)

    def _stopped(self, ended: Ended | None) -> None:
        self._engine.stopped(self, lambda: stop_at(self._attempt, self._results, self.under_way(), ended))

    def _end_forgotten_waits(self, execution: Execution) -> None:
        """End the waits of steps that lost a race while the run was not in memory: nothing must come to them."""
        for hash in self._record.waiting & execution.lost():
            self._record.waiting.discard(hash)
            self._prelude.append(self._changes.abandon(hash))

    async def step_aside(self) -> None:
        """Close what `ctx.using` has entered, so that another run may move: a task can have only one thing after the other open, not crosswise.

        The handler is rebuilt from the record when something is to happen to it, as in another process; bodies that are under way stay so.
        """
        execution = self._execution
        assert execution is not None
        self._left = self.under_way()
        self._execution = None
        self._lazy += execution.drain()
        self.aside = True
        await execution.let_go()

    async def let_go(self) -> None:
        """Forget the handler: the run has ended, or its process has."""
        execution, self._execution = self._execution, None
        if self.aside:
            self._log_unsent(self._lazy)
        self.aside = False
        self._engine.forget(self)
        if execution is not None:
            self._log_unsent([*self._lazy, *execution.drain()])
            await execution.let_go()

    # The beginning.

    async def _begin(self) -> bool:
        engine = self._engine
        record = load(engine.store.tables, self.run)
        if record is None:  # it has ended, or is blocked
            engine.forget(self)
            return False
        self._record = record
        self._changes = Changes(record, engine.store.transitions)
        if self.aside:
            self.aside = False
            self._left.clear()
            self._lazy.clear()  # a replay makes again what has not been sent
            self._mail = [one for one in self._mail if one[1] is None]  # the record has the results
        function = engine.functions.get(record.function)
        stand_in = engine.stand_ins.of_function(record.function, None if function is None else function.id)
        if stand_in is not MISSING and stand_in is not REAL and self.run not in engine.played:
            await self._stand_in_for_the_whole(stand_in)
            return False
        if function is None:
            engine.forget(self)
            return False
        self._function = function
        self._max_attempts = function.options.retries + 1
        self._replays = engine.always_replay and _is_generator(function)
        now = engine.now()
        if record.codes is None:
            self._write(lambda tx, _: tx.started(record.run, now, ""), f"that {record.function} has begun")
        try:
            self._attempt = record.attempt
            self._results = len(record.memos)
            self._chain = function.chain()
            self._execution = await self._built(record, self._chain)
        except CheckFailed:
            raise
        except Exception as error:  # noqa: BLE001 - the user's schema, or a handler that cannot be called so
            self._finish("failed", None, Failure.of(error, no_retry=True), [])
            engine.forget(self)
            return False
        return True

    async def _built(
        self, record: Record, chain: Chain | None, *, enter: Enter | None = None, prior: PriorDefers | None = None
    ) -> Execution:
        function = self._function
        record.attempt = self._attempt  # counted anew since, maybe
        call = record.call(self._max_attempts)
        record.inherited = call.sessions if function.app.settings.session_propagation else None
        return function.begin(
            call,
            memos=record.memos,
            prior_defers=record.defers if prior is None else prior,
            strict=True,
            planned=planned(record),
            data=await function.receive(received.data_for(record.event)) if chain is None else None,
            chain=chain,
            first=enter is None and record.codes is None,
            enter=enter,
        )

    async def _stand_in_for_the_whole(self, stand_in: Any) -> None:
        """Let a run end as its function's stand-in says, or stay queued."""
        engine = self._engine
        record = self._record
        takes, leaf = reduced(stand_in, 0)
        if leaf is NEVER or (leaf is RECORD_ONLY and record.kind != "invoke"):
            engine.forget(self)
            engine.set_aside.add(self.run)
            return
        now = engine.now()
        self._prelude.append(lambda tx, _: tx.started(record.run, now, ""))
        try:
            value = None if leaf is RECORD_ONLY else await bodies.given(leaf, (received.data_for(record.event),), {})
            output = jsonvalue.encode(value, f"what stands in for function {record.function!r}")
        except Exception as error:  # noqa: BLE001 - whatever the test's function raises, or gave as the error
            failure = Failure.of(error)
            engine.later(takes, lambda: self._finish("failed", None, failure, []))
        else:
            engine.later(takes, lambda: self._finish("completed", output, None, []))
        engine.forget(self)

    # The handler, rebuilt.

    async def _check(self, execution: Execution, ended: Ended | None) -> None:
        engine = self._engine
        if not self._replays:
            return
        if isinstance(ended, Diverged) or (isinstance(ended, Raised) and not ended.final):
            return  # what comes next is a replay itself
        name = f"{self._function.id} ({self._record.id[-6:]})"
        if ended is None:
            check_held(name, execution)
        record = load(engine.store.tables, self.run)
        if record is None:  # it was cancelled meanwhile
            return
        sent = engine.store.defers(self.run) if record.defers else {}
        lazy = {op.hash: (op.id, op.data) for op in self._lazy if isinstance(op, DeferAdd)}
        bodies = engine.made_in_bodies.get(self.run, ())
        own = {hash: active for hash, active in record.defers.items() if hash in bodies or active is None}
        entered = iter(execution.entered)

        async def enter(_: Using) -> Any:
            return next(entered, None)  # shared: what is entered may be a lock

        chain = self._function.chain()
        if chain is not None:
            chain.mute()
        again = await self._built(record, chain, enter=enter, prior=own)
        again.repeats = True
        again.lazy.log = MUTED
        try:
            turn = await again.turn()
            check_same(name, execution, ended, again, turn, {**sent, **lazy})
        finally:
            await again.let_go()

    # Mail.

    def _take_mail(self, execution: Execution) -> None:
        mail, self._mail = self._mail, []
        waiting = self._record.waiting
        for hash, memo, own in mail:
            if not own and hash not in waiting:
                continue
            waiting.discard(hash)
            if memo is not None:
                self._results += 1
                execution.resolve(hash, memo)
            elif hash in execution.pending:
                self._in_flight.add(hash)
                self._engine.has_body(self, execution.pending[hash].op)

    def _settled(self, hash: str, memo: Memo) -> None:
        self._mail.append((hash, memo, True))
        self._in_flight.discard(hash)
        self._engine.wants_drive(self)

    def _suspend(self, execution: Execution) -> None:
        """Write down that the run only waits."""
        waiting = {leaf.op.hash for leaf in execution.pending.values()}
        lazy = self._drain()
        self._write(self._changes.suspend(waiting & self._record.waiting, lazy), f"that {self._record.function} waits")

    # Steps.

    def _start(self, op: Op) -> None:
        engine = self._engine
        hash = op.hash
        if hash in self._in_flight:  # since before it stepped aside
            engine.renew_body(self, op)
            return
        engine.asked_for(self, op)
        if hash in self._record.waiting:
            return
        step = op.step
        within = isinstance(step, SendEvent) and self._chain is not None and self._chain.sends
        if isinstance(step, BODIED) or within or self._is_replaced(op):
            self._in_flight.add(hash)
            engine.has_body(self, op)
            return
        try:
            demand = demand_of(step, hash, self._record, engine.store.transitions, engine.now())
        except (InngestGenError, TypeError) as error:
            self._settle_failed(op, Failure.of(error, no_retry=True), (), engine.now())
            return
        if isinstance(demand, Wait):
            self._plan(op, demand.change)
        else:
            self._send(op, demand.change)

    def _is_replaced(self, op: Op) -> bool:
        """Whether something stands in for a step without a body."""
        stand_in = self._engine.stand_ins.of_step(self._function, op.step.id, op.index)
        if isinstance(op.step, (Sleep, SleepUntil)):
            if self._engine.stand_ins.names(self._function, op.step.id, op.index):
                raise ConfigError(f"{describe(op.step)} has no result that something could stand in for: the test's time passes by itself")
            return False
        return stand_in is not MISSING and stand_in is not REAL and not bodies.waits_itself(op.step, stand_in)

    def _plan(self, op: Op, change: Change) -> None:
        self._record.waiting.add(op.hash)
        self._write(self._changes.plan(op, change), f"that {op.step.id!r} waits")

    def _send(self, op: Op, change: Change) -> None:
        effects = self._write(self._changes.send(op, change), f"the result of {op.step.id!r}")
        if isinstance(op.step, SendEvent) and (self._chain is None or not self._chain.sends):
            self._engine.note_sent(self.run, op.step.events, effects.result)
        self._settled(op.hash, Memo(effects.result))

    async def _send_within(self, op: Op, step: SendEvent, chain: Chain) -> None:
        """Send events through the hooks of middleware."""
        changes: list[Change] = []
        started = self._engine.now()
        number = self._record.attempts.get(op.hash, 0)

        async def deliver(events: Sequence[Event]) -> list[str]:
            change, ids = send_event(events, self._record, self._engine.store.transitions, started)
            self._engine.note_sent(self.run, events, ids)
            changes.append(change)
            return ids

        try:
            ids = await chain.send(step.events, deliver)
            result = jsonvalue.decode(jsonvalue.encode(ids, f"the result of {step.kind} {step.id!r}"))
        except Exception as error:  # noqa: BLE001 - a hook may raise anything: the attempt has failed
            self._came(op, failed_outcome(error), started, number)
            return

        def change(tx: Tables, effects: Effects) -> None:
            for one in changes:
                one(tx, effects)
            effects.result = result

        self._send(op, change)

    async def body(self, op: Op) -> None:
        """Run one attempt of a step's body, or what stands in for it, and write down what came of it."""
        engine = self._engine
        execution = self._execution
        if self.over or execution is None or op.hash not in self._in_flight:
            return
        number = self._record.attempts.get(op.hash, 0)
        takes, leaf = reduced(engine.stand_ins.of_step(self._function, op.step.id, op.index), number)
        if leaf is NEVER:
            return
        if isinstance(op.step, SendEvent) and (leaf is MISSING or leaf is REAL):
            assert self._chain is not None
            await self._send_within(op, op.step, self._chain)
            return
        self._lazy += execution.drain()  # so that the body can take back what the handler has deferred
        started = engine.now()
        limit = bodies.limit_of(op.step)
        if limit is not None and takes > limit:
            outcome = bodies.timed_out(op.step, limit)
            takes = limit
        else:
            outcome = await self._outcome(op, leaf, number, execution)
        if engine.director.loses(op.step.id):
            engine.has_body(self, op)
            return
        takes += engine.director.slow(op.step.id)
        engine.later(engine.time_left(self.run, op.hash, number, takes), lambda: self._came(op, outcome, started, number))

    async def _outcome(self, op: Op, leaf: Any, number: int, execution: Execution) -> Outcome:
        engine = self._engine
        crash = engine.director.crash(op.step.id, last=number + 1 >= self._max_attempts) if isinstance(op.step, BODIED) else None
        if crash == "before":
            return bodies.crashed(op.step)
        known = engine.outcomes
        key = (self._record.function, engine.store.nth(self.run), op.hash, number) if known is not None else None
        if known is not None and key is not None and (before := known.get(key, op.step)) is not None:
            return self._noted(before)
        outcome = await run_body(
            bodies.runnable(op, leaf),
            Attempt(self._record.id, op.hash, number),
            context=execution.context,
            prior_defers=execution.lazy.prior,
            on_misuse=self._function.app.defer_errors,
            log=self._function.app.logger,
            threads=engine.threads,
            taken_back=self._note_taken_back,
            chain=self._chain if isinstance(op.step, Run) else None,
        )
        if known is not None and key is not None:
            known.keep(key, op.step, outcome)
        self._noted(outcome)
        return bodies.crashed(op.step, outcome.lazy) if crash is not None else outcome

    def _note_taken_back(self, defers: Sequence[tuple[int, DeferAdd]]) -> None:
        for place, op in defers:
            self._engine.taken_back.setdefault(self.run, {}).setdefault(op.hash, (place, op))

    def _noted(self, outcome: Outcome) -> Outcome:
        if outcome.lazy:
            self._engine.made_in_bodies.setdefault(self.run, set()).update(one.hash for one in outcome.lazy)
        return outcome

    def _came(self, op: Op, outcome: Outcome, started: float, number: int) -> None:
        """Write down what an attempt came to."""
        if self.over or (self._execution is None and not self.aside):
            self._log_unsent(outcome.lazy)
        elif outcome.failure is None:
            self._settle_done(op, outcome, started, number)
        else:
            self._failed_attempt(op, outcome, outcome.failure, started, number)

    def _settle_done(self, op: Op, outcome: Outcome, started: float, number: int) -> None:
        lazy = [*self._drain(), *outcome.lazy]
        self._write(self._changes.done(op, outcome.data, lazy, started, number), f"the result of {op.step.id!r}")
        self._settled(op.hash, Memo(jsonvalue.decode(outcome.data)))

    def _failed_attempt(self, op: Op, outcome: Outcome, failure: Failure, started: float, number: int) -> None:
        if failure.no_retry or number + 1 >= self._max_attempts or op.hash in self._abandoned:
            self._settle_failed(op, failure, outcome.lazy, started, number)
            return
        hash = op.hash
        now = self._engine.now()
        due = self._next_attempt(number, f"{self._record.id}:{hash}", now, outcome.retry_in, outcome.retry_at)
        lazy = [*self._drain(), *outcome.lazy]
        self._record.attempts[hash] = number + 1
        self._record.waiting.add(hash)
        self._in_flight.discard(hash)
        self._write(self._changes.failed_attempt(op, failure, lazy, started, number, now, due), f"a failed attempt of {op.step.id!r}")
        if self.aside:
            self._engine.wants_drive(self)
        elif not self._in_flight and self._execution is not None:
            self._suspend(self._execution)

    def _settle_failed(self, op: Op, failure: Failure, lazies: Sequence[LazyOp], started: float, number: int = 0) -> None:
        lazy = [*self._drain(), *lazies]
        self._write(self._changes.failed(op, failure, lazy, started, number), f"the failure of {op.step.id!r}")
        self._settled(op.hash, Memo(None, failure.error()))

    def _next_attempt(self, number: int, key: str, now: float, retry_in: float | None, retry_at: float | None) -> float:
        declared = self._function.options.backoff
        try:
            return next_attempt(number, key, now, backoff=declared, retry_in=retry_in, retry_at=retry_at)
        except Exception:
            self._engine.log.exception("the backoff of function %r failed: the default delays are used", self._function.id)
            return next_attempt(number, key, now, backoff=None, retry_in=retry_in, retry_at=retry_at)

    def _got_further(self) -> None:
        """Count the handler's attempts anew: it has come to a step that it had not come to before (I04)."""
        if self._record.attempt and self._execution is not None:
            self._record.attempt = self._execution.attempt = 0
            if self._chain is not None:
                self._chain.attempts_anew()
            self._prelude.append(lambda tx, _: tx.set_attempt(self.run, 0))

    def _abandon(self, op: Op) -> None:
        """Let go of a race's loser."""
        self._abandoned.add(op.hash)
        self._in_flight.discard(op.hash)
        self._record.waiting.discard(op.hash)
        self._engine.drop_body(self, op.hash)
        self._write(self._changes.abandon(op.hash, op), f"that {op.step.id!r} lost its race")

    # The end.

    def _end(self, ended: Ended) -> None:
        match ended:
            case Returned(value):
                status, output, failure = returned(self._function.id, value)
                self._finish(status, output, failure, self._drain())
            case Raised(error, final):
                self._handler_failed(error, final=final)
            case Diverged(error):
                failure = Failure.of(error, no_retry=True)
                self._write(
                    lambda tx, effects: self._engine.store.transitions.block(tx, self.run, failure, effects),
                    f"that {self._record.function} is blocked",
                )
                self.over = True

    def _handler_failed(self, error: BaseException, *, final: bool) -> None:
        record = self._record
        retry_in = retry_at = None
        if isinstance(error, RetryAfterError):
            try:
                retry_in, retry_at = retry_time(error)
            except (TypeError, ValueError) as wrong:
                self._engine.log.error("run %s: RetryAfterError got no time: %s", record.id, wrong)
        failure = Failure.of(error, no_retry=final)
        lazy = self._drain()
        number = record.attempt
        now = self._engine.now()
        if final or number + 1 >= self._max_attempts:
            self._finish("failed", None, failure, lazy, told_of(error, number))
            return
        due = self._next_attempt(number, record.id, now, retry_in, retry_at)
        self._write(self._changes.handler_failed(failure, lazy, number, now, due), f"a failed attempt of {self._record.function}")
        self.over = True

    def _finish(
        self, status: Any, output: bytes | None, failure: Failure | None, lazy: Sequence[LazyOp], told: dict[str, Any] | None = None
    ) -> None:
        self.over = True
        self._write(self._changes.end(status, output, failure, lazy, told), f"the end of {self._record.function}")

    def _drain(self) -> list[LazyOp]:
        lazy, self._lazy = self._lazy, []
        return lazy if self._execution is None else lazy + self._execution.drain()

    def _log_unsent(self, lazy: Sequence[LazyOp]) -> None:
        """Keep as dropped, in the timeline, what was deferred and cannot be sent any more: the run was cancelled."""
        if lazy and self.over and not self._engine.store.is_cut:
            self._write(self._changes.unsent(lazy), f"what {self._record.function} has dropped")

    def _write(self, change: Change, what: str) -> Effects:
        prelude, self._prelude = self._prelude, []

        def whole(tx: Tables) -> Effects:
            effects = Effects()
            for one in prelude:
                one(tx, effects)
            change(tx, effects)
            return effects

        return self._engine.write(whole, what)


def _is_generator(function: Function) -> bool:
    """Whether the handler has yields: a plain one has no record that it could be rebuilt from."""
    handler = function.handler
    return inspect.isasyncgenfunction(handler) or inspect.isasyncgenfunction(getattr(handler, "__call__", None))  # noqa: B004 - what kind it is
