"""What a handler is given of the event that started its run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inngest_gen.calls.failure import Failure
from inngest_gen.calls.request import Parent, without_own_keys
from inngest_gen.event import Event


def data_for(event: Event) -> Mapping[str, Any]:
    """Give the event's data without the engine's own keys: what `ctx.data` is made from."""
    return without_own_keys(event.data)


def event_for(kind: str, event: Event) -> Event:
    """Give the event as a run of this kind sees it: that of a deferred run without the engine's own keys."""
    return event if kind != "defer" else Event(event.name, data_for(event), id=event.id, ts=event.ts, meta=event.meta)


def parents_for(kind: str, event: Event) -> tuple[Parent, ...]:
    """Give the runs that deferred a run of this kind (A73)."""
    inner = event.data.get("_inngest")
    if kind != "defer" or not isinstance(inner, Mapping):
        return ()
    return (Parent(run_id=str(inner["parent_run_id"]), fn_slug=str(inner["parent_fn_slug"]), experiment=inner.get("experiment")),)


def failure_for(kind: str, event: Event) -> Failure | None:
    """Give the error that a failure handler's run handles."""
    error = event.data.get("error")
    return Failure.from_json(error) if kind == "failure" and isinstance(error, Mapping) else None
