"""Errors of steps are thrown in at the yield; which errors end a run for good."""

import pickle

import pytest

import inngest_gen as ig
from inngest_gen.driver.turn import Raised
from tests.driver.shell import Shell, run


async def echo(value: object = None) -> object:
    return value


def broken() -> None:
    try:
        raise KeyError("cause")
    except KeyError as cause:
        raise ValueError("broken") from cause


async def test_a_steps_error_has_the_originals_name_message_traceback_and_cause() -> None:
    seen: list[ig.StepError] = []

    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("fails", broken)
        except ig.StepError as error:
            seen.append(error)
        yield ctx.step.run("next", echo)

    await run(handler)
    assert len(seen) == 4
    for error in seen:
        assert (error.name, error.message, error.step_id) == ("ValueError", "broken", "fails")
        assert error.stack is not None
        assert "in broken" in error.stack
        assert error.stack.endswith("ValueError: broken")
        assert isinstance(error.cause, ig.StepError)
        assert (error.cause.name, error.cause.message) == ("KeyError", "'cause'")
        assert error.__cause__ is error.cause
        assert str(pickle.loads(pickle.dumps(error))) == "step 'fails': ValueError: broken"


async def test_a_memoized_error_that_leaves_the_handler_is_final() -> None:
    async def sub(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("fails", broken)

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield sub(ctx)

    end = await run(handler)
    assert (end.error, end.final) == ("StepError: step 'fails': ValueError: broken", True)


async def test_a_memoized_error_raised_again_later_is_final() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        kept = ig.StepError("none", "")
        try:
            yield ctx.step.run("fails", broken)
        except ig.StepError as error:
            kept = error
        yield ctx.step.run("between", echo)
        raise kept

    assert (await run(handler)).final is True


async def test_an_error_raised_from_a_memoized_one_is_the_handlers_own() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("fails", broken)
        except ig.StepError as error:
            raise LookupError("mine") from error

    end = await run(handler)
    assert (end.error, end.final) == ("LookupError: mine", False)


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (ValueError("x"), False),
        (ig.RetryAfterError("x", "10s"), False),
        (ig.NonRetriableError("x"), True),
        (ig.StepError("Mine", "not recorded"), False),
        (ExceptionGroup("g", [ValueError("x"), ig.NonRetriableError("y")]), False),
        (ExceptionGroup("g", [ig.NonRetriableError("y")]), True),
        (SystemExit(1), False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("plain", [False, True])
async def test_a_handlers_own_error_is_final_only_if_it_says_so(error: BaseException, final: bool, plain: bool) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        raise error

    async def plain_handler(ctx: ig.Context) -> None:
        raise error

    shell = Shell(plain_handler if plain else handler)
    end = await shell.run()
    assert end.final is final
    assert isinstance(shell.ended, Raised)
    assert shell.ended.error is error


async def test_an_error_within_an_except_block_keeps_both() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            raise LookupError("mine")
        except LookupError:
            yield ctx.step.run("note", echo)
            context = ""
            try:
                yield ctx.step.run("fails", broken)
            except ig.StepError as error:
                context = repr(error.__context__)
            raise AssertionError(context)  # noqa: B904

    end = await run(handler)
    assert end.error == "AssertionError: LookupError('mine')"


async def test_steps_made_and_skipped_by_an_error_are_no_mistake() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        a, b = ctx.step.run("a", broken), ctx.step.run("b", echo)
        try:
            yield a
            yield b
        except ig.StepError:
            yield ig.Done("skipped")

    assert (await run(handler)).value == "skipped"


async def test_the_error_of_a_handler_tells_its_frames_until_the_run_is_dropped() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        raise ValueError("mine")

    shell = Shell(handler)
    await shell.run()
    execution = shell.begin()
    turn = await execution.turn()
    assert isinstance(turn.ended, Raised)
    assert turn.ended.error.__traceback__ is not None
    await execution.let_go()
    assert turn.ended.error.__traceback__ is None
