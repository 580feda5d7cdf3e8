"""Middleware that changes what passes is in force in a replay; middleware that is told of things is told nothing."""

from dataclasses import replace
from typing import Any

import inngest_gen as ig
from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.verdict import check
from inngest_gen.recording.recording import Recording
from tests.debugger import rig
from tests.debugger.rig import walk
from tests.driver.corpus import echo

told: list[str] = []


class Hides(ig.Middleware):
    """Results are recorded the other way round, and handed to the handler as they were."""

    async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
        value = await next()
        return value[::-1] if isinstance(value, str) else value

    def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
        told.append("complete")

    def on_memoization_end(self, run: ig.RunInfo) -> None:
        told.append("memoized")

    def on_step_start(self, step: ig.StepInfo) -> None:
        told.append("start")


class Wraps(ig.Middleware):
    async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
        return await next()


async def handler(ctx: ig.Context) -> ig.Flow:
    a = yield ctx.step.run("a", echo, "abc")
    b = yield ctx.step.run("b", echo, a)
    yield ig.Done(b)


async def test_a_replay_goes_through_the_middleware_and_tells_it_nothing() -> None:
    app = ig.App("test", middleware=[Hides, Wraps])
    app.function("f", trigger="go", retries=0)(handler)
    recording = await rig.recorded(app)
    assert [step.result for step in recording.steps] == ["cba", "cba"]
    told.clear()
    async with Session(recording, app, live=True) as session:
        assert [frame.function for frame in session.stop.frames] == ["handler"]
        stops = await walk(session)
        assert {one.name: one.text for one in stops[2].frames[0].locals if one.name != "ctx"} == {"a": "'abc'"}
        assert stops[-1].end is not None
        assert (stops[-1].end.value, stops[-1].end.as_recorded) == ("'abc'", True)
        back = [session.stop]
        while session.stop.number:
            back.append(await session.back())
        assert back[::-1] == stops
        assert await session.unstable() == ()
        assert (await session.check()).compatible
    assert told == []


async def test_a_step_that_is_run_live_goes_through_it_too() -> None:
    app = ig.App("test", middleware=[Hides])
    app.function("f", trigger="go", retries=0)(handler)
    recording = nothing_recorded()
    told.clear()
    async with Session(recording, app, live=True) as session:
        await session.finish()
        await session.run_live()
        assert session.stop.intent is not None
        assert session.stop.intent.memo is not None
        assert session.stop.intent.memo.text == "'cba'"
        await session.step()
        assert session.evaluate("a").text == "'abc'"
    assert told == []


def nothing_recorded() -> Recording:
    return Recording(run_id="01GQ3HTEZ01M7R8Z9PR1DMHDN1", function="test-f", events=(ig.Event("go"),))


async def test_input_that_a_hook_refuses_ends_the_replay_at_its_start() -> None:
    class Refuses(ig.Middleware):
        def transform_function_input(self, input: Any) -> Any:
            raise ig.NonRetriableError("not today")

    app = ig.App("test", middleware=[Refuses])
    app.function("f", trigger="go", retries=0)(handler)
    async with Session(nothing_recorded(), app) as session:
        assert (session.stop.number, session.stop.state) == (0, "ended")
        assert session.stop.end is not None
        assert session.stop.end.error is not None
        assert "not today" in session.stop.end.error["message"]
        assert (await session.step()).number == 0
        assert not (await session.check()).compatible
    failed = replace(nothing_recorded(), status="failed", error=Failure(name="NonRetriableError", message="not today"))
    assert (await check(failed, app)).compatible
