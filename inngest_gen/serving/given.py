"""Given: what a handler is called with, made of a run's events as the server has them.

Promises: the keys that the server adds to an event's data do not reach the handler (A72, L06); a deferred run knows its parents, a failure handler
the error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.request import CallRequest, Parent, without_own_keys
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from inngest_gen.protocol.call import BadCall
from inngest_gen.sessions import run_sessions

_OWN: Final = "_inngest"
_EXPERIMENT: Final = "_inngestExperiment"


def given(function: Function, events: tuple[Event, ...], *, run_id: str, attempt: int = 0, max_attempts: int | None = None) -> CallRequest:
    """Make what a function's handler is called with; `max_attempts` None: as the function says. Raises BadCall for a deferred run of no parent."""
    if max_attempts is None:
        max_attempts = function.options.retries + 1
    error = _error(events[0]) if function.kind == "failure" else None
    parents = tuple([_parent(event, function) for event in events]) if function.kind == "defer" else ()
    return CallRequest(run_id, _cleaned(events), attempt, max_attempts, run_sessions(events), error, parents)


def _cleaned(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Take the keys from the events' data that engines put there."""
    for event in events:
        if _OWN in event.data or _EXPERIMENT in event.data:
            return tuple([replace(event, data=without_own_keys(event.data)) for event in events])
    return events


def _parent(event: Event, function: Function) -> Parent:
    """Give the run that deferred this one (A73). Raises BadCall."""
    told = event.data.get(_OWN)
    told = told if isinstance(told, Mapping) else {}
    slug, run_id = told.get("parent_fn_slug"), told.get("parent_run_id")
    if not isinstance(slug, str) or not isinstance(run_id, str):
        raise BadCall(
            400, "parent_missing", f"deferred function {function.slug!r} was called with an event that names no parent run in data._inngest"
        )
    return Parent(run_id, slug, event.data.get(_EXPERIMENT))


def _error(event: Event) -> StepError | None:
    """Give the error of the run that failed, for its failure handler (I43)."""
    error = event.data.get("error")
    return Failure.from_json(error).error() if isinstance(error, Mapping) else None
