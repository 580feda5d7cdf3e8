"""Hooks of defers: their data where it leaves and where it arrives, from wherever they are made."""

import dataclasses
import logging
import pathlib
from typing import Any

import anyio.lowlevel
import pydantic
import pytest

import inngest_gen as ig
from tests.engine.rig import all_of, of, outcome, run, run_one, step
from tests.middleware.recorder import recorder


class Seals(ig.Middleware):
    """Puts a defer's data into an envelope, and takes it out again. Waits while it does, as one that asks a key server would."""

    async def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
        await anyio.lowlevel.checkpoint()
        return dataclasses.replace(defer, data={"sealed": defer.data})

    async def restore_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
        await anyio.lowlevel.checkpoint()
        return dataclasses.replace(defer, data=defer.data["sealed"])


def shop(*middleware: Any, schema: Any = None, **options: Any) -> tuple[ig.App, Any]:
    app = ig.App("shop", middleware=middleware, **options)

    @app.deferred("note", schema=schema)
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)
        yield ig.Done(ctx.data if isinstance(ctx.data, dict) else ctx.data.model_dump())

    return app, note


class Mail(pydantic.BaseModel):
    n: int


async def checks(data: Any) -> Any:
    await anyio.lowlevel.checkpoint()
    if data["n"] < 0:
        raise ValueError("negative")
    return data


