"""CallRequest: what an engine tells a handler of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from inngest_gen.errors import StepError
from inngest_gen.event import Event

_OWN: Final = ("_inngest", "_inngestExperiment")
"""The keys that engines put into an event's data (A72, L06)."""


def without_own_keys(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give an event's data without the keys that engines put there: what `ctx.data` is made from."""
    return {key: value for key, value in data.items() if key not in _OWN} if any(key in data for key in _OWN) else data


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that deferred this one: `run_id`, its function's id `fn_slug`, and the experiment it carried."""

    run_id: str
    fn_slug: str
    experiment: Any = None


@dataclass(slots=True)  # not frozen: one is made in each call
class CallRequest:
    """One call of a handler; nobody changes one. `attempt` counts from 0; `error` is set for failure handlers, `parents` for deferred functions."""

    run_id: str
    events: tuple[Event, ...]
    attempt: int = 0
    max_attempts: int = 5
    sessions: dict[str, Any] = field(default_factory=dict)
    error: StepError | None = None
    parents: tuple[Parent, ...] = ()
