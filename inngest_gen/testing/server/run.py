"""What the test server knows of a run: its state, and everything that happened. Read it in tests; only the server changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from inngest_gen.testing.server.canonical import canonical, parse

__all__ = ["Call", "DeferEntry", "ServerRun", "StepEntry"]

Status: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]
DeferStatus: TypeAlias = Literal["after_run", "aborted", "rejected"]


@dataclass(slots=True, kw_only=True)
class Call:
    """A request to the app, or one to the server's API, with its answer.

    `direction` is "app" for a call of the app and "server" for a request to the API; `step` is the step that a call is to run ("step": none in
    particular); `status` is None while there is no answer, and where there was none; then `error` says why. `at` is the server's time, in seconds
    since the epoch. `signature_problem` says what is wrong with the answer's signature, where the server has a key; `handled` says that the server
    is done with the answer.
    """

    direction: Literal["app", "server"]
    url: str
    step: str
    attempt: int
    generation: int
    at: float
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None
    reply_headers: Mapping[str, str] = field(default_factory=dict)
    reply: bytes = b""
    error: str | None = None
    signature_problem: str | None = None
    handled: bool = False

    @property
    def json(self) -> Any:
        """The request's body."""
        return parse(self.body)

    @property
    def reply_json(self) -> Any:
        """The answer's body; None where it is empty."""
        return parse(self.reply) if self.reply else None

    def __str__(self) -> str:
        what = f"call of {self.step}, attempt {self.attempt}" if self.direction == "app" else self.url
        answer = self.error or (f"{self.status} {_short(self.reply)}" if self.status is not None else "no answer yet")
        return f"{what}: {answer}"


def _short(body: bytes) -> str:
    text = body.decode(errors="replace")
    return text if len(text) <= 300 else f"{text[:300]}... ({len(body):,} bytes)"


@dataclass(slots=True, kw_only=True)
class StepEntry:
    """A step that is memoized. `hash` is its id on the wire, `id` what the app calls it; `memo` is what calls carry for it."""

    hash: str
    id: str
    op: str
    memo: str
    at: float
    member: str = field(init=False, repr=False)
    """Its place in a call's `steps`, made once: a run of a thousand steps sends it a thousand times."""

    def __post_init__(self) -> None:
        self.member = f"{canonical(self.hash)}:{self.memo}"

    @property
    def value(self) -> Any:
        """What calls carry for it, as JSON: {"data": ...}, {"error": {...}}, an event, or None."""
        return parse(self.memo)


@dataclass(slots=True, kw_only=True)
class DeferEntry:
    """A defer. `hash` is its id on the wire, `id` what the app calls it; `reason` says why it was rejected; `run_id` is the deferred run's."""

    hash: str
    id: str
    function: str
    status: DeferStatus
    input: Any = None
    input_bytes: int = 0
    meta: Any = None
    reason: str | None = None
    event_id: str | None = None
    run_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Book:
    """The server's own bookkeeping of a run, for its rules.

    `version` is the request version that the app answered with, -1 before; `plan_only`: no step may be run as it is found; `pending` are the open
    members of a parallel group; `keys` those of jobs that were asked for; `requests` counts calls.
    """

    function_id: str = ""
    app_id: str = ""
    max_attempts: int = 5
    version: int = -1
    plan_only: bool = False
    pending: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    state_bytes: int = 0
    defer_bytes: int = 0
    requests: int = 0


@dataclass(slots=True, kw_only=True)
class ServerRun:
    """A run on the test server.

    `function` is the function's slug, `event` the (first) event that started it; `output` is what it returned, `error` what it failed with; `steps`
    are in the order in which they were memoized; `defers` are by hash; `calls` are all requests to the app and checkpoints, in order; `notes` are
    what the server would have logged; `metadata` is what was posted to it; `book` is the server's own. Times are in seconds since the epoch.
    """

    id: str
    function: str
    events: Sequence[Mapping[str, Any]]
    created_at: float
    parent_id: str | None = None
    status: Status = "queued"
    started_at: float | None = None
    ended_at: float | None = None
    output: Any = None
    error: Mapping[str, Any] | None = None
    steps: dict[str, StepEntry] = field(default_factory=dict)
    defers: dict[str, DeferEntry] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    metadata: list[Mapping[str, Any]] = field(default_factory=list)
    book: Book = field(default_factory=Book)

    def __repr__(self) -> str:  # short, for assertions that fail: `log()` tells all
        return f"<{self.log(0)}>"

    @property
    def event(self) -> Mapping[str, Any]:
        """The event that started it."""
        return self.events[0]

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.ended_at is not None

    @property
    def stack(self) -> list[str]:
        """The hashes of its memoized steps, in the order in which they ended."""
        return list(self.steps)

    def step(self, id: str) -> StepEntry:
        """Give a memoized step by what the app calls it. Raises KeyError."""
        for step in self.steps.values():
            if step.id == id:
                return step
        raise KeyError(f"no memoized step {id!r}: there are {', '.join(step.id for step in self.steps.values()) or 'none'}")

    def log(self, last: int | None = None) -> str:
        """Tell the run's calls and notes, the last so many, as text."""
        lines = [str(call) for call in self.calls] + [f"server: {note}" for note in self.notes]
        shown = lines if last is None else lines[len(lines) - min(last, len(lines)) :]
        head = f"run {self.id} of {self.function}: {self.status}"
        if self.status == "completed":
            head += f", {canonical(self.output)[:200]}"
        if self.error is not None:
            head += f", {self.error.get('name')}: {self.error.get('message')}"
        return "\n  ".join([head, *shown])
