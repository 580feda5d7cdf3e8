"""Events: which runs they start, which waits they resolve, which runs they cancel (server: runner.go, schedule)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from inngest_gen.testing.server import event as events
from inngest_gen.testing.server import timespan
from inngest_gen.testing.server.event import OWN
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.registration import Function
from inngest_gen.testing.server.rules import finalize, waits
from inngest_gen.testing.server.run import Book, ServerRun
from inngest_gen.testing.server.world import Pause, World

__all__ = ["deliver"]

_SAME_S: Final = 86_400.0
"""For how long an event's id starts a function only once, in seconds."""


def deliver(world: World, now: float) -> None:
    """Deliver all events that were published, and those that come of it."""
    while world.outbox:
        event = world.outbox.popleft()
        world.events.append(event)
        _start_functions(world, event, now)
        waits.resume_by_event(world, event, now)
        _cancel(world, event, now)


def _start_functions(world: World, event: Mapping[str, Any], now: float) -> None:
    if event["name"] == events.INVOKED:
        wanted = event["data"].get(OWN, {}).get("fn_id", "")
        function = next((one for one in world.functions.values() if wanted in (one.slug, one.id)), None)
        if function is None:
            finalize.fail_invoke(world, event, f"could not find function with ID: {wanted}", now)
            return
        _start(world, function, event, now)
    for function in world.functions.values():
        for trigger in function.triggers:
            if trigger.matches(event["name"]) and (trigger.expression is None or trigger.expression.matches(event=events.shown(event))):
                _start(world, function, event, now)
                break


def _start(world: World, function: Function, event: Mapping[str, Any], now: float) -> None:
    key = (function.slug, event["id"])
    earlier = world.started.get(key)
    if earlier is not None and now - earlier[1] < _SAME_S:
        return
    own = event["data"].get(OWN) or {}
    parent = own.get("parent_run_id") or str(own.get("correlation_id") or "").partition(".")[0] or None
    run = ServerRun(
        id=world.ids.ulid(now),
        function=function.slug,
        events=[event],
        created_at=now,
        parent_id=parent,
        book=Book(function_id=function.id, app_id=world.apps[function.app].id, max_attempts=function.retries + 1),
    )
    world.started[key] = (run.id, now)
    world.runs[run.id] = run
    if event["name"] == events.DEFERRED and parent in world.runs:
        for entry in world.runs[parent].defers.values():
            if entry.event_id == event["id"] and entry.run_id is None:
                entry.run_id = run.id
    for cancel in function.cancel:
        expires = now + timespan.YEAR_S if not cancel.timeout else timespan.expiry(cancel.timeout, now)
        world.pauses.append(
            Pause(
                run=run,
                op="Cancel",
                hash="",
                id="",
                expires=expires,
                event=cancel.event,
                expression=cancel.expression,
                not_by=event["id"],
            )
        )
    world.enqueue(run, "start", Job(kind="call", at=now))


def _cancel(world: World, event: Mapping[str, Any], now: float) -> None:
    for pause in [one for one in world.pauses if one.op == "Cancel" and one.event == event["name"]]:
        if pause.run.ended or pause.expires < now or pause.not_by == event["id"]:
            continue
        if waits.meant(pause, event):
            finalize.cancel(world, pause.run, now)
