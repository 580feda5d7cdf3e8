"""Run and its parts: what can be read of a run, live or ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inngest_gen.engine.rules.lifecycle import ENDED, Status
from inngest_gen.errors import StepError
from inngest_gen.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """A failed attempt of a step or of the handler: its number from 0, when it failed, its error, and when the next one comes (None: no more)."""

    number: int
    at: datetime
    error: StepError
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step of a run.

    `status` is "completed", "failed", "running" (planned or in flight), "waiting" (asleep, waiting, or before its next attempt) or "abandoned" (a
    race's loser, or unfinished when the run ended). `path` names the branch ("" for the handler). `started` is when it was first yielded or its
    last attempt began.
    """

    id: str
    name: str
    hash: str
    kind: str
    index: int
    position: int
    path: str
    at: str | None
    status: str
    attempts: tuple[AttemptRecord, ...]
    result: Any
    error: StepError | None
    started: datetime | None
    ended: datetime | None
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferRecord:
    """A defer of a run: `status` is "after_run", "scheduled", "aborted", "rejected" (`reason` says why) or "dropped"; `run_id` the deferred run."""

    id: str
    name: str
    function_id: str | None
    status: str
    reason: str | None
    run_id: str | None
    data: Any
    meta: Any
    experiment: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something noted in a run's timeline: `kind` is "handler" (a failed attempt of the handler), "note", "blocked", "cancel" or "retry"."""

    kind: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run. `function_id` is the function's slug ("{app}-{function}"); times are in UTC; `output` is the result as JSON values."""

    id: str
    function_id: str
    kind: str
    status: Status
    event: Event
    output: Any
    error: StepError | None
    attempt: int
    steps: tuple[StepRecord, ...]
    defers: tuple[DeferRecord, ...]
    notes: tuple[Note, ...]
    parent_run_id: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether the run has completed, failed or been cancelled."""
        return self.status in ENDED
