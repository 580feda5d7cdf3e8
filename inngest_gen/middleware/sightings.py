"""Sightings: what a process has seen of runs that are under way, from request to request: what no later request tells again.

That is when attempts began and ended and how they failed, and the data of defers. Promises: a bound on the memory it takes; what was seen least
recently is forgotten first, a run at a time. Refuses: to know what another process saw, or this one before it was started.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from inngest_gen.calls.failure import Failure
from inngest_gen.durations import utc
from inngest_gen.recording.recording import RecordedAttempt, RecordedDefer, RecordedNote

KEPT_BYTES: Final = 64 * 1024 * 1024
"""How much is kept of all runs together, about."""

_ENDED: Final = 64
"""So many runs that have ended are kept: a server may ask for the end of one again."""

_ENTRY: Final = 300
"""What one thing seen takes besides its texts, about, in bytes."""


@dataclass(slots=True)
class StepSeen:
    """What was seen of a step: when its last attempt or its wait began, and ended (epoch seconds), that attempt's number, and the failed ones."""

    started: float | None = None
    ended: float | None = None
    attempt: int | None = None
    failed: dict[int, RecordedAttempt] = field(default_factory=dict)


@dataclass(slots=True)
class RunSeen:
    """What was seen of a run. `began` is when it did, None if that was not seen."""

    began: float | None = None
    steps: dict[str, StepSeen] = field(default_factory=dict)
    defers: dict[str, RecordedDefer] = field(default_factory=dict)
    notes: dict[tuple[int, float], RecordedNote] = field(default_factory=dict)
    size: int = _ENTRY

    # Steps. Times are epoch seconds.

    def asked(self, hash: str, at: float) -> None:
        """A step that has no body here, such as a sleep, was asked for and has no result."""
        if hash not in self.steps:
            self._step(hash).started = at

    def has_result(self, hash: str, at: float) -> None:
        """Its result is here."""
        step = self.steps.get(hash)
        if step is not None and step.ended is None and step.attempt is None:
            step.ended = at

    def attempt_began(self, hash: str, number: int, at: float) -> None:
        """An attempt of a step's body begins."""
        step = self._step(hash)
        step.started, step.ended, step.attempt = at, None, number

    def attempt_ended(self, hash: str, at: float) -> None:
        """It gave a result."""
        self._step(hash).ended = at

    def attempt_failed(self, hash: str, number: int, at: float, error: Failure, *, final: bool) -> None:
        """It failed; `final` for good."""
        step = self._step(hash)
        began = step.started if step.attempt == number else None
        step.failed[number] = RecordedAttempt(number=number, started=None if began is None else utc(began), at=utc(at), error=error)
        if final:
            step.ended = at
        self.size += _weight(error)

    def _step(self, hash: str) -> StepSeen:
        step = self.steps.get(hash)
        if step is None:
            step = self.steps[hash] = StepSeen()
            self.size += _ENTRY
        return step

    # The rest.

    def deferred(self, defer: RecordedDefer) -> None:
        """A defer leaves, or is taken back."""
        self.defers[defer.hash] = defer
        self.size += _ENTRY + len(defer.data or b"")

    def handler_failed(self, number: int, at: float, error: Failure) -> None:
        """An attempt of the handler failed, and there will be another."""
        text = f"attempt {number} of the handler failed: {error}"
        self.notes[number, at] = RecordedNote(kind="handler", at=utc(at), text=text)
        self.size += _ENTRY + len(text)


def _weight(failure: Failure | None) -> int:
    weight = _ENTRY
    while failure is not None:
        weight += len(failure.message) + len(failure.stack or "")
        failure = failure.cause
    return weight


class Sightings:
    """What was seen of each run that is under way. Threads may share it."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._runs: OrderedDict[str, RunSeen] = OrderedDict()
        self._kept_bytes = kept_bytes
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._counted: dict[str, int] = {}
        self._total = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._runs)

    def of(self, run_id: str) -> RunSeen:
        """Give what was seen of a run, to be written on."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                run = self._runs[run_id] = RunSeen()
            else:
                self._runs.move_to_end(run_id)
            self._count(run_id, run)
            while self._total > self._kept_bytes and len(self._runs) > 1:
                self._drop(next(iter(self._runs)))
            return run

    def over(self, run_id: str) -> None:
        """A run has ended: it is forgotten when some more have."""
        with self._lock:
            self._ended[run_id] = None
            self._ended.move_to_end(run_id)
            while len(self._ended) > _ENDED:
                self._drop(next(iter(self._ended)))

    def _count(self, run_id: str, run: RunSeen) -> None:
        self._total += run.size - self._counted.get(run_id, 0)
        self._counted[run_id] = run.size

    def _drop(self, run_id: str) -> None:
        self._ended.pop(run_id, None)
        if self._runs.pop(run_id, None) is not None:
            self._total -= self._counted.pop(run_id)
