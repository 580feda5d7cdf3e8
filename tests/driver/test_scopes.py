"""A cancel scope, task group, nursery or timeout of the handler's own around a yield is an error at that yield; around an await it is fine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

import inngest_gen as ig
from inngest_gen.driver import execution
from inngest_gen.driver.turn import Returned
from tests.driver.shell import Shell, run, told


async def echo(value: object = None) -> object:
    return value


SYNC: dict[str, tuple[str, Callable[[], Any]]] = {
    "anyio.CancelScope": ("both", anyio.CancelScope),
    "anyio.move_on_after": ("both", lambda: anyio.move_on_after(60)),
    "anyio.fail_after": ("both", lambda: anyio.fail_after(60)),
    "trio.CancelScope": ("trio", trio.CancelScope),
    "trio.move_on_after": ("trio", lambda: trio.move_on_after(60)),
    "trio.fail_after": ("trio", lambda: trio.fail_after(60)),
}
ASYNC: dict[str, tuple[str, Callable[[], Any]]] = {
    "anyio.create_task_group": ("both", anyio.create_task_group),
    "trio.open_nursery": ("trio", trio.open_nursery),
    "asyncio.timeout": ("asyncio", lambda: asyncio.timeout(60)),
    "asyncio.TaskGroup": ("asyncio", asyncio.TaskGroup),
}


@contextlib.contextmanager
def through_generator(scope: Any) -> Iterator[None]:
    with scope:
        yield


@contextlib.asynccontextmanager
async def through_async_generator(scope: Any) -> AsyncIterator[None]:
    if hasattr(scope, "__aenter__"):
        async with scope:
            yield
    else:
        with scope:
            yield


@contextlib.asynccontextmanager
async def through_two_generators(scope: Any) -> AsyncIterator[None]:
    async with through_async_generator(scope):
        yield


@contextlib.asynccontextmanager
async def through_exit_stack(scope: Any) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        if hasattr(scope, "__aenter__"):
            await stack.enter_async_context(scope)
        else:
            stack.enter_context(scope)
        yield


class Hidden:
    """A user's class that enters a scope of which nobody knows."""

    def __init__(self, scope: Any) -> None:
        self.inner = {"scope": scope}

    async def __aenter__(self) -> None:
        scope = self.inner["scope"]
        if hasattr(scope, "__aenter__"):
            await scope.__aenter__()
        else:
            scope.__enter__()

    async def __aexit__(self, *error: object) -> Any:
        scope = self.inner["scope"]
        return await scope.__aexit__(*error) if hasattr(scope, "__aexit__") else scope.__exit__(*error)


class HiddenSlots:
    __slots__ = ("scope",)

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    __aenter__ = lambda self: Hidden(self.scope).__aenter__()  # noqa: E731
    __aexit__ = lambda self, *error: Hidden(self.scope).__aexit__(*error)  # noqa: E731


class HiddenGenerator:
    """A user's class around a generator of its own."""

    def __init__(self, scope: Any) -> None:
        self.manager = through_async_generator(scope)

    async def __aenter__(self) -> None:
        await self.manager.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:  # noqa: PYI036 - handed on
        return await self.manager.__aexit__(*error)


WAYS = [through_async_generator, through_two_generators, through_exit_stack, Hidden, HiddenSlots, HiddenGenerator]


def on_their_loops(scopes: dict[str, tuple[str, Callable[[], Any]]]) -> list[Any]:
    loops = ("asyncio", "trio")
    return [
        pytest.param(loop, make, id=f"{name} on {loop}") for name, (of, make) in scopes.items() for loop in loops if of in {"both", loop}
    ]


every_scope = pytest.mark.parametrize(("anyio_backend", "scope"), on_their_loops({**SYNC, **ASYNC}))
every_scope_but_groups = pytest.mark.parametrize(
    ("anyio_backend", "scope"), on_their_loops({**SYNC, "asyncio.timeout": ASYNC["asyncio.timeout"]})
)
every_sync_scope = pytest.mark.parametrize(("anyio_backend", "scope"), on_their_loops(SYNC))


