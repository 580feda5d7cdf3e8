"""Steps with a body: every kind of function, arguments, timeouts, values and their types, live and after a replay."""

import contextvars
import dataclasses
import functools
import pathlib
import threading
import time
from collections.abc import AsyncGenerator, Awaitable
from datetime import date
from typing import Any, TypedDict

import anyio
import attrs
import msgspec
import pydantic
import pytest

import inngest_gen as ig
from tests.engine.rig import START, outcome, run, run_one, step


def double(number: int) -> int:
    return number * 2


async def triple(number: int) -> int:
    return number * 3


def one_step(fn: Any, *args: Any, returns: Any = None, timeout: Any = None, sleeps: bool = False, **kwargs: Any) -> ig.App:
    """An app whose handler runs `fn` as a step, maybe sleeps so that a replay follows, and tells the value's type and its repr."""
    app = ig.App("shop")

    @app.function("f", trigger="go", retries=0)
    async def f(ctx: ig.Context) -> ig.Flow:
        work = ctx.step.run("work", fn, *args, **kwargs)
        if returns is not None:
            work = work.returns(returns)
        if timeout is not None:
            work = work.timeout(timeout)
        value = yield work
        if sleeps:
            yield ctx.step.sleep("nap", "1h")
        yield ig.Done({"type": type(value).__name__, "repr": repr(value)})

    return app


async def value_of(path: pathlib.Path, fn: Any, *args: Any, **options: Any) -> tuple[str, str]:
    """The type and repr of what a handler gets of a step: the same live and replayed."""
    shown = []
    for number, sleeps in enumerate((False, True)):
        one = await run_one(path.with_name(f"{number}.db"), one_step(fn, *args, sleeps=sleeps, **options))
        assert one.status == "completed", one.error
        shown.append((one.output["type"], one.output["repr"]))
    assert shown[0] == shown[1]
    return shown[0]


