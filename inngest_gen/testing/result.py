"""Result: what a run of a test did, to be asserted about.

Promises: it stays as it was when the test stopped there; steps and defers are found by their ids; a comparison that fails shows what was.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, SupportsIndex, TypeVar, overload

from inngest_gen.calls.lazy import DeferAdd
from inngest_gen.driver.turn import Op
from inngest_gen.engine.run import AttemptRecord, DeferRecord, Note, Run, StepRecord
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from inngest_gen.ids import step_hash
from inngest_gen.intents.step import Invoke, SendEvent, Step
from inngest_gen.intents.step import Run as RunStep
from inngest_gen.recording.recording import Recording
from inngest_gen.testing.failures import RunFailed, is_found
from inngest_gen.testing.snapshot import Snapshot
from inngest_gen.testing.timeline import draw

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line

T = TypeVar("T", bound="StepResult | DeferResult")

TakenBack = dict[int, dict[str, tuple[int, DeferAdd]]]
"""The defers that were aborted before they were sent, by run and hash, each with how many defers were made before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """A step of a run.

    `status` is "completed", "failed", "running", "waiting" or "abandoned" (it lost a race, or the run ended before it). `result` is the JSON that
    was recorded, `error` why it failed for good. `attempts` counts how often it was tried, `failures` are the failed attempts. `args` and
    `kwargs` are what the handler gave it: the arguments of `step.run`, the data of `step.invoke`, the events of `step.send_event`. `started` and
    `ended` are in the test's time. `path` names its branch or sub-flow, `at` is "file:line" of its yield.
    """

    id: str
    name: str
    index: int
    kind: str
    path: str
    at: str | None
    status: str
    result: Any
    error: StepError | None
    attempts: int
    failures: tuple[AttemptRecord, ...]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    started: datetime | None
    ended: datetime | None
    due: datetime | None

    @property
    def seconds(self) -> float | None:
        """How long it took, in seconds of the test's time, its failed attempts and the waits between them included."""
        began = self.failures[0].at if self.failures else self.started
        return None if self.ended is None or began is None else (self.ended - min(began, self.started or began)).total_seconds()

    @classmethod
    def of(cls, record: StepRecord, step: Step[Any] | None) -> StepResult:
        """Make it of what was recorded and of the step that the handler made."""
        args, kwargs = _given(step)
        ran = record.status == "completed" and record.kind in {"step.run", "step.fetch", "step.ai.infer", "step.ai.wrap"}
        return cls(
            id=record.id, name=record.name, index=record.index, kind=record.kind, path=record.path, at=record.at, status=record.status,
            result=record.result, error=record.error, attempts=len(record.attempts) + ran, failures=record.attempts, args=args, kwargs=kwargs,
            started=record.started, ended=record.ended, due=record.due,
        )  # fmt: skip

    @classmethod
    def running(cls, op: Op) -> StepResult:
        """Make it of a step that was asked for and of which nothing is recorded."""
        step = op.step
        args, kwargs = _given(step)
        return cls(
            id=step.id, name=step.name, index=op.index, kind=step.kind, path=op.path, at=op.at, status="running", result=None, error=None,
            attempts=0, failures=(), args=args, kwargs=kwargs, started=None, ended=None, due=None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferResult:
    """A defer of a run.

    `status` is "after_run" (the run has not ended), "scheduled", "aborted", "rejected" or "dropped"; `reason` says why. `data` is what was sent
    (None where it was aborted or rejected), `run` what the deferred run did, None where there is none.
    """

    id: str
    name: str
    function_id: str | None
    status: str
    reason: str | None
    data: Any
    meta: Any
    run: Result | None

    @classmethod
    def of(cls, record: DeferRecord, run: Result | None) -> DeferResult:
        """Make it of what was recorded."""
        return cls(
            id=record.id, name=record.name, function_id=record.function_id, status=record.status, reason=record.reason, data=record.data,
            meta=record.meta, run=run,
        )  # fmt: skip


class _ById(Generic[T]):
    """Things with ids, in order: `steps["load"]`, `steps[0]`, `steps.ids`; equal to a list of their ids."""

    # No tuple: to a type checker `"load" in steps` would be a mistake then.
    __slots__ = ("_all",)
    _what = "member"

    def __init__(self, members: Iterable[T]) -> None:
        self._all: tuple[T, ...] = tuple(members)

    @property
    def ids(self) -> list[str]:
        """The ids in order."""
        return [one.id for one in self._all]

    def all(self, id: str) -> list[T]:
        """Give all with an id, in order."""
        return [one for one in self._all if one.id == id]

    @overload
    def __getitem__(self, key: str | SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[T, ...]: ...
    def __getitem__(self, key: Any) -> Any:
        """Give one by its id (the first with it), or by number. Raises KeyError for an id that is not there."""
        __tracebackhide__ = True  # for pytest: a misspelt id is shown where it stands
        if not isinstance(key, str):
            return self._all[key]
        for one in self._all:
            if one.id == key:
                return one
        close = difflib.get_close_matches(key, self.ids, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise KeyError(f"no {self._what} {key!r}: there are {', '.join(self.ids) or 'none'}{hint}")

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[T]:
        return iter(self._all)

    def __contains__(self, key: object) -> bool:
        return key in self.ids if isinstance(key, str) else key in self._all

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, tuple)):
            return self.ids == list(other) if all(isinstance(one, str) for one in other) else self._all == tuple(other)
        return isinstance(other, _ById) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._all)

    def __repr__(self) -> str:
        return f"[{', '.join(f'{one.id} ({one.status})' for one in self._all)}]"


