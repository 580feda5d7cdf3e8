"""A run is moved until it comes to a step, a sleep or a wait, looked at there, and moved on; a step is run alone."""

import pytest

import inngest_gen as ig
from inngest_gen import testing

app = ig.App("steps", retries=1, backoff="10s")
ran: list[str] = []


@app.function("f", trigger="go")
async def f(ctx: ig.Context) -> ig.Flow:
    def body(id: str, value: int) -> int:
        ran.append(id)
        return value

    first = yield ctx.step.run("first", body, "first", 1)
    yield ctx.step.sleep("nap", "1h")
    decided = yield ctx.step.wait_for_event("decided", "decision", timeout="1d")
    second = yield ctx.step.run("second", body, "second", first + 1)
    yield ig.Done([second, decided and decided.data["ok"]])


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()


async def test_a_run_stops_where_it_is_told_and_goes_on() -> None:
    async with testing.MemoryEngine(app) as engine:
        run = engine.play(f)
        result = await run.run_until("first")
        assert (result.status, ran, result.steps.ids, result.steps[0].status) == ("running", [], ["first"], "running")
        result = await run.run_until(testing.SLEEP)
        assert ran == ["first"]
        assert result.steps["nap"].status == "waiting"
        result = await run.run_until(testing.WAIT)
        assert (engine.time - testing.START).total_seconds() == 3600
        assert result.steps["decided"].status == "waiting"
        await engine.send(ig.Event("decision", {"ok": True}))
        await run.run_until("second")
        assert ran == ["first"]
        result = await run.finish()
    assert result.output == [2, True]
    assert ran == ["first", "second"]


async def test_an_event_that_is_sent_at_a_time_from_now_ends_a_wait_then() -> None:
    async with testing.MemoryEngine(app) as engine:
        run = engine.play(f)
        await run.run_until("decided")
        await engine.send(ig.Event("decision", {"ok": False}), at="2h")
        result = await run.finish()
    assert (result.output, result.seconds) == ([2, False], 3 * 3600)


async def test_a_step_that_never_comes_is_told_with_what_happened() -> None:
    async with testing.MemoryEngine(app) as engine:
        with pytest.raises(testing.Stuck, match=r"(?s)did not come to 'third'.*step.run second: 2"):
            await engine.play(f).run_until("third")


async def test_one_step_is_run_alone() -> None:
    step = await testing.execute_step(f, "second", steps={"first": 41, "decided": None})
    assert (step.status, step.result, step.attempts) == ("completed", 42, 1)
    assert ran == ["second"]


async def test_a_step_that_fails_alone_gives_its_error() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("boom", lambda: 1 / 0)

    step = await testing.execute_step(handler, "boom")
    assert (step.status, str(step.error), step.attempts) == ("failed", "ZeroDivisionError: division by zero", 5)
    with pytest.raises(testing.Stuck, match="did not come to 'other'"):
        await testing.execute_step(handler, "other")
