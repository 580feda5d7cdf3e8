"""The smallest shell around the driver: a handler, a record in memory, no engine and no time.

Runs a step's body by calling it, records its result as JSON in the order of completion, and ships defers with each message as an engine
would. Executions can be let go and begun anew at any point; what a point is, `Shell.run` says. Every message is checked: positions are
unique, a recorded step is never asked for again, a loser is never reported without having been new.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from inngest_gen.app.app import App
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected, LazyOp, PriorDefers
from inngest_gen.calls.memo import Memo
from inngest_gen.calls.request import CallRequest
from inngest_gen.codecs import encode_result
from inngest_gen.driver.execution import Execution
from inngest_gen.driver.lazy import LazyBuffer
from inngest_gen.driver.turn import Diverged, Op, Planned, Raised, Returned, Turn
from inngest_gen.errors import InngestGenError
from inngest_gen.event import Event
from inngest_gen.intents.defer import Defer, current_sink
from inngest_gen.intents.done import Done
from inngest_gen.intents.step import Run

RUN_ID = "01GQ3HTEZ01M7R8Z9PR1DMHDN1"

Order = Callable[[Sequence[Op]], Op]
Stop = Callable[[int], bool]


def first(ops: Sequence[Op]) -> Op:
    """Complete steps in the order of their yields."""
    return ops[0]


def last(ops: Sequence[Op]) -> Op:
    """Complete the step that was yielded last."""
    return ops[-1]


def by_name(*ids: str) -> Order:
    """Complete steps in this order of their ids, and others after them."""

    def choose(ops: Sequence[Op]) -> Op:
        return min(ops, key=lambda op: ids.index(op.step.id) if op.step.id in ids else len(ids))

    return choose


def shuffled(seed: int) -> Order:
    """An order drawn from a seed. It depends on the steps that are outstanding only, so that a run which was stopped goes on in it."""

    def choose(ops: Sequence[Op]) -> Op:
        return min(ops, key=lambda op: hashlib.sha1(f"{seed}{op.hash}".encode()).digest())

    return choose


def never(point: int) -> bool:
    return False


@dataclass
class Entry:
    """A finished step in the record."""

    hash: str
    position: int
    kind: str
    label: str
    at: str | None
    data: bytes
    failure: Mapping[str, Any] | None

    def memo(self) -> Memo:
        error = None if self.failure is None else Failure.from_json(self.failure).error(self.label)
        return Memo(json.loads(self.data), error, self.position, self.kind, self.label, self.at)


@dataclass
class Record:
    """What is durable of a run."""

    steps: dict[str, Entry] = field(default_factory=dict)
    planned: dict[int, Planned] = field(default_factory=dict)
    defers: dict[str, Literal["after_run", "aborted"]] = field(default_factory=dict)
    adds: dict[str, DeferAdd] = field(default_factory=dict)
    rejected: list[DeferRejected] = field(default_factory=list)
    messages: list[list[LazyOp]] = field(default_factory=list)
    """The lazy operations of each message that had any."""

    def memos(self) -> dict[str, Memo]:
        return {hash: entry.memo() for hash, entry in self.steps.items()}

    def prior(self) -> PriorDefers:
        return {op.hash: None for op in self.rejected} | {hash: state == "after_run" for hash, state in self.defers.items()}

    def scheduled(self) -> list[str]:
        """The ids of the defers that run after this run."""
        return [self.adds[hash].id for hash, state in self.defers.items() if state == "after_run"]

    def ids(self) -> list[str]:
        return [entry.label for entry in self.steps.values()]

    def ship(self, ops: Sequence[LazyOp]) -> None:
        if ops:
            self.messages.append(list(ops))
        hashes = [op.hash for op in ops]
        assert len(set(hashes)) == len(hashes), "one message holds an add and an abort of the same defer (A46)"
        for op in ops:
            if isinstance(op, DeferAdd):
                assert op.hash not in self.defers, f"defer {op.id!r} was sent twice"
                self.defers[op.hash] = "after_run"
                self.adds[op.hash] = op
            elif isinstance(op, DeferAbort):
                assert self.defers[op.hash] == "after_run", f"defer {op.id!r} was aborted twice"
                self.defers[op.hash] = "aborted"
            else:
                self.rejected.append(op)

    def plan(self, turn: Turn, *, strict: bool) -> None:
        taken = {entry.position for entry in self.steps.values()} if strict else set()
        for op in turn.new:
            assert op.hash not in self.steps, f"{op.step!r} has a recorded result and was asked for again"
            if not strict:
                continue
            assert op.position not in taken
            planned = self.planned.setdefault(op.position, Planned(op.hash, op.step.kind, op.step.id, op.at))
            assert (planned.hash, planned.kind) == (op.hash, op.step.kind)

    def complete(self, entry: Entry) -> None:
        assert entry.hash not in self.steps
        self.steps[entry.hash] = entry
        self.planned.pop(entry.position, None)


@dataclass(frozen=True)
class End:
    """How a run ended, comparable."""

    kind: str
    value: Any = None
    error: str | None = None
    final: bool | None = None

    @classmethod
    def of(cls, ended: Returned | Raised | Diverged) -> End:
        if isinstance(ended, Returned):
            return cls("returned", json.loads(json.dumps(ended.value)))
        if isinstance(ended, Raised):
            return cls("raised", None, told(ended.error), ended.final)
        return cls("diverged", None, str(ended.error))


def told(error: BaseException) -> str:
    """An error with its members, without lines."""
    if isinstance(error, BaseExceptionGroup):
        return f"{error.message}[{', '.join(map(told, error.exceptions))}]"
    return f"{type(error).__name__}: {error}"


class Shell:
    """Drives one run of `handler` (a handler, or a Function) to its end."""

    def __init__(
        self,
        handler: Any,
        data: Any = None,
        *,
        order: Order = first,
        answers: Mapping[str, Any] | None = None,
        strict: bool = True,
        defer_errors: Literal["log", "raise"] = "log",
        at_once: int = 1,
        late_losers: bool = False,
        budget: int | None = None,
        record: Record | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self.app = App("test", defer_errors=defer_errors, logger=logger)
        self.function = handler if hasattr(handler, "begin") else self.app.function("handler")(handler)
        self.data = {} if data is None else data
        self.order = order
        self.answers = answers or {}
        """What steps other than `run` give, by id: a JSON value, or an error."""
        self.strict = strict
        self.at_once = at_once
        """How many steps complete before the handler is told."""
        self.late_losers = late_losers
        """Whether steps that lost a race complete and are recorded all the same."""
        self.budget = budget
        self.record = record or Record()
        self.calls: list[str] = []
        """The ids of the steps whose bodies ran."""
        self.turns: list[Turn] = []
        self.points = 0
        self.ended: Returned | Raised | Diverged | None = None
        """The end as the driver gave it."""
        self.execution: Execution | None = None

    def begin(self, *, attempt: int = 0) -> Execution:
        call = CallRequest(run_id=RUN_ID, events=(Event("test/event", self.data),), attempt=attempt)
        record = self.record
        planned = dict(record.planned) if self.strict else None
        self.execution = self.function.begin(
            call, memos=record.memos(), prior_defers=record.prior(), strict=self.strict, planned=planned, data=self.data
        )
        return self.execution

    async def run(self, stop: Stop = never) -> End:
        """Drive to the end. At each point the execution is dropped, and another begun from the record, if `stop` says so of the point's number.

        Points are: a turn whose message is not committed, a committed message, a body that ran and is not recorded, a recorded result that the
        handler does not know. Bodies that ran unrecorded run again.
        """
        while True:
            execution = self.begin()
            try:
                ended = await self._drive(execution, stop)
            finally:
                await execution.let_go()
            if ended is not None:
                self.ended = ended
                return End.of(ended)

    async def replay(self) -> End:
        """Replay a record that holds the whole run, and check that nothing is new."""
        before = [dict(self.record.steps), dict(self.record.defers)]
        execution = self.begin()
        try:
            turn = await self._turn(execution)
            assert turn.ended is not None, f"the replay of a whole record stopped at {turn.new}"
            assert not turn.new
            assert not turn.dropped
            assert not [op for op in execution.drain() if not isinstance(op, DeferRejected)]
            assert not execution.unused()
            assert [self.record.steps, self.record.defers] == before
            return End.of(turn.ended)
        finally:
            await execution.let_go()

    def _point(self, stop: Stop) -> bool:
        self.points += 1
        return stop(self.points)

    async def _turn(self, execution: Execution) -> Turn:
        if self.budget is None:
            return await execution.turn()
        whole = Turn()
        while True:
            turn = await execution.turn(self.budget)
            self.turns.append(turn)
            assert turn.yielded <= self.budget
            whole.new = [op for op in whole.new if op not in turn.dropped] + turn.new
            whole.dropped += turn.dropped
            whole.yielded += turn.yielded
            whole.ended = turn.ended
            if not turn.paused:
                return whole

    async def _drive(self, execution: Execution, stop: Stop) -> Returned | Raised | Diverged | None:
        outstanding: dict[str, Op] = {}
        lost: set[str] = set()
        while True:
            turn = await self._turn(execution)
            if self._point(stop):
                return None
            self.record.plan(turn, strict=self.strict)
            self.record.ship(execution.drain())
            for op in turn.dropped:
                if self.late_losers:
                    assert op.hash in outstanding or op in turn.new or op.hash in self.record.steps
                    lost.add(op.hash)
                else:
                    assert outstanding.pop(op.hash, None) is op or op.hash in self.record.steps
            for op in turn.new:
                outstanding[op.hash] = op
            if turn.ended is not None:
                return turn.ended
            if self._point(stop):
                return None
            assert outstanding.keys() - lost, "the run waits for nothing"
            told: list[Entry] = []
            for _ in range(self.at_once):
                if not outstanding:
                    break
                op = outstanding.pop(self.order(list(outstanding.values())).hash)
                entry, lazy = await self.execute(op, execution)
                if self._point(stop):
                    return None
                self.record.complete(entry)
                self.record.ship(lazy)
                told.append(entry)
            if self._point(stop):
                return None
            for entry in told:
                execution.resolve(entry.hash, entry.memo())

    async def execute(self, op: Op, execution: Execution) -> tuple[Entry, list[LazyOp]]:
        """Run a step's body, or give what the test says that the step gives."""
        step = op.step
        data: bytes = b"null"
        failure: Mapping[str, Any] | None = None
        buffer = LazyBuffer(execution.lazy.prior, run_id=RUN_ID, on_misuse=execution.lazy.on_misuse, log=execution.lazy.log)
        if step.id in self.answers:
            answer = self.answers[step.id]
            if isinstance(answer, BaseException):
                failure = Failure.of(answer).to_json()
            else:
                data = json.dumps(answer).encode()
        elif isinstance(step, Run):
            assert op.hash not in self.record.steps, f"the body of {step!r} ran although its result is recorded"
            self.calls.append(step.id)
            token = current_sink.set(buffer)
            try:
                value = step.fn(*step.args, **step.kwargs)
                if isinstance(value, AsyncGenerator):
                    value = await _defers_of(value, buffer)
                elif inspect.isawaitable(value):
                    value = await value
                data = encode_result(step.fn if step.returns_type is None else step.returns_type, value, f"the result of {step!r}")
            except Exception as error:
                failure = Failure.of(error, no_retry=isinstance(error, InngestGenError)).to_json()
            finally:
                current_sink.reset(token)
        await buffer.settle()
        return Entry(op.hash, op.position, step.kind, step.id, op.at, data, failure), buffer.drain()


