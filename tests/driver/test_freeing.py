"""Dropped runs are really freed, at once and without the garbage collector."""

import contextlib
import gc
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio.lowlevel
import pytest

import inngest_gen as ig
from inngest_gen.calls.memo import Memo
from tests.driver.shell import Shell

APP = ig.App("freeing")  # once for all: an app and its functions know each other


class Local:
    """Something that a handler's frame holds."""


async def echo(value: object = None) -> object:
    return value


@contextlib.asynccontextmanager
async def manager() -> AsyncIterator[None]:
    held = Local()
    try:
        yield
    finally:
        await anyio.lowlevel.checkpoint()
        del held


Watch = Callable[[], Local]


async def in_sequence(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    yield ctx.step.run("a", echo)
    yield ctx.step.run("b", echo, id(local))


async def in_sub_flows(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    sub = in_sequence(ctx, watch)
    async with manager():
        yield sub
    del local


async def in_branches(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    yield ctx.group.parallel(
        in_sub_flows(ctx, watch),
        ctx.step.run("c", echo, local),
        ctx.group.race(in_sequence(ctx, watch), ctx.step.sleep("s", 1), cleaning(ctx, watch)),
        failing(ctx, watch),
    )


async def cleaning(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    try:
        yield ctx.step.sleep("long", 1)
    finally:
        yield ctx.step.run("clean", echo, id(local))


async def failing(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    try:
        yield ctx.step.run("fails", echo)
    except ig.StepError:
        yield ctx.step.run("after", echo, id(local))


async def raising(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    yield ctx.step.run("fails", echo)
    del local


async def done(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    async with manager():
        yield ctx.group.race(in_sequence(ctx, watch), cleaning(ctx, watch))
        yield ig.Done(id(local))


async def going_on_after_done(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    try:
        yield ig.Done(1)
    except GeneratorExit:
        pass
    yield ctx.step.run("a", echo, id(local))


@APP.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


async def deferring(ctx: ig.Context, watch: Watch) -> ig.Flow:
    local = watch()
    yield ctx.defer("d", note, {})
    yield ctx.using(contextlib.nullcontext(local))
    yield ctx.step.run("a", echo)


async def plain(ctx: ig.Context, watch: Watch) -> None:
    local = watch()
    await anyio.lowlevel.checkpoint()
    raise ValueError(str(id(local)))


HANDLERS = [in_sequence, in_sub_flows, in_branches, cleaning, failing, raising, done, going_on_after_done, deferring, plain]
FUNCTIONS = {handler: APP.function(handler.__name__)(lambda ctx, handler=handler: handler(ctx, ctx.data["watch"])) for handler in HANDLERS}


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def drive(handler: Callable[..., Any], turns: int, alive: "weakref.WeakSet[Local]") -> None:
    """Begin a run, let some steps end, those named "fails" by failing, and drop it."""
    made = 0

    def watch() -> Local:
        nonlocal made
        made += 1
        local = Local()
        alive.add(local)
        return local

    shell = Shell(FUNCTIONS[handler], {"watch": watch})
    execution = shell.begin()
    waiting = []
    for _ in range(turns):
        turn = await execution.turn()
        waiting += turn.new
        if turn.ended is not None or not waiting:
            break
        op = waiting.pop(0)
        failed = op.step.id == "fails"
        execution.resolve(op.hash, Memo(None, ig.StepError("X", "failed") if failed else None, op.position, op.step.kind))
    assert made
    await execution.let_go()


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("handler", HANDLERS)
async def test_a_dropped_run_is_freed_without_the_garbage_collector(handler: Callable[..., Any], turns: int) -> None:
    alive: weakref.WeakSet[Local] = weakref.WeakSet()
    await drive(handler, turns, alive)
    assert not len(alive)


@pytest.mark.parametrize("handler", HANDLERS)
async def test_a_dropped_execution_is_freed_with_its_handler(handler: Callable[..., Any]) -> None:
    shell = Shell(FUNCTIONS[handler], {"watch": Local})
    execution = shell.begin()
    await execution.turn()
    await execution.let_go()
    gone = weakref.ref(execution)
    shell.execution = None
    del execution
    assert gone() is None


async def test_two_thousand_dropped_runs_leave_little_behind() -> None:
    alive: weakref.WeakSet[Local] = weakref.WeakSet()
    for handler in HANDLERS:
        await drive(handler, 3, alive)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for count in range(2_000):
            await drive(HANDLERS[count % len(HANDLERS)], 1 + count % 4, alive)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert not len(alive)
    assert grown < 20_000


async def test_a_run_whose_handler_made_a_cycle_of_its_own_is_freed_by_the_garbage_collector(anyio_backend_name: str) -> None:
    alive: weakref.WeakSet[Local] = weakref.WeakSet()

    async def handler(ctx: ig.Context, watch: Watch) -> ig.Flow:
        local = watch()
        try:
            raise ValueError("kept")
        except ValueError as error:
            kept = error
        async with manager():
            yield ctx.step.run("a", echo)
        del local, kept

    FUNCTIONS[handler] = APP.function("cyclic-" + anyio_backend_name)(lambda ctx: handler(ctx, ctx.data["watch"]))
    await drive(handler, 1, alive)
    assert len(alive) == 1
    gc.collect()
    assert not len(alive)


async def test_a_long_live_run_keeps_nothing_of_the_steps_that_are_done() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        n = 0
        while True:
            n += 1
            yield ctx.group.race(in_sequence(ctx, Local), ctx.step.run("w", echo), cleaning(ctx, Local))

    shell = Shell(handler)
    execution = shell.begin()

    async def rounds(count: int) -> None:
        for _ in range(count):
            turn = await execution.turn()
            [op] = [op for op in turn.new if op.step.id == "w"]
            execution.resolve(op.hash, Memo(None))
            turn = await execution.turn()
            for op in turn.new:
                assert op.step.id == "clean"
                execution.resolve(op.hash, Memo(None))

    tracemalloc.start()
    try:
        await rounds(200)
        before = tracemalloc.get_traced_memory()[0]
        await rounds(200)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    await execution.let_go()
    # What is kept is what numbers repeats and knows losers: a few short strings a round.
    assert grown < 200 * 2_500
