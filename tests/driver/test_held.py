"""What Python closes when a suspended frame goes is found beforehand, and named with the line."""

import asyncio
import contextlib
import gc
import io
import socket
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from tests.driver.shell import Shell

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


async def echo(value: object = None) -> object:
    return value


@contextlib.contextmanager
def guarded(name: str = "guarded") -> Iterator[str]:
    try:
        yield name
    finally:
        log.append(f"{name} closed")


def numbers() -> Iterator[int]:
    with contextlib.suppress(ValueError):
        yield 1
        yield 2


def plain_numbers() -> Iterator[int]:
    yield 1
    yield 2


def through(inner: Iterator[int]) -> Iterator[int]:
    yield from inner


async def found(handler: Callable[[ig.Context], Any]) -> list[tuple[str, int]]:
    """What is held where the handler first waits: descriptions, and lines counted from its `def`."""
    execution = Shell(handler).begin()
    await execution.turn()
    held = execution.held()
    await execution.let_go()
    gc.collect()
    result = []
    for description, at in held:
        path, _, line = at.rpartition(":")
        assert path == __file__
        result.append((description, int(line) - handler.__code__.co_firstlineno))
    return result


async def test_a_sync_generator_manager_is_found() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        with guarded():
            yield ctx.step.run("a", echo)

    assert await found(handler) == [("the sync generator guarded", 2)]
    assert log == ["guarded closed"]  # Python does it, so it is said


async def test_a_sync_generator_that_is_iterated_is_found() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        for n in numbers():
            yield ctx.step.run("a", echo, n)

    assert await found(handler) == [("the sync generator numbers", 2)]


async def test_a_sync_generator_in_an_exit_stack_is_found() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        async with contextlib.AsyncExitStack() as outer:
            outer.enter_context(guarded("outer"))
            with contextlib.ExitStack() as stack:
                stack.enter_context(guarded("inner"))
                yield ctx.step.run("a", echo)

    assert [line for _, line in await found(handler)] == [5]
    assert sorted(log) == ["inner closed", "outer closed"]


async def test_a_sync_generator_within_another_generator_is_found() -> None:
    @contextlib.asynccontextmanager
    async def manager() -> AsyncIterator[None]:
        with guarded():
            yield

    async def through_manager(ctx: ig.Context) -> ig.Flow:
        async with manager():
            yield ctx.step.run("a", echo)

    def in_try(inner: Iterator[int]) -> Iterator[int]:
        try:
            yield from inner
        finally:
            log.append("in_try")

    async def through_try(ctx: ig.Context) -> ig.Flow:
        for n in in_try(plain_numbers()):
            yield ctx.step.run("a", echo, n)

    async def through_generators(ctx: ig.Context) -> ig.Flow:
        for n in (n + 1 for n in through(numbers())):
            yield ctx.step.run("a", echo, n)

    assert await found(through_manager) == [("the sync generator guarded", 2)]
    assert await found(through_generators) == [("the sync generator numbers", 2)]
    [(description, line)] = await found(through_try)
    assert (description.rpartition(".")[2], line) == ("in_try", 2)


async def test_it_is_found_in_sub_flows_and_branches_once_with_the_line_of_the_flow_that_holds_it() -> None:
    async def sub(ctx: ig.Context) -> ig.Flow:
        with guarded():
            yield ctx.step.run("a", echo)

    async def handler(ctx: ig.Context) -> ig.Flow:
        held = sub(ctx)
        yield ctx.group.parallel(held, ctx.step.run("b", echo))

    execution = Shell(handler).begin()
    await execution.turn()
    assert execution.held() == [("the sync generator guarded", f"{__file__}:{sub.__code__.co_firstlineno + 2}")]
    await execution.let_go()


async def test_an_open_file_is_found_and_a_closed_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")

    async def in_with(ctx: ig.Context) -> ig.Flow:
        with path.open() as file:
            yield ctx.step.run("a", echo, file.read())

    async def in_variable(ctx: ig.Context) -> ig.Flow:
        file = path.open("rb")
        yield ctx.step.run("a", echo)
        file.close()

    async def closed(ctx: ig.Context) -> ig.Flow:
        with path.open() as file:
            text = file.read()
        yield ctx.step.run("a", echo, text)

    for handler in (in_with, in_variable):
        with pytest.warns(ResourceWarning, match="unclosed file"):
            held = await found(handler)
        assert held == [(f"the open file {str(path)!r}", 2)]
    assert await found(closed) == []


