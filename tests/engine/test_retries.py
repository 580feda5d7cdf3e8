"""Retries and backoff: how often an attempt is made again and when, of steps and of handlers, and what is never tried again."""

import pathlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from tests.engine.rig import START, all_of, engine, eventually, of, outcome, run, run_one, step

TABLE_S = [15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200]


class Flaky:
    """A body that fails a number of times."""

    def __init__(self, failures: int, error: Callable[[int], BaseException] = lambda n: ValueError(f"failure {n}")) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(self.calls - 1)
        return "worked"


def app_with(body: Any, app: ig.App | None = None, **options: Any) -> ig.App:
    app = app or ig.App("shop")

    @app.function("f", trigger="go", **options)
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.run("work", body)))

    return app


def delays(one: ig.Run, id: str = "work") -> list[float]:
    """Seconds from each failed attempt to the next, as the record tells."""
    return [(attempt.retry_at - attempt.at).total_seconds() for attempt in step(one, id).attempts if attempt.retry_at is not None]


class TestSteps:
    async def test_a_step_is_tried_again_until_it_works(self, path: pathlib.Path) -> None:
        body = Flaky(2)
        one = await run_one(path, app_with(body))
        assert (one.output, body.calls) == ("worked", 3)
        attempts = step(one, "work").attempts
        assert [attempt.number for attempt in attempts] == [0, 1]
        assert [str(attempt.error) for attempt in attempts] == ["ValueError: failure 0", "ValueError: failure 1"]
        assert step(one, "work").status == "completed"

    @pytest.mark.parametrize(("retries", "attempts"), [(None, 5), (0, 1), (1, 2), (20, 21)])
    async def test_attempts_are_limited(self, path: pathlib.Path, retries: int | None, attempts: int) -> None:
        body = Flaky(1000)
        one = await run_one(path, app_with(body, retries=retries))
        assert body.calls == attempts
        assert outcome(one) == ("ValueError", f"failure {attempts - 1}")
        assert step(one, "work").status == "failed"
        assert step(one, "work").attempts[-1].retry_at is None
        assert one.error is not None
        assert one.error.stack is not None
        assert "Traceback" in one.error.stack

    async def test_the_apps_retries_hold_where_a_function_declares_none(self, path: pathlib.Path) -> None:
        body = Flaky(1000)
        await run_one(path, app_with(body, ig.App("shop", retries=2)))
        assert body.calls == 3
        own = Flaky(1000)
        await run_one(path.with_name("own.db"), app_with(own, ig.App("shop", retries=2), retries=1))
        assert own.calls == 2

    @pytest.mark.parametrize("retries", [21, -1, 2.5, True, "3"])
    def test_a_number_of_retries_out_of_range_is_refused(self, retries: Any) -> None:
        with pytest.raises(ig.ConfigError, match="0 to 20"):
            app_with(None, retries=retries)
        with pytest.raises(ig.ConfigError, match="0 to 20"):
            ig.App("shop", retries=retries)

    async def test_each_step_has_its_own_attempts(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        first, second = Flaky(4), Flaky(4)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            a = yield ctx.step.run("first", first)
            b = yield ctx.step.run("second", second)
            yield ig.Done([a, b])

        assert (await run_one(path, app)).output == ["worked", "worked"]

    async def test_parallel_steps_retry_side_by_side(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        bodies = [Flaky(n) for n in range(4)]

        @app.function("f", trigger="go", backoff=60)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(list((yield ctx.group.parallel(*(ctx.step.run(f"s{n}", body) for n, body in enumerate(bodies))))))

        clock = ig.VirtualClock(START, jumps=True)
        assert (await run_one(path, app, clock=clock)).output == ["worked"] * 4
        assert [body.calls for body in bodies] == [1, 2, 3, 4]
        assert clock.now() == START + 180

    async def test_non_retriable_error_ends_the_attempts_at_once(self, path: pathlib.Path) -> None:
        body = Flaky(1000, lambda n: ig.NonRetriableError("no card"))
        one = await run_one(path, app_with(body))
        assert (body.calls, outcome(one)) == (1, ("NonRetriableError", "no card"))

    async def test_the_failure_for_good_is_thrown_in_at_the_yield_and_can_be_caught(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        def body() -> None:
            try:
                raise KeyError("inner")
            except KeyError as inner:
                raise ValueError("outer") from inner

        seen = []

        @app.function("f", trigger="go", retries=1, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("work", body)
            except ig.StepError as error:
                seen.append(error)
            yield ctx.step.sleep("nap", 1)  # it is caught again in the replay
            yield ig.Done("caught")

        one = await run_one(path, app)
        assert one.output == "caught"
        assert len(seen) == 2
        for error in seen:
            assert (error.name, error.message, error.step_id) == ("ValueError", "outer", "work")
            assert error.stack.startswith("Traceback")
            assert "inngest_gen" not in error.stack.replace("test_retries", "")
            assert (error.cause.name, error.cause.message) == ("KeyError", "'inner'")
            assert str(error) == "step 'work': ValueError: outer"

    async def test_catching_a_failure_and_raising_another_is_the_handlers_failure_which_is_retried(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        body = Flaky(1000)

        @app.function("f", trigger="go", retries=2, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("work", body)
            except ig.StepError as error:
                raise RuntimeError(f"changed: {error.message}") from error

        one = await run_one(path, app)
        assert outcome(one) == ("RuntimeError", "changed: failure 2")
        assert body.calls == 3  # the step's own, and none for the handler's further attempts
        assert [note.kind for note in one.notes] == ["handler"] * 3
        assert one.error is not None
        assert one.error.cause is not None
        assert one.error.cause.name == "ValueError"

    async def test_a_memoized_failure_that_leaves_the_handler_fails_the_run_at_once(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        entered = []

        @app.function("f", trigger="go", retries=3, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            entered.append(1)
            yield ctx.step.run("work", Flaky(1000))
            raise AssertionError("not reached")

        one = await run_one(path, app)
        assert one.status == "failed"
        assert [note.kind for note in one.notes] == ["handler"]

    @pytest.mark.parametrize("reraise", [False, True])
    async def test_a_group_of_memoized_failures_fails_the_run_at_once(self, path: pathlib.Path, reraise: bool) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=1, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.group.parallel(ctx.step.run("a", Flaky(9)), ctx.step.run("b", Flaky(0)), ctx.step.run("c", Flaky(9)))
            except* ig.StepError:
                if reraise:
                    raise

        one = await run_one(path, app)
        assert one.status == ("failed" if reraise else "completed")
        if reraise:
            assert outcome(one)[0] == "ExceptionGroup"
            assert len(one.notes) == 1
        assert [s.status for s in one.steps] == ["failed", "completed", "failed"]

    async def test_an_error_of_the_handlers_own_in_a_group_is_retried(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        entered = []

        async def leg(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("leg", Flaky(0))
            entered.append(ctx.attempt)
            if len(entered) < 3:
                raise ValueError("leg")

        @app.function("f", trigger="go", retries=4, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(leg(ctx), ctx.step.run("b", Flaky(0)))

        one = await run_one(path, app)
        assert (one.status, entered) == ("completed", [0, 1, 2])

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("odd"), StopIteration(1)])
    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_a_body_that_raises_anything_fails_its_attempt_and_nothing_else(
        self, path: pathlib.Path, error: BaseException, kind: str
    ) -> None:
        if kind == "async" and isinstance(error, KeyboardInterrupt):
            return  # in the loop's thread that is Ctrl-C: it ends the program
        app = ig.App("shop")

        def sync() -> None:
            raise error

        async def async_() -> None:
            raise error

        @app.function("f", trigger="go", retries=1, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("work", sync if kind == "sync" else async_)
            except ig.StepError as failure:
                yield ig.Done(failure.name)

        one = await run_one(path, app)
        names = {type(error).__name__, "RuntimeError"} if isinstance(error, (StopIteration, KeyboardInterrupt)) else {type(error).__name__}
        assert one.output in names
        assert len(step(one, "work").attempts) == 2

    async def test_a_body_whose_awaited_task_was_cancelled_fails_its_attempt(self, path: pathlib.Path, anyio_backend_name: str) -> None:
        async def work() -> None:
            if anyio_backend_name == "asyncio":
                import asyncio

                task = asyncio.ensure_future(asyncio.sleep(100))
                task.cancel()
                await task
            else:
                with anyio.fail_after(0):
                    await anyio.sleep(100)

        one = await run_one(path, app_with(work, retries=0))
        assert outcome(one)[0] in {"CancelledError", "TimeoutError"}

    async def test_errors_that_are_hard_to_describe(self, path: pathlib.Path) -> None:
        class Evil(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        one = await run_one(path, app_with(Flaky(1, lambda n: Evil()), retries=0))
        assert outcome(one) == ("Evil", "<its __str__ raised RuntimeError>")
        surrogate = await run_one(path.with_name("s.db"), app_with(Flaky(1, lambda n: ValueError("file \udcff")), retries=0))
        assert outcome(surrogate) == ("ValueError", "file \\udcff")
        long = await run_one(path.with_name("l.db"), app_with(Flaky(1, lambda n: ValueError("x" * 10_000_000)), retries=0))
        assert long.error is not None
        assert len(long.error.message) < 40_000
        assert "characters left out" in long.error.message

    async def test_a_loser_of_a_race_is_not_tried_again(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        body = Flaky(1000)

        @app.function("f", trigger="go", backoff="1h")
        async def f(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(ctx.step.run("work", body), ctx.step.sleep("nap", "10s"))
            yield ctx.step.sleep("long", "3d")
            yield ig.Done(winner.key)

        one = await run_one(path, app)
        assert (one.output, body.calls, step(one, "work").status) == (1, 1, "abandoned")


class TestHandlers:
    async def test_the_handler_has_attempts_of_its_own(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        attempts = []

        @app.function("f", trigger="go", retries=3, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            attempts.append((ctx.attempt, ctx.max_attempts))
            if ctx.attempt < 2:
                raise ValueError("not yet")
            yield ig.Done("there")

        one = await run_one(path, app)
        assert one.output == "there"
        assert attempts == [(0, 4), (1, 4), (2, 4)]
        assert [note.text for note in one.notes] == [
            "attempt 0 of the handler failed: ValueError: not yet",
            "attempt 1 of the handler failed: ValueError: not yet",
        ]

    async def test_it_fails_when_they_are_used_up(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        attempts = []

        @app.function("f", trigger="go", backoff=1)
        async def f(ctx: ig.Context) -> None:
            attempts.append(ctx.attempt)
            raise ValueError(f"attempt {ctx.attempt}")

        assert outcome(await run_one(path, app)) == ("ValueError", "attempt 4")
        assert attempts == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("kind", ["step.run", "step.sleep", "failing"])
    async def test_they_count_anew_once_the_handler_has_got_further(self, path: pathlib.Path, kind: str) -> None:
        app = ig.App("shop")
        raised: dict[int, int] = {}

        @app.function("f", trigger="go", retries=2, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            for n in range(4):
                if raised.setdefault(n, 0) < 2:
                    raised[n] += 1
                    raise ValueError(f"before {n}")
                if kind == "step.run":
                    yield ctx.step.run("s", Flaky(0))
                elif kind == "step.sleep":
                    yield ctx.step.sleep("s", 1)
                else:
                    try:
                        yield ctx.step.run("s", Flaky(9))
                    except ig.StepError:
                        pass
            yield ig.Done("through")

        assert (await run_one(path, app)).output == "through"
        assert raised == dict.fromkeys(range(4), 2)

    async def test_the_handler_sees_its_attempts_count_anew_live_as_replayed(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        seen: list[int] = []
        fails = Flaky(2)

        def body(ctx: ig.Context) -> int:
            return ctx.attempt  # the step's

        @app.function("f", trigger="go", retries=3, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            seen.append(ctx.attempt)
            fails()
            step = yield ctx.step.run("s", body, ctx)
            seen.append(ctx.attempt)
            yield ctx.step.sleep("nap", 1)  # here the run leaves memory: what comes before it is replayed
            seen.append(ctx.attempt)
            yield ig.Done(step)

        one = await run_one(path, app)
        assert (one.status, one.output, seen) == ("completed", 0, [0, 1, 2, 0, 0, 0, 0])

    async def test_non_retriable_error_fails_the_run_at_once(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        attempts = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            attempts.append(1)
            yield ctx.step.run("a", Flaky(0))
            raise ig.NonRetriableError("never")

        assert outcome(await run_one(path, app)) == ("NonRetriableError", "never")
        assert attempts == [1]

    async def test_misuse_is_not_retried_and_names_the_line(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        attempts = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            attempts.append(1)
            yield 5  # type: ignore[misc]

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "MisuseError"
        assert "test_retries.py:" in one.error.message
        assert attempts == [1]

    @pytest.mark.parametrize("error", [SystemExit(1), BaseException("odd"), RecursionError()])
    async def test_a_handler_that_raises_anything_fails_its_attempt(self, path: pathlib.Path, error: BaseException) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=1, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            if ctx.attempt == 0:
                raise error
            yield ig.Done("again")

        assert (await run_one(path, app)).output == "again"

    async def test_entering_a_resource_that_fails_fails_the_attempt(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        entered = []

        class Connection:
            async def __aenter__(self) -> "Connection":
                entered.append(1)
                if len(entered) == 1:
                    raise OSError("refused")
                return self

            async def __aexit__(self, *_: object) -> None:
                entered.append(-1)

        @app.function("f", trigger="go", retries=1, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Connection())
            yield ig.Done("connected")

        assert (await run_one(path, app)).output == "connected"
        assert entered == [1, 1, -1]


class TestBackoff:
    async def test_the_default_table_with_its_jitter(self, path: pathlib.Path) -> None:
        found = delays(await run_one(path, app_with(Flaky(1000), retries=12)))
        table = [*TABLE_S, 7200, 7200]
        assert len(found) == 12
        for delay, base in zip(found, table, strict=True):
            assert base <= delay <= base + 30
        assert len({delay - base for delay, base in zip(found, table, strict=True)}) > 1

    @pytest.mark.parametrize(
        ("backoff", "expected"),
        [
            ("10s", [10, 10, 10]),
            (2, [2, 2, 2]),
            (timedelta(minutes=1), [60, 60, 60]),
            (["1s", 5], [1, 5, 5]),
            (lambda attempt: 2**attempt, [1, 2, 4]),
            (lambda attempt: f"{attempt + 1}m", [60, 120, 180]),
            (0, [0, 0, 0]),
        ],
    )
    async def test_a_declared_backoff_replaces_it(self, path: pathlib.Path, backoff: Any, expected: list[float]) -> None:
        assert delays(await run_one(path, app_with(Flaky(1000), retries=3, backoff=backoff))) == pytest.approx(expected)

    async def test_a_functions_backoff_beats_its_apps_which_beats_the_engines(self, path: pathlib.Path) -> None:
        plain = await run_one(path.with_name("1.db"), app_with(Flaky(1)), backoff=3)
        of_app = await run_one(path.with_name("2.db"), app_with(Flaky(1), ig.App("shop", backoff=2)), backoff=3)
        own = await run_one(path.with_name("3.db"), app_with(Flaky(1), ig.App("shop", backoff=2), backoff=1), backoff=3)
        assert [*delays(plain), *delays(of_app), *delays(own)] == [3, 2, 1]

    async def test_handlers_back_off_alike(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=2, backoff=["1m", "1h"])
        async def f(ctx: ig.Context) -> None:
            raise ValueError("no")

        clock = ig.VirtualClock(START, jumps=True)
        one = await run_one(path, app, clock=clock)
        assert clock.now() == START + 3660
        assert [note.at.timestamp() - START for note in one.notes] == [0, 60, 3660]

    @pytest.mark.parametrize("backoff", [lambda attempt: 1 / 0, lambda attempt: "soon", lambda attempt: -1, lambda attempt: None])
    @pytest.mark.parametrize("where", ["step", "handler"])
    async def test_a_backoff_that_fails_is_logged_and_the_table_holds(
        self, path: pathlib.Path, backoff: Any, where: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = ig.App("shop")
        body = Flaky(1)

        @app.function("f", trigger="go", retries=1, backoff=backoff)
        async def f(ctx: ig.Context) -> ig.Flow:
            if where == "step":
                yield ctx.step.run("work", body)
            elif ctx.attempt == 0:
                raise ValueError("no")

        clock = ig.VirtualClock(START, jumps=True)
        assert (await run_one(path, app, clock=clock)).status == "completed"
        assert 15 <= clock.now() - START <= 45
        assert "the backoff of function 'f' failed" in caplog.text

    @pytest.mark.parametrize("backoff", ["soon", [], -1, ["1s", "x"], object()])
    def test_what_is_no_backoff_is_refused_where_it_is_declared(self, path: pathlib.Path, backoff: Any) -> None:
        for declare in (
            lambda: app_with(None, backoff=backoff),
            lambda: ig.App("shop", backoff=backoff),
            lambda: ig.Engine(path, apps=[], backoff=backoff),
        ):
            with pytest.raises(ig.ConfigError, match="backoff"):
                declare()

    @pytest.mark.parametrize(
        ("after", "delay"),
        [
            ("10m", 600),
            (1.5, 1.5),
            (timedelta(hours=1), 3600),
            (datetime.fromtimestamp(START + 77, UTC), 77),
            (datetime.fromtimestamp(START - 77, UTC), 0),
        ],
    )
    @pytest.mark.parametrize("where", ["step", "handler"])
    async def test_retry_after_error_says_when(self, path: pathlib.Path, after: Any, delay: float, where: str) -> None:
        app = ig.App("shop")
        body = Flaky(1, lambda n: ig.RetryAfterError("busy", after))

        @app.function("f", trigger="go", backoff="7d")
        async def f(ctx: ig.Context) -> ig.Flow:
            if where == "step":
                yield ctx.step.run("work", body)
            else:
                body()

        clock = ig.VirtualClock(START, jumps=True)
        assert (await run_one(path, app, clock=clock)).status == "completed"
        assert clock.now() - START == pytest.approx(delay)

    async def test_retry_after_error_takes_part_in_the_count(self, path: pathlib.Path) -> None:
        body = Flaky(1000, lambda n: ig.RetryAfterError("busy", 1))
        one = await run_one(path, app_with(body, retries=2))
        assert (body.calls, outcome(one)) == (3, ("RetryAfterError", "busy"))

    async def test_retry_after_error_without_a_time_is_a_mistake(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        one = await run_one(path, app_with(Flaky(1000, lambda n: ig.RetryAfterError("busy", "soon"))))
        assert outcome(one)[0] == "ConfigError"
        assert "RetryAfterError got no time" in outcome(one)[1]

        app = ig.App("shop")

        @app.function("f", trigger="go", retries=1, backoff=1)
        async def f(ctx: ig.Context) -> None:
            if ctx.attempt == 0:
                raise ig.RetryAfterError("busy", "soon")

        assert (await run_one(path.with_name("handler.db"), app)).status == "completed"
        assert "RetryAfterError got no time" in caplog.text

    async def test_attempts_survive_a_restart(self, path: pathlib.Path) -> None:
        body = Flaky(1000)
        app = app_with(body, retries=2, backoff="1h")
        for hours in range(3):
            clock = ig.VirtualClock(START + hours * 3600)
            async with engine(path, app, clock=clock) as its_engine:
                if hours == 0:
                    await its_engine.send(ig.Event("go"))
                await eventually(lambda calls=hours + 1: body.calls == calls)
                await eventually(its_engine._idle)
                [one] = await its_engine.runs()
                assert one.status == ("failed" if hours == 2 else "running")
        assert body.calls == 3


class TestEngineErrorsInBodies:
    async def test_what_the_engine_cannot_do_now_is_tried_again(self, path: pathlib.Path) -> None:
        body = Flaky(1, lambda n: ig.StoreError("the file is locked"))
        assert (await run_one(path, app_with(body))).output == "worked"

    async def test_what_it_never_will_do_is_not(self, path: pathlib.Path) -> None:
        body = Flaky(9, lambda n: ig.TooLarge("event 'x'", 2, 1))
        assert (await run_one(path, app_with(body))).status == "failed"
        assert body.calls == 1


async def test_the_invoked_functions_failure_is_not_retried_by_the_caller(path: pathlib.Path) -> None:
    app = ig.App("shop")

    @app.function("g", retries=1, backoff=1)
    async def g(ctx: ig.Context) -> None:
        raise ValueError("no")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.invoke("call", g)

    runs = await run(path, app)
    assert outcome(of(runs, "f")) == ("ValueError", "no")
    assert len(all_of(runs, "g")) == 1