@pytest.mark.parametrize("schema", [None, Mail, checks])
@pytest.mark.parametrize(
    "place", ["handler", "sub-flow", "branch", "plain handler", "sync body", "async body", "generator body", "failing body"]
)
async def test_data_is_changed_on_the_way_and_changed_back(path: pathlib.Path, schema: Any, place: str) -> None:
    app, note = shop(Seals, schema=schema, retries=0)
    data: Any = Mail(n=1) if schema is Mail else {"n": 1}

    async def sub(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("d", note, data)

    def sync_body(ctx: ig.Context) -> None:
        ctx.defer("d", note, data).submit()

    async def async_body() -> None:
        ig.defer("d", note, data).submit()

    async def generator_body(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("d", note, data)

    def failing_body(ctx: ig.Context) -> None:
        ctx.defer("d", note, data).submit()
        raise ValueError("no")

    if place == "plain handler":

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> None:
            ctx.defer("d", note, data).submit()
    else:

        @app.function("f", trigger="go")
        async def g(ctx: ig.Context) -> ig.Flow:
            match place:
                case "handler":
                    yield ctx.defer("d", note, data)
                case "sub-flow":
                    yield sub(ctx)
                case "branch":
                    yield ctx.group.parallel(sub(ctx), ctx.step.sleep("s", 1))
                case "sync body":
                    yield ctx.step.run("one", sync_body, ctx)
                case "async body":
                    yield ctx.step.run("one", async_body)
                case "generator body":
                    yield ctx.step.run("one", generator_body, ctx)
                case "failing body":
                    yield ctx.step.run("one", failing_body, ctx)
            yield ctx.step.sleep("nap", 1)

    runs = await run(path, app)
    assert of(runs, "note").output == {"n": 1}
    [defer] = of(runs, "f").defers
    assert defer.data == {"sealed": {"n": 1}}  # what is recorded, and would be on the wire


async def test_no_hook_of_steps_is_called_for_a_defer_wherever_it_is_made(path: pathlib.Path) -> None:
    """A run whose only action is a defer: on_run_start once, every hook of steps never (A77, H14)."""
    for kind in ("generator", "plain"):
        log: list[str] = []
        app, note = shop()
        if kind == "plain":

            @app.function("f", trigger="go", middleware=[recorder(log)])
            async def f(ctx: ig.Context) -> None:
                handle = ctx.defer("d", note, {}).submit()
                ctx.defer("e", note, {}).submit()
                handle.abort().submit()
        else:

            @app.function("f", trigger="go", middleware=[recorder(log)])
            async def g(ctx: ig.Context) -> ig.Flow:
                handle = yield ctx.defer("d", note, {})
                yield ctx.defer("e", note, {})
                yield handle.abort()

        log.clear()
        runs = await run(path.with_name(f"{kind}.db"), app)
        assert len(all_of(runs, "note")) == 1
        assert [line for line in log if "step" in line] == []
        assert log.count("on_run_start") == 1


async def test_a_defer_that_is_known_already_is_not_asked_about_again(path: pathlib.Path) -> None:
    log: list[str] = []
    app, note = shop(recorder(log))

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("d", note, {})
        yield ctx.step.sleep("nap", 1)
        yield ctx.step.sleep("again", 1)

    await run(path, app)
    assert log.count("transform_defer_input d") == 1


async def test_one_that_is_taken_back_before_it_left_is_never_asked_about(path: pathlib.Path) -> None:
    log: list[str] = []
    app, note = shop(recorder(log))

    def body(ctx: ig.Context) -> None:
        handle = ctx.defer("d", note, {}).submit()
        handle.abort().submit()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("one", body, ctx)

    assert not (await run_one(path, app)).defers
    assert "transform_defer_input d" not in log


async def test_defers_keep_their_order(path: pathlib.Path) -> None:
    app, note = shop(Seals, schema=checks)

    @app.deferred("plain")
    async def plain(ctx: ig.DeferContext) -> None:
        pass

    def body(ctx: ig.Context) -> None:
        for n in range(6):
            ctx.defer(f"d{n}", note if n % 2 else plain, {"n": n}).submit()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("one", body, ctx)

    assert [defer.id for defer in of(await run(path, app), "f").defers] == [f"d{n}" for n in range(6)]


class TestErrors:
    @pytest.mark.parametrize("place", ["handler", "plain handler", "body"])
    async def test_a_failing_hook_fails_the_attempt_and_the_next_one_defers(
        self, path: pathlib.Path, place: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked: list[int] = []

        class Flaky(Seals):
            async def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                asked.append(1)
                if len(asked) == 1:
                    raise ConnectionError("the key server is away")
                return await super().transform_defer_input(defer)

        app, note = shop(Flaky, backoff=1)

        def body(ctx: ig.Context) -> None:
            ctx.defer("d", note, {"n": 1}).submit()

        if place == "plain handler":

            @app.function("f", trigger="go")
            async def f(ctx: ig.Context) -> None:
                ctx.defer("d", note, {"n": 1}).submit()
        else:

            @app.function("f", trigger="go")
            async def g(ctx: ig.Context) -> ig.Flow:
                if place == "handler":
                    yield ctx.defer("d", note, {"n": 1})
                else:
                    yield ctx.step.run("one", body, ctx)

        runs = await run(path, app)
        one = of(runs, "f")
        assert one.status == "completed"
        assert of(runs, "note").output == {"n": 1}
        assert [(defer.id, defer.status) for defer in one.defers] == [("d", "scheduled")]
        if place == "body":
            [attempt] = step(one, "one").attempts
            assert (attempt.error.name, attempt.error.message) == (
                "MiddlewareError", "Flaky.transform_defer_input failed: ConnectionError: the key server is away",
            )  # fmt: skip

    async def test_where_the_body_failed_anyway_a_failing_hook_is_logged_and_the_defer_does_not_leave_as_it_is(
        self, path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Fails(ig.Middleware):
            def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                raise ConnectionError("away")

        app, note = shop(Fails, retries=0)

        def body(ctx: ig.Context) -> None:
            ctx.defer("d", note, {"secret": 1}).submit()
            raise ValueError("no")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", body, ctx)

        with caplog.at_level(logging.WARNING):
            one = await run_one(path, app)
        assert outcome(one) == ("ValueError", "no")
        assert not one.defers
        assert any("Fails.transform_defer_input failed: ConnectionError: away" in record.getMessage() for record in caplog.records)

    async def test_where_the_body_failed_for_good_another_attempt_is_made_so_that_the_defer_leaves(self, path: pathlib.Path) -> None:
        asked: list[str] = []

        class Flaky(Seals):
            async def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                asked.append(defer.id or "")
                if len(asked) == 1:
                    raise ConnectionError("away")
                return await super().transform_defer_input(defer)

        app, note = shop(Flaky, backoff=1)

        def body(ctx: ig.Context) -> None:
            ctx.defer("d", note, {"n": 1}).submit()
            raise ig.NonRetriableError("no")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", body, ctx)

        runs = await run(path, app)
        one = of(runs, "f")
        assert outcome(one) == ("NonRetriableError", "no")
        assert len(step(one, "one").attempts) == len(asked) == 2
        assert of(runs, "note").output == {"n": 1}

    async def test_the_others_of_the_attempt_leave_all_the_same_and_once(self, path: pathlib.Path) -> None:
        asked: list[str] = []

        class Flaky(Seals):
            async def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                asked.append(defer.id or "")
                if asked == ["a"]:
                    raise ConnectionError("away")
                return await super().transform_defer_input(defer)

        app, note = shop(Flaky, backoff=1)

        def body(ctx: ig.Context) -> None:
            ctx.defer("a", note, {"n": 1}).submit()
            ctx.defer("b", note, {"n": 2}).submit()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", body, ctx)

        runs = await run(path, app)
        assert asked == ["a", "b", "a"]
        assert sorted(one.output["n"] for one in all_of(runs, "note")) == [1, 2]

    async def test_at_a_yield_it_can_be_caught(self, path: pathlib.Path) -> None:
        class Fails(ig.Middleware):
            def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                raise ConnectionError("away")

        app, note = shop(Fails)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.defer("d", note, {})
            except ig.MiddlewareError as error:
                yield ig.Done(str(error))

        assert (await run_one(path, app)).output == "Fails.transform_defer_input failed: ConnectionError: away"

    async def test_data_that_is_no_object_any_more_fails_the_attempt(self, path: pathlib.Path) -> None:
        class Flattens(ig.Middleware):
            def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                return dataclasses.replace(defer, data="sealed")

        app, note = shop(Flattens)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})

        one = await run_one(path, app)
        assert one.error is not None
        assert "a transform_defer_input hook gave defer 'd' data that is no JSON object" in one.error.message

    async def test_misuse_is_found_before_the_hook_is_asked(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        log: list[str] = []
        app, note = shop(recorder(log), schema=Mail)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"n": "x"})  # type: ignore[misc]

        with caplog.at_level(logging.WARNING):
            one = await run_one(path, app)
        assert [(defer.id, defer.status) for defer in one.defers] == [("d", "rejected")]
        assert "transform_defer_input d" not in log

    async def test_a_restore_that_fails_fails_the_attempt_of_the_deferred_function(self, path: pathlib.Path) -> None:
        class Fails(ig.Middleware):
            def restore_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                raise LookupError("no such key")

        app, note = shop(Fails, retries=0)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})

        assert outcome(of(await run(path, app), "note")) == (
            "MiddlewareError",
            "Fails.restore_defer_input failed: LookupError: no such key",
        )

    async def test_limits_count_what_leaves(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        class Swells(ig.Middleware):
            def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                return dataclasses.replace(defer, data={"x": "x" * (5 * 1024 * 1024)})

        app, note = shop(Swells)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})

        with caplog.at_level(logging.WARNING):
            [one] = await run(path, app)
        assert "the limit is 4,194,304" in (one.defers[0].reason or "")

    async def test_meta_may_be_changed_and_is_checked(self, path: pathlib.Path) -> None:
        class Tags(ig.Middleware):
            def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
                return dataclasses.replace(defer, meta={"tag": defer.id, **(defer.meta or {})})

        app, note = shop(Tags)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {}, meta={"sessions": {"a": "b"}})

        assert of(await run(path, app), "f").defers[0].meta == {"tag": "d", "sessions": {"a": "b"}}