async def test_what_has_a_destructor_is_found() -> None:
    class Destroyed:
        def __del__(self) -> None:
            log.append("destroyed")

    async def destructor(ctx: ig.Context) -> ig.Flow:
        it = Destroyed()
        yield ctx.step.run("a", echo)
        del it

    async def directory(ctx: ig.Context) -> ig.Flow:
        with tempfile.TemporaryDirectory() as name:
            yield ctx.step.run("a", echo, name)

    async def sockets(ctx: ig.Context) -> ig.Flow:
        with socket.socket() as it:
            yield ctx.step.run("a", echo, it.fileno())

    [(description, line)] = await found(destructor)
    assert description.endswith("Destroyed, which has a destructor")
    assert line == 2
    assert log == ["destroyed"]
    with pytest.warns(ResourceWarning, match="Implicitly cleaning up"):
        held = await found(directory)
    assert held == [("a tempfile.TemporaryDirectory, which has a destructor", 2)]
    with pytest.warns(ResourceWarning, match="unclosed <socket"):
        held = await found(sockets)
    assert held == [("a socket.socket, which has a destructor", 2)]


async def test_a_destructor_is_found_through_a_finalizer_of_weakref_too() -> None:
    class Finalized:
        def __init__(self) -> None:
            self.finalizer = weakref.finalize(self, log.append, "finalized")

    async def handler(ctx: ig.Context) -> ig.Flow:
        it = Finalized()
        yield ctx.step.run("a", echo)
        it.finalizer.detach()

    async def detached(ctx: ig.Context) -> ig.Flow:
        it = Finalized()
        it.finalizer.detach()
        yield ctx.step.run("a", echo)

    [(description, _)] = await found(handler)
    assert "Finalized" in description
    assert log == ["finalized"]
    assert await found(detached) == []


async def test_what_closes_without_running_code_is_not_told() -> None:
    class Manager:
        def __enter__(self) -> None: ...
        def __exit__(self, *error: object) -> None: ...

    @contextlib.contextmanager
    def unguarded() -> Iterator[None]:
        yield

    @contextlib.asynccontextmanager
    async def manager() -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.append("never")

    async def handler(ctx: ig.Context) -> ig.Flow:
        memory = io.StringIO()
        memory.close()
        not_started, finished = guarded(), numbers()
        list(finished)
        lock = asyncio.Lock()
        try:
            with Manager(), unguarded(), contextlib.ExitStack(), contextlib.nullcontext():
                async with manager():
                    for n in plain_numbers():
                        for m in (m for m in [n]):
                            yield ctx.step.run("a", echo, m)
        finally:
            log.append(repr([not_started, lock]))

    assert await found(handler) == []
    assert log == []


async def test_a_generator_between_its_guards_is_not_told() -> None:
    def between() -> Iterator[int]:
        try:
            first = 1
        finally:
            log.append("first")
        yield first
        try:
            yield 2
        finally:
            log.append("second")

    async def handler(ctx: ig.Context) -> ig.Flow:
        for n in between():
            yield ctx.step.run(str(n), echo, n)

    assert await found(handler) == []
    shell = Shell(handler)
    execution = shell.begin()
    [op] = (await execution.turn()).new
    entry, _ = await shell.execute(op, execution)
    execution.resolve(op.hash, entry.memo())
    await execution.turn()
    assert [description.rpartition(".")[2] for description, _ in execution.held()] == ["between"]
    await execution.let_go()


async def test_objects_that_do_not_like_to_be_looked_at_are_left_alone() -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"{name}: outside of a request")

        @property
        def __class__(self) -> Any:
            raise RuntimeError("outside of a request")

        @__class__.setter
        def __class__(self, value: Any) -> None: ...

    async def handler(ctx: ig.Context) -> ig.Flow:
        proxy = Proxy()
        with contextlib.nullcontext():
            yield ctx.step.run("a", echo)
        del proxy

    assert await found(handler) == []


async def test_what_ctx_using_holds_is_not_told() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        name = yield ctx.using(guarded())
        yield ctx.step.run("a", echo, name)

    assert await found(handler) == []
    assert log == ["guarded closed"]


async def test_a_loop_task_of_the_handlers_is_told(anyio_backend_name: str) -> None:
    if anyio_backend_name == "asyncio":

        async def handler(ctx: ig.Context) -> ig.Flow:
            task = asyncio.get_running_loop().create_task(anyio.sleep(0))
            yield ctx.step.run("a", echo)
            await task

        [(description, line)] = await found(handler)
        assert "Task" in description
        assert line == 2
        await anyio.sleep(0)
