"""Mistakes in handlers get errors that name the mistake and the line."""

# mypy: disable-error-code="unused-awaitable"

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.driver.execution import Execution
from tests.driver.shell import Shell, by_name, run


async def echo(value: object = None) -> object:
    return value


async def flow(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("in flow", echo)


def iter_nothing() -> Iterator[int]:
    yield from ()


def line(handler: Callable[..., Any], offset: int) -> str:
    """The place of a line of a handler, counted from its `def`."""
    return f"{__file__}:{handler.__code__.co_firstlineno + offset}"


async def mistake(handler: Callable[..., Any], offset: int, *told: str) -> None:
    """The run of `handler` fails for good with a MisuseError that says all of `told` and names the line."""
    end = await run(handler)
    assert end.final, end
    assert end.error is not None
    assert end.error.startswith("MisuseError: "), end.error
    for each in told:
        assert each in end.error
    assert end.error.endswith(f"({line(handler, offset)})"), end.error


class TestYieldingNoIntent:
    @pytest.mark.parametrize(
        ("thing", "told"),
        [
            (None, "a bare `yield` means nothing here"),
            (1, "ig.Done(value)"),
            ("x", "'x' (str)"),
            ([], "ctx.group.parallel"),
            (echo, "ctx.step.run(id, function"),
            (flow, "call the sub-flow: yield flow(ctx, ...)"),
            (iter_nothing(), "a sub-flow is an async generator"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_the_thing_is_named_with_a_guess(self, thing: object, told: str) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", echo)
            yield thing  # type: ignore[misc]

        await mistake(handler, 2, "which is no intent", told)

    async def test_a_coroutine_is_named_and_not_left_unawaited(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield echo(1)  # type: ignore[misc]

        await mistake(handler, 1, "it is the coroutine echo")

    async def test_a_handle_is_told_apart(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("d", flow, {})  # type: ignore[arg-type]
            yield handle

        await mistake(handler, 2, "yield the defer itself, or handle.abort()")

    async def test_it_can_be_caught_at_the_yield(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield 1  # type: ignore[misc]
            except TypeError as error:
                yield ig.Done([type(error).__name__, (yield ctx.step.run("a", echo, 2))])

        assert (await run(handler)).value == ["MisuseError", 2]


class TestSteps:
    async def test_awaiting_a_step(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            await ctx.step.run("a", echo)
            yield ig.Done()

        await mistake(handler, 1, "step.run 'a' was awaited: intents are yielded, write `result = yield ...`")

    async def test_testing_an_intent(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            if ctx.step.run("a", echo):
                yield ig.Done()

        await mistake(handler, 1, "step.run 'a' was used as a condition")

    async def test_a_step_that_is_never_yielded(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", echo)
            ctx.step.run("b", echo)
            yield ctx.step.run("c", echo)

        await mistake(handler, 2, "step.run 'b' was made and never yielded")

    async def test_a_sleep_that_is_never_yielded_in_a_sub_flow(self) -> None:
        async def sub(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", echo)
            ctx.step.sleep("s", 1)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(sub(ctx), sub(ctx))

        end = await run(handler)
        assert end.error is not None
        assert end.error.endswith(f"({line(sub, 2)})")

    async def test_steps_made_ahead_and_yielded_in_any_order_are_fine(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            a, b, c = (ctx.step.run(name, echo, name) for name in "abc")
            yield c
            yield ctx.group.parallel(a, ctx.group.race(b))
            yield ig.Done([a.result, b.result, c.result])

        assert (await run(handler)).value == ["a", "b", "c"]

    async def test_a_step_as_a_steps_argument(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            a = ctx.step.run("a", echo)
            yield ctx.step.run("b", echo, a)

        await mistake(handler, 2, "step.run 'b' got step.run 'a' as an argument: yield it first")

    async def test_a_sub_flow_as_a_steps_argument(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("b", echo, value=flow(ctx))

        await mistake(handler, 1, "step.run 'b' got the sub-flow flow as an argument")

    async def test_a_step_yielded_twice(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            a = ctx.step.run("a", echo)
            yield a
            yield a

        await mistake(handler, 3, "step.run 'a' was yielded twice")

    async def test_a_step_yielded_again_in_a_group(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            a = ctx.step.run("a", echo)
            yield a
            yield ctx.group.race(a, ctx.step.run("b", echo))

        await mistake(handler, 3, "step.run 'a' was yielded twice")

    async def test_steps_that_a_loser_made_ahead_are_no_mistake(self) -> None:
        def made(ctx: ig.Context) -> list[ig.Step[object]]:
            return [ctx.step.run(name, echo) for name in "abc"]

        async def loser(ctx: ig.Context) -> ig.Flow:
            for step in made(ctx):
                yield step

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.group.race(loser(ctx), ctx.step.run("w", echo))).key)

        assert (await run(handler, order=by_name("w"))).value == 1

    async def test_a_sub_flow_yielded_twice(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            sub = flow(ctx)
            yield sub
            yield sub

        await mistake(handler, 3, "the sub-flow 'flow' was yielded before")

    async def test_a_sub_flow_in_two_branches(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            sub = flow(ctx)
            yield ctx.group.race(sub, ctx.group.parallel(sub))

        end = await run(handler)
        assert end.error is not None
        assert "the sub-flow 'flow' was yielded before" in end.error
        assert end.final

    async def test_an_empty_id(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("", echo)

        await mistake(handler, 1, "an id must not be empty")

    @pytest.mark.parametrize("group", [False, True])
    async def test_an_id_that_utf8_cannot_write(self, group: bool) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            step = ctx.step.run("\ud800", echo)
            yield ctx.group.race(step) if group else step

        await mistake(handler, 2, "lone surrogate")

    async def test_a_result_read_too_early(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            a = ctx.step.run("a", echo)
            yield ig.Done(a.result)

        await mistake(handler, 1, "step.run 'a' has no result yet: yield it first")


class TestDone:
    async def test_going_on_after_done(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done(1)
            except BaseException:
                pass
            yield ctx.step.run("a", echo)

        await mistake(handler, 5, "went on to yield after ig.Done", "re-raise it")

    async def test_going_on_within_the_except_block_is_a_clean_up(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done(1)
            except BaseException:
                yield ctx.step.run("a", echo)
                raise

        assert (await run(handler)).value == 1

    async def test_a_context_manager_that_swallows_everything(self) -> None:
        class Swallow:
            def __enter__(self) -> None: ...
            def __exit__(self, *error: object) -> bool:
                return True

        async def sub(ctx: ig.Context) -> ig.Flow:
            with Swallow():
                yield ig.Done(1)
            yield ctx.step.run("a", echo)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield sub(ctx)

        end = await run(handler)
        assert end.error is not None
        assert end.error.endswith(f"({line(sub, 3)})")
        assert "sub went on to yield after ig.Done" in end.error

    async def test_swallowing_without_going_on_is_no_matter(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done(1)
            except BaseException:
                pass

        assert (await run(handler)).value == 1

    async def test_going_on_after_a_lost_race(self) -> None:
        async def stubborn(ctx: ig.Context) -> ig.Flow:
            while True:
                try:
                    yield ctx.step.run("a", echo)
                except BaseException:
                    pass

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(stubborn(ctx), ctx.step.run("w", echo))

        end = await run(handler, order=by_name("w"))
        assert end.final
        assert end.error is not None
        assert "stubborn went on to yield" in end.error
        assert re.search(r"losing a race", end.error)

    async def test_a_handler_that_goes_on_is_dropped_without_running_more_of_it(self) -> None:
        ran: list[str] = []

        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                try:
                    yield ig.Done(1)
                except BaseException:
                    pass
                yield ctx.step.run("a", echo)
            finally:
                ran.append("finally")

        assert (await Shell(handler).run()).final
        assert not ran


class TestHandlers:
    async def test_a_handler_that_is_no_generator_but_makes_steps(self) -> None:
        async def handler(ctx: ig.Context) -> int:
            ctx.step.run("a", echo)
            return 1

        await mistake(handler, 1, "step.run 'a' was made in a handler that is no async generator")

    def test_a_handler_that_is_no_coroutine_either(self) -> None:
        def handler(ctx: ig.Context) -> int:
            return 1

        with pytest.raises(ig.MisuseError, match="this one gave int"):
            Shell(handler).begin()

    def test_a_sync_generator(self) -> None:
        def handler(ctx: ig.Context) -> Any:
            yield 1

        with pytest.raises(
            ig.ConfigError, match=r"function '.*' is a sync generator function; a handler is an async one: `async def handler\(ctx\)`"
        ):
            Shell(handler)

    def test_a_handler_that_is_not_called(self) -> None:
        with pytest.raises(ig.MisuseError, match="this one gave function"):
            Execution().start(flow)

    def test_a_duplicate_function_id(self) -> None:
        app = ig.App("t")
        app.function("f")(flow)
        with pytest.raises(ig.ConfigError, match='Duplicate function ID "f"'):
            app.deferred("f")(flow)