class Told(ig.Middleware):
    """Writes down what it is told of defers."""

    def __init__(self, told: list[ig.DeferInfo]) -> None:
        self._told = told

    async def on_defer(self, defer: ig.DeferInfo) -> None:
        await anyio.lowlevel.checkpoint()
        self._told.append(defer)


@pytest.mark.parametrize("members", [[], [Seals]], ids=["alone", "with one that changes data"])
async def test_what_becomes_of_a_defer_is_told_once(path: pathlib.Path, members: list[Any]) -> None:
    told: list[ig.DeferInfo] = []
    app, note = shop(lambda: Told(told), *members, retries=1)
    tried: list[int] = []

    def body() -> None:
        ig.defer("of a body", note, {"n": 1}).submit()
        ig.defer("late", note, [1]).submit()  # type: ignore[arg-type]
        tried.append(1)
        if len(tried) == 1:
            raise ConnectionError("away")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        kept: ig.DeferHandle = yield ctx.defer("kept", note, {"n": 1})
        unsent: ig.DeferHandle = yield ctx.defer("unsent", note, {"n": 1})
        yield unsent.abort()
        yield ctx.defer("wrong", print, {"n": 1})  # type: ignore[arg-type]
        yield ctx.step.run("one", body)
        yield ctx.step.sleep("nap", 1)
        yield kept.abort()
        yield ctx.defer("last", note, {"n": 1})

    runs = await run(path, app)
    one = of(runs, "f")
    assert len(tried) == 2
    assert [(info.id, info.status, info.function) for info in told] == [
        ("kept", "made", "shop-note"),
        ("wrong", "rejected", None),
        ("of a body", "made", "shop-note"),
        ("late", "rejected", "shop-note"),
        ("kept", "aborted", "shop-note"),
        ("last", "made", "shop-note"),
    ]
    assert {info.run_id for info in told} == {one.id}
    by = {info.id: info.step for info in told}
    assert by == {"kept": None, "wrong": None, "of a body": step(one, "one").hash, "late": step(one, "one").hash, "last": None}
    assert [info.reason is not None for info in told] == [False, True, False, True, False, False]