async def task_is_whole() -> None:
    """Whether scopes, tasks and cancellation still work in the running task."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.lowlevel.checkpoint)
    with anyio.move_on_after(0) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    await anyio.lowlevel.checkpoint()
    if anyio.get_current_task() and isinstance(task := _asyncio_task(), asyncio.Task):
        assert not task.cancelling()


def _asyncio_task() -> Any:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


async def misuse(handler: Callable[[ig.Context], Any], line: tuple[Callable[..., Any], int]) -> None:
    """The run fails for good by a MisuseError that names the line, and the task in which it ran is none the worse."""
    shell = Shell(handler)
    with anyio.CancelScope() as around:
        async with anyio.create_task_group():
            end = await shell.run()
            await task_is_whole()
        await task_is_whole()
    assert not around.cancelled_caught
    assert end.final, end
    assert end.error is not None
    assert "MisuseError: " in end.error  # a task group wraps it in an ExceptionGroup
    assert "spans a yield" in end.error
    function, offset = line
    assert f"({__file__}:{function.__code__.co_firstlineno + offset})" in end.error, end.error
    await run(handler)


@every_scope
async def test_directly(scope: Callable[[], Any]) -> None:
    if hasattr(scope(), "__aenter__"):

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", echo)
            async with scope():
                yield ctx.step.run("b", echo)
    else:

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", echo)
            with scope():
                yield ctx.step.run("b", echo)

    await misuse(handler, (handler, 3))


@every_sync_scope
async def test_through_a_sync_generator(scope: Callable[[], Any]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        with through_generator(scope()):
            yield ctx.step.run("b", echo)

    await misuse(handler, (handler, 3))


@every_sync_scope
async def test_through_an_exit_stack(scope: Callable[[], Any]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        with contextlib.ExitStack() as stack:
            stack.enter_context(through_generator(scope()))
            yield ctx.step.run("b", echo)

    await misuse(handler, (handler, 3))


@pytest.mark.parametrize("way", WAYS)
@every_scope
async def test_hidden(way: Callable[[Any], Any], scope: Callable[[], Any]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        async with way(scope()):
            yield ctx.step.run("b", echo)
        yield ctx.step.run("c", echo)

    await misuse(handler, (handler, 3))


@pytest.mark.parametrize("way", [through_async_generator, Hidden])
@every_scope_but_groups  # closing a generator that is inside a task group raises a group of its own
async def test_in_an_async_generator_that_is_iterated(way: Callable[[Any], Any], scope: Callable[[], Any]) -> None:
    async def them() -> AsyncIterator[int]:
        async with way(scope()):
            yield 1
            yield 2

    async def handler(ctx: ig.Context) -> ig.Flow:
        async with contextlib.aclosing(them()) as each:  # type: ignore[type-var]
            async for n in each:
                yield ctx.step.run("b", echo, n)

    await misuse(handler, (handler, 3))


@every_scope
async def test_in_a_sub_flow(scope: Callable[[], Any]) -> None:
    async def sub(ctx: ig.Context) -> ig.Flow:
        async with through_async_generator(scope()):
            yield ctx.step.run("b", echo)

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield sub(ctx)

    await misuse(handler, (sub, 2))


@every_scope
async def test_around_a_sub_flow(scope: Callable[[], Any]) -> None:
    async def sub(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("b", echo)

    async def handler(ctx: ig.Context) -> ig.Flow:
        async with through_async_generator(scope()):
            yield sub(ctx)

    await misuse(handler, (handler, 2))


@every_scope
async def test_around_a_group(scope: Callable[[], Any]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        async with through_async_generator(scope()):
            yield ctx.group.race(ctx.step.sleep("s", 1), ctx.step.run("b", echo))

    await misuse(handler, (handler, 2))


@pytest.mark.parametrize("way", [through_async_generator, Hidden])
@every_scope
async def test_in_branches(way: Callable[[Any], Any], scope: Callable[[], Any]) -> None:
    async def bad(ctx: ig.Context, name: str) -> ig.Flow:
        async with way(scope()):
            yield ctx.step.run(name, echo)

    async def good(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("good", echo, 1)
        yield ig.Done(1)

    async def handler(ctx: ig.Context) -> ig.Flow:
        results = yield ctx.group.parallel(good(ctx), bad(ctx, "x"), good(ctx), bad(ctx, "y"), good(ctx), return_exceptions=True)
        yield ig.Done([result if isinstance(result, int) else told(result) for result in results])

    end = await run(handler)
    assert end.value[0] == end.value[2] == end.value[4] == 1
    for error in (end.value[1], end.value[3]):
        assert f"({__file__}:{bad.__code__.co_firstlineno + 2})" in error
    await task_is_whole()


@every_scope
async def test_the_error_is_raised_at_the_yield_and_the_step_is_not_asked_for(scope: Callable[[], Any]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        async with through_async_generator(scope()):
            caught = False
            try:
                yield ctx.step.run("b", echo)
            except ig.MisuseError:
                caught = True
        yield ctx.step.run("after", echo)
        yield ig.Done(caught)

    shell = Shell(handler)
    assert (await shell.run()).value is True
    assert shell.calls == ["after"]
    await run(handler)


@every_scope
async def test_a_handler_that_catches_it_and_yields_there_again_is_ended(scope: Callable[[], Any]) -> None:
    ended: list[str] = []

    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            async with through_async_generator(scope()):
                while True:
                    try:
                        yield ctx.step.run("b", echo)
                    except Exception:
                        continue
        finally:
            ended.append("ended")

    shell = Shell(handler)
    end = await shell.run()
    assert end.final
    assert end.error is not None
    assert "spans a yield" in end.error
    assert ended == ["ended"]
    await task_is_whole()


@every_scope
async def test_around_an_await_it_is_fine(scope: Callable[[], Any]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        async with through_async_generator(scope()):
            await anyio.lowlevel.checkpoint()
        yield ctx.step.run("a", echo)
        unused = scope()
        async with Hidden(scope()):
            await anyio.lowlevel.checkpoint()
        yield ctx.step.run("b", echo)
        yield ig.Done(unused is not None)

    assert (await run(handler)).value is True


@every_scope
async def test_around_what_does_not_suspend_it_is_fine(scope: Callable[[], Any]) -> None:
    app = ig.App("other")

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    for way in (through_async_generator, Hidden):

        async def handler(ctx: ig.Context, way: Any = way) -> ig.Flow:
            async with way(scope()):
                handle = yield ctx.defer("d", note, {})
                yield handle.abort()
            yield ctx.step.run("a", echo)
            async with way(scope()):
                yield ig.Done("end")

        assert (await run(handler)).value == "end"
        assert (await run(handler, budget=1)).value == "end"


async def test_an_expired_timeout_of_its_own_around_an_await_is_fine() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        with anyio.move_on_after(0) as scope:
            await anyio.sleep_forever()
        first = yield ctx.step.run("a", echo, scope.cancelled_caught)
        try:
            with anyio.fail_after(0):
                await anyio.sleep_forever()
        except TimeoutError:
            yield ig.Done([first, (yield ctx.step.run("b", echo, 2))])

    assert (await run(handler)).value == [True, 2]


async def test_a_timeout_of_its_own_around_a_defer_cuts_an_async_schema_short() -> None:
    app = ig.App("other")

    async def endless(data: Any) -> Any:
        data["scope"].cancel()
        await anyio.sleep_forever()

    @app.deferred("note", schema=endless)
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    async def handler(ctx: ig.Context) -> ig.Flow:
        with anyio.CancelScope() as scope:
            yield ctx.defer("d", note, {"scope": scope})
        yield ctx.step.run("a", echo)
        yield ig.Done(scope.cancelled_caught)

    shell = Shell(handler)
    assert (await shell.run()).value is True
    assert not shell.record.messages
    await task_is_whole()


async def test_the_loop_gets_no_turn_under_a_scope_of_the_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_GIVE_WAY_S", -1)  # it is always time to give way
    app = ig.App("other")

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    async def handler(ctx: ig.Context) -> ig.Flow:
        with anyio.CancelScope() as scope:
            scope.cancel()
            handle = yield ctx.defer("d", note, {})
            for _ in range(300):
                yield handle.abort()
        yield ctx.step.run("a", echo)
        yield ig.Done(scope.cancelled_caught)

    assert (await run(handler)).value is False
    await task_is_whole()


async def test_an_expired_timeout_that_is_swallowed_inside_its_scope_is_told() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        with anyio.move_on_after(0):
            try:
                await anyio.sleep_forever()
            except BaseException:
                pass
            yield ctx.step.run("a", echo)

    await misuse(handler, (handler, 6))


async def test_a_scope_of_another_task_is_no_matter(anyio_backend_name: str) -> None:
    class Service:
        """Long-lived, with a task group that another task entered."""

        def __init__(self, group: Any) -> None:
            self.group = group

        async def __aenter__(self) -> None: ...
        async def __aexit__(self, *error: object) -> None: ...

    async def handler(ctx: ig.Context) -> ig.Flow:
        async with service:
            yield ctx.step.run("a", echo)
        yield ig.Done("fine")

    service: Any = None
    end: Any = None

    async def in_a_task(group: Any) -> None:
        nonlocal service, end
        service = Service(group)
        end = await Shell(handler).run()

    async with anyio.create_task_group() as group:
        group.start_soon(in_a_task, group)
    assert end.value == "fine"
    if anyio_backend_name == "asyncio":
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(in_a_task(tasks))
        assert end.value == "fine"


async def test_scopes_of_the_shell_may_come_and_go_between_turns() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        for n in range(4):
            yield ctx.step.run("a", echo, n)

    shell = Shell(handler)
    await shell.run()
    for budget in (1, 100):
        run_of_it = shell.begin()
        for _ in range(6):
            with anyio.CancelScope():
                await run_of_it.turn(budget)
        assert isinstance(run_of_it.ended, Returned)
