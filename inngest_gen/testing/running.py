"""Runs one function in a test: `run` to its end, `execute_step` one step of it alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.errors import ConfigError
from inngest_gen.event import Event
from inngest_gen.testing.engine import MemoryEngine
from inngest_gen.testing.failures import Stuck, is_found
from inngest_gen.testing.given import At
from inngest_gen.testing.result import Result, StepResult
from inngest_gen.testing.standins import Functions, Steps

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line


async def run(
    function: Any,
    event: Any = None,
    *,
    app: App | Sequence[App] | None = None,
    steps: Steps | None = None,
    functions: Functions | None = None,
    events: Sequence[Event | At] = (),
    always_replay: bool = True,
    start: datetime | str | None = None,
    allow_unused: bool = False,
) -> Result:
    """Run a function to its end, with all that it causes, in memory and on a clock that moves by itself.

    `function` is what `app.function` or `app.deferred` made, or a handler of no app. `event` is what starts it: an `ig.Event`, or the event's data
    where its trigger tells the name; a deferred function's data. `app` is whose functions can be invoked, deferred and triggered: by default
    the function's own. `steps` and `functions` say what stands in for them, `events` answers waits. See docs/testing.md.

    Raises ReplayMismatch and HeldOverYield for a handler that would go wrong when it is replayed (not with `always_replay=False`), Stuck for a run
    that waits for ever, NotUsed for a stand-in or an event that nothing asked for (not with `allow_unused`).
    """
    engine, own = prepared(
        function, app, steps=steps, functions=functions, events=events, always_replay=always_replay, start=start, allow_unused=allow_unused
    )
    async with engine:
        return await engine.play(own, event).finish()


async def execute_step(
    function: Any,
    step_id: str,
    event: Any = None,
    *,
    app: App | Sequence[App] | None = None,
    steps: Steps | None = None,
    functions: Functions | None = None,
    events: Sequence[Event | At] = (),
    start: datetime | str | None = None,
) -> StepResult:
    """Run one step of a function alone: the handler up to it, with `steps` standing in for those before, and the step's own body.

    Its body is tried once more as `retries` say. Raises Stuck if the handler does not come to it.
    """
    engine, own = prepared(function, app, steps=steps, functions=functions, events=events, start=start, allow_unused=True)
    async with engine:
        playing = engine.play(own, event)
        await playing.run_until(step_id)

        def settled() -> bool:
            return playing.result.steps[step_id].status in {"completed", "failed", "abandoned"}

        if not await engine.move(settled):
            raise Stuck(f"step {step_id!r} gave no result\n\n{playing.result.timeline(lines=True)}")
        return playing.result.steps[step_id]


def prepared(function: Any, app: App | Sequence[App] | None, **options: Any) -> tuple[MemoryEngine, Function]:
    """Make an engine that has a function, and give both. A handler of no app gets one of its own."""
    apps = () if app is None else (app,) if isinstance(app, App) else tuple(app)
    if not isinstance(function, Function):
        if not callable(function):
            raise ConfigError(f"testing.run takes a function of an app, or a handler, not {type(function).__name__}")
        function = declared(function, apps)
    if function.app not in apps:
        apps = (function.app, *apps)
    return MemoryEngine(*apps, **options), function


def declared(handler: Any, apps: Sequence[App]) -> Function:
    """Give the function that a handler is in one of the apps; a handler of none gets an app of its own."""
    for app in apps:
        for function in app.functions.values():
            if function.handler is handler:
                return function
    return App("test", dev=True).function(getattr(handler, "__name__", "handler"))(handler)
