"""What is done when a job is due, before the app is called (server: Execute, validate.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.registration import Function
from inngest_gen.testing.server.rules import finalize, waits
from inngest_gen.testing.server.rules.memo import memoize, unplan
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.world import World

__all__ = ["begin"]

_STEPS: Final = 1000


def begin(world: World, job: Job, functions: Mapping[str, Function], now: float) -> bool:
    """Do what a due job asks for; says whether the app is to be called."""
    if job.kind == "event":
        assert job.event is not None
        world.publish(job.event)
        return False
    run = job.run
    assert run is not None
    if run.ended:
        return False
    if job.kind == "timeout":
        waits.time_out(world, job, now)
        return False
    if job.kind == "finish":
        finalize.cancel(world, run, now)
        return False
    if job.kind == "sleep" and job.attempt == 0 and not _wake(run, job, now):
        return False
    if len(run.steps) >= _STEPS:
        _overflow(world, run, now)
        return False
    if run.started_at is None:
        run.status, run.started_at = "running", now
        finish = functions[run.function].finish_s
        if finish:
            world.enqueue(run, "finish", Job(kind="finish", at=now + finish))
    return True


def _wake(run: ServerRun, job: Job, now: float) -> bool:
    if job.outgoing in run.steps:
        return True
    waiting = memoize(run, job.outgoing, job.name or job.outgoing, "Sleep", "null", now)
    if waiting and not job.race:
        return False
    unplan(run, run.book.version, plan_only=run.book.plan_only)
    return True


def _overflow(world: World, run: ServerRun, now: float) -> None:
    message = f"The function run exceeded the step limit of {_STEPS} steps."
    error = {"error": "function has too many steps", "name": "InngestErrFunctionOverflowed", "message": message}
    finalize.fail(world, run, error, now)
