"""Hooks of steps: what they may change, what they see, and for which steps they are called at all."""

import dataclasses
import logging
import pathlib
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import inngest_gen as ig
from tests.engine.rig import engine, outcome, run, run_one, step
from tests.middleware.recorder import recorder


@dataclasses.dataclass
class Point:
    x: int
    y: int


def echo(value: Any) -> Any:
    return value


class Doubles(ig.Middleware):
    """Doubles what a body gives before it is recorded, and takes one from it on its way to the handler."""

    async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
        value = await next()
        return value - 1 if step.memoized else value * 2


class TestWrapStep:
    async def test_the_record_holds_what_an_attempt_gives_and_the_handler_gets_what_the_record_gives(self, path: pathlib.Path) -> None:
        app = ig.App("shop", middleware=[Doubles])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            live = yield ctx.step.run("one", lambda: 21)
            yield ctx.step.run("two", lambda: 0)
            yield ig.Done(live)

        one = await run_one(path, app)
        assert step(one, "one").result == 42
        assert one.output == 41

    async def test_live_and_replayed_are_the_same(self, path: pathlib.Path) -> None:
        app = ig.App("shop", middleware=[Doubles])
        seen: list[int] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            seen.append((yield ctx.step.run("one", lambda: 21)))
            group = yield ctx.group.parallel(ctx.step.run("a", lambda: 1), ctx.step.run("b", lambda: 2))
            seen.extend(group)
            yield ctx.step.run("zero", lambda: 0.5)
            raise LookupError if len(seen) == 3 else ig.NonRetriableError

        await run_one(path, app, backoff=1)
        assert seen == [41, 1, 3, 41, 1, 3]

    async def test_values_are_plain_json_and_are_decoded_into_the_declared_type_afterwards(self, path: pathlib.Path) -> None:
        seen: list[tuple[bool, Any]] = []

        class Moves(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                value = await next()
                seen.append((step.memoized, value))
                return {**value, "y": value["y"] + 1}

        app = ig.App("shop", middleware=[Moves])

        def place() -> Point:
            return Point(1, 2)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            point = yield ctx.step.run("place", place)
            yield ig.Done([type(point).__name__, point.y])

        one = await run_one(path, app)
        assert seen == [(False, {"x": 1, "y": 2}), (True, {"x": 1, "y": 3})]
        assert one.output == ["Point", 4]

    async def test_what_cannot_become_json_fails_the_attempt_and_names_the_step(self, path: pathlib.Path) -> None:
        class Odd(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                await next()
                return {1, 2}

        app = ig.App("shop", middleware=[Odd])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 1)

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "NotJSON"
        assert "the result of step.run 'one'" in one.error.message

    async def test_is_called_for_the_recorded_results_of_all_kinds_of_steps(self, path: pathlib.Path) -> None:
        seen: dict[str, Any] = {}

        class Sees(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                assert step.memoized
                seen[step.kind] = await next()
                return seen[step.kind]

        app = ig.App("shop", middleware=[Sees])

        @app.function("other")
        async def other(ctx: ig.Context) -> str:
            return "other"

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("sleep", 1)
            event = yield ctx.step.wait_for_event("wait", "never", timeout=1)
            assert event is None
            yield ctx.step.invoke("invoke", other)
            yield ctx.step.send_signal("signal", "nobody")
            yield ctx.step.send_event("send", ig.Event("x", id="e"))
            yield ctx.step.wait_for_signal("wait-signal", "s", timeout=1)
            yield ctx.step.sleep_until("until", "2020-01-01T00:00:00Z")

        assert outcome((await run(path, app))[0]) is None
        assert seen == {
            "step.sleep": None, "step.wait_for_event": None, "step.invoke": "other", "step.send_signal": False, "step.send_event": ["e"],
            "step.wait_for_signal": None, "step.sleep_until": None,
        }  # fmt: skip

    async def test_an_awaited_event_passes_as_json(self, path: pathlib.Path) -> None:
        class Renames(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                value = await next()
                return {**value, "data": {"changed": value["data"]}} if step.kind == "step.wait_for_event" else value

        app = ig.App("shop", middleware=[Renames])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            event, _ = yield ctx.group.parallel(
                ctx.step.wait_for_event("wait", "news", timeout="1h"), ctx.step.send_event("send", ig.Event("news", {"n": 1}))
            )
            yield ig.Done([event.name, dict(event.data)])

        assert (await run_one(path, app)).output == ["news", {"changed": {"n": 1}}]

    async def test_an_error_of_a_body_may_be_swallowed_before_it_is_recorded(self, path: pathlib.Path) -> None:
        class Forgives(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                try:
                    return await next()
                except ZeroDivisionError:
                    return "forgiven"

        app = ig.App("shop", middleware=[Forgives])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("one", lambda: 1 / 0)))

        one = await run_one(path, app)
        assert one.output == "forgiven"
        assert not step(one, "one").attempts

    async def test_an_error_of_a_body_may_be_replaced_by_one_that_is_not_tried_again(self, path: pathlib.Path) -> None:
        tried: list[int] = []

        class GivesUp(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                try:
                    return await next()
                except ZeroDivisionError as error:
                    raise ig.NonRetriableError("hopeless") from error

        app = ig.App("shop", middleware=[GivesUp])

        def body() -> float:
            tried.append(1)
            return 1 / 0

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", body)

        assert outcome(await run_one(path, app)) == ("NonRetriableError", "hopeless")
        assert tried == [1]

    async def test_a_recorded_error_may_be_turned_into_a_value_each_time_it_comes(self, path: pathlib.Path) -> None:
        class Softens(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                try:
                    return await next()
                except ig.StepError as error:
                    return error.name

        app = ig.App("shop", retries=0, middleware=[Softens])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            value = yield ctx.step.run("one", lambda: 1 / 0)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(value)

        one = await run_one(path, app)
        assert one.output == "ZeroDivisionError"
        assert step(one, "one").error.name == "ZeroDivisionError"  # the record keeps it

    async def test_an_error_that_passes_through_is_still_the_recorded_one(self, path: pathlib.Path) -> None:
        handled: list[int] = []
        app = ig.App("shop", retries=0, middleware=[recorder([])])

        @app.function("f", trigger="go", retries=3)
        async def f(ctx: ig.Context) -> ig.Flow:
            handled.append(1)
            yield ctx.step.run("one", no_luck)

        def no_luck() -> None:
            raise ig.NonRetriableError("no")

        assert outcome(await run_one(path, app)) == ("NonRetriableError", "no")
        assert handled == [1]  # another attempt of the handler would only meet it again

    async def test_a_hook_of_its_own_error_fails_the_attempt_is_named_in_the_traceback_and_is_tried_again(self, path: pathlib.Path) -> None:
        calls: list[int] = []

        class Fails(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                value = await next()
                if not step.memoized and step.attempt == 0:
                    raise ConnectionError("the key server is away")
                return value

        app = ig.App("shop", middleware=[Fails])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("one", lambda: calls.append(1) or len(calls))))

        one = await run_one(path, app, backoff=1)
        assert one.output == 2
        [attempt] = step(one, "one").attempts
        assert (attempt.error.name, attempt.error.message) == ("ConnectionError", "the key server is away")
        assert "raised in Fails.wrap_step" in attempt.error.stack

    async def test_a_body_is_not_run_where_next_is_not_called(self, path: pathlib.Path) -> None:
        class Caches(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                return await next() if step.memoized else "cached"

        app = ig.App("shop", middleware=[Caches])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("one", lambda: 1 / 0)))

        assert (await run_one(path, app)).output == "cached"

    async def test_a_second_next_is_refused(self, path: pathlib.Path) -> None:
        class Twice(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                await next()
                return await next()

        app = ig.App("shop", middleware=[Twice])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 1)

        one = await run_one(path, app)
        assert one.error is not None
        assert (one.error.name, "Twice.wrap_step called next() twice" in one.error.message) == ("MisuseError", True)

    async def test_a_sync_one_that_gives_no_awaitable_is_refused(self, path: pathlib.Path) -> None:
        class Sync(ig.Middleware):
            def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                return 1

        app = ig.App("shop", middleware=[Sync])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 1)

        one = await run_one(path, app)
        assert one.error is not None
        assert "Sync.wrap_step is to be an `async def`" in one.error.message

    async def test_it_may_wait_while_results_are_replayed(self, path: pathlib.Path) -> None:
        class Waits(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                await anyio.sleep(0)
                value = await next()
                await anyio.lowlevel.checkpoint()
                return value

        app = ig.App("shop", middleware=[Waits])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            values = []
            for place in range(5):
                value = yield ctx.step.run("one", echo, place)
                values.append(value)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(values)

        assert (await run_one(path, app)).output == [0, 1, 2, 3, 4]

    async def test_a_timeout_of_the_step_is_that_of_its_body(self, path: pathlib.Path) -> None:
        class Slow(ig.Middleware):
            async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
                await anyio.sleep(0.05)
                return await next()

        app = ig.App("shop", retries=0, middleware=[Slow])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("one", lambda: 1).timeout(0.04)))

        assert (await run_one(path, app)).output == 1


