"""What runs cost in memory: those that sleep and wait are rows, and what has ended leaves nothing."""

import gc
import pathlib
import tracemalloc
from collections.abc import Iterator

import pytest

import inngest_gen as ig
from inngest_gen.engine.live import LiveRun
from tests.engine.rig import START, engine, eventually


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held() -> int:
    """Bytes of memory that Python holds."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize(("what", "count"), [("sleep", 2000), ("event", 600), ("signal", 600)])
async def test_runs_that_wait_are_rows(path: pathlib.Path, what: str, count: int, traced: None) -> None:
    app = ig.App("shop")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        large = bytearray(10_000)  # what a frame may hold
        match what:
            case "sleep":
                yield ctx.step.sleep("wait", "1d")
            case "event":
                yield ctx.step.wait_for_event("wait", "never", match="data.n", timeout="1d")
            case _:
                yield ctx.step.wait_for_signal("wait", f"signal {ctx.data['n']}", timeout="1d")
        yield ig.Done(len(large))

    clock = ig.VirtualClock(START)
    async with engine(path, app, clock=clock) as its_engine:
        before = 0
        for start in range(0, count, 200):
            await its_engine.send(*(ig.Event("go", {"n": n}) for n in range(start, start + 200)))
            await eventually(lambda: len(its_engine._timers) == start + 200 and its_engine._idle())
            if start == 200:
                before = held()  # what the engine needs by itself, and Python's free lists, is there
        assert not its_engine._live
        assert not its_engine._queued
        each = (held() - before) / (count - 400)
        assert each < 500, f"{each:.0f} bytes a run"  # 100,000 of them may have 60 MB
        assert not [one for one in gc.get_objects() if type(one) is LiveRun]
        clock.advance_to(START + 86400)
        await eventually(lambda: not its_engine._timers and its_engine._idle())
        assert {one.output for one in await its_engine.runs(limit=count)} == {10_000}


async def test_runs_that_have_ended_leave_nothing(path: pathlib.Path, traced: None) -> None:
    app = ig.App("shop", backoff=1)

    def flaky(ctx: ig.Context) -> str:
        if ctx.attempt == 0:
            raise ValueError("once")
        return "x" * 1000

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("d", note, {})
        yield ctx.step.run("flaky", flaky, ctx)
        yield ctx.group.race(ctx.step.sleep("nap", 5), ctx.step.wait_for_event("wait", "never", timeout="1d"))
        if ctx.attempt == 0:
            raise RuntimeError("once")

    async with engine(path, app) as its_engine:

        async def some(count: int) -> None:
            for _ in range(count):
                await its_engine.run(ig.Event("go", {"n": 1}), timeout=30)

        await some(60)
        before = held()
        await some(60)
        grown = held() - before
        assert grown < 60_000, f"{grown / 60:.0f} bytes a run"
        assert not its_engine._watched._waiting
        assert not its_engine._awaited._waiting
        assert not its_engine.transitions.watched._who
        assert len(its_engine._timers) < 250  # of waits that ended by something else; they go when their time comes


async def test_waits_that_end_before_their_time_leave_no_timers_behind(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inngest_gen.engine.engine._FEW_TIMERS", 20)
    app = ig.App("shop")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.wait_for_event("wait", f"ping {ctx.data['n']}", timeout="30d")
        yield ig.Done("end")

    @app.function("sleeper", trigger="sleep")
    async def sleeper(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", ctx.data["n"])
        yield ig.Done("awake")

    clock = ig.VirtualClock(START)
    async with engine(path, app, clock=clock) as its_engine:
        most = 0
        for n in range(200):
            if n % 20 == 0:
                await its_engine.send(ig.Event("sleep", {"n": 100 + n}))
            await its_engine.send(ig.Event("go", {"n": n}))
            await eventually(its_engine._idle)
            await its_engine.send(ig.Event(f"ping {n}"))
            await eventually(its_engine._idle)
            most = max(most, len(its_engine._timers))
        assert most <= 20 + 2 * 11 + 1
        clock.advance_to(START + 1000)
        await eventually(lambda: its_engine._idle() and (not its_engine._timers or its_engine._timers[0][0] > START + 1000))
        assert {one.output for one in await its_engine.runs(limit=1000)} == {"end", "awake"}
