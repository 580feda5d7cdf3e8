"""Progress: what happens in an engine as it happens, for people and programs that watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from inngest_gen.errors import StepError

Kind = Literal[
    "run.queued", "run.started", "run.ended", "run.blocked",
    "step.started", "step.completed", "step.failed", "step.waiting", "step.abandoned",
    "handler.failed", "defer.added", "defer.aborted", "defer.rejected", "defer.dropped",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One happening. `at` is in epoch seconds; `step_id`, `path`, `attempt`, `error` and `due` are set where they mean something.

    "step.failed" and "handler.failed" tell of one attempt: `due` is when the next comes, None if it was the last. "step.waiting" has `due`
    where a time ends the wait, and `step_kind`. "run.ended" has `status` and `output` or `error`. `parent_run_id` is set on "run.queued".
    """

    kind: Kind
    at: float
    run_id: str
    function_id: str
    step_id: str | None = None
    step_kind: str | None = None
    path: str = ""
    attempt: int | None = None
    error: StepError | None = None
    due: float | None = None
    status: str | None = None
    output: Any = None
    parent_run_id: str | None = None
    run_kind: str | None = None


Listener = Callable[[Progress], None]