class TestBodies:
    async def test_a_sync_function_runs_in_a_worker_thread(self, path: pathlib.Path) -> None:
        threads = []

        def work() -> str:
            threads.append(threading.current_thread())
            return "done"

        assert await value_of(path, work) == ("str", "'done'")
        assert len(threads) == 2
        assert threading.main_thread() not in threads

    async def test_an_async_function_runs_in_the_loop(self, path: pathlib.Path) -> None:
        async def work() -> bool:
            await anyio.sleep(0)
            return threading.current_thread() is threading.main_thread()

        assert await value_of(path, work) == ("bool", "True")

    async def test_arguments_go_to_the_function(self, path: pathlib.Path) -> None:
        def work(a: int, /, b: int, *rest: int, c: int, **more: int) -> list[Any]:
            return [a, b, rest, c, more]

        assert await value_of(path, work, 1, 2, 3, c=4, d=5) == ("list", "[1, 2, [3], 4, {'d': 5}]")

    @pytest.mark.parametrize("fn", [functools.partial(double, 4), functools.partial(triple, 4)])
    async def test_partials(self, path: pathlib.Path, fn: Any) -> None:
        assert await value_of(path, fn) == ("int", "8" if fn.func is double else "12")

    async def test_callable_objects_sync_and_async(self, path: pathlib.Path) -> None:
        class Sync:
            def __call__(self, number: int) -> int:
                assert threading.current_thread() is not threading.main_thread()
                return number

        class Async:
            async def __call__(self, number: int) -> int:
                return -number

        assert await value_of(path, Sync(), 1) == ("int", "1")
        assert await value_of(path, Async(), 1) == ("int", "-1")

    async def test_methods(self, path: pathlib.Path) -> None:
        class Shop:
            def sync(self) -> str:
                return "sync"

            async def is_async(self) -> str:
                return "async"

            @classmethod
            async def of_class(cls) -> str:
                return cls.__name__

            @staticmethod
            def static() -> str:
                return "static"

        shop = Shop()
        for fn, result in ((shop.sync, "sync"), (shop.is_async, "async"), (Shop.of_class, "Shop"), (Shop.static, "static")):
            assert await value_of(path, fn) == ("str", repr(result))

    async def test_a_lambda_that_gives_a_coroutine_is_awaited_in_the_loop(self, path: pathlib.Path) -> None:
        assert await value_of(path, lambda: triple(2)) == ("int", "6")

    async def test_a_builtin(self, path: pathlib.Path) -> None:
        assert await value_of(path, max, 3, 4) == ("int", "4")

    async def test_any_awaitable_is_awaited(self, path: pathlib.Path) -> None:
        class Ready:
            def __await__(self) -> Any:
                yield from ()
                return "ready"

        def work() -> Awaitable[str]:
            return Ready()

        assert await value_of(path, work) == ("str", "'ready'")

    async def test_an_async_generator_body_gives_its_done(self, path: pathlib.Path) -> None:
        async def work(number: int) -> AsyncGenerator[Any, Any]:
            yield ig.Done(number)
            raise AssertionError("nothing runs after Done")

        assert await value_of(path, work, 5) == ("int", "5")
        assert await value_of(path, lambda: work(6)) == ("int", "6")

    async def test_an_async_generator_body_without_done_gives_none(self, path: pathlib.Path) -> None:
        async def work() -> AsyncGenerator[Any, Any]:
            return
            yield

        assert await value_of(path, work) == ("NoneType", "None")

    async def test_an_async_generator_body_that_yields_a_step_fails_with_a_hint(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        async def work(ctx: ig.Context) -> AsyncGenerator[Any, Any]:
            yield ctx.step.sleep("nap", 1)

        @app.function("f", trigger="go", retries=3)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("work", work, ctx)

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "MisuseError"
        assert "yielded step.sleep 'nap'" in one.error.message
        assert len(step(one, "work").attempts) == 1  # no retry helps

    async def test_contextvars_of_the_handler_reach_its_bodies_and_theirs_stay_inside(self, path: pathlib.Path) -> None:
        variable = contextvars.ContextVar("variable", default="outside")
        app = ig.App("shop")

        def look() -> str:
            seen = variable.get()
            variable.set("changed in a body")
            return seen

        async def alook() -> str:
            return look()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            variable.set("handler")
            a = yield ctx.step.run("a", look)
            b = yield ctx.step.run("b", alook)
            yield ig.Done([a, b, variable.get()])

        assert (await run_one(path, app)).output == ["handler", "handler", "handler"]
        assert variable.get() == "outside"

    async def test_ctx_in_a_body_tells_the_steps_attempt_and_has_a_random_stream_of_its_own(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        seen = []

        def work(ctx: ig.Context) -> float:
            seen.append((ctx.attempt, ctx.random.random()))
            if ctx.attempt < 2:
                raise ValueError("again")
            return seen[-1][1]

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            first = ctx.random.random()
            a = yield ctx.step.run("a", work, ctx)
            yield ig.Done([first, a, ctx.random.random(), ctx.attempt])

        [first, a, second, attempt] = (await run_one(path, app)).output
        assert [number for number, _ in seen] == [0, 1, 2]
        assert len({value for _, value in seen}) == 1  # an attempt draws what the one before drew
        assert len({first, a, second}) == 3
        assert attempt == 0

    async def test_what_is_derived_from_the_run_id_is_the_same_in_every_replay(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        seen: list[tuple[Any, ...]] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            seen.append((ctx.started_at, ctx.uuid(), ctx.random.random(), ctx.uuid()))
            yield ctx.step.sleep("nap", "1h")
            seen.append((ctx.started_at, ctx.random.random()))
            yield ctx.step.sleep("nap2", "1h")

        one = await run_one(path, app)
        assert seen[0] == seen[1] == seen[3]
        assert len(seen) == 5
        assert seen[0][1] != seen[0][3]
        assert one.status == "completed"


class TestTimeouts:
    async def test_an_async_body_that_takes_too_long_fails_with_timeout_error(self, path: pathlib.Path) -> None:
        one = await run_one(path, one_step(anyio.sleep_forever, timeout=0.01))
        assert one.error is not None
        assert (one.error.name, one.error.message) == ("TimeoutError", "step.run 'work' did not finish within 0.01 s")

    async def test_a_timeout_error_of_the_body_s_own_stays_as_it_is(self, path: pathlib.Path) -> None:
        def body() -> None:
            raise TimeoutError

        assert outcome(await run_one(path, one_step(body, timeout="1h"))) == ("TimeoutError", "")

    async def test_a_sync_body_that_takes_too_long_fails_and_its_thread_is_left_behind(self, path: pathlib.Path) -> None:
        free = threading.Event()

        def work() -> None:
            free.wait(30)

        started = time.monotonic()
        try:
            one = await run_one(path, one_step(work, timeout="10ms"))
        finally:
            free.set()
        assert outcome(one) == ("TimeoutError", "step.run 'work' did not finish within 0.01 s")
        assert time.monotonic() - started < 10

    async def test_a_timed_out_attempt_is_retried(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls = []

        async def work() -> str:
            calls.append(1)
            if len(calls) == 1:
                await anyio.sleep_forever()
            return "second"

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("work", work).timeout("20ms")))

        one = await run_one(path, app)
        assert one.output == "second"
        assert [attempt.error.name for attempt in step(one, "work").attempts] == ["TimeoutError"]

    async def test_a_bodys_own_timeout_error_keeps_its_message(self, path: pathlib.Path) -> None:
        def work() -> None:
            raise TimeoutError("the bank did not answer")

        assert outcome(await run_one(path, one_step(work, timeout=60))) == ("TimeoutError", "the bank did not answer")


@dataclasses.dataclass
class Line:
    sku: str
    day: date


class Model(pydantic.BaseModel):
    lines: list[Line]
    price: float


class Struct(msgspec.Struct):
    sku: str
    count: int


@attrs.define
class Item:
    sku: str
    tags: list[str]


class Named(TypedDict):
    sku: str


LINE = Line("a", date(2026, 1, 2))


class TestValues:
    @pytest.mark.parametrize(
        ("returned", "seen"),
        [
            (None, None),
            (2.0, 2),
            (2.5, 2.5),
            ((1, 2), [1, 2]),
            ({"a": (1.0, None)}, {"a": [1, None]}),
            ("snow\u2603man", "snow\u2603man"),
            (2**53, 2**53),
        ],
    )
    async def test_a_result_passes_through_json_once(self, path: pathlib.Path, returned: Any, seen: Any) -> None:
        assert await value_of(path, lambda: returned) == (type(seen).__name__, repr(seen))

    async def test_declared_types_come_back_live_and_replayed(self, path: pathlib.Path) -> None:
        def line() -> Line:
            return LINE

        async def model() -> Model:
            return Model(lines=[LINE], price=2.0)

        def struct() -> Struct:
            return Struct("a", 2)

        def item() -> Item:
            return Item("a", ["x"])

        def named() -> Named:
            return {"sku": "a"}

        async def many() -> dict[str, list[Line]]:
            return {"k": [LINE]}

        assert await value_of(path, line) == ("Line", repr(LINE))
        assert await value_of(path, model) == ("Model", repr(Model(lines=[LINE], price=2.0)))
        assert await value_of(path, struct) == ("Struct", repr(Struct("a", 2)))
        assert await value_of(path, item) == ("Item", repr(Item("a", ["x"])))
        assert await value_of(path, named) == ("dict", "{'sku': 'a'}")
        assert await value_of(path, many) == ("dict", repr({"k": [LINE]}))

    async def test_returns_says_the_type_where_the_function_does_not(self, path: pathlib.Path) -> None:
        assert await value_of(path, lambda: {"sku": "a", "day": "2026-01-02"}, returns=Line) == ("Line", repr(LINE))

    async def test_result_is_typed_on_the_step(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        def line() -> Line:
            return LINE

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            load = ctx.step.run("line", line)
            yield load
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(load.result.day.isoformat())

        assert (await run_one(path, app)).output == "2026-01-02"

    @pytest.mark.parametrize(
        ("returned", "words"),
        [
            (float("nan"), "the result of step.run 'work' cannot become JSON: JSON has no nan"),
            ({"a": [1, float("inf")]}, "JSON has no inf at .a[1]"),
            (2**53 + 1, "an integer beyond 2**53"),
            ({"a": {1, 2}}, "at .a (type set)"),
            (object(), "(type object)"),
            ({1: 2}, "the keys of a JSON object are strings"),
        ],
    )
    async def test_what_is_no_json_fails_the_step_and_is_not_retried(self, path: pathlib.Path, returned: Any, words: str) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=3)
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("work", lambda: returned)
            except ig.StepError as error:
                yield ig.Done([error.name, error.message, error.step_id])

        one = await run_one(path, app)
        name, message, step_id = one.output
        assert (name, step_id) == ("NotJSON", "work")
        assert words in message
        assert len(step(one, "work").attempts) == 1

    async def test_a_result_that_does_not_fit_its_declared_type_fails_the_step(self, path: pathlib.Path) -> None:
        def work() -> Model:
            return {"lines": "none"}  # type: ignore[return-value]

        one = await run_one(path, one_step(work))
        assert one.error is not None
        assert "work" in one.error.message
        assert "lines" in one.error.message

    async def test_a_handlers_result_must_be_json_too(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done({"when": float("nan")})

        one = await run_one(path, app)
        assert outcome(one) == ("NotJSON", "the result of function 'f' cannot become JSON: JSON has no nan at .when (type float)")

    async def test_a_user_value_that_looks_like_an_error_is_a_value(self, path: pathlib.Path) -> None:
        seen = await value_of(path, lambda: {"error": {"name": "Alice", "message": "Hello"}})
        assert seen == ("dict", "{'error': {'name': 'Alice', 'message': 'Hello'}}")


class TestHandlers:
    async def test_a_plain_async_handler_returns_its_result(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> dict[str, Any]:
            await anyio.sleep(0)
            return {"got": ctx.data["n"]}

        assert (await run_one(path, app, "go", {"n": 3})).output == {"got": 3}

    async def test_a_generator_that_just_ends_has_result_none(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", double, 1)

        one = await run_one(path, app)
        assert (one.status, one.output) == ("completed", None)

    async def test_a_handler_may_await_by_itself(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            await anyio.sleep(0.001)
            a = yield ctx.step.run("a", double, 1)
            await anyio.sleep(0.001)
            yield ig.Done(a)

        assert (await run_one(path, app)).output == 2

    async def test_a_method_and_a_callable_object_can_be_handlers(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        class Shop:
            async def handler(self, ctx: ig.Context) -> ig.Flow:
                yield ctx.step.sleep("nap", 1)
                yield ig.Done("method")

        class Callable:
            async def __call__(self, ctx: ig.Context) -> ig.Flow:
                yield ctx.step.sleep("nap", 1)
                yield ig.Done("object")

        app.function("f", trigger="go")(Shop().handler)
        app.function("g", trigger="go")(Callable())
        assert [one.output for one in await run(path, app)] == ["method", "object"]

    async def test_repeated_ids_are_numbered_and_each_body_runs_once(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls = []

        def note(number: int) -> int:
            calls.append(number)
            return number

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            got = []
            for number in range(3):
                got.append((yield ctx.step.run("foo", note, number)))
                yield ctx.step.sleep("nap", 1)
            yield ig.Done(got)

        one = await run_one(path, app)
        assert one.output == [0, 1, 2]
        assert calls == [0, 1, 2]
        assert [(s.id, s.index) for s in one.steps] == [("foo", 0), ("nap", 0), ("foo", 1), ("nap", 1), ("foo", 2), ("nap", 2)]

    async def test_unusual_ids_and_shown_names(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("fn with space & \u2603", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            a = yield ctx.step.run("a \u2603 'quoted' \\ / \n", double, 2)
            b = yield ctx.step.run(ig.Id("b", name="Double it"), double, a)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(b)

        one = await run_one(path, app)
        assert one.output == 8
        assert [s.name for s in one.steps] == ["a \u2603 'quoted' \\ / \n", "Double it", "nap"]

    async def test_branches_sub_flows_and_groups_replay_to_the_same(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls: list[str] = []

        def note(text: str) -> str:
            calls.append(text)
            return text

        async def leg(ctx: ig.Context, name: str) -> ig.Flow:
            a = yield ctx.step.run("a", note, f"{name}-a")
            yield ctx.step.sleep("nap", "1h")
            b = yield ctx.step.run("b", note, f"{name}-b")
            yield ig.Done(a + b)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            x, y = yield ctx.group.parallel(leg(ctx, "x"), leg(ctx, "y"))
            named = yield ctx.group.parallel(p=ctx.step.run("p", note, "p"), q=ctx.group.parallel(leg(ctx, "q")))
            winner = yield ctx.group.race(slow=ctx.step.sleep("slow", "2h"), fast=leg(ctx, "fast"))
            alone = yield leg(ctx, "alone")
            yield ig.Done([x, y, named, winner.key, winner.value, alone])

        one = await run_one(path, app)
        assert one.output == ["x-ax-b", "y-ay-b", {"p": "p", "q": ["q-aq-b"]}, "fast", "fast-afast-b", "alone-aalone-b"]
        assert sorted(calls) == sorted(set(calls))
        assert len(calls) == 11
        assert {s.path for s in one.steps if s.id == "p"} == {"parallel[p]"}
        [loser] = [s for s in one.steps if s.id == "slow"]
        assert loser.status == "abandoned"

    async def test_times_of_a_run(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "1h")

        one = await run_one(path, app)
        assert one.started is not None
        assert one.ended is not None
        assert (one.created.timestamp(), one.started.timestamp(), one.ended.timestamp()) == (START, START, START + 3600)
        assert one.created.tzinfo is not None
        nap = step(one, "nap")
        assert (nap.started.timestamp(), nap.ended.timestamp()) == (START, START + 3600)
