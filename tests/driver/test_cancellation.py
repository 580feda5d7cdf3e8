"""A handler that awaits by itself can be cancelled there; its run is rebuilt by replay. A suspended one notices nothing."""

import asyncio
import types
from collections.abc import Callable, Generator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import inngest_gen as ig
from inngest_gen.driver.execution import Execution
from tests.driver.shell import Shell, run

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


async def echo(value: object = None) -> object:
    return value


async def cancelled_turn(execution: Execution, *, by_task: bool = False) -> None:
    """Take a turn, cancel it at its first await, and let the execution go as an engine does."""
    started = anyio.Event()
    finished: list[object] = []

    async def turn() -> None:
        try:
            started.set()
            finished.append(await execution.turn())
        finally:
            with anyio.CancelScope(shield=True):
                await execution.let_go()

    if by_task:
        task = asyncio.get_running_loop().create_task(turn())
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(turn)
            await started.wait()
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    assert not finished


async def waiting(ctx: ig.Context) -> ig.Flow:
    try:
        await ctx.data["wait"]()
    except BaseException as error:
        log.append(f"sees {type(error).__name__}")
        raise
    finally:
        log.append("finally")
    yield ctx.step.run("a", echo)
    yield ig.Done("end")


async def swallowing(ctx: ig.Context) -> ig.Flow:
    try:
        await ctx.data["wait"]()
    except BaseException:
        log.append("swallowed")
    try:
        yield ctx.step.run("a", echo)
    finally:
        log.append("must not run")
    yield ig.Done("end")


async def yielding_in_finally(ctx: ig.Context) -> ig.Flow:
    try:
        await ctx.data["wait"]()
    finally:
        log.append("finally")
        yield ctx.step.run("a", echo)
        log.append("must not run")
    yield ig.Done("end")


async def raising_another(ctx: ig.Context) -> ig.Flow:
    try:
        await ctx.data["wait"]()
    except BaseException:
        raise ValueError("instead") from None
    yield ctx.step.run("a", echo)
    yield ig.Done("end")


async def returning(ctx: ig.Context) -> ig.Flow:
    try:
        await ctx.data["wait"]()
    except BaseException:
        return
    yield ctx.step.run("a", echo)
    yield ig.Done("end")


async def deferring(ctx: ig.Context) -> ig.Flow:
    try:
        await ctx.data["wait"]()
    except BaseException:
        yield ctx.defer("d", None, {})  # type: ignore[arg-type]
        log.append("must not run")
    yield ctx.step.run("a", echo)
    yield ig.Done("end")


async def in_sub_flow(ctx: ig.Context) -> ig.Flow:
    try:
        yield ig.Done((yield swallowing(ctx)))
    finally:
        log.append("parent must not run")


async def in_branch(ctx: ig.Context) -> ig.Flow:
    yield ctx.group.parallel(ctx.step.run("other", echo), swallowing(ctx), waiting(ctx))
    yield ig.Done("end")


async def plain(ctx: ig.Context) -> str:
    await ctx.data["wait"]()
    return "end"


async def plain_raising_another(ctx: ig.Context) -> str:
    try:
        await ctx.data["wait"]()
    except BaseException:
        raise ValueError("instead") from None
    return "end"


HANDLERS = [waiting, swallowing, yielding_in_finally, raising_another, deferring, in_sub_flow, in_branch, plain, plain_raising_another]


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("by_task", [False, True])
async def test_a_cancelled_run_is_rebuilt_by_replay(handler: Callable[..., Any], by_task: bool, anyio_backend_name: str) -> None:
    if by_task and anyio_backend_name == "trio":
        by_task = False  # tasks cannot be cancelled by themselves there
    waits = [anyio.sleep_forever]

    async def wait() -> None:
        await waits[0]()

    shell = Shell(handler, {"wait": wait})
    await cancelled_turn(shell.begin(), by_task=by_task)
    assert not [line for line in log if "must not" in line]
    assert log or handler in {raising_another, deferring, plain, plain_raising_another}
    assert not shell.record.messages
    waits[0] = anyio.lowlevel.checkpoint
    assert (await shell.run()).value == "end"


