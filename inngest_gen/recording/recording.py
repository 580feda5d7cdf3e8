"""Recording: a run as a value: who it was, what it was given, every step in the order of its yields, every defer, and how it ended.

Promises: there is all that a replay needs and nothing that only one engine knows; what is not known is None, never a guess.
Refuses: to hold code. A replay needs the app; `code` tells whether it is the code that made the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.request import Parent
from inngest_gen.errors import RecordingError
from inngest_gen.event import Event

RunKind = Literal["event", "invoke", "defer", "failure"]
"""What started a run: an event, another run's invoke, a defer, or a failed run (its failure handler)."""

RunStatus = Literal["queued", "running", "completed", "failed", "cancelled", "blocked"]

StepStatus = Literal["completed", "failed", "running", "waiting", "abandoned"]

WAITS: Final = frozenset({"step.sleep", "step.sleep_until", "step.wait_for_event", "step.wait_for_signal", "step.invoke"})
"""The kinds of step that run nothing here, and end when something comes."""

DeferStatus = Literal["after_run", "scheduled", "aborted", "rejected", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttempt:
    """A failed attempt: its number from 0, when it failed, its error, when the next was to come (None: no more, or not known), when it began."""

    number: int
    at: datetime | None
    error: Failure
    retry_at: datetime | None = None
    started: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStep:
    """A step that was asked for.

    `id` is what the handler called it, `name` what is shown ("": the id), `index` the repeat of the id (0 for the first), `hash` the record's key.
    `position` counts steps in the order of their yields (None: the record doesn't tell), `path` names the branch and sub-flow, `at` is "file:line"
    of the yield. `options` are those it was made with. `rank` is its place in the order of completion, which is the order in which a replay
    delivers results; None: it has none. `data` is the result as JSON, `error` the failure for good; `attempts` are the failed ones that are known,
    and `attempt` is the number of the last one, from 0 (None: it is not known).
    """

    id: str
    hash: str
    name: str = ""
    index: int = 0
    kind: str | None = None
    position: int | None = None
    path: str = ""
    at: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    status: StepStatus = "completed"
    rank: int | None = None
    data: bytes | None = None
    error: Failure | None = None
    attempts: tuple[RecordedAttempt, ...] = ()
    attempt: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    due: datetime | None = None

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.id)

    @property
    def result(self) -> Any:
        """The result as JSON values, a fresh copy; None where there is none."""
        return None if self.data is None else jsonvalue.decode(self.data)

    @property
    def branch(self) -> str | None:
        """The path of a step in a branch of a group: those are held to their branch, not to their position."""
        return self.path if "[" in self.path else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDefer:
    """A defer and what became of it.

    `step` is the hash of the step whose body made it; None: the handler did. `status` is "after_run" (it starts when the run ends), "scheduled"
    (as `run_id`), "aborted", "rejected" (`reason` says why) or "dropped". `data` is the input as JSON; None: it is not kept.
    """

    id: str
    hash: str
    name: str = ""
    function: str | None = None
    step: str | None = None
    status: DeferStatus = "after_run"
    reason: str | None = None
    run_id: str | None = None
    data: bytes | None = None
    meta: Any = None
    experiment: Any = None

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedNote:
    """Something that happened to the run besides: `kind` is "handler" (an attempt of it failed), "note", "blocked", "cancel" or "retry"."""

    kind: str
    at: datetime | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A run.

    `run_id` seeds `ctx.random`, `ctx.uuid()` and `ctx.started_at`. `function` is the slug, `app` the app's id (None: not known). `events` are as
    the handler sees them; `parents` are set for deferred runs, `failure` (the error handled) for failure handlers. `attempt` is the handler's,
    from 0; `max_attempts` None where it is not known. `code` holds the fingerprints of the code that made the record; {}: more than one code did;
    None: not known. `output` is the result as JSON. `redacted` lists the paths whose values were replaced. `made_by` says what wrote it.

    Raises RecordingError for two steps of one hash, and for a result without a rank.
    """

    run_id: str
    function: str
    app: str | None = None
    kind: RunKind = "event"
    status: RunStatus = "running"
    events: tuple[Event, ...] = ()
    parents: tuple[Parent, ...] = ()
    failure: Failure | None = None
    parent_run_id: str | None = None
    sessions: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    max_attempts: int | None = None
    code: Mapping[str, str] | None = None
    steps: tuple[RecordedStep, ...] = ()
    defers: tuple[RecordedDefer, ...] = ()
    notes: tuple[RecordedNote, ...] = ()
    output: bytes | None = None
    error: Failure | None = None
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    redacted: tuple[str, ...] = ()
    made_by: str = ""

    def __post_init__(self) -> None:
        hashes: set[str] = set()
        for step in self.steps:
            if step.hash in hashes:
                raise RecordingError(f"the recording is damaged: it has two steps with the hash {step.hash}")
            hashes.add(step.hash)
            if (step.rank is None) != (step.data is None and step.error is None):
                raise RecordingError(
                    f"the recording is damaged: step {step.id!r} must have a rank where it has a result or an error, and only there"
                )

    @property
    def has_ended(self) -> bool:
        """Whether the run has completed, failed or been cancelled."""
        return self.status in {"completed", "failed", "cancelled"}

    def finished(self) -> list[RecordedStep]:
        """List the steps that have a result or an error, in the order of their completion."""
        done = [step for step in self.steps if step.rank is not None]
        done.sort(key=lambda step: step.rank or 0)
        return done
