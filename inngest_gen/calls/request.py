"""CallRequest: what an engine tells a handler of its run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from inngest_gen.errors import StepError
from inngest_gen.event import Event


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that deferred this one: `run_id`, its function's id `fn_slug`, and the experiment it carried."""

    run_id: str
    fn_slug: str
    experiment: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """One call of a handler. `attempt` counts from 0; `error` is set for failure handlers, `parents` for deferred functions."""

    run_id: str
    events: tuple[Event, ...]
    attempt: int = 0
    max_attempts: int = 5
    sessions: dict[str, Any] = field(default_factory=dict)
    error: StepError | None = None
    parents: tuple[Parent, ...] = ()
