"""A run is moved until it comes to a step, a sleep or a wait, looked at there, and moved on; a step is run alone."""

import anyio
import anyio.lowlevel
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


async def test_code_that_does_not_come_back_is_told_with_its_line() -> None:
    gate = anyio.Event()

    async def in_the_handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("first", lambda: 1)
        await gate.wait()  # noqa: IGN106 - here

    async def in_a_body(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(ctx.step.run("waits", gate.wait), ctx.step.run("opens", gate.set))

    own = ig.App("own")
    for handler, told in [
        (
            in_the_handler,
            r"the handler of 'own-in_the_handler' is still in an await of its own, between its steps \(it waits at .*test_stopping.py:\d+\)",
        ),
        (in_a_body, r"the body of step.run 'waits' has not come back; bodies run one after the other"),
    ]:
        async with testing.MemoryEngine(own, patience="50ms") as engine:
            function = own.function(handler.__name__)(handler)
            engine.functions[function.slug] = function
            with pytest.raises(testing.Stuck, match=rf"after 0.05 s of real time {told}"):
                await engine.play(function).finish()


async def test_a_scope_that_a_resource_holds_may_stay_open_between_stops() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        tasks = yield ctx.using(anyio.create_task_group())
        yield ctx.step.run("first", lambda: 1)
        yield ctx.step.sleep("nap", "1h")
        tasks.start_soon(anyio.lowlevel.checkpoint)

    home = ig.App("home")
    function = home.function("f")(handler)
    async with testing.MemoryEngine(home) as engine:
        run = engine.play(function)
        await run.run_until("nap")
        assert (await run.finish()).status == "completed"


async def test_the_cancellation_of_a_test_is_not_taken_for_its_impatience() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        await anyio.sleep_forever()  # noqa: IGN106
        yield ig.Done()

    with anyio.move_on_after(0.05) as scope:
        await testing.run(handler)
    assert scope.cancelled_caught
