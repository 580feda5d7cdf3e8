"""Waits, invokes and signals: what is open, what resolves it, and what happens in the end (server: handlePause, Resume, ResumePauseTimeout)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inngest_gen.testing.server import event as events
from inngest_gen.testing.server.canonical import canonical
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.rules.memo import ask_again, memoize, note, unplan
from inngest_gen.testing.server.world import Pause, World

__all__ = ["meant", "open_pause", "resume_by_event", "resume_by_signal", "time_out"]


def open_pause(world: World, pause: Pause) -> bool:
    """Register a wait, with the job that ends it in time; says whether it is new."""
    job = Job(kind="timeout", at=pause.expires, outgoing=pause.hash)
    if not world.enqueue(pause.run, pause.hash, job):
        return False
    pause.job = job
    world.pauses.append(pause)
    return True


def meant(pause: Pause, event: Mapping[str, Any]) -> bool:
    """Say whether an event of the right name is the one that is waited for."""
    if pause.expression is None:
        return True
    return pause.expression.matches(event=events.shown(pause.run.event), async_=events.shown(event))


def resume_by_event(world: World, event: Mapping[str, Any], now: float) -> None:
    """Resolve what an event resolves."""
    if event["name"] == events.FINISHED and event["data"].get("correlation_id"):
        for pause in [one for one in world.pauses if one.correlation == event["data"]["correlation_id"]]:
            data = event["data"]
            # An invoked run that was cancelled has neither: then the event itself is the result.
            memo = {"error": data["error"]} if "error" in data else {"data": data["result"]} if "result" in data else events.shown(event)
            _resume(world, pause, memo, now)
    for pause in [one for one in world.pauses if one.op == "WaitForEvent" and one.event == event["name"]]:
        if pause.expires >= now and meant(pause, event):
            _resume(world, pause, events.shown(event), now)


def resume_by_signal(world: World, signal: str, data: Any, now: float) -> str | None:
    """Resolve the wait for a signal; gives the id of its run, None where nobody waits."""
    for pause in world.pauses:
        if pause.signal == signal and pause.expires >= now and not pause.run.ended:
            _resume(world, pause, {"data": {"signal": signal, "data": data}}, now)
            return pause.run.id
    return None


def _resume(world: World, pause: Pause, memo: Any, now: float) -> None:
    world.pauses.remove(pause)
    if pause.job is not None:
        pause.job.gone = True
    _end(world, pause, memo, "-event", now)


def time_out(world: World, job: Job, now: float) -> None:
    """End a wait whose time is over."""
    pause = next((one for one in world.pauses if one.job is job), None)
    if pause is None:
        return
    world.pauses.remove(pause)
    memo: Any = None
    if pause.op == "InvokeFunction":
        name, message = "InngestInvokeTimeoutError", "Timed out waiting for invoked function to complete"
        memo = {"error": {"error": f"{name}: {message}", "name": name, "message": message}}
    _end(world, pause, memo, "-timeout", now)


def _end(world: World, pause: Pause, memo: Any, suffix: str, now: float) -> None:
    run = pause.run
    if run.ended:
        return
    if pause.hash in run.steps:
        note(run, f"step {pause.id!r} was resolved before")
        return
    version, plan_only = run.book.version, run.book.plan_only
    waiting = memoize(run, pause.hash, pause.id, pause.op, canonical(memo), now)
    if not waiting or pause.race:
        unplan(run, version, plan_only=plan_only)
        ask_again(world, run, pause.hash, now, race=pause.race, group=pause.group, suffix=suffix)