class Steps(_ById[StepResult]):
    """The steps of a run, in the order of their yields. `steps == ["load", "charge"]` compares ids."""

    __slots__ = ()
    _what = "step"


class Defers(_ById[DeferResult]):
    """The defers of a run, in the order in which they were made."""

    __slots__ = ()
    _what = "defer"


class Result:
    """What a run did.

    `status` is "completed", "failed", "cancelled", "running", "queued" or "blocked". `error` is why it failed, else None. `steps`, `defers` and
    `duplicates` (ids that were deferred twice) tell what the handler asked for; `events` are those it sent; `logs` what was logged with its run id.
    `runs` are all other runs of the test, in the order in which they were made. `notes` tell of failed attempts of the handler and the like.
    """

    def __init__(
        self,
        run: Run,
        steps: Iterable[StepResult],
        defers: Sequence[DeferRecord],
        events: Iterable[Event],
        logs: Sequence[logging.LogRecord],
        runs: dict[str, Result],
        snapshot: Snapshot,
    ) -> None:
        self.run_id: str = run.id
        self.function_id: str = run.function_id
        self.kind: str = run.kind
        self.status: str = run.status
        self.event: Event = run.event
        self.error: StepError | None = run.error
        self.steps: Steps = Steps(steps)
        self.events: list[Event] = list(events)
        self.logs: list[logging.LogRecord] = list(logs)
        self.duplicates: list[str] = [str(one.__dict__.get("id")) for one in logs if one.msg == DUPLICATE]
        self.notes: tuple[Note, ...] = run.notes
        self.parent_run_id: str | None = run.parent_run_id
        self.created: datetime = run.created
        self.started: datetime | None = run.started
        self.ended: datetime | None = run.ended
        self._output = run.output
        self._defers = defers
        self._all = runs
        self._snapshot = snapshot

    @property
    def output(self) -> Any:
        """What the run gave, as JSON values. Raises RunFailed, with the error and the timeline, for a run that has not completed."""
        if self.status == "completed":
            return self._output
        why = f": {self.error}" if self.error is not None else ""
        stack = f"\n{self.error.stack}" if self.error is not None and self.error.stack else ""
        raise RunFailed(
            f"the run of {self.function_id} has no output, it {_SAID.get(self.status, self.status)}{why}{stack}\n\n{self.timeline(lines=True)}"
        )

    @property
    def defers(self) -> Defers:
        """The defers of the run, in the order in which they were made."""
        return Defers(DeferResult.of(one, self._all.get(one.run_id or "")) for one in self._defers)

    @property
    def recording(self) -> Recording:
        """The run as a recording, which the debugger opens: what `inngest-gen runs export` gives of a run of the embedded engine."""
        return self._snapshot.recording(self.run_id)

    @property
    def runs(self) -> list[Result]:
        """All other runs of the test, in the order in which they were made."""
        return [run for run in self._all.values() if run is not self]

    @property
    def seconds(self) -> float | None:
        """How long the run took, in seconds of the test's time; None where it has not ended."""
        return None if self.ended is None else (self.ended - self.created).total_seconds()

    def of(self, function: Any) -> list[Result]:
        """Give the other runs of a function (or of its id), in the order in which they were made."""
        wanted = getattr(function, "slug", function)
        return [run for run in self.runs if run.function_id == wanted or run.function_id.endswith(f"-{wanted}")]

    def timeline(self, *, lines: bool = False) -> str:
        """Draw what happened, as text that is the same in each run of the test: for people, and for snapshots. With `lines`, also where."""
        return draw(self, lines=lines)

    def __repr__(self) -> str:
        return f"<Result {self.function_id} {self.status}: {', '.join(self.steps.ids) or 'no steps'}>"