async def _defers_of(body: AsyncGenerator[Any, Any], buffer: LazyBuffer) -> Any:
    value: Any = None
    try:
        while True:
            intent = await body.asend(value)
            if isinstance(intent, Done):
                return intent.value
            value = None
            if isinstance(intent, Defer):
                value = await buffer.add_now(intent)
            else:
                buffer.abort(intent.handle)
    except StopAsyncIteration:
        return None
    finally:
        await body.aclose()


async def run(handler: Any, data: Any = None, **options: Any) -> End:
    """Run a handler live, and again with a replay after every message; both must end alike, and the whole record replay to the same."""
    live = Shell(handler, data, **options)
    end = await live.run()
    replayed = Shell(handler, data, **options)
    assert await replayed.run(stop=_after_recording()) == end
    there = {hash: entry.position for hash, entry in replayed.record.steps.items()}
    assert there.items() <= {hash: entry.position for hash, entry in live.record.steps.items()}.items()
    assert live.late_losers or len(there) == len(live.record.steps)
    assert replayed.record.defers == live.record.defers
    assert await live.replay() == end
    return end


def _after_recording() -> Stop:
    # Points come in rounds of four, as Shell.run tells, and a stop begins a new round: stop at the fourth of each.
    count = 0

    def stop(point: int) -> bool:
        nonlocal count
        count += 1
        if count == 4:
            count = 0
            return True
        return False

    return stop
