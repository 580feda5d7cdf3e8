"""Hooks of runs: around the handler, its events, its beginning and its ends."""

import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.lowlevel
import pydantic
import pytest

import inngest_gen as ig
from tests.engine.rig import PATIENCE_S, START, Gate, engine, eventually, of, outcome, run, run_one
from tests.middleware.recorder import recorder

variable: ContextVar[str] = ContextVar("variable", default="unset")


class TestWrapFunction:
    async def test_results_pass_from_the_inside_out(self, path: pathlib.Path) -> None:
        def named(name: str) -> type[ig.Middleware]:
            class Names(ig.Middleware):
                async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                    return {name: await next()}

            return Names

        app = ig.App("shop", middleware=[named("a"), named("b")])

        @app.function("f", trigger="go", middleware=[named("c")])
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("end")

        assert (await run_one(path, app)).output == {"a": {"b": {"c": "end"}}}

    async def test_the_result_is_plain_json(self, path: pathlib.Path) -> None:
        seen: list[Any] = []

        class Sees(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                seen.append(await next())
                return seen[0]

            def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
                seen.append(output)

        @dataclasses.dataclass
        class Total:
            cents: int

        app = ig.App("shop", middleware=[Sees])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> Any:
            return Total(5)

        assert (await run_one(path, app)).output == {"cents": 5}
        assert seen == [{"cents": 5}, {"cents": 5}]

    async def test_a_result_that_is_no_json_is_raised_at_next_and_is_final(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop", middleware=[recorder(log)])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done({1, 2})

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "NotJSON"
        assert "the result of function 'f'" in one.error.message
        assert log[-2:] == ["wrap_function: NotJSON", "on_run_error NotJSON final"]

    async def test_a_hook_may_give_what_is_no_json_and_the_run_fails(self, path: pathlib.Path) -> None:
        log: list[str] = []

        class Odd(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                await next()
                return {1}

        app = ig.App("shop", middleware=[recorder(log), Odd])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> None:
            pass

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "NotJSON"
        assert log[-1] == "on_run_error NotJSON final"

    @pytest.mark.parametrize("kind", ["generator", "plain"])
    async def test_an_error_may_be_replaced_by_one_that_stops_the_retries(self, path: pathlib.Path, kind: str) -> None:
        tried: list[int] = []

        class Stops(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                try:
                    return await next()
                except LookupError as error:
                    raise ig.NonRetriableError(f"gave up: {error}") from error

        app = ig.App("shop", middleware=[Stops])
        if kind == "plain":

            @app.function("f", trigger="go")
            async def f(ctx: ig.Context) -> None:
                tried.append(1)
                raise LookupError("nothing")
        else:

            @app.function("f", trigger="go")
            async def g(ctx: ig.Context) -> ig.Flow:
                tried.append(1)
                yield ctx.step.sleep("nap", 0)
                raise LookupError("nothing")

        one = await run_one(path, app)
        assert outcome(one) == ("NonRetriableError", "gave up: nothing")
        assert one.error.cause.name == "LookupError"
        assert len(tried) == (1 if kind == "plain" else 2)

    async def test_an_error_may_be_swallowed(self, path: pathlib.Path) -> None:
        class Forgives(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                with contextlib.suppress(LookupError):
                    return await next()
                return "forgiven"

        app = ig.App("shop", middleware=[Forgives])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 1)
            raise LookupError

        one = await run_one(path, app)
        assert (one.status, one.output) == ("completed", "forgiven")

    async def test_a_retry_after_of_the_handler_and_of_a_hook_is_kept(self, path: pathlib.Path) -> None:
        class Later(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                if run.attempt == 0:
                    raise ig.RetryAfterError("not yet", "2h")
                return await next()

        app = ig.App("shop", middleware=[Later])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            if ctx.attempt == 1:
                raise ig.RetryAfterError("nor now", "3h")
            yield ig.Done("now")

        one = await run_one(path, app)
        assert one.output == "now"
        assert one.ended is not None
        assert (one.ended - one.created).total_seconds() == 5 * 3600

    async def test_a_memoized_error_that_passes_it_is_final(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop", middleware=[recorder(log)])

        def no() -> None:
            raise ig.NonRetriableError("no")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", no)

        assert outcome(await run_one(path, app)) == ("NonRetriableError", "no")
        assert log[-1] == "on_run_error StepError final"

    async def test_the_handler_is_not_run_where_next_is_not_called(self, path: pathlib.Path) -> None:
        log: list[str] = []

        class Closed(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                return "closed"

        app = ig.App("shop", middleware=[recorder(log), Closed])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            log.append("handler")
            yield ctx.step.run("one", lambda: 1)

        @app.function("g", trigger="go")
        async def g(ctx: ig.Context) -> None:
            log.append("handler")

        assert [one.output for one in await run(path, app)] == ["closed", "closed"]
        assert "handler" not in log
        assert log.count("on_run_complete 'closed'") == 2

    async def test_a_contextvar_set_in_it_is_set_in_the_handler_and_in_bodies(self, path: pathlib.Path) -> None:
        class Sets(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                token = variable.set(run.run_id)
                try:
                    return await next()
                finally:
                    variable.reset(token)  # in the same context, however many turns lie between

        app = ig.App("shop", middleware=[Sets])

        async def in_async() -> str:
            return variable.get()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            before = variable.get()
            in_thread = yield ctx.step.run("thread", variable.get)
            here = yield ctx.step.run("async", in_async)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done([before, in_thread, here, variable.get()])

        one = await run_one(path, app)
        assert one.output == [one.id] * 4
        assert variable.get() == "unset"

    async def test_it_may_wait_before_and_after(self, path: pathlib.Path) -> None:
        class Waits(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                with anyio.fail_after(PATIENCE_S):
                    await anyio.sleep(0)
                result = await next()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(anyio.sleep, 0)
                await anyio.lowlevel.checkpoint()
                return result

        app = ig.App("shop", middleware=[Waits, Waits])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 1)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("end")

        assert (await run_one(path, app)).output == "end"

    async def test_finally_runs_and_may_wait_when_the_run_is_let_go(self, path: pathlib.Path) -> None:
        log: list[str] = []

        @contextlib.asynccontextmanager
        async def connection() -> AsyncIterator[None]:
            log.append("open")
            try:
                yield
            finally:
                await anyio.lowlevel.checkpoint()
                log.append("close")

        class Connects(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                async with connection():
                    try:
                        return await next()
                    finally:
                        await anyio.sleep(0)
                        log.append("finally")

        app = ig.App("shop", middleware=[Connects])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        await run_one(path, app)
        assert log == ["open", "finally", "close"] * 2

    async def test_an_error_while_it_is_let_go_is_logged(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        class Breaks(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                try:
                    return await next()
                except GeneratorExit:
                    raise ValueError("broken") from None

        app = ig.App("shop", middleware=[Breaks])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("end")

        with caplog.at_level(logging.ERROR):
            one = await run_one(path, app)
        assert one.output == "end"
        assert [record.getMessage() for record in caplog.records] == [f"closing the middleware of run {one.id} failed"]

    @pytest.mark.parametrize("scope", ["cancel scope", "timeout", "task group"])
    async def test_a_scope_around_next_is_refused(self, path: pathlib.Path, scope: str) -> None:
        @contextlib.asynccontextmanager
        async def opened() -> AsyncIterator[None]:
            if scope == "task group":
                async with anyio.create_task_group():
                    yield
            else:
                with anyio.CancelScope() if scope == "cancel scope" else anyio.move_on_after(30):
                    yield

        class Scoped(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                async with opened():
                    return await next()

        app = ig.App("shop", middleware=[Scoped])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        one = await run_one(path, app)
        assert one.error is not None
        told = one.error.message
        assert "a wrap_function hook holds a cancel scope, task group or timeout of its own around next()" in told

    async def test_next_in_another_task_is_refused(self, path: pathlib.Path) -> None:
        class Elsewhere(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(next)

        app = ig.App("shop", middleware=[Elsewhere])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        one = await run_one(path, app)
        assert one.error is not None
        assert "next() was awaited in another task" in one.error.message

    async def test_a_cancelled_run_closes_it(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop", middleware=[recorder(log)])
        gate = Gate()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", gate.passed)

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            await its_engine.wait(one.id)
            await eventually(lambda: "wrap_function: let go" in log)
        assert not [line for line in log if line.startswith(("on_run_error", "on_run_complete", "on_step_error"))]

    async def test_a_cancellation_while_it_waits_is_not_an_error_of_the_run(self, path: pathlib.Path) -> None:
        waiting = Gate()

        class Waits(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                await waiting.passed()
                return await next()

        app = ig.App("shop", middleware=[Waits])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done("end")

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await waiting.reached.wait()
            [one] = await its_engine.runs()
        waiting.open()
        async with engine(path, app) as its_engine:
            assert (await its_engine.wait(one.id)).output == "end"

    async def test_what_it_defers_leaves_with_the_end(self, path: pathlib.Path) -> None:
        class Notes(ig.Middleware):
            async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
                result = await next()
                ig.defer("noted", note, {}).submit()
                return result

        app = ig.App("shop")

        @app.deferred("note")
        async def note(ctx: ig.DeferContext) -> str:
            return "noted"

        @app.function("f", trigger="go", middleware=[Notes])
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        assert of(await run(path, app), "note").output == "noted"


class TestInput:
    async def test_events_may_be_changed_before_the_schema_sees_them(self, path: pathlib.Path) -> None:
        class Order(pydantic.BaseModel):
            id: int

        class Opens(ig.Middleware):
            async def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
                [event] = input.events
                assert event.data == {"wrapped": {"id": 7}}
                return dataclasses.replace(input, events=(dataclasses.replace(event, data=event.data["wrapped"]),))

        class Looks(ig.Middleware):
            def on_run_start(self, run: ig.RunInfo) -> None:
                seen.append(run.events[0].data)

        seen: list[Any] = []
        app = ig.App("shop", middleware=[Opens, Looks])

        @app.function("f", trigger=ig.EventType("go", Order))
        async def f(ctx: ig.Context[Order]) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)
            yield ig.Done([ctx.data.id, dict(ctx.event.data)])

        assert (await run_one(path, app, "go", {"wrapped": {"id": 7}})).output == [7, {"id": 7}]
        assert seen == [{"id": 7}]

    async def test_data_that_does_not_fit_fails_the_run_for_good_and_is_told(self, path: pathlib.Path) -> None:
        class Order(pydantic.BaseModel):
            id: int

        log: list[str] = []
        app = ig.App("shop", middleware=[recorder(log)])

        @app.function("f", trigger=ig.EventType("go", Order))
        async def f(ctx: ig.Context[Order]) -> ig.Flow:
            yield ig.Done()

        log.clear()
        one = await run_one(path, app, "go", {"id": "x"})
        assert one.error is not None
        assert one.error.name == "SchemaError"
        assert log == [
            "transform_function_input",
            "on_memoization_end",
            "on_run_start",
            "wrap_function: before",
            "wrap_function: SchemaError",
            "on_run_error SchemaError final",
        ]

    async def test_an_error_fails_the_attempt_which_is_tried_again(self, path: pathlib.Path) -> None:
        calls: list[int] = []

        class Opens(ig.Middleware):
            def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
                calls.append(input.run.attempt)
                if len(calls) < 3:
                    raise ConnectionError("the key server is away")
                return input

        log: list[str] = []
        app = ig.App("shop", backoff=1, middleware=[Opens, recorder(log)])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done("end")

        assert (await run_one(path, app)).output == "end"
        assert calls == [0, 1, 2]
        assert [line for line in log if "error" in line or "start" in line] == [
            "on_run_start", "on_run_error MiddlewareError retried", "on_run_error MiddlewareError retried",
        ]  # fmt: skip

    async def test_an_error_names_the_hook(self, path: pathlib.Path) -> None:
        class Opens(ig.Middleware):
            def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
                raise KeyError("x")

        app = ig.App("shop", retries=0, middleware=[Opens])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> None:
            pass

        one = await run_one(path, app)
        assert outcome(one) == ("MiddlewareError", "Opens.transform_function_input failed: KeyError: 'x'")
        assert one.error.cause.name == "KeyError"

    async def test_non_retriable_means_what_it_means_elsewhere(self, path: pathlib.Path) -> None:
        tried: list[int] = []

        class Opens(ig.Middleware):
            def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
                tried.append(1)
                raise ig.NonRetriableError("never")

        app = ig.App("shop", middleware=[Opens])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> None:
            pass

        assert outcome(await run_one(path, app)) == ("NonRetriableError", "never")
        assert tried == [1]

    async def test_what_is_no_event_is_refused(self, path: pathlib.Path) -> None:
        class Opens(ig.Middleware):
            def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
                return dataclasses.replace(input, events=({"name": "go"},))

        app = ig.App("shop", middleware=[Opens])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> None:
            pass

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "MisuseError"

    async def test_ctx_data_is_without_the_engine_s_own_key_as_without_middleware(self, path: pathlib.Path) -> None:
        for middleware in ([], [recorder([])]):
            app = ig.App("shop", middleware=middleware)

            @app.function("f", trigger="go")
            async def f(ctx: ig.Context) -> str:
                return "end"

            @app.function("g", trigger="inngest/function.finished")
            async def g(ctx: ig.Context) -> Any:
                return sorted(ctx.data)

            runs = await run(path.with_name(f"{len(middleware)}.db"), app)
            assert of(runs, "g").output == ["event", "events", "function_id", "result", "run_id"]


class TestOnRun:
    async def test_a_run_starts_once_however_often_it_is_taken_up(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop", backoff=1, middleware=[recorder(log)])
        failed: list[int] = []

        def flaky() -> None:
            if len(failed) < 2:
                failed.append(1)
                raise ValueError

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("flaky", flaky)  # its attempts come in requests of their own, with nothing recorded
            yield ctx.step.sleep("nap", 1)
            if len(failed) < 3:
                failed.append(1)
                raise ValueError

        await run_one(path, app)
        assert log.count("on_run_start") == 1
        assert log.count("transform_function_input") == 5
        assert log.count("on_memoization_end") == 5

    async def test_the_last_attempt_is_final_also_when_they_are_counted_anew(self, path: pathlib.Path) -> None:
        finals: list[tuple[int, bool]] = []

        class Looks(ig.Middleware):
            def on_run_error(self, run: ig.RunInfo, error: BaseException, final: bool) -> None:
                finals.append((run.attempt, final))

        app = ig.App("shop", backoff=1, retries=1, middleware=[Looks])
        tried: list[int] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            tried.append(1)
            if len(tried) > 1:
                yield ctx.step.run("further", lambda: 1)  # the handler has come further: its attempts begin anew
            raise ValueError

        await run_one(path, app)
        assert finals == [(0, False), (0, False), (1, True)]

    async def test_an_error_in_them_is_logged_and_fails_nothing(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        class Breaks(ig.Middleware):
            def on_run_start(self, run: ig.RunInfo) -> None:
                raise ValueError

            async def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
                raise ValueError

        app = ig.App("shop", middleware=[Breaks])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> str:
            return "fine"

        with caplog.at_level(logging.ERROR):
            assert (await run_one(path, app)).output == "fine"
        assert [record.getMessage().partition(" failed")[0] for record in caplog.records] == [
            "middleware: Breaks.on_run_start", "middleware: Breaks.on_run_complete",
        ]  # fmt: skip

    async def test_a_blocked_run_is_told_to_nobody_but_its_wrapper_is_closed(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop", middleware=[recorder(log)])
        changed: list[int] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("b" if changed else "a", lambda: 1)
            changed.append(1)
            yield ctx.step.sleep("nap", 1)

        assert (await run_one(path, app)).status == "blocked"
        assert log[-1] == "wrap_function: let go"

    async def test_a_failure_handler_has_the_middleware_of_its_function(self, path: pathlib.Path) -> None:
        kinds: list[tuple[str, str]] = []

        class Looks(ig.Middleware):
            def on_run_start(self, run: ig.RunInfo) -> None:
                kinds.append((run.kind, run.function_id))

        async def sorry(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(ctx.error.name)

        app = ig.App("shop", retries=0)

        @app.function("f", trigger="go", on_failure=sorry, middleware=[Looks])
        async def f(ctx: ig.Context) -> None:
            raise ValueError

        await run(path, app)
        assert kinds == [("main", "f"), ("failure", "f-failure")]


class TestInstances:
    async def test_each_request_has_an_instance_of_its_own(self, path: pathlib.Path) -> None:
        counts: list[int] = []

        class Counts(ig.Middleware):
            def __init__(self) -> None:
                self.count = 0

            def on_step_start(self, step: ig.StepInfo) -> None:
                self.count += 1

            def on_step_complete(self, step: ig.StepInfo, output: Any) -> None:
                counts.append(self.count)

        app = ig.App("shop", middleware=[Counts])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", lambda: 1)
            yield ctx.step.run("b", lambda: 1)
            yield ctx.step.sleep("nap", 1)
            yield ctx.step.run("c", lambda: 1)

        await run_one(path, app)
        await run_one(path, app)
        assert counts == [1, 2, 1] * 2

    async def test_a_function_s_middleware_is_its_own(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop")

        @app.function("f", trigger="go", middleware=[recorder(log, "f")])
        async def f(ctx: ig.Context) -> None:
            pass

        @app.function("g", trigger="go")
        async def g(ctx: ig.Context) -> None:
            pass

        await run(path, app)
        assert log.count("on_run_start (f)") == 1


async def test_middleware_that_steers_is_a_part_of_the_code(path: pathlib.Path) -> None:
    """Declared for runs in flight, it changes their code: their steps are matched by id, and they go on."""

    class Prefixes(ig.Middleware):
        def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
            return dataclasses.replace(step, id=f"v2-{step.id}")

    class Looks(ig.Middleware):
        def on_step_start(self, step: ig.StepInfo) -> None:
            pass

    ran: list[str] = []

    def app(*middleware: Any) -> ig.App:
        made = ig.App("shop", middleware=middleware)

        @made.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", ran.append, "one")
            yield ctx.step.sleep("nap", 60)
            yield ig.Done("end")

        return made

    async def left_asleep(*middleware: Any) -> str:
        async with engine(path, app(*middleware), clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go"))
            one, *_ = await its_engine.runs()
            while len((await its_engine.get(one.id)).steps) < 2:
                await anyio.sleep(0.001)
        return one.id

    async def gone_on(id: str, *middleware: Any) -> ig.Run:
        async with engine(path, app(*middleware)) as its_engine:
            return await its_engine.wait(id)

    assert (await gone_on(await left_asleep(), Looks)).output == "end"  # one that only looks on changes nothing
    assert ran == ["one"]
    one = await gone_on(await left_asleep(Looks), Prefixes)
    assert one.output == "end"
    assert ran == ["one", "one", "one"]  # under its new id the step is new
    assert [note.text for note in one.notes] == ["the code has changed: 2 recorded step(s) were not asked for: nap, one"]