DUPLICATE = "defer skipped: duplicate ID within run"
"""What the driver logs for a second use of a defer's id (A33)."""

_SAID = {"failed": "failed", "cancelled": "was cancelled", "running": "has not ended", "queued": "has not begun", "blocked": "is blocked"}


def _given(step: Step[Any] | None) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    match step:
        case RunStep():
            return step.args, step.kwargs
        case Invoke():
            return (step.data,), {}
        case SendEvent():
            return tuple(step.events), {}
        case _:
            return (), {}


def results(
    runs: Mapping[int, Run],
    asked: Mapping[tuple[int, str], Step[Any]],
    under_way: Mapping[int, Sequence[Op]],
    taken_back: TakenBack,
    sent: Sequence[tuple[int | None, Event]],
    logs: Sequence[logging.LogRecord],
    snapshot: Snapshot,
) -> dict[str, Result]:
    """Make the results of all runs of a test, by run id, given the runs by number. `under_way` has the steps that were asked for, recorded or not."""
    found: dict[str, Result] = {}
    for number, run in runs.items():
        steps = [StepResult.of(step, asked.get((number, step.hash))) for step in run.steps]
        known = {step.hash for step in run.steps}
        steps += [StepResult.running(op) for op in under_way.get(number, ()) if op.hash not in known]
        events = [event for of, event in sent if of == number]
        logged = [record for record in logs if record.__dict__.get("run_id") == run.id]
        defers = _with_taken_back(run.defers, taken_back[number]) if number in taken_back else run.defers
        found[run.id] = Result(run, steps, defers, events, logged, found, snapshot)
    return found


def _with_taken_back(defers: Sequence[DeferRecord], taken_back: Mapping[str, tuple[int, DeferAdd]]) -> list[DeferRecord]:
    """Put the defers that were aborted before they were sent where they were made, among those that were sent."""
    sent = {step_hash(defer.id) for defer in defers}
    left = sorted(((place, op) for hash, (place, op) in taken_back.items() if hash not in sent), key=lambda one: one[0])
    made: list[DeferRecord] = []
    for place, defer in enumerate((*defers, None)):
        while left and (defer is None or left[0][0] <= place):
            made.append(_taken_back(left.pop(0)[1]))
        if defer is not None:
            made.append(defer)
    return made


def _taken_back(op: DeferAdd) -> DeferRecord:
    return DeferRecord(
        id=op.id, name=op.name, function_id=op.function, status="aborted", reason="it was taken back before it was sent", run_id=None, data=None,
        meta=op.meta, experiment=op.experiment,
    )  # fmt: skip