class TestTransformStepInput:
    async def test_arguments_may_be_changed_each_by_the_next(self, path: pathlib.Path) -> None:
        class Times(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return dataclasses.replace(step, args=(step.args[0] * 10, *step.args[1:]))

        class Plus(ig.Middleware):
            async def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return dataclasses.replace(step, args=(step.args[0] + 5,), kwargs={"more": step.kwargs["more"] + "!"})

        app = ig.App("shop", middleware=[Times, Plus])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            load = ctx.step.run("one", lambda value, more: [value, more], 1, more="hey")
            yield load
            yield ig.Done(load.result)

        assert (await run_one(path, app)).output == [15, "hey!"]

    async def test_another_id_is_another_step(self, path: pathlib.Path) -> None:
        class Prefixes(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return dataclasses.replace(step, id=f"v2-{step.id}")

        app = ig.App("shop", middleware=[Prefixes])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            one = yield ctx.step.run("one", lambda: 1)
            two = yield ctx.group.parallel(ctx.step.run("one", lambda: 2), ctx.step.run("three", lambda: 3))
            yield ctx.step.sleep("nap", 1)
            yield ig.Done([one, *two])

        run_ = await run_one(path, app)
        assert run_.output == [1, 2, 3]
        assert [(step.id, step.index) for step in run_.steps] == [("v2-one", 0), ("v2-one", 1), ("v2-three", 0), ("v2-nap", 0)]

    async def test_an_id_that_is_taken_is_numbered(self, path: pathlib.Path) -> None:
        class Same(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return dataclasses.replace(step, id="same")

        app = ig.App("shop", middleware=[Same])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            values = []
            for id in "abc":
                value = yield ctx.step.run(id, echo, id)
                values.append(value)
            yield ctx.step.sleep("d", 1)
            yield ig.Done(values)

        one = await run_one(path, app)
        assert one.output == ["a", "b", "c"]
        assert [step.index for step in one.steps] == [0, 1, 2, 3]

    async def test_it_is_told_the_hash_and_whether_there_is_a_result_also_under_the_new_id(self, path: pathlib.Path) -> None:
        seen: list[tuple[str, str, bool]] = []

        class Renames(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                seen.append((step.id, step.hash[:4], step.memoized))
                return dataclasses.replace(step, id="new") if step.id == "step-1" else step

        class Looks(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                seen.append((step.id, step.hash[:4], step.memoized))
                return step

        app = ig.App("shop", middleware=[Renames, Looks])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("step-1", lambda: 1)
            yield ctx.step.sleep("nap", 1)

        await run_one(path, app)
        assert [one for one in seen if one[0] != "nap"] == [
            ("step-1", "cd59", False), ("new", "c2a6", False), ("step-1", "cd59", False), ("new", "c2a6", True),
        ]  # fmt: skip

    async def test_an_id_that_changes_between_replays_blocks_the_run(self, path: pathlib.Path) -> None:
        renamed: list[bool] = []

        class Renames(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return dataclasses.replace(step, id="new") if renamed and step.id == "step-1" else step

        app = ig.App("shop", middleware=[Renames])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("step-1", lambda: 1)
            renamed.append(True)
            yield ctx.step.sleep("nap", 1)

        assert (await run_one(path, app)).status == "blocked"

    async def test_data_of_an_invoke_and_of_a_signal_may_be_changed_the_outermost_last(self, path: pathlib.Path) -> None:
        class First(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return step if step.data is None else dataclasses.replace(step, data={"first": step.data})

        class Second(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return step if step.data is None else dataclasses.replace(step, data={"second": step.data})

        app = ig.App("shop")

        @app.function("other")
        async def other(ctx: ig.Context) -> Any:
            return ctx.data

        @app.function("f", trigger="go", middleware=[First, Second])
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.invoke("invoke", other, {"n": 1})))

        [one, _] = await run(path, app)
        assert one.output == {"first": {"second": {"n": 1}}}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"id": ""}, "an id must not be empty"),
            ({"kind": "step.run"}, "Bad.transform_step_input cannot make a step.run of a step.sleep"),
            ({"args": (1,)}, "Bad.transform_step_input changed the args of step.sleep 'nap', which has none"),
            ({"data": {}}, "Bad.transform_step_input changed the data of step.sleep 'nap', which has none"),
        ],
    )
    async def test_a_change_that_makes_no_sense_is_raised_at_the_yield(
        self, path: pathlib.Path, change: dict[str, Any], message: str
    ) -> None:
        class Bad(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return dataclasses.replace(step, **change)

        app = ig.App("shop", middleware=[Bad])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        one = await run_one(path, app)
        assert one.error is not None
        assert message in one.error.message

    async def test_an_error_is_raised_at_the_yield_with_the_hooks_name(self, path: pathlib.Path) -> None:
        class Bad(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                raise LookupError("nothing")

        app = ig.App("shop", middleware=[Bad])
        told: list[BaseException] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.sleep("nap", 1)
            except ig.MiddlewareError as error:
                told.append(error)
            yield ctx.group.parallel(ctx.step.sleep("a", 1), ctx.step.sleep("b", 1), return_exceptions=True)
            yield ig.Done("done")

        assert (await run_one(path, app)).output == "done"
        [error] = told
        assert str(error) == "Bad.transform_step_input failed: LookupError: nothing"
        assert isinstance(error.__cause__, LookupError)

    async def test_giving_nothing_is_a_mistake_that_is_named(self, path: pathlib.Path) -> None:
        class Forgets(ig.Middleware):
            def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
                return None  # type: ignore[return-value]

        app = ig.App("shop", middleware=[Forgets])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        one = await run_one(path, app)
        assert one.error is not None
        assert "Forgets.transform_step_input gives a StepInfo, changed or as it was given, not NoneType" in one.error.message


class TestOnStep:
    async def test_only_attempts_of_bodies_are_told(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop", middleware=[recorder(log)])

        @app.function("other")
        async def other(ctx: ig.Context) -> None:
            pass

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("body", lambda: 1)
            yield ctx.step.sleep("sleep", 1)
            yield ctx.step.wait_for_event("wait", "never", timeout=1)
            yield ctx.step.invoke("invoke", other)
            yield ctx.step.send_event("send", ig.Event("x"))
            yield ctx.step.run("again", lambda: 2)

        await run(path, app)
        assert [line for line in log if line.startswith("on_step")] == [
            "on_step_start body", "on_step_complete body 1", "on_step_start again", "on_step_complete again 2",
        ]  # fmt: skip

    async def test_an_error_in_them_is_logged_and_fails_nothing(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        class Breaks(ig.Middleware):
            def on_step_start(self, step: ig.StepInfo) -> None:
                raise ValueError("broken start")

            async def on_step_complete(self, step: ig.StepInfo, output: Any) -> None:
                raise ValueError("broken complete")

            def on_step_error(self, step: ig.StepInfo, error: BaseException, final: bool) -> None:
                raise ValueError("broken error")

            def on_memoization_end(self, run: ig.RunInfo) -> None:
                raise ValueError("broken end")

        app = ig.App("shop", retries=0, middleware=[Breaks])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 1)
            try:
                yield ctx.step.run("two", lambda: 1 / 0)
            except ig.StepError:
                yield ig.Done("fine")

        with caplog.at_level(logging.ERROR):
            one = await run_one(path, app)
        assert one.output == "fine"
        told = [record.getMessage() for record in caplog.records]
        assert told == [
            f"middleware: Breaks.{hook} failed in run {one.id}"
            for hook in ["on_memoization_end", "on_step_start", "on_step_complete", "on_step_start", "on_step_error"]
        ]
        assert all(record.exc_info for record in caplog.records)

    async def test_they_are_told_what_is_recorded(self, path: pathlib.Path) -> None:
        told: list[Any] = []

        class Inner(ig.Middleware):
            def on_step_complete(self, step: ig.StepInfo, output: Any) -> None:
                told.append(output)

        app = ig.App("shop", middleware=[Doubles, Inner])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 21)

        await run_one(path, app)
        assert told == [42]

    async def test_a_result_that_is_too_large_is_an_error(self, path: pathlib.Path) -> None:
        log: list[str] = []
        app = ig.App("shop", middleware=[recorder(log)])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: "x" * (5 * 1024 * 1024))

        await run_one(path, app)
        assert "on_step_error one TooLarge final" in log

    async def test_bodies_that_run_at_once_share_the_instance_of_their_request(self, path: pathlib.Path) -> None:
        instances: set[int] = set()

        class Counts(ig.Middleware):
            def on_step_start(self, step: ig.StepInfo) -> None:
                instances.add(id(self))

        app = ig.App("shop", middleware=[Counts])

        async def body() -> None:
            await anyio.lowlevel.checkpoint()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(*(ctx.step.run(f"s{n}", body) for n in range(5)))

        await run_one(path, app)
        assert len(instances) == 1


async def test_hooks_are_called_for_steps_in_sub_flows_branches_and_races(path: pathlib.Path) -> None:
    log: list[str] = []
    app = ig.App("shop", middleware=[recorder(log)])

    async def sub(ctx: ig.Context, name: str) -> ig.Flow:
        value = yield ctx.step.run(name, lambda: name)
        yield ig.Done(value)

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        one = yield sub(ctx, "a")
        two = yield ctx.group.parallel(sub(ctx, "b"), ctx.group.parallel(x=sub(ctx, "c")))
        three = yield ctx.group.race(fast=sub(ctx, "d"), slow=ctx.step.sleep("slow", "1h"))
        yield ctx.step.sleep("nap", 1)
        yield ig.Done([one, two, three])

    async with engine(path, app) as its_engine:
        [one] = await its_engine.run(ig.Event("go"), timeout=30)
    assert one.output == ["a", ["b", {"x": "c"}], ["fast", "d"]]
    for name in "abcd":
        assert [line.partition(":")[0] for line in log if f" {name} " in line or line.endswith(f" {name}")] == [
            f"transform_step_input {name} fresh",
            f"on_step_start {name}",
            f"wrap_step {name} fresh",
            f"wrap_step {name} fresh",
            f"on_step_complete {name} '{name}'",
            f"wrap_step {name} memoized",
            f"wrap_step {name} memoized",
            f"transform_step_input {name} memoized",
            f"wrap_step {name} memoized",
            f"wrap_step {name} memoized",
        ]
