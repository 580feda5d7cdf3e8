"""A run's life: cancelled in every state, retried after failure and block, waited for, listed; and what the engine refuses."""

import pathlib
import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest

import inngest_gen as ig
from inngest_gen.engine.engine import Engine
from inngest_gen.engine.progress import Progress
from inngest_gen.engine.sent import Sent
from tests.engine.rig import PATIENCE_S, START, Gate, all_of, engine, eventually, of, outcome, run, run_one, step


def gated(gate: Gate, **options: Any) -> tuple[ig.App, list[str]]:
    """An app whose handler waits in a body until the gate opens, and tells what it comes by."""
    app = ig.App("shop", **options)
    passed: list[str] = []

    @app.function("f", trigger="go", backoff=1)
    async def f(ctx: ig.Context) -> ig.Flow:
        try:
            passed.append("start")
            yield ctx.step.run("gate", gate.passed)
            passed.append("after")
        finally:
            passed.append("finally")
            yield ctx.step.run("clean up", passed.append, "clean up")

    return app, passed


class Ticking(ig.VirtualClock):
    """A clock of which no two looks give the same time."""

    def now(self) -> float:
        self._now += 1e-6
        return self._now


class TestCancel:
    async def test_a_run_in_a_body_is_cancelled_at_once_and_its_handler_is_not_resumed(self, path: pathlib.Path) -> None:
        gate = Gate()
        app, passed = gated(gate)
        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            one = await its_engine.get(one.id)
            assert (one.status, one.has_ended, one.output, one.error) == ("cancelled", True, None, None)
            assert [note.kind for note in one.notes] == ["cancel"]
            await eventually(its_engine._idle)
        assert passed == ["start"]

    async def test_a_sync_body_goes_on_in_its_thread_but_its_result_counts_for_nothing(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        entered, free, left = threading.Event(), threading.Event(), threading.Event()

        def body() -> None:
            entered.set()
            free.wait(PATIENCE_S)
            left.set()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("body", body)

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(entered.is_set)
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            await eventually(its_engine._idle)
            free.set()
            await eventually(left.is_set)
            one = await its_engine.get(one.id)
            assert (one.status, [s.status for s in one.steps]) == ("cancelled", [])

    @pytest.mark.parametrize("where", ["sleep", "event", "signal", "invoke", "retry", "handler retry"])
    async def test_a_waiting_run(self, path: pathlib.Path, where: str) -> None:
        app = ig.App("shop", backoff="1h")

        def broken() -> None:
            raise ValueError("broken")

        @app.function("g")
        async def g(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "30d")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            match where:
                case "sleep":
                    yield ctx.step.sleep("wait", "30d")
                case "event":
                    yield ctx.step.wait_for_event("wait", "ping", timeout="30d")
                case "signal":
                    yield ctx.step.wait_for_signal("wait", "ping", timeout="30d")
                case "invoke":
                    yield ctx.step.invoke("wait", g)
                case "retry":
                    yield ctx.step.run("wait", broken)
                case _:
                    broken()

        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: its_engine._timers and its_engine._idle())
            [one] = await its_engine.runs(function="f")
            assert one.status == "running"
            await its_engine.cancel(one.id)
            assert (await its_engine.wait(one.id)).status == "cancelled"
            its_engine._clock.advance_to(START + 40 * 86400)  # type: ignore[attr-defined]
            await its_engine.send(ig.Event("ping"))
            await eventually(lambda: its_engine._idle() and not its_engine._timers)
            assert (await its_engine.get(one.id)).status == "cancelled"
            if where == "invoke":  # the invoked run goes on
                [other] = await its_engine.runs(function="g")
                assert other.status == "completed"

    async def test_a_queued_run_never_starts(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("inngest_gen.engine.engine._LIVE", 1)
        gate = Gate()
        app, passed = gated(gate)
        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"), ig.Event("go"))
            await gate.reached.wait()
            queued, _ = await its_engine.runs()
            assert queued.status == "queued"
            await its_engine.cancel(queued.id)
            gate.open()
            await eventually(its_engine._idle)
            assert [one.status for one in await its_engine.runs()] == ["cancelled", "completed"]
            assert (await its_engine.get(queued.id)).started is None
        assert passed.count("start") == 1

    async def test_a_run_whose_handler_is_in_an_await_of_its_own(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        passed = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            passed.append("start")
            await anyio.sleep_forever()
            passed.append("after")
            yield ctx.step.sleep("nap", 1)

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: passed)
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            await eventually(its_engine._idle)
            assert (await its_engine.get(one.id)).status == "cancelled"
        assert passed == ["start"]

    async def test_a_run_that_has_ended_stays_as_it_is(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done("end")

        async with engine(path, app) as its_engine:
            [one] = await its_engine.run(ig.Event("go"), timeout=20)
            await its_engine.cancel(one.id)
            assert await its_engine.get(one.id) == one

    async def test_cancelled_twice_it_is_cancelled_once(self, path: pathlib.Path) -> None:
        gate = Gate()
        app, _ = gated(gate)
        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(its_engine.cancel, one.id)
            assert len((await its_engine.get(one.id)).notes) == 1

    async def test_resources_are_closed(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        gate = Gate()
        closed = []

        class Resource:
            async def __aenter__(self) -> None: ...

            async def __aexit__(self, *_: object) -> None:
                await anyio.sleep(0)
                closed.append(1)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Resource())
            yield ctx.step.run("gate", gate.passed)

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            await eventually(lambda: closed)

    async def test_no_such_run(self, path: pathlib.Path) -> None:
        async with engine(path, ig.App("shop")) as its_engine:
            for ask in (its_engine.cancel, its_engine.retry, its_engine.get, its_engine.wait):
                with pytest.raises(ig.RunNotFound, match="no run has the id 'nope'"):
                    await ask("nope")

    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize("moment", range(14))
    async def test_a_cancel_at_any_moment_is_the_end(self, path: pathlib.Path, moment: int, before: bool) -> None:
        """The cancel is made just before one of the run's changes, or just after: the run has one end, and nothing waits or starts after it."""
        app = ig.App("shop", backoff=1)
        ids: list[str] = []
        flaky: list[int] = []

        def fail_once() -> None:
            flaky.append(1)
            if len(flaky) == 1:
                raise ValueError("once")

        @app.function("child", trigger="child")
        async def child(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        @app.function("f", trigger="go", retries=2)
        async def f(ctx: ig.Context) -> ig.Flow:
            ids.append(ctx.run_id)
            yield ctx.step.run("a", lambda: 1)
            yield ctx.step.run("flaky", fail_once)
            yield ctx.step.send_event("send", ig.Event("child"))
            yield ctx.step.sleep("nap", 1)
            yield ctx.group.parallel(ctx.step.invoke("call", child), ctx.step.run("b", lambda: 2))
            yield ctx.step.wait_for_signal("signal", "s", timeout=5)

        async with engine(path, app, clock=Ticking(START, jumps=True)) as its_engine:
            commits = []
            real = its_engine._writer.submit

            def cancel() -> None:
                real(lambda tx: its_engine.transitions.cancel(tx, ids[0]), its_engine._act)

            def submit(change: Any, done: Any, **options: Any) -> Any:
                if not ids:
                    return real(change, done, **options)
                commits.append(1)
                if len(commits) == moment + 1 and before:
                    cancel()
                job = real(change, done, **options)
                if len(commits) == moment + 1 and not before:
                    cancel()
                return job

            its_engine._writer.submit = submit  # type: ignore[method-assign]
            runs = await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
            assert of(runs, "f").has_ended
            await eventually(lambda: its_engine._idle() and not its_engine._timers)
            parent, *children = sorted(await its_engine.runs(), key=lambda one: one.id)
            assert {one.status for one in children} <= {"completed"}
            select = its_engine._reader._connection.execute
            assert select("SELECT count(*) FROM pauses").fetchone()[0] == 0
            if parent.status == "cancelled":
                assert parent.ended is not None
                assert all(child.created < parent.ended for child in children)
                [(cancelled,)] = select("SELECT seq FROM log WHERE kind = 'cancel'").fetchall()
                kinds = {kind for (kind,) in select("SELECT kind FROM log WHERE run = 1 AND seq > ?", (cancelled,))}
                assert kinds <= {"result", "attempt"}  # of a body that was under way
            else:
                assert parent.status == "completed"
                assert moment > 8


class TestRaces:
    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize("moment", range(8))
    async def test_an_event_at_any_moment_ends_the_wait_that_was_there(self, path: pathlib.Path, moment: int, before: bool) -> None:
        """Just before or just after each of the run's changes; the run may be in memory, on its way out, or gone."""
        app = ig.App("shop")
        started: list[int] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            started.append(1)
            yield ctx.step.run("a", str)
            event = yield ctx.step.wait_for_event("wait", "ping", timeout="1h")
            yield ctx.step.run("b", str)
            yield ig.Done(event and event.id)

        async with engine(path, app, clock=Ticking(START, jumps=True)) as its_engine:
            submitted = []
            real = its_engine._writer.submit

            def send() -> None:
                real(lambda tx: its_engine.transitions.receive(tx, [Sent(ig.Event("ping", id="p"), b"{}", None)]), its_engine._act)

            def submit(change: Any, done: Any, **options: Any) -> Any:
                if not started:
                    return real(change, done, **options)
                submitted.append(1)
                if len(submitted) == moment + 1 and before:
                    send()
                job = real(change, done, **options)
                if len(submitted) == moment + 1 and not before:
                    send()
                return job

            its_engine._writer.submit = submit  # type: ignore[method-assign]
            [one] = await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
            assert one.status == "completed"
            select = its_engine._reader._connection.execute
            received = select("SELECT received FROM events WHERE id = 'p'").fetchone()
            planned, ended = step(one, "wait").started.timestamp(), step(one, "wait").ended.timestamp()
            in_time = received is not None and planned < received[0] <= ended
            assert one.output == ("p" if in_time else None)

    @pytest.mark.parametrize("what", ["event", "timer", "retry"])
    async def test_what_arrives_while_a_run_leaves_memory_takes_it_up_again(self, path: pathlib.Path, what: str) -> None:
        app = ig.App("shop", backoff=5)
        leaving, free = anyio.Event(), anyio.Event()
        calls = []

        class Slow:
            async def __aenter__(self) -> None: ...

            async def __aexit__(self, *_: object) -> None:
                leaving.set()
                await free.wait()

        def flaky() -> None:
            calls.append(1)
            if len(calls) == 1:
                raise ValueError("once")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Slow())
            if what == "event":
                yield ctx.step.wait_for_event("wait", "ping", timeout="30d")
            elif what == "timer":
                yield ctx.step.sleep("nap", 5)
            else:
                yield ctx.step.run("flaky", flaky)
            yield ig.Done("end")

        clock = ig.VirtualClock(START)
        async with engine(path, app, clock=clock) as its_engine:
            await its_engine.send(ig.Event("go"))
            await leaving.wait()
            if what == "event":
                await its_engine.send(ig.Event("ping"))
            else:
                clock.advance_to(START + 5)
            [live] = its_engine._live.values()
            await eventually(lambda: live.mailed_late)
            free.set()
            [one] = await its_engine.runs()
            with anyio.fail_after(PATIENCE_S):
                assert (await its_engine.wait(one.id)).output == "end"
        assert len(calls) == (2 if what == "retry" else 0)


class TestRetry:
    async def test_a_failed_run_tries_its_failed_step_again_and_keeps_what_is_recorded(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls: list[str] = []
        broken = [True]

        def body(name: str) -> str:
            calls.append(name)
            if name == "b" and broken:
                raise ValueError("down")
            return name

        @app.function("f", trigger="go", retries=1, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            a = yield ctx.step.run("a", body, "a")
            b = yield ctx.step.run("b", body, "b")
            yield ctx.step.sleep("nap", "1h")
            c = yield ctx.step.run("c", body, "c")
            yield ig.Done(a + b + c)

        async with engine(path, app) as its_engine:
            [one] = await its_engine.run(ig.Event("go"), timeout=20)
            assert one.status == "failed"
            broken.clear()
            await its_engine.retry(one.id)
            one = await its_engine.wait(one.id)
            assert (one.status, one.output, one.error) == ("completed", "abc", None)
            assert calls == ["a", "b", "b", "b", "c"]
            assert [note.kind for note in one.notes] == ["handler", "retry"]
            assert [s.status for s in one.steps] == ["completed"] * 4

    async def test_it_may_fail_again_with_all_its_attempts(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls: list[int] = []

        def body() -> None:
            calls.append(1)
            raise ValueError("down")

        @app.function("f", trigger="go", retries=2, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", body)

        async with engine(path, app) as its_engine:
            [one] = await its_engine.run(ig.Event("go"), timeout=20)
            await its_engine.retry(one.id)
            assert (await its_engine.wait(one.id)).status == "failed"
            assert len(calls) == 6

    async def test_a_handler_that_failed_by_itself_starts_over_from_the_record(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        broken = [True]
        calls: list[int] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("caught", lambda: calls.append(1) or 1 / 0)  # type: ignore[func-returns-value]
            except ig.StepError:
                yield ctx.step.run("instead", calls.append, 2)
            if broken:
                raise ig.NonRetriableError("down")
            yield ig.Done("up")

        async with engine(path, app, backoff=1) as its_engine:
            [one] = await its_engine.run(ig.Event("go"), timeout=20)
            assert calls == [1, 1, 1, 1, 1, 2]
            broken.clear()
            await its_engine.retry(one.id)
            assert (await its_engine.wait(one.id)).output == "up"
            assert calls == [1, 1, 1, 1, 1, 2]  # what was caught stays as it was

    async def test_failures_that_the_handler_caught_stay_when_another_ended_it(self, path: pathlib.Path) -> None:
        app = ig.App("shop", retries=0)
        broken = [True]
        calls: list[str] = []

        def body(name: str) -> str:
            calls.append(name)
            if name == "caught" or broken:
                raise ValueError(name)
            return name

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("caught", body, "caught")
            except ig.StepError:
                pass
            try:
                yield ig.Done((yield ctx.group.parallel(ctx.step.run("x", body, "x"), ctx.step.run("y", body, "y"))))
            finally:
                yield ctx.step.run("clean up", calls.append, "clean up")

        async with engine(path, app) as its_engine:
            [one] = await its_engine.run(ig.Event("go"), timeout=20)
            assert outcome(one)[0] == "ExceptionGroup"
            assert sorted(calls) == ["caught", "clean up", "x", "y"]
            broken.clear()
            await its_engine.retry(one.id)
            one = await its_engine.wait(one.id)
            assert (one.status, one.output) == ("completed", ["x", "y"])
            assert sorted(calls) == ["caught", "clean up", "x", "x", "y", "y"]

    async def test_a_failed_invoke_is_invoked_again(self, path: pathlib.Path) -> None:
        app = ig.App("shop", retries=0)
        broken = [True]

        @app.function("g")
        async def g(ctx: ig.Context) -> ig.Flow:
            if broken:
                raise ValueError("down")
            yield ig.Done("up")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.invoke("call", g)))

        async with engine(path, app) as its_engine:
            runs = await its_engine.run(ig.Event("go"), timeout=20)
            broken.clear()
            await its_engine.retry(of(runs, "f").id)
            assert (await its_engine.wait(of(runs, "f").id)).output == "up"
            assert [one.status for one in await its_engine.runs(function="g")] == ["completed", "failed"]

    async def test_defers_of_the_first_end_are_not_scheduled_again(self, path: pathlib.Path) -> None:
        app = ig.App("shop", retries=0)
        broken = [True]

        @app.deferred("note")
        async def note(ctx: ig.DeferContext) -> ig.Flow:
            yield ig.Done(ctx.data["n"])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("first", note, {"n": 1})
            if broken:
                raise ValueError("down")
            yield ctx.defer("second", note, {"n": 2})

        async with engine(path, app) as its_engine:
            runs = await its_engine.run(ig.Event("go"), timeout=20)
            assert [one.output for one in all_of(runs, "note")] == [1]
            broken.clear()
            await its_engine.retry(of(runs, "f").id)
            await its_engine.wait(of(runs, "f").id)
            await eventually(its_engine._idle)
            assert [one.output for one in await its_engine.runs(function="note")] == [2, 1]

    @pytest.mark.parametrize("status", ["completed", "cancelled", "running"])
    async def test_a_run_in_another_state_is_refused(self, path: pathlib.Path, status: str) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            if status != "completed":
                yield ctx.step.sleep("nap", "1d")

        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            if status == "cancelled":
                await its_engine.cancel(one.id)
            with pytest.raises(ig.EngineError, match=f"is {status}: only blocked and failed runs can be retried"):
                await its_engine.retry(one.id)

    async def test_retried_at_once_while_the_failed_run_is_still_in_memory(self, path: pathlib.Path) -> None:
        app = ig.App("shop", retries=0)
        calls: list[int] = []
        failures: list[str] = []
        entered = anyio.Event()
        free = anyio.Event()

        class Slow:
            async def __aenter__(self) -> None: ...

            async def __aexit__(self, *_: object) -> None:
                entered.set()
                await free.wait()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Slow())
            calls.append(1)
            if len(calls) == 1:
                raise ValueError("once")
            yield ig.Done("again")

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await entered.wait()
            [one] = await its_engine.runs()
            assert one.status == "failed"
            await its_engine.retry(one.id)
            free.set()
            with anyio.fail_after(PATIENCE_S):
                assert (await its_engine.wait(one.id)).output == "again"
        assert not failures


class TestWaitingForRuns:
    async def test_run_waits_for_everything_the_event_causes(self, path: pathlib.Path) -> None:
        app = ig.App("shop", retries=0)

        async def failed(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.send_event("alarm", ig.Event("alarm"))

        @app.deferred("later")
        async def later(ctx: ig.DeferContext) -> ig.Flow:
            yield ctx.step.sleep("nap", "3d")

        @app.function("callee", on_failure=failed)
        async def callee(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("later", later, {})
            raise ValueError("no")

        @app.function("alarmed", trigger="alarm")
        async def alarmed(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "9d")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.send_event("send", ig.Event("child"))
            try:
                yield ctx.step.invoke("call", callee)
            except ig.StepError:
                pass

        @app.function("child", trigger="child")
        async def child(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "5d")

        @app.function("finished", trigger="inngest/function.finished")
        async def finished(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "20d")

        runs = await run(path, app)
        names = sorted(one.function_id.removeprefix("shop-") for one in runs)
        assert names == [
            "alarmed",
            "callee",
            "callee-failure",
            "child",
            "f",
            "finished",
            "finished",
            "finished",
            "finished",
            "finished",
            "later",
        ]
        assert all(one.has_ended for one in runs)
        assert [one.id for one in runs] == sorted(one.id for one in runs)

    async def test_an_event_that_starts_nothing(self, path: pathlib.Path) -> None:
        assert await run(path, ig.App("shop"), "nobody") == []

    async def test_the_timeout_raises_and_the_runs_go_on(self, path: pathlib.Path) -> None:
        gate = Gate()
        app, passed = gated(gate)
        async with engine(path, app) as its_engine:
            with pytest.raises(TimeoutError):
                await its_engine.run(ig.Event("go"), timeout="20ms")
            gate.open()
            [one] = await its_engine.runs()
            assert (await its_engine.wait(one.id)).status == "completed"
            assert not its_engine._awaited._waiting
            assert not its_engine.transitions.watched._who
        assert passed[-1] == "clean up"

    async def test_many_wait_for_one_run_and_one_event(self, path: pathlib.Path) -> None:
        gate = Gate()
        app, _ = gated(gate)
        results: list[Any] = []
        async with engine(path, app) as its_engine:

            async def wait(one: str) -> None:
                results.append((await its_engine.wait(one)).status)

            async def again() -> None:
                results.append([one.status for one in await its_engine.run(ig.Event("go", id="e"), timeout=PATIENCE_S)])

            await its_engine.send(ig.Event("go", id="e"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            with anyio.fail_after(PATIENCE_S):
                async with anyio.create_task_group() as tasks:
                    for _ in range(5):
                        tasks.start_soon(wait, one.id)
                        tasks.start_soon(again)
                    await eventually(lambda: len(its_engine._watched._waiting.get(one.id, ())) == 5)
                    await eventually(lambda: its_engine._awaited._waiting and len(next(iter(its_engine._awaited._waiting.values()))) == 5)
                    gate.open()
            assert sorted(map(str, results)) == sorted(map(str, ["completed"] * 5 + [["completed"]] * 5))
            assert (await its_engine.wait(one.id)).status == "completed"

    async def test_a_cancelled_waiter_takes_nothing_from_the_others(self, path: pathlib.Path) -> None:
        gate = Gate()
        app, _ = gated(gate)
        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go", id="e"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            results = []

            async def wait() -> None:
                results.append(await its_engine.wait(one.id))
                results.append(await its_engine.run(ig.Event("go", id="e")))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                with anyio.move_on_after(0.01):
                    await its_engine.wait(one.id)
                with anyio.move_on_after(0.01):
                    await its_engine.run(ig.Event("go", id="e"))
                gate.open()
            assert len(results) == 2

    async def test_a_run_that_ends_in_the_same_commit_as_somebody_elses_mistake_is_told(self, path: pathlib.Path) -> None:
        """A change that fails makes its whole batch run again, one by one."""
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            for _ in range(3):
                yield ctx.step.run("a", lambda: None)

        async with engine(path, app) as its_engine:
            real = its_engine._writer._transact
            batches = []

            def transact(tables: Any, batch: list[Any]) -> None:
                # Each commit fails after its changes were made, and is made again.
                batches.append(len(batch))
                if len(batches) % 2:
                    its_engine._writer._connection.execute("BEGIN IMMEDIATE")
                    try:
                        for job in batch:
                            job.result = job.change(tables)
                    finally:
                        its_engine._writer._connection.execute("ROLLBACK")
                    raise RuntimeError("another change of the batch failed")
                real(tables, batch)

            its_engine._writer._transact = transact  # type: ignore[method-assign]
            for _ in range(5):
                [one] = await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
                assert one.status == "completed"
            its_engine._writer._transact = real  # type: ignore[method-assign]

    async def test_runs_are_listed_and_filtered(self, path: pathlib.Path) -> None:
        app, other = ig.App("shop", retries=0), ig.App("other")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            if ctx.data["n"] % 2:
                raise ValueError("odd")
            yield ig.Done(ctx.data["n"])

        @other.function("f", trigger="other")
        async def g(ctx: ig.Context) -> ig.Flow:
            yield ig.Done()

        async with engine(path, app, other) as its_engine:
            for n in range(6):
                await its_engine.run(ig.Event("go", {"n": n}), timeout=20)
            await its_engine.run(ig.Event("other"), timeout=20)
            assert [one.event.data["n"] for one in await its_engine.runs(function="shop-f")] == [5, 4, 3, 2, 1, 0]
            assert len(await its_engine.runs(function="f")) == 7
            assert [one.event.data["n"] for one in await its_engine.runs(status="failed")] == [5, 3, 1]
            assert [one.event.data["n"] for one in await its_engine.runs(status="completed", function="shop-f", limit=2)] == [4, 2]
            assert await its_engine.runs(status="blocked") == []
            assert await its_engine.runs(function="nope") == []

    async def test_get_shows_a_live_run(self, path: pathlib.Path) -> None:
        gate = Gate()
        app, _ = gated(gate)
        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            assert (one.status, one.ended, one.output) in {("running", None, None), ("queued", None, None)}
            gate.open()
            assert step(await its_engine.wait(one.id), "gate").status == "completed"


class TestLimits:
    async def test_a_run_has_at_most_max_steps(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls: list[int] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            for n in range(ctx.data["n"]):
                yield ctx.step.run("s", calls.append, n)
            yield ig.Done("end")

        assert (await run_one(path.with_name("fits.db"), app, "go", {"n": 10}, max_steps=10)).output == "end"
        calls.clear()
        one = await run_one(path, app, "go", {"n": 11}, max_steps=10)
        assert one.status == "failed"
        assert "a run has at most 10 steps" in outcome(one)[1]
        assert len(calls) == 10

    async def test_a_group_beyond_the_limit_runs_none_of_its_steps(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls: list[int] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(*(ctx.step.run("s", calls.append, n) for n in range(11)))

        assert (await run_one(path, app, max_steps=10)).status == "failed"
        assert calls == []

    async def test_a_thousand_steps_by_default(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        async def nothing() -> None: ...

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            for _ in range(ctx.data["n"]):
                yield ctx.step.run("s", nothing)

        assert (await run_one(path, app, "go", {"n": 1000})).status == "completed"
        assert (await run_one(path, app, "go", {"n": 1001})).status == "failed"

    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_bodies_at_once_are_limited(self, path: pathlib.Path, kind: str) -> None:
        app = ig.App("shop")
        lock = threading.Lock()
        now, most = [0], [0]

        def enter(change: int) -> None:
            with lock:
                now[0] += change
                most[0] = max(most[0], now[0])

        def sync() -> None:
            enter(1)
            threading.Event().wait(0.002)
            enter(-1)

        async def async_() -> None:
            enter(1)
            await anyio.sleep(0.002)
            enter(-1)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(*(ctx.step.run("s", sync if kind == "sync" else async_) for _ in range(20)))

        async with engine(path, app, concurrency=3) as its_engine:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(its_engine.run, ig.Event("go"))
        assert (now, most) == ([0], [3])

    async def test_a_run_with_many_bodies_takes_turns_with_one_that_has_few(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        order: list[str] = []
        gate = Gate()

        async def body(name: str) -> None:
            await gate.passed()
            await anyio.sleep(0.002)  # longer than a commit takes
            order.append(name)

        @app.function("many", trigger="many")
        async def many(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(*(ctx.step.run("s", body, "many") for _ in range(200)))

        @app.function("few", trigger="few")
        async def few(ctx: ig.Context) -> ig.Flow:
            for _ in range(3):
                yield ctx.step.run("s", body, "few")

        async with engine(path, app, concurrency=2) as its_engine:
            await its_engine.send(ig.Event("many"))
            await gate.reached.wait()
            await its_engine.send(ig.Event("few"))
            await eventually(lambda: len(its_engine.limiter._waiting) == 2)
            gate.open()
            await eventually(its_engine._idle)
        assert len(order) == 203
        assert order.index("few") < 6
        assert max(n for n, name in enumerate(order) if name == "few") < 60

    async def test_slow_sync_bodies_hold_up_neither_commits_nor_others_async_steps(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        free = threading.Event()
        entered = threading.Semaphore(0)

        def slow() -> None:
            entered.release()
            free.wait(PATIENCE_S)

        async def quick() -> None: ...

        @app.function("slow", trigger="slow")
        async def is_slow(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(*(ctx.step.run("s", slow) for _ in range(60)))

        @app.function("quick", trigger="quick")
        async def is_quick(ctx: ig.Context) -> ig.Flow:
            for _ in range(20):
                yield ctx.step.run("s", quick)
            yield ctx.step.run("sync", len, "abc")

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("slow"))
            for _ in range(60):
                await anyio.to_thread.run_sync(entered.acquire)
            try:
                [one] = await its_engine.run(ig.Event("quick"), timeout=PATIENCE_S)
                assert one.status == "completed"
            finally:
                free.set()

    async def test_three_hundred_runs_at_once(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        async def body(n: int) -> int:
            await anyio.sleep(0)
            return n

        @app.function("f", trigger="go", backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            a = yield ctx.step.run("a", body, ctx.data["n"])
            yield ctx.step.sleep("nap", 60)
            b, c = yield ctx.group.parallel(ctx.step.run("b", body, a), ctx.step.run("c", str, a))
            yield ig.Done([b, c])

        async with engine(path, app) as its_engine:
            await its_engine.send(*(ig.Event("go", {"n": n}) for n in range(300)))
            await eventually(lambda: its_engine._idle() and not its_engine._timers)
            runs = await its_engine.runs(limit=1000)
        assert sorted(one.output for one in runs) == sorted([n, str(n)] for n in range(300))

    async def test_more_runs_than_fit_into_memory(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("inngest_gen.engine.engine._LIVE", 7)
        monkeypatch.setattr("inngest_gen.engine.engine._PREPARED", 3)
        app = ig.App("shop")
        most = [0]

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            most[0] = max(most[0], len(its_engine._live))
            yield ctx.step.sleep("nap", 1)
            yield ctx.step.run("a", str)

        async with engine(path, app) as its_engine:
            await its_engine.send(*(ig.Event("go") for _ in range(100)))
            await eventually(lambda: its_engine._idle() and not its_engine._timers)
            assert {one.status for one in await its_engine.runs()} == {"completed"}
        assert most[0] <= 7


class TestDeclarations:
    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ({"concurrency": 3}, "concurrency"),
            ({"concurrency": ig.Concurrency(3)}, "concurrency"),
            ({"throttle": ig.Throttle(1, "1s")}, "throttle"),
            ({"rate_limit": ig.RateLimit(1, "1s")}, "rate_limit"),
            ({"debounce": ig.Debounce("1s")}, "debounce"),
            ({"priority": "100"}, "priority"),
            ({"batch": ig.Batch(5, "1s")}, "batch"),
            ({"idempotency": "event.data.id"}, "idempotency"),
            ({"singleton": ig.Singleton()}, "singleton"),
            ({"timeouts": ig.Timeouts(start="1s")}, "timeouts"),
            ({"cancel_on": [ig.CancelOn("stop")]}, "cancel_on"),
            ({"trigger": ig.Cron("0 9 * * 1")}, "cron trigger '0 9"),
            ({"trigger": ig.EventTrigger("go", if_="event.data.x > 1")}, "if_="),
        ],
    )
    async def test_an_option_that_is_not_honoured_yet_is_refused_at_start_by_name(
        self, path: pathlib.Path, options: dict[str, Any], name: str
    ) -> None:
        app = ig.App("shop")

        @app.function("f", **options)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done()

        its_engine = engine(path, app)
        with pytest.raises(ig.UnsupportedOption, match="function 'shop-f' declares") as caught:
            await its_engine.__aenter__()
        assert name in str(caught.value)
        assert not path.exists()
        assert app.engine is None

    def test_a_slug_of_two_apps_is_refused(self, path: pathlib.Path) -> None:
        one, other = ig.App("a"), ig.App("a-b")

        @one.function("b-c")
        async def f(ctx: ig.Context) -> None: ...

        @other.function("c")
        async def g(ctx: ig.Context) -> None: ...

        with pytest.raises(ig.ConfigError, match="two apps declare a function with the slug 'a-b-c'"):
            ig.Engine(path, apps=[one, other])

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"durability": "none"}, "durability"),
            ({"max_steps": 0}, "max_steps"),
            ({"max_steps": 10_001}, "max_steps"),
            ({"max_steps": True}, "max_steps"),
            ({"concurrency": 0}, "concurrency"),
            ({"concurrency": 1.5}, "concurrency"),
            ({"grace": -1}, "negative"),
            ({"apps": ig.App("x")}, r"apps=\[app\]"),
            ({"path": ":memory:"}, "a file"),
        ],
    )
    def test_wrong_arguments_are_refused(self, path: pathlib.Path, options: dict[str, Any], words: str) -> None:
        with pytest.raises((ig.ConfigError, ValueError), match=words):
            ig.Engine(**{"path": path, "apps": [], **options})

    async def test_an_app_is_run_by_one_engine(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        async with engine(path, app):
            with pytest.raises(ig.EngineError, match="app 'shop' is run by another engine in this process"):
                async with engine(path.with_name("other.db"), app):
                    pass
        async with engine(path.with_name("other.db"), app):
            pass

    async def test_an_engine_is_entered_once_and_used_inside(self, path: pathlib.Path) -> None:
        its_engine = engine(path, ig.App("shop"))
        calls = [
            lambda: its_engine.send(ig.Event("go")),
            lambda: its_engine.run(ig.Event("go")),
            lambda: its_engine.get("x"),
            lambda: its_engine.runs(),
            lambda: its_engine.wait("x"),
            lambda: its_engine.cancel("x"),
            lambda: its_engine.retry("x"),
        ]
        for call in calls:
            with pytest.raises(ig.EngineError, match="has not been entered"):
                await call()
        async with its_engine:
            pass
        for call in calls:
            with pytest.raises(ig.EngineError, match="stopping or stopped"):
                await call()
        with pytest.raises(ig.EngineError, match="stopping or stopped"):
            await anyio.to_thread.run_sync(its_engine.send_from_thread, [ig.Event("go")])
        with pytest.raises(ig.EngineError, match="entered once"):
            async with its_engine:
                pass


class TestProgress:
    async def test_what_happens_is_told_in_order(self, path: pathlib.Path) -> None:
        app = ig.App("shop", backoff=5)
        flaky = []

        def body() -> None:
            flaky.append(1)
            if len(flaky) == 1:
                raise ValueError("once")

        @app.deferred("note")
        async def note(ctx: ig.DeferContext) -> ig.Flow:
            yield ig.Done("noted")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})
            yield ctx.step.run(ig.Id("body", name="The body"), body)
            yield ctx.step.sleep("nap", 10)
            yield ig.Done("end")

        told: list[Progress] = []
        runs = await run(path, app, watch=told.append)
        parent = [one for one in told if one.run_id == of(runs, "f").id]
        assert [one.kind for one in parent] == [
            "run.queued", "run.started", "step.started", "step.failed", "defer.added", "step.started", "step.completed", "step.waiting",
            "run.ended",
        ]  # fmt: skip
        assert parent[2].step_id == "The body"
        assert (parent[3].attempt, str(parent[3].error), parent[3].due) == (0, "ValueError: once", START + 5)
        assert (parent[7].step_kind, parent[7].due) == ("step.sleep", START + 15)
        assert (parent[8].status, parent[8].output) == ("completed", "end")
        child = [one for one in told if one.run_id == of(runs, "note").id]
        assert (child[0].kind, child[0].parent_run_id, child[0].run_kind) == ("run.queued", parent[0].run_id, "defer")

    async def test_a_watcher_that_fails_is_logged_and_nothing_else(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", str)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("end")

        def watch(_: Progress) -> None:
            raise RuntimeError("watching is hard")

        assert (await run_one(path, app, watch=watch)).output == "end"
        assert "the watcher failed" in caplog.text
        assert "watching is hard" in caplog.text


class TestDefects:
    """A run that cannot go on says so to whoever waits for it, and leaves the others alone."""

    @pytest.mark.parametrize("how", ["body", "commit", "load", "turn"])
    async def test_whoever_waits_is_told(
        self, path: pathlib.Path, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = ig.App("shop")

        async def quick() -> None: ...

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", quick)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("end")

        def broken(*_: object, **__: object) -> Any:
            raise RuntimeError("a defect")

        async with engine(path, app, clock=ig.VirtualClock(START, jumps=False)) as its_engine:
            with monkeypatch.context() as patch:
                if how == "body":
                    patch.setattr("inngest_gen.engine.live.run_body", broken)
                elif how == "commit":
                    patch.setattr("inngest_gen.engine.store.tables.Tables.log", broken)
                elif how == "load":
                    patch.setattr("inngest_gen.engine.engine._PREPARED", 0)
                    patch.setattr("inngest_gen.engine.engine.load", broken)
                else:
                    patch.setattr("inngest_gen.driver.execution.Execution.turn", broken)
                with pytest.raises(ig.EngineError, match="a defect"):
                    await its_engine.run(ig.Event("go", id="e"), timeout=PATIENCE_S)
                [one] = await its_engine.runs()
                assert not one.has_ended
                if how != "load":  # of a run that cannot be read nobody knows whose it is
                    with pytest.raises(ig.EngineError, match="a defect"):
                        await its_engine.wait(one.id)
                    with pytest.raises(ig.EngineError, match="a defect"):
                        await its_engine.run(ig.Event("go", id="e"), timeout=PATIENCE_S)
            assert not its_engine._live
        assert "stopped here and will be taken up again at the next start" in caplog.text
        async with engine(path, app) as its_engine:
            with anyio.fail_after(PATIENCE_S):
                assert (await its_engine.wait(one.id)).output == "end"

    async def test_a_stuck_run_can_be_cancelled(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", str)

        def broken(*_: object, **__: object) -> Any:
            raise RuntimeError("a defect")

        async with engine(path, app) as its_engine:
            monkeypatch.setattr("inngest_gen.engine.live.run_body", broken)
            with pytest.raises(ig.EngineError, match="a defect"):
                await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            assert (await its_engine.wait(one.id)).status == "cancelled"


def test_the_engine_is_public() -> None:
    assert ig.Engine is Engine
