"""Several runs of a test that each hold something of `ctx.using`: all of them share the test's task, and with it its cancel scopes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

import inngest_gen as ig
from inngest_gen import testing

app = ig.App("rooms", retries=1, backoff="10s")
told: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    told.clear()


@asynccontextmanager
async def room(name: str) -> AsyncIterator[str]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep_forever)
        told.append(f"open {name}")
        try:
            yield name
        finally:
            tasks.cancel_scope.cancel()
    told.append(f"closed {name}")


@app.deferred("tidy")
async def tidy(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done(ctx.data["room"])


@app.function("guest", trigger="guest/came")
async def guest(ctx: ig.Context) -> ig.Flow:
    held = yield ctx.using(room(ctx.data["room"]))
    yield ctx.defer("tidy", tidy, {"room": held})
    first = yield ctx.step.run("first", str.upper, held)
    yield ctx.step.sleep("night", ctx.data["nights"])
    second = yield ctx.step.run("second", lambda: held * 2)
    yield ig.Done([first, second])


@app.function("host", trigger="host/came")
async def host(ctx: ig.Context) -> ig.Flow:
    held = yield ctx.using(room("hall"))
    came = yield ctx.group.parallel(
        *(ctx.step.invoke(f"guest {name}", guest, {"room": name, "nights": "1d"}) for name in "ab"), ctx.step.run("greet", lambda: held)
    )
    yield ig.Done(list(came))


def one_at_a_time() -> bool:
    """Say whether each was closed before the next one was opened, as the scopes of one task must be."""
    opened = [f"closed {line.removeprefix('open ')}" for line in told[::2]]
    return opened == told[1::2]


@pytest.mark.parametrize("nights", [("1d", "2d", "3d"), ("3d", "2d", "1d"), ("1d", "1d", "1d")])
async def test_runs_that_move_by_turns_hold_what_they_use_one_after_the_other(nights: tuple[str, ...]) -> None:
    async with testing.MemoryEngine(app) as engine:
        runs = [engine.play(guest, {"room": name, "nights": long}) for name, long in zip("abc", nights, strict=True)]
        await engine.settle()
        results = [run.result for run in runs]
        assert [result.output for result in results] == [["A", "aa"], ["B", "bb"], ["C", "cc"]]
        assert [result.defers.ids for result in results] == [["tidy"]] * 3
        assert [len(result.duplicates) for result in results] == [0, 0, 0]
        assert [result.defers["tidy"].run.output for result in results if result.defers["tidy"].run] == ["a", "b", "c"]
    assert one_at_a_time()
    assert {line[-1] for line in told} == {"a", "b", "c"}


async def test_a_run_alone_keeps_what_it_uses_as_long_as_it_is_in_memory() -> None:
    await testing.run(guest, {"room": "a", "nights": "1d"})
    assert told == ["open a", "closed a"]


async def test_one_that_holds_something_may_invoke_others_that_do() -> None:
    result = await testing.run(host, {})
    assert result.output == [["A", "aa"], ["B", "bb"], "hall"]
    assert one_at_a_time()


async def test_every_cut_and_every_order_bears_it() -> None:
    cuts = await testing.kill_points(host, {})
    assert cuts.result.output == [["A", "aa"], ["B", "bb"], "hall"]
    report = await testing.check_determinism(host, {}, elsewhere=False, max_orders=12)
    assert [result.output for result in report.results] == [[["A", "aa"], ["B", "bb"], "hall"]]
    assert one_at_a_time()


async def test_a_body_that_is_under_way_does_not_run_again_when_another_run_moves() -> None:
    asked: list[str] = []

    def first(name: str) -> str:
        asked.append(name)
        return name

    async with testing.MemoryEngine(app, steps={"first": testing.lasting("1h", first)}) as engine:
        runs = [engine.play(guest, {"room": name, "nights": "1d"}) for name in "ab"]
        await engine.settle()
        assert [run.result.output for run in runs] == [["a", "aa"], ["b", "bb"]]
        assert [run.result.steps["first"].seconds for run in runs] == [3600, 3600]
    assert asked == ["a", "b"]
    assert one_at_a_time()


async def test_a_failed_attempt_of_one_that_has_stepped_aside_is_tried_again() -> None:
    late = testing.attempts(testing.lasting("1h", OSError("no key")), "key")
    async with testing.MemoryEngine(app, steps={(guest, "first"): late}) as engine:
        runs = [engine.play(guest, {"room": name, "nights": "1d"}) for name in "ab"]
        await engine.settle()
        assert [run.result.output for run in runs] == [["key", "aa"], ["key", "bb"]]
        assert [run.result.steps["first"].attempts for run in runs] == [2, 2]
    assert one_at_a_time()


async def test_the_test_may_have_scopes_of_its_own_around_each_move() -> None:
    async with testing.MemoryEngine(app) as engine:
        run = engine.play(guest, {"room": "a", "nights": "1d"})
        with anyio.fail_after(60):
            await run.run_until("first")
        async with anyio.create_task_group():
            assert (await run.run_until(testing.SLEEP)).steps["first"].result == "A"
        with anyio.CancelScope():
            result = await run.finish()
        assert result.output == ["A", "aa"]
        assert [(step.id, step.attempts) for step in result.steps] == [("first", 1), ("night", 0), ("second", 1)]
    assert one_at_a_time()


async def test_a_scope_of_the_test_may_end_while_a_run_holds_something_that_never_moves_on() -> None:
    async with testing.MemoryEngine(app) as engine:
        with anyio.fail_after(60):
            await engine.play(guest, {"room": "a", "nights": "1d"}).run_until("first")
        assert told == ["open a", "closed a"]
    assert one_at_a_time()


async def test_one_that_has_stepped_aside_can_be_looked_at_and_cancelled() -> None:
    async with testing.MemoryEngine(app) as engine:
        one, two = (engine.play(guest, {"room": name, "nights": "1d"}) for name in "ab")
        await one.run_until("first")
        await two.run_until("first")
        assert [(step.id, step.status) for step in one.result.steps] == [("first", "running")]
        assert told == ["open a", "closed a", "open b", "closed b"]
        await engine.cancel(one.run_id)
        await engine.settle()
        assert [one.result.status, two.result.status] == ["cancelled", "completed"]
        assert [run.result.defers["tidy"].status for run in (one, two)] == ["dropped", "scheduled"]
    assert one_at_a_time()


async def test_a_body_that_runs_later_gets_what_was_entered_anew() -> None:
    home = ig.App("home")

    class Door:
        is_open = False

        def __enter__(self) -> "Door":
            self.is_open = True
            return self

        def __exit__(self, *_: object) -> None:
            self.is_open = False

    @home.function("f", trigger="f")
    async def f(ctx: ig.Context) -> ig.Flow:
        door = yield ctx.using(Door())
        yield ig.Done((yield ctx.step.run("look", lambda: door.is_open)))

    async with testing.MemoryEngine(home) as engine:
        runs = [engine.play(f, {"n": n}) for n in range(3)]
        await engine.settle()
        assert [run.result.output for run in runs] == [True, True, True]
