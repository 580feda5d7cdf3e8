"""How an engine stops: running steps get their grace, nothing is lost, nothing hangs, and errors come out as they are."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import anyio
import anyio.to_thread
import pytest

import inngest_gen as ig
from inngest_gen.engine.store.reader import Reader
from tests.engine.rig import PATIENCE_S, START, Gate, engine, eventually, leaving, program, run, step

PROGRAM = pathlib.Path(__file__).with_name("interrupted.py")


class TestGrace:
    async def test_running_bodies_finish_and_are_kept_and_the_rest_goes_on_at_the_next_start(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls: list[str] = []
        gate, free = Gate(), threading.Event()

        async def async_() -> str:
            calls.append("async")
            await gate.passed()
            return "a"

        def sync() -> str:
            calls.append("sync")
            free.wait(PATIENCE_S)
            return "s"

        def then() -> str:
            calls.append("then")
            return "t"

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            got = yield ctx.group.parallel(ctx.step.run("async", async_), ctx.step.run("sync", sync))
            yield ig.Done([*got, (yield ctx.step.run("then", then))])

        async with anyio.create_task_group() as tasks:
            async with engine(path, app) as its_engine:
                await its_engine.send(ig.Event("go"))
                await eventually(lambda: len(calls) == 2)

                async def release() -> None:
                    await leaving(its_engine)
                    gate.open()
                    free.set()

                tasks.start_soon(release)
        assert sorted(calls) == ["async", "sync"]
        async with engine(path, app) as its_engine:
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert one.output == ["a", "s", "t"]
        assert sorted(calls) == ["async", "sync", "then"]

    @pytest.mark.parametrize("kind", ["async", "sync"])
    async def test_beyond_the_grace_bodies_run_again_at_the_next_start(self, path: pathlib.Path, kind: str) -> None:
        app = ig.App("shop")
        calls = []
        free = threading.Event()

        async def async_() -> int:
            calls.append(1)
            if len(calls) == 1:
                await anyio.sleep_forever()
            return len(calls)

        def sync() -> int:
            calls.append(1)
            if len(calls) == 1:
                free.wait(PATIENCE_S)
            return len(calls)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("s", sync if kind == "sync" else async_)))

        async with engine(path, app, grace="20ms") as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: calls)
        free.set()
        async with engine(path, app) as its_engine:
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert (one.output, len(calls)) == (2, 2)
            assert step(one, "s").attempts == ()  # a shutdown is no failure

    async def test_bodies_that_wait_for_their_turn_are_not_begun(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls = []
        gate = Gate()

        async def body(n: int) -> None:
            calls.append(n)
            await gate.passed()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(*(ctx.step.run("s", body, n) for n in range(5)))

        async with anyio.create_task_group() as tasks:
            async with engine(path, app, concurrency=1) as its_engine:
                await its_engine.send(ig.Event("go"))
                await gate.reached.wait()

                async def release() -> None:
                    await leaving(its_engine)
                    gate.open()

                tasks.start_soon(release)
        assert len(calls) == 1
        async with engine(path, app) as its_engine:
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert one.status == "completed"
        assert sorted(calls) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("beside", ["nothing", "a body"])
    async def test_a_handler_in_an_await_of_its_own_is_let_go_and_rebuilt(self, path: pathlib.Path, beside: str) -> None:
        app = ig.App("shop")
        entered = []
        gate = Gate()
        passed = []

        async def leg(ctx: ig.Context) -> ig.Flow:
            entered.append(1)
            if len(entered) == 1:
                try:
                    await anyio.sleep_forever()
                finally:
                    passed.append("finally")
            yield ctx.step.run("leg", str)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            if beside == "a body":
                yield ctx.group.parallel(ctx.step.run("s", gate.passed), later(ctx))
            else:
                yield leg(ctx)
            yield ig.Done("end")

        async def later(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("first", str)
            yield leg(ctx)

        started = time.monotonic()
        async with anyio.create_task_group() as tasks:
            async with engine(path, app, grace=60) as its_engine:
                await its_engine.send(ig.Event("go"))
                await eventually(lambda: entered)

                async def release() -> None:
                    await leaving(its_engine)
                    await anyio.sleep(0.01)
                    gate.open()

                tasks.start_soon(release)
        assert time.monotonic() - started < 30
        assert passed == ["finally"]  # an await of its own is cancelled as anywhere
        async with engine(path, app) as its_engine:
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert one.output == "end"

    @pytest.mark.parametrize("when", ["shutdown", "suspension"])
    async def test_closing_a_resource_is_bounded_by_the_grace(
        self, path: pathlib.Path, when: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = ig.App("shop")
        entered = []

        class Hangs:
            async def __aenter__(self) -> None:
                entered.append(1)

            async def __aexit__(self, *_: object) -> None:
                if len(entered) == 1:
                    await anyio.sleep_forever()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Hangs())
            if when == "shutdown":
                await anyio.sleep(0 if len(entered) > 1 else 1000)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("end")

        with anyio.fail_after(PATIENCE_S):
            async with engine(path, app, grace="10ms") as its_engine:
                await its_engine.send(ig.Event("go"))
                await eventually(lambda: entered)
                if when == "suspension":
                    await eventually(lambda: its_engine._idle() and not its_engine._timers)
            async with engine(path, app) as its_engine:
                await eventually(lambda: its_engine._idle() and not its_engine._timers)
                [one] = await its_engine.runs()
                assert one.output == "end"
        assert "closing its resources took longer than the engine's grace" in caplog.text

    async def test_what_a_running_body_sends_in_the_grace_is_kept(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        gate = Gate()

        async def body() -> list[str]:
            await gate.passed()
            return await app.send(ig.Event("child", id="c"))

        @app.function("child", trigger="child")
        async def child(ctx: ig.Context) -> ig.Flow:
            yield ig.Done("born")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("s", body)))

        async with anyio.create_task_group() as tasks:
            async with engine(path, app) as its_engine:
                await its_engine.send(ig.Event("go"))
                await gate.reached.wait()

                async def release() -> None:
                    await leaving(its_engine)
                    with pytest.raises(ig.EngineError, match="stopping"):
                        await app.send(ig.Event("child"))  # not from a body
                    gate.open()

                tasks.start_soon(release)
        async with engine(path, app) as its_engine:
            await eventually(its_engine._idle)
            assert [one.output for one in await its_engine.runs()] == ["born", ["c"]]
            assert step((await its_engine.runs(function="f"))[0], "s").attempts == ()

    async def test_those_who_wait_are_told(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        gate = Gate()
        told: list[Any] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "30d")

        @app.function("g", trigger="quick")
        async def g(ctx: ig.Context) -> str:
            await gate.passed()
            return "end"

        async def wait(call: Any) -> None:
            try:
                told.append(await call())
            except ig.EngineError as error:
                told.append(str(error))

        async with anyio.create_task_group() as tasks:
            async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
                await its_engine.send(ig.Event("go"))
                await eventually(lambda: its_engine._timers and its_engine._idle())
                [one] = await its_engine.runs()
                tasks.start_soon(wait, lambda: its_engine.wait(one.id))
                tasks.start_soon(wait, lambda: its_engine.run(ig.Event("go")))
                await eventually(lambda: its_engine._watched._waiting and its_engine._awaited._waiting)
        assert len(told) == 2
        assert all("stopping or stopped" in text for text in told)


class TestErrors:
    @pytest.mark.parametrize("error", [ValueError("mine"), ExceptionGroup("mine", [ValueError()]), SystemExit(3)])
    async def test_what_the_body_of_the_async_with_raises_comes_out_as_it_is(self, path: pathlib.Path, error: BaseException) -> None:
        app = ig.App("shop")
        gate = Gate()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("s", gate.passed)

        with pytest.raises(type(error)) as caught:
            async with engine(path, app, grace="10ms") as its_engine:
                await its_engine.send(ig.Event("go"))
                await gate.reached.wait()
                raise error
        assert caught.value is error

    async def test_a_cancelled_outer_scope_gives_running_bodies_their_grace(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        reached = anyio.Event()

        async def body() -> str:
            reached.set()
            await anyio.sleep(0.05)
            return "finished"

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("s", body)
            yield ctx.step.sleep("nap", "1h")

        with anyio.CancelScope() as scope:
            async with engine(path, app) as its_engine:
                await its_engine.send(ig.Event("go"))
                await reached.wait()
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        reader = Reader(path)
        [one] = reader.runs()
        reader.close()
        assert [(s.id, s.result) for s in one.steps] == [("s", "finished")]

    async def test_cancelled_before_it_is_open_it_leaves_the_file_free(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with engine(path, app):
                await anyio.sleep(0)
        async with engine(path, app):
            pass

    @pytest.mark.parametrize("moment", ["lock", "connect", "open"])
    async def test_a_failing_start_leaves_the_file_free(self, path: pathlib.Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
        app = ig.App("shop")

        def broken(*_: object, **__: object) -> Any:
            raise RuntimeError("no start today")

        with monkeypatch.context() as patch:
            if moment == "open":
                patch.setattr("inngest_gen.engine.transitions.Transitions.open", broken)
            else:
                patch.setattr(f"inngest_gen.engine.store.database.{moment}", broken)
            with pytest.raises(RuntimeError, match="no start today"):
                async with engine(path, app):
                    pass
        async with engine(path, app):
            pass

    async def test_a_defect_of_the_engines_own_tasks_comes_out_unwrapped(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(_: ig.Engine, *, in_task: bool = True) -> None:
            if in_task:
                raise RuntimeError("a defect")

        monkeypatch.setattr("inngest_gen.engine.engine.Engine._pump", broken)
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done()

        with pytest.raises(RuntimeError, match="a defect"):
            with anyio.fail_after(PATIENCE_S):
                async with engine(path, app) as its_engine:
                    await its_engine.send(ig.Event("go"))
                    await anyio.sleep_forever()


class TestOneEngineAFile:
    async def test_a_second_engine_in_this_process_gets_a_clear_error_at_once(self, path: pathlib.Path) -> None:
        async with engine(path, ig.App("one")):
            with pytest.raises(ig.EngineLocked, match=r"shop.db is in use by another engine \(process \d+\): one engine a file"):
                async with engine(path, ig.App("other")):
                    pass
        async with engine(path, ig.App("other")):
            pass

    async def test_and_one_in_another_process(self, path: pathlib.Path) -> None:
        source = (
            "import sys, anyio, inngest_gen as ig\n"
            "async def main():\n"
            "    async with ig.Engine(sys.argv[1], apps=[]): pass\n"
            "try: anyio.run(main)\n"
            "except ig.EngineLocked as error: print(error.holder)\n"
        )
        async with engine(path, ig.App("one")):
            done = await anyio.run_process([sys.executable, "-c", source, str(path)])
        assert done.stdout.decode().strip() == f"process {os.getpid()}"

    async def test_readers_work_beside_it_and_see_what_is_committed(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", str)
            yield ctx.step.sleep("nap", "1d")

        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: its_engine._timers and its_engine._idle())
            reader = Reader(path)
            try:
                [one] = reader.runs()
                assert [(s.id, s.status) for s in one.steps] == [("a", "completed"), ("nap", "waiting")]
                await its_engine.cancel(one.id)
                again = reader.get(one.id)
                assert again is not None
                assert again.status == "cancelled"
            finally:
                reader.close()


def start(mode: str, loop: str, path: pathlib.Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), mode, loop, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(process: subprocess.Popen[str], word: str, times: int = 1) -> None:
    assert process.stdout is not None
    for _ in range(times):
        while (line := process.stdout.readline().strip()) != word:
            assert line or process.poll() is None, process.communicate()[1]


def look(path: pathlib.Path) -> list[ig.Run]:
    reader = Reader(path)
    try:
        return reader.runs(limit=1000)
    finally:
        reader.close()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
class TestSignals:
    @pytest.mark.parametrize(
        ("mode", "number", "word"), [("finishing", signal.SIGINT, "interrupted"), ("sigterm", signal.SIGTERM, "terminated")]
    )
    def test_running_steps_finish_and_are_kept(self, loop: str, mode: str, number: int, word: str, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "shop.db"
        with program(PROGRAM, mode, loop, path) as process:
            wait_for(process, "in body", times=2)
            process.send_signal(number)
            out, err = process.communicate(timeout=PATIENCE_S)
        assert out.splitlines()[0] == word, err
        assert err == ""
        assert sorted(pathlib.Path(f"{path}.effects").read_text().splitlines()) == ["async finished", "sync finished"]
        [one] = look(path)
        assert sorted((s.id, s.result) for s in one.steps) == [("async", "async"), ("sync", "sync")]

    def test_a_body_that_never_returns_in_its_thread_does_not_keep_the_process(self, loop: str, tmp_path: pathlib.Path) -> None:
        with program(PROGRAM, "stuck", loop, tmp_path / "shop.db") as process:
            wait_for(process, "in body")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_S)
        assert out.splitlines()[-1] == "interrupted", err
        assert process.returncode == 0

    def test_a_second_one_ends_the_grace(self, loop: str, tmp_path: pathlib.Path) -> None:
        with program(PROGRAM, "twice", loop, tmp_path / "shop.db") as process:
            wait_for(process, "in body")
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_S)
        assert out.splitlines()[-1] == "interrupted", err

    def test_at_any_moment_of_a_busy_engine_nothing_is_lost_or_done_twice(self, loop: str, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "shop.db"
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        dice = random.Random(seed)
        for _ in range(5):
            with program(PROGRAM, "busy", loop, path) as process:
                wait_for(process, "ready")
                time.sleep(dice.uniform(0, 0.2))
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=PATIENCE_S)
            assert out.splitlines()[-1] == "interrupted", (out, err)
            assert err == ""
            effects = pathlib.Path(f"{path}.effects").read_text().split("\n")[:-1]
            assert len(effects) == len(set(effects))
            recorded = {f"{one.id} {s.index}" for one in look(path) for s in one.steps}
            assert recorded == set(effects)  # what was begun has finished, and is kept
            assert len(effects) < 100 * 400


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_under_trio_ctrl_c_is_not_raised_in_handlers_and_bodies(path: pathlib.Path) -> None:
    import trio

    app = ig.App("shop")
    protected = []

    async def body() -> None:
        await anyio.sleep(0)
        protected.append(trio.lowlevel.currently_ki_protected())

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        protected.append(trio.lowlevel.currently_ki_protected())
        yield ctx.step.run("alone", body)
        await anyio.sleep(0)
        protected.append(trio.lowlevel.currently_ki_protected())
        yield ctx.group.parallel(ctx.step.run("a", body), ctx.step.run("b", body))

    await run(path, app)
    assert protected == [True] * 5
    assert not trio.lowlevel.currently_ki_protected()


async def test_nothing_is_left_behind(path: pathlib.Path) -> None:
    app = ig.App("shop")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", str)
        yield ctx.step.sleep("nap", 1)

    await run(path, app)
    await anyio.to_thread.run_sync(lambda: time.sleep(0.05))
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("inngest_gen")]
    assert app.engine is None
