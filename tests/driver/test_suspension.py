"""A suspension is invisible: a handler that waits at a yield and is dropped there runs no code of its own."""

import contextlib
import gc
import subprocess
import sys
import textwrap
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import inngest_gen as ig
from inngest_gen.driver.turn import Turn
from tests.driver.shell import Shell, run

log: list[str] = []
"""What user code did."""


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """Keep what is there before out of the hundreds of collections here."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def echo(value: object = None) -> object:
    return value


class Manager:
    def __init__(self, name: str = "manager") -> None:
        self.name = name

    def __enter__(self) -> str:
        return self.name

    def __exit__(self, *error: object) -> None:
        log.append(f"{self.name} exits")

    async def __aenter__(self) -> str:
        await anyio.lowlevel.checkpoint()
        return self.name

    async def __aexit__(self, *error: object) -> None:
        await anyio.lowlevel.checkpoint()
        log.append(f"{self.name} exits")


@contextlib.asynccontextmanager
async def manager(name: str = "generator") -> AsyncIterator[str]:
    await anyio.lowlevel.checkpoint()
    try:
        async with Manager(f"{name}'s"):
            yield name
    except BaseException as error:
        log.append(f"{name} sees {type(error).__name__}")
        raise
    finally:
        await anyio.lowlevel.checkpoint()
        log.append(f"{name} ends")


async def numbers() -> AsyncIterator[int]:
    try:
        for n in range(3):
            await anyio.lowlevel.checkpoint()
            yield n
    finally:
        await anyio.lowlevel.checkpoint()
        log.append("numbers end")


# The shapes: each yields the step "here" in the middle of something.


async def in_try(ctx: ig.Context) -> ig.Flow:
    try:
        yield ctx.step.run("here", echo)
    except BaseException:
        log.append("except")
        raise
    else:
        log.append("else")
    finally:
        log.append("finally")


async def in_except(ctx: ig.Context) -> ig.Flow:
    try:
        raise ValueError("mine")
    except ValueError:
        try:
            yield ctx.step.run("here", echo)
        finally:
            log.append("inner finally")
        log.append(f"handling {sys.exception()!r}")
    finally:
        log.append("finally")
    assert sys.exception() is None


async def in_finally(ctx: ig.Context) -> ig.Flow:
    try:
        raise LookupError("mine")
    except LookupError:
        pass
    finally:
        try:
            yield ctx.step.run("here", echo)
        finally:
            log.append("finally")


async def in_finally_of_an_error(ctx: ig.Context) -> ig.Flow:
    try:
        try:
            raise LookupError("mine")
        finally:
            yield ctx.step.run("here", echo)
            log.append("finally")
    except LookupError:
        log.append("caught")


async def in_finally_of_done(ctx: ig.Context) -> ig.Flow:
    try:
        yield ig.Done(1)
    finally:
        yield ctx.step.run("here", echo)
        log.append("finally")


async def in_class_manager(ctx: ig.Context) -> ig.Flow:
    with Manager() as name:
        yield ctx.step.run("here", echo)
        log.append(f"in {name}")


async def in_async_class_manager(ctx: ig.Context) -> ig.Flow:
    async with Manager("outer"), Manager("inner"):
        yield ctx.step.run("here", echo)
        log.append("in")


async def in_generator_manager(ctx: ig.Context) -> ig.Flow:
    async with manager("outer"), manager("inner") as name:
        yield ctx.step.run("here", echo)
        log.append(f"in {name}")


async def in_exit_stack(ctx: ig.Context) -> ig.Flow:
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(log.append, "callback")
        stack.push_async_callback(echo)
        stack.enter_context(Manager("sync"))
        await stack.enter_async_context(Manager("async"))
        await stack.enter_async_context(manager())
        with contextlib.ExitStack() as inner:
            inner.callback(log.append, "inner callback")
            inner.enter_context(contextlib.closing(Closed()))
            yield ctx.step.run("here", echo)


class Closed:
    def close(self) -> None:
        log.append("closed")


async def in_async_for(ctx: ig.Context) -> ig.Flow:
    async for n in numbers():
        yield ctx.step.run("here", echo)
        log.append(str(n))


async def in_aclosing(ctx: ig.Context) -> ig.Flow:
    async with contextlib.aclosing(numbers()) as them:  # type: ignore[type-var]
        async for n in them:
            yield ctx.step.run("here", echo)
            if n == 1:
                break
    log.append("left")


async def in_async_for_within_managers(ctx: ig.Context) -> ig.Flow:
    async with manager("outer"):
        async for _ in numbers():
            try:
                async with manager("inner"):
                    yield ctx.step.run("here", echo)
            finally:
                log.append("finally")


async def with_a_cycle_through_an_error(ctx: ig.Context) -> ig.Flow:
    try:
        raise ValueError("kept")
    except ValueError as error:
        kept = error
    try:
        async with manager():
            yield ctx.step.run("here", echo)
    finally:
        log.append(repr(kept))


async def with_a_cycle_through_a_step_error(ctx: ig.Context) -> ig.Flow:
    kept = ig.StepError("none", "")
    try:
        yield ctx.step.run("fails", broken)
    except ig.StepError as error:
        kept = error
    try:
        async with manager():
            yield ctx.step.run("here", echo)
    finally:
        log.append(kept.name)


async def with_a_cycle_through_itself(ctx: ig.Context) -> ig.Flow:
    me: list[Any] = []
    me.append(me)

    async def sub() -> ig.Flow:
        mine = me
        try:
            async with manager():
                yield ctx.step.run("here", echo)
        finally:
            log.append(str(len(mine)))

    me.append(sub())
    try:
        yield me[1]
    finally:
        log.append("finally")


def broken() -> None:
    raise ValueError("broken")


SHAPES: list[Callable[[ig.Context], ig.Flow]] = [
    in_try,
    in_except,
    in_finally,
    in_finally_of_an_error,
    in_finally_of_done,
    in_class_manager,
    in_async_class_manager,
    in_generator_manager,
    in_exit_stack,
    in_async_for,
    in_aclosing,
    in_async_for_within_managers,
    with_a_cycle_through_an_error,
    with_a_cycle_through_a_step_error,
    with_a_cycle_through_itself,
]


def as_sub_flow(shape: Callable[[ig.Context], ig.Flow]) -> Callable[[ig.Context], ig.Flow]:
    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            async with manager("parent"):
                yield shape(ctx)
        finally:
            log.append("parent ends")

    return handler


def as_branch(shape: Callable[[ig.Context], ig.Flow]) -> Callable[[ig.Context], ig.Flow]:
    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.group.parallel(shape(ctx), ctx.step.run("other", echo), ctx.group.parallel(as_sub_flow(shape)(ctx), shape(ctx)))
        finally:
            log.append("handler ends")

    return handler


def as_racer(shape: Callable[[ig.Context], ig.Flow]) -> Callable[[ig.Context], ig.Flow]:
    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.group.race(as_sub_flow(shape)(ctx), shape(ctx), ctx.step.sleep("never", 9))
        finally:
            log.append("handler ends")

    return handler


def as_handler(shape: Callable[[ig.Context], ig.Flow]) -> Callable[[ig.Context], ig.Flow]:
    return shape


async def let_finalizers_run() -> None:
    gc.collect()
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    gc.collect()


PLACES = [as_handler, as_sub_flow, as_branch, as_racer]
ENDING_NONE = PLACES[:3]  # a loser is ended, and leaves an `async for` to the loop as a `break` would: see below


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("shape", SHAPES)
async def test_dropping_a_suspended_handler_runs_none_of_its_code(shape: Any, place: Any) -> None:
    shell = Shell(place(shape))
    execution = shell.begin()
    waiting: list[str] = []
    turn = Turn()
    while "here" not in waiting:
        turn = await execution.turn()
        waiting += [op.step.id for op in turn.new]
        for op in turn.new:
            if op.step.id == "fails":
                entry, _ = await shell.execute(op, execution)
                execution.resolve(op.hash, entry.memo())
    before = list(log)
    await execution.let_go()
    del execution, shell, turn
    await let_finalizers_run()
    assert log == before


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("shape", SHAPES)
async def test_dropping_without_awaiting_runs_none_of_its_code_either(shape: Any, place: Any) -> None:
    shell = Shell(place(shape))
    execution = shell.begin()
    await execution.turn()
    before = list(log)
    execution.drop()
    await let_finalizers_run()
    assert log == before


@pytest.mark.parametrize("shape", [in_try, in_except, in_finally, in_class_manager, in_async_class_manager])
async def test_an_execution_that_is_forgotten_runs_none_of_its_handlers_code(shape: Any) -> None:
    async def alone(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(shape(ctx), shape(ctx))

    execution = Shell(alone).begin()
    await execution.turn()
    del execution
    await let_finalizers_run()
    assert log == []


@pytest.mark.parametrize("place", ENDING_NONE)
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_handler_that_was_dropped_and_replayed_ends_as_one_that_was_not(shape: Any, place: Any) -> None:
    live = Shell(place(shape))
    end = await live.run()
    uninterrupted = list(log)
    assert uninterrupted
    for stopped_at in range(1, live.points + 1):
        shell = Shell(place(shape))
        log.clear()
        marks: list[int] = []

        def stop(point: int, at: int = stopped_at, marks: list[int] = marks) -> bool:
            if point == at:
                marks.append(len(log))
            return point == at

        assert await shell.run(stop=stop) == end
        # The first execution ran up to where it was dropped, the second one ran as if there had been no other.
        assert log[marks[0] :] == uninterrupted
        assert log[: marks[0]] == uninterrupted[: marks[0]]
    await run(place(shape))


async def test_a_generator_that_was_broken_out_of_is_closed_by_the_loop_as_anywhere(anyio_backend_name: str) -> None:
    async def letters() -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            log.append("letters end")

    async def handler(ctx: ig.Context) -> ig.Flow:
        async for _ in letters():
            break
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        yield ctx.step.run("here", echo)
        log.append("after")

    shell = Shell(handler)
    execution = shell.begin()
    with warnings.catch_warnings():
        if anyio_backend_name == "trio":  # trio wants it closed by hand, and says so wherever it meets one
            warnings.filterwarnings("ignore", category=ResourceWarning, message="Async generator .*letters")
        await execution.turn()
        await let_finalizers_run()
    assert log == ["letters end"]
    await execution.let_go()
    await let_finalizers_run()
    assert log == ["letters end"]


async def test_a_generator_that_was_broken_out_of_and_is_still_held_is_not_closed() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        them = numbers()
        async for _ in them:
            break
        yield ctx.step.run("here", echo)
        async for n in them:
            log.append(str(n))  # noqa: PERF401 - user code as it is written

    shell = Shell(handler)
    execution = shell.begin()
    await execution.turn()
    await execution.let_go()
    await let_finalizers_run()
    assert log == []
    assert (await Shell(handler).run()).kind == "returned"
    assert log == ["1", "2", "numbers end"]


async def test_the_loops_hooks_are_as_before_after_a_turn() -> None:
    hooks = sys.get_asyncgen_hooks()
    seen = []

    async def handler(ctx: ig.Context) -> ig.Flow:
        await anyio.lowlevel.checkpoint()
        seen.append(sys.get_asyncgen_hooks())
        yield ctx.step.run("here", echo)

    async def watch() -> None:
        seen.append(sys.get_asyncgen_hooks())

    shell = Shell(handler)
    execution = shell.begin()
    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await execution.turn()
    assert sys.get_asyncgen_hooks() == hooks
    watched = [one for one in seen if one == hooks]
    assert len(watched) == 1
    assert len(seen) == 2
    await execution.let_go()


SCRIPT = """
    import contextlib, gc, sys
    import anyio, anyio.lowlevel
    import inngest_gen as ig
    from tests.driver.shell import Shell
    from tests.driver.test_suspension import SHAPES, PLACES, log
    import tests.driver.test_suspension as suspension

    class Loud(list):
        def append(self, text):
            print("user code ran:", text, flush=True)

    kept = []

    async def main():
        for shape in SHAPES:
            for place in PLACES:
                shell = Shell(place(shape))
                execution = shell.begin()
                kept.append(execution)
                await execution.turn()
        suspension.log = Loud()
        {at_the_end}

    anyio.run(main, backend={backend!r})
    {after}
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("at_the_end", "after"),
    [
        ("pass", "pass"),
        ("pass", "kept.clear(); gc.collect()"),
        ("pass", "[execution.drop() for execution in kept]"),
        ("gc.freeze()", "sys.exit(0)"),
        ("for each in kept: await each.let_go()", "pass"),
    ],
)
def test_handlers_suspended_when_the_loop_or_the_interpreter_ends_print_nothing(backend: str, at_the_end: str, after: str) -> None:
    program = textwrap.dedent(SCRIPT).format(backend=backend, at_the_end=at_the_end, after=after)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
