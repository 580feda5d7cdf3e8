"""Restarts: an engine that opens a file goes on with everything in it, whatever the last one left undone, and repeats nothing that was recorded."""

import contextlib
import pathlib
import sqlite3
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from inngest_gen.engine.store import database
from tests.engine.rig import PATIENCE_S, START, Gate, engine, eventually, of, run, step


class Crash(BaseException):
    """Stands for `kill -9`: what the engine had not committed by then is gone."""


class Crashing:
    """Lets an engine commit a number of transactions and none after that."""

    def __init__(self, its_engine: ig.Engine, commits: int) -> None:
        self.over = anyio.Event()
        self.left = commits
        writer = its_engine._writer
        real = writer._transact
        token = its_engine._writer._wake

        def transact(tables: Any, batch: list[Any]) -> None:
            if self.left <= 0:
                token(self.over.set)
                for job in batch:
                    job.done = lambda _: None  # it is never told
                    job.result = None
                return
            self.left -= 1
            real(tables, batch)

        writer._transact = transact  # type: ignore[method-assign]


def shop(calls: list[str], ends: list[str]) -> ig.App:
    """An app whose one function goes through everything a run can be at when its process dies."""
    app = ig.App("shop", backoff=1)
    flaky: dict[str, int] = {}

    async def body(name: str) -> str:
        calls.append(name)
        await anyio.sleep(0)
        return name

    def fails_once(key: str) -> str:
        calls.append("flaky")
        flaky[key] = flaky.get(key, 0) + 1
        if flaky[key] == 1:
            raise ValueError("once")
        return "flaky"

    def defers(ctx: ig.Context) -> None:
        calls.append("defers")
        ctx.defer("in body", note, {"from": "body"}).submit()

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ctx.step.run("note", body, f"note {ctx.data['from']}")
        ends.append(f"note {ctx.data['from']}")

    @app.function("callee")
    async def callee(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", 5)
        yield ig.Done((yield ctx.step.run("in callee", body, "callee")))

    @app.function("child", trigger="child")
    async def child(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("in child", body, "child")
        ends.append("child")

    async def leg(ctx: ig.Context, name: str) -> ig.Flow:
        yield ctx.step.run(f"{name} 1", body, f"{name} 1")
        yield ctx.step.sleep(f"{name} nap", 3)
        yield ig.Done((yield ctx.step.run(f"{name} 2", body, f"{name} 2")))

    @app.function("f", trigger="go", retries=2)
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("first", note, {"from": "handler"})
        gone = yield ctx.defer("gone", note, {"from": "nowhere"})
        a = yield ctx.step.run("a", body, "a")
        yield gone.abort()
        yield ctx.step.run("flaky", fails_once, ctx.run_id)
        yield ctx.step.run("defers", defers, ctx)
        yield ctx.step.sleep("nap", 10)
        legs = yield ctx.group.parallel(leg(ctx, "x"), leg(ctx, "y"))
        ids, event = yield ctx.group.parallel(
            ctx.step.send_event("send", ig.Event("child", id=f"child of {ctx.run_id}")),
            ctx.step.wait_for_event("wait", "child", timeout="1d"),
        )
        called = yield ctx.step.invoke("call", callee)
        winner = yield ctx.group.race(ctx.step.sleep("slow", "1h"), leg(ctx, "fast"))
        try:
            yield ig.Done([a, *legs, event.id == ids[0], called, winner.key])
        finally:
            yield ctx.step.run("finally", body, "finally")
            ends.append("f")

    return app


EXPECTED = ["a", "x 2", "y 2", True, "callee", 1]
BODIES = sorted(
    [
        "a",
        "flaky",
        "flaky",
        "defers",
        "x 1",
        "y 1",
        "x 2",
        "y 2",
        "child",
        "callee",
        "fast 1",
        "fast 2",
        "finally",
        "note handler",
        "note body",
    ]
)


async def finish(path: pathlib.Path, app: ig.App, clock: ig.VirtualClock) -> list[ig.Run]:
    """Open the file again and let everything in it come to its end."""
    async with engine(path, app, clock=clock) as its_engine:
        with anyio.fail_after(PATIENCE_S):
            [parent] = await its_engine.runs(function="f")
            await its_engine.wait(parent.id)
            await eventually(lambda: its_engine._idle() and not its_engine._timers)
            return await its_engine.runs()


def repeats(calls: list[str]) -> list[str]:
    """What ran more often than in an undisturbed run."""
    left = list(calls)
    for name in BODIES:
        left.remove(name)
    return left


@pytest.mark.parametrize("commits", range(1, 40))
async def test_killed_after_any_commit_the_run_ends_as_if_nothing_had_been(path: pathlib.Path, commits: int) -> None:
    calls: list[str] = []
    ends: list[str] = []
    app = shop(calls, ends)
    clock = ig.VirtualClock(START, jumps=True)
    its_engine = engine(path, app, clock=clock, grace=0)
    async with its_engine:
        await its_engine.send(ig.Event("go"))
        crash = Crashing(its_engine, commits)
        await eventually(lambda: crash.over.is_set() or (its_engine._idle() and not its_engine._timers))
        its_engine._jobs = 0
    runs = await finish(path, app, ig.VirtualClock(clock.now(), jumps=True))
    assert of(runs, "f").output == EXPECTED
    assert {one.status for one in runs} == {"completed"}
    assert sorted(one.function_id for one in runs) == ["shop-callee", "shop-child", "shop-f", "shop-note", "shop-note"]
    assert [(defer.id, defer.status) for defer in of(runs, "f").defers if defer.status != "aborted"] == [
        ("first", "scheduled"),
        ("in body", "scheduled"),
    ]
    assert len(repeats(calls)) <= 3  # what was in flight, in as many branches at most


async def test_stopped_after_every_commit(path: pathlib.Path) -> None:
    """As above, with a kill after each few commits, until it is through."""
    calls: list[str] = []
    app = shop(calls, [])
    clock = ig.VirtualClock(START, jumps=True)
    async with engine(path, app, clock=ig.VirtualClock(START), grace=0) as its_engine:
        await its_engine.send(ig.Event("go"))
        Crashing(its_engine, 0)
    for _ in range(100):
        async with engine(path, app, clock=clock, grace=0) as its_engine:
            crash = Crashing(its_engine, 2)
            await eventually(lambda: crash.over.is_set() or (its_engine._idle() and not its_engine._timers))
            done = its_engine._idle() and not its_engine._timers
        clock = ig.VirtualClock(clock.now(), jumps=True)
        if done:
            break
    runs = await finish(path, app, clock)
    assert of(runs, "f").output == EXPECTED
    assert sorted(one.function_id for one in runs) == ["shop-callee", "shop-child", "shop-f", "shop-note", "shop-note"]


async def test_an_undisturbed_run_repeats_nothing(path: pathlib.Path) -> None:
    calls: list[str] = []
    runs = await run(path, shop(calls, []))
    assert of(runs, "f").output == EXPECTED
    assert sorted(calls) == BODIES


@pytest.mark.parametrize("state", ["queued", "running", "sleeping", "waiting", "retrying", "handler retrying", "blocked"])
async def test_a_run_in_any_state_is_picked_up(path: pathlib.Path, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = ig.App("shop", backoff="1h")
    gate = Gate()
    attempts: list[int] = []
    steps = ["first"]

    def fail_once() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("once")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        match state:
            case "running":
                yield ctx.step.run("gate", gate.passed)
            case "sleeping":
                yield ctx.step.sleep("nap", "1h")
            case "waiting":
                yield ctx.step.wait_for_event("wait", "ping", timeout="1h")
            case "retrying":
                yield ctx.step.run("s", fail_once)
            case "handler retrying":
                fail_once()
            case "blocked":
                yield ctx.step.run(steps[0], str)
                yield ctx.step.sleep("nap", "1h")
        yield ig.Done("end")

    if state == "queued":
        monkeypatch.setattr("inngest_gen.engine.engine._LIVE", 0)
    clock = ig.VirtualClock(START)
    async with engine(path, app, clock=clock, grace=0) as its_engine:
        await its_engine.send(ig.Event("go"))
        if state == "running":
            await gate.reached.wait()
        elif state == "queued":
            await anyio.sleep(0.01)
        else:
            await eventually(lambda: its_engine._timers and its_engine._idle())
        if state == "blocked":
            steps[0] = "second"
            clock.advance_to(START + 3600)
            await eventually(lambda: its_engine._idle())
            [one] = await its_engine.runs()
            assert (await its_engine.wait(one.id)).status == "blocked"
            steps[0] = "first"
        [one] = await its_engine.runs()
        assert not one.has_ended
    monkeypatch.undo()
    gate.open()
    async with engine(path, app, clock=ig.VirtualClock(START + 10, jumps=True)) as its_engine:
        if state == "blocked":
            assert (await its_engine.get(one.id)).status == "blocked"  # it waits for somebody to look
            await its_engine.retry(one.id)
        if state == "waiting":
            await its_engine.send(ig.Event("ping"))
        with anyio.fail_after(PATIENCE_S):
            assert (await its_engine.wait(one.id)).output == "end"


async def test_a_sleep_that_passed_while_nobody_was_there_is_over_at_the_start(path: pathlib.Path) -> None:
    app = ig.App("shop")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "1h")
        yield ig.Done("awake")

    async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
        await its_engine.send(ig.Event("go"))
        await eventually(lambda: its_engine._timers and its_engine._idle())
    async with engine(path, app, clock=ig.VirtualClock(START + 7200)) as its_engine:
        [one] = await its_engine.runs()
        assert (await its_engine.wait(one.id)).output == "awake"


async def test_an_attempt_that_was_due_at_the_start_does_not_cut_the_next_wait_short(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is taken up and its timer fires at the same time: what the timer brings is in the record already when that is read."""
    app = ig.App("shop", backoff=60)
    attempts: list[int] = []

    def fails(ctx: ig.Context) -> None:
        attempts.append(ctx.attempt)
        raise ValueError("again")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("s", fails, ctx)

    async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
        await its_engine.send(ig.Event("go"))
        await eventually(lambda: its_engine._timers and its_engine._idle())
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE runs SET suspended = 0")  # as after a kill before the run was suspended
        file.commit()

    load = ig.Engine.load

    async def late(self: ig.Engine, run: int, *arguments: Any) -> Any:
        await eventually(lambda: self._live[run]._mail)
        return await load(self, run, *arguments)

    monkeypatch.setattr(ig.Engine, "load", late)
    clock = ig.VirtualClock(START + 60)
    async with engine(path, app, clock=clock) as its_engine:
        await eventually(lambda: its_engine._timers and its_engine._idle())
        assert attempts == [0, 1]
        monkeypatch.undo()
        clock.advance_to(START + 120)
        await eventually(lambda: its_engine._timers and its_engine._idle())
        assert attempts == [0, 1, 2]


async def test_functions_that_vanished_leave_their_runs_alone_with_a_warning(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    def app(*names: str) -> ig.App:
        shop = ig.App("shop")
        for name in names:

            @shop.function(name, trigger="go")
            async def handler(ctx: ig.Context) -> ig.Flow:
                yield ctx.step.sleep("nap", "1h")
                yield ig.Done("end")

        return shop

    async with engine(path, app("stays", "goes"), clock=ig.VirtualClock(START)) as its_engine:
        await its_engine.send(ig.Event("go"))
        await eventually(lambda: len(its_engine._timers) == 2 and its_engine._idle())
    async with engine(path, app("stays")) as its_engine:
        await eventually(lambda: its_engine._idle() and not its_engine._timers)
        assert {one.function_id: one.status for one in await its_engine.runs()} == {"shop-stays": "completed", "shop-goes": "running"}
    assert "has unfinished runs of 'shop-goes', which no app here declares: they stay as they are" in caplog.text
    assert "'shop-stays'" not in caplog.text
    async with engine(path, app("stays", "goes")) as its_engine:
        await eventually(lambda: its_engine._idle() and not its_engine._timers)
        assert {one.output for one in await its_engine.runs()} == {"end"}


async def test_an_engine_of_other_apps_does_not_touch_the_runs(path: pathlib.Path) -> None:
    app = ig.App("shop")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.wait_for_event("wait", "ping", timeout="30d")
        yield ig.Done("end")

    async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
        await its_engine.send(ig.Event("go"))
        await eventually(lambda: its_engine._timers and its_engine._idle())
    async with engine(path, ig.App("other"), clock=ig.VirtualClock(START)) as its_engine:
        await its_engine.send(ig.Event("ping"))  # ends the wait: the record is the file's, not the app's
    async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
        [one] = await its_engine.runs()
        assert (await its_engine.wait(one.id)).output == "end"


class TestCommands:
    """What other processes ask through the file."""

    async def ask(self, path: pathlib.Path, kind: str, argument: bytes) -> None:
        await anyio.to_thread.run_sync(database.ask, path, kind, argument, START)

    async def test_they_are_taken_by_a_running_engine_and_by_the_next_one(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "30d")

        async with engine(path, app, clock=None) as its_engine:
            await self.ask(path, "send", b'{"events":[{"name":"go","data":{"n":1},"id":"e"}]}')
            with anyio.fail_after(PATIENCE_S):
                while not (runs := await its_engine.runs()):
                    await anyio.sleep(0.01)
            assert runs[0].event.data == {"n": 1}
            await self.ask(path, "cancel", b'{"run_id":"%s"}' % runs[0].id.encode())
            with anyio.fail_after(PATIENCE_S):
                assert (await its_engine.wait(runs[0].id)).status == "cancelled"
        await self.ask(path, "send", b'{"events":[{"name":"go"}]}')
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            assert len(await its_engine.runs()) == 2

    @pytest.mark.parametrize(
        ("kind", "argument"),
        [
            ("dance", b"{}"),
            ("cancel", b'{"run_id":"nope"}'),
            ("cancel", b"not json"),
            ("cancel", b"[1]"),
            ("send", b'{"events":[{"name":"inngest/x"}]}'),
            ("send", b'{"events":[{}]}'),
            ("send", b'{"events":5}'),
            ("send", b'{"events":[[1]]}'),
            ("send", b'{"events":["x"]}'),
            ("retry", b"{}"),
        ],
    )
    async def test_a_bad_one_is_logged_and_left_out(
        self, path: pathlib.Path, kind: str, argument: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with engine(path, ig.App("shop")):
            pass
        await self.ask(path, kind, argument)
        await self.ask(path, "send", b'{"events":[{"name":"fine"}]}')
        async with engine(path, ig.App("shop")):
            pass
        assert "left out" in caplog.text
        with sqlite3.connect(path) as connection:
            assert [row[0] for row in connection.execute("SELECT name FROM events")] == ["fine"]
            assert connection.execute("SELECT count(*) FROM commands").fetchone()[0] == 0
        connection.close()


async def test_attempts_and_waits_show_in_the_record_of_a_run_that_is_out_of_memory(path: pathlib.Path) -> None:
    app = ig.App("shop", backoff="1h")

    def broken() -> None:
        raise ValueError("broken")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("s", broken)

    async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
        await its_engine.send(ig.Event("go"))
        await eventually(lambda: its_engine._timers and its_engine._idle())
        [one] = await its_engine.runs()
    s = step(one, "s")
    assert (s.status, len(s.attempts), s.due.timestamp()) == ("waiting", 1, START + 3600)