async def test_a_handler_that_returns_when_it_is_cancelled_has_ended_or_is_rebuilt(anyio_backend_name: str) -> None:
    shell = Shell(returning, {"wait": anyio.sleep_forever})
    execution = shell.begin()
    with anyio.CancelScope() as scope:
        scope.cancel()
        turn = await execution.turn()
        assert turn.ended is not None
    with anyio.CancelScope(shield=True):
        await execution.let_go()


async def test_a_suspended_handler_notices_nothing_of_a_cancellation() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("a", echo)
        except BaseException:
            log.append("except")
        finally:
            log.append("finally")

    shell = Shell(handler)
    execution = shell.begin()
    async with anyio.create_task_group() as group:

        async def engine() -> None:
            await execution.turn()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await execution.let_go()

        group.start_soon(engine)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert log == []


async def test_a_turn_that_does_not_await_is_not_cancelled() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ig.Done("end")

    shell = Shell(handler)
    await shell.run()
    execution = shell.begin()
    with anyio.CancelScope() as scope:
        scope.cancel()
        turn = await execution.turn()
    assert turn.ended is not None
    await execution.let_go()


async def test_an_own_timeout_around_an_await_is_the_handlers_affair() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        timed_out = []
        for _ in range(2):
            with anyio.move_on_after(0) as scope:
                await anyio.sleep_forever()
            timed_out.append(scope.cancelled_caught)
            yield ctx.step.run("a", echo)
        yield ig.Done(timed_out)

    assert (await run(handler)).value == [True, True]


async def test_cancelling_a_task_of_its_own_is_the_handlers_error() -> None:
    """Under trio nobody can raise Cancelled by himself."""

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        task = asyncio.get_running_loop().create_task(asyncio.sleep(9))
        task.cancel()
        await task

    async def catching(ctx: ig.Context) -> ig.Flow:
        task = asyncio.get_running_loop().create_task(asyncio.sleep(9))
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            yield ctx.step.run("a", echo)
        yield ig.Done("end")

    async def plain_handler(ctx: ig.Context) -> None:
        task = asyncio.get_running_loop().create_task(asyncio.sleep(9))
        task.cancel()
        await task

    async def sub_flow(ctx: ig.Context) -> ig.Flow:
        try:
            yield handler(ctx)
        except asyncio.CancelledError:
            yield ig.Done("caught")

    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        end = await run(handler)
        assert (end.error, end.final) == ("CancelledError: ", False)
        assert (await run(plain_handler)).error == "CancelledError: "
        assert (await run(catching)).value == "end"
        assert (await run(sub_flow)).value == "caught"


@pytest.mark.parametrize("plain_handler", [False, True])
async def test_an_interrupt_from_the_keyboard_goes_through(plain_handler: bool) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        await anyio.lowlevel.checkpoint()
        raise KeyboardInterrupt
        yield

    async def plain_one(ctx: ig.Context) -> None:
        raise KeyboardInterrupt

    execution = Shell(plain_one if plain_handler else handler).begin()
    try:
        await execution.turn()
    except KeyboardInterrupt:
        log.append("through")
    await execution.let_go()
    assert log == ["through"]


async def test_a_turn_whose_task_is_dropped_runs_no_other_flow() -> None:
    """As when a loop is closed with tasks in it: their coroutines are closed, and what awaits sees GeneratorExit as anywhere."""

    @types.coroutine
    def suspend() -> Generator[Any, Any, None]:
        yield

    async def awaits(ctx: ig.Context) -> ig.Flow:
        try:
            await suspend()
        finally:
            log.append("awaiting one ends")
        yield ctx.step.run("a", echo)

    async def after(ctx: ig.Context) -> ig.Flow:
        log.append("must not start")
        yield ctx.step.run("b", echo)

    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.group.parallel(awaits(ctx), after(ctx))
        finally:
            log.append("must not end")

    execution = Shell(handler).begin()
    turn: Any = execution.turn()
    turn.send(None)
    turn.close()
    execution.drop()
    assert [line for line in log if "must not" in line] == []
