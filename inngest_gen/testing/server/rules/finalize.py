"""The end of a run: its state goes, its events and deferred runs come (server: finalize.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inngest_gen.testing.server import event as events
from inngest_gen.testing.server import sessions
from inngest_gen.testing.server.event import OWN
from inngest_gen.testing.server.rules.memo import note
from inngest_gen.testing.server.run import DeferEntry, ServerRun, Status
from inngest_gen.testing.server.ulid import deterministic, ulid_millis
from inngest_gen.testing.server.world import World

__all__ = ["cancel", "complete", "fail", "fail_invoke"]

_ABSENT: Any = object()


def complete(world: World, run: ServerRun, output: Any, now: float) -> None:
    """End a run with what its function returned."""
    if not run.ended:
        run.output = output
        _end(world, run, "completed", now, result=output)


def fail(world: World, run: ServerRun, error: Mapping[str, Any], now: float, *, result: Any = _ABSENT) -> None:
    """End a run with an error. `result` is the body that told of it."""
    if not run.ended:
        run.error = error
        _end(world, run, "failed", now, error=error, result=result)


def cancel(world: World, run: ServerRun, now: float) -> None:
    """End a run for a reason of its own; of one that is over nothing comes."""
    if not run.ended:
        _end(world, run, "cancelled", now)


def fail_invoke(world: World, event: Mapping[str, Any], message: str, now: float) -> None:
    """Tell who invoked a function that there is none."""
    data: dict[str, Any] = {"function_id": "", "run_id": "", "error": {"name": "Error", "message": message}}
    correlation = (event["data"].get(OWN) or {}).get("correlation_id")
    if correlation:
        data["correlation_id"] = correlation
    world.publish(events.stored(events.FINISHED, data, id=world.ids.ulid(now), ts=int(now * 1000)))


def _end(world: World, run: ServerRun, status: Status, now: float, *, error: Any = _ABSENT, result: Any = _ABSENT) -> None:
    run.status = status
    run.ended_at = now
    for job in world.queue.of(run):
        job.gone = True
    world.pauses[:] = [pause for pause in world.pauses if pause.run is not run]
    ts = int(now * 1000)
    for place, event in enumerate(run.events):
        correlation = (event["data"].get(OWN) or {}).get("correlation_id")
        if event["name"] in (events.FAILED, events.FINISHED) or (place and not correlation):
            continue
        data: dict[str, Any] = {
            "function_id": run.function,
            "run_id": run.id,
            "event": events.shown(event),
            "events": list(run.events),
            OWN: {"status": status.capitalize()},
        }
        if error is not _ABSENT:
            data["error"] = error
        if result is not _ABSENT and result is not None:
            data["result"] = result
        if correlation:
            data["correlation_id"] = correlation
        carried = (event.get("meta") or {}).get("sessions")
        world.publish(events.stored(events.FINISHED, data, id=world.ids.ulid(now), ts=ts, sessions=carried))
        if status != "completed":
            name = events.FAILED if status == "failed" else events.CANCELLED
            world.publish(events.stored(name, data, id=run.id, ts=ts, sessions=carried))
    for entry in run.defers.values():
        if entry.status == "after_run":
            _publish_deferred(world, run, entry, now)


def _publish_deferred(world: World, run: ServerRun, entry: DeferEntry, now: float) -> None:
    try:
        carried = sessions.resolve(entry.meta)
    except ValueError as invalid:
        note(run, f"defer {entry.id!r} is dropped: deferred sessions failed validation after merge: {invalid}")
        return
    entry.event_id = deterministic(ulid_millis(run.id), f"defer-event:{run.id}:{entry.hash}")
    own = {
        "fn_slug": entry.function,
        "parent_app_id": run.book.app_id,
        "parent_defer_span": world.ids.span("00"),
        "parent_fn_id": run.book.function_id,
        "parent_fn_slug": run.function,
        "parent_run_id": run.id,
    }
    world.publish(events.stored(events.DEFERRED, {**entry.input, OWN: own}, id=entry.event_id, ts=int(now * 1000), sessions=carried))
