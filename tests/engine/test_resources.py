"""Resources that hold scopes of their own: ctx.using enters them in the run's task, and the engine outlives what they do to it."""

import contextlib
import pathlib
from collections.abc import AsyncGenerator

import anyio
import pytest

import inngest_gen as ig
from tests.engine.rig import engine, eventually, of, outcome, run, run_one


class Background:
    """A client as many are: a task of its own that runs as long as it is open, and is cancelled as it is closed."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.fails = fails
        self.events: list[str] = []
        self.go = anyio.Event()

    async def _work(self) -> None:
        self.events.append("began")
        try:
            await self.go.wait()
            if self.fails is not None:
                raise self.fails
        finally:
            self.events.append("ended")

    async def __aenter__(self) -> "Background":
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._work)
        return self

    async def __aexit__(self, *details: object) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(*details)


async def nothing() -> None:
    pass


@pytest.mark.parametrize("kind", ["task group", "class", "generator"])
async def test_a_task_group_may_be_held_over_steps_and_sleeps(path: pathlib.Path, kind: str) -> None:
    app, clients = ig.App("shop"), list[Background]()

    @contextlib.asynccontextmanager
    async def generator(client: Background) -> AsyncGenerator[Background, None]:
        async with client:
            yield client

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        clients.append(client := Background())
        if kind == "task group":
            yield ctx.using(anyio.create_task_group())
        outer = yield ctx.using(generator(client) if kind == "generator" else client)
        yield ctx.using(Background())
        yield ctx.step.run("a", nothing)
        yield ctx.step.sleep("nap", 1)
        yield from_both(ctx)
        yield ig.Done(outer is client)

    async def from_both(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(ctx.step.run("b", nothing), ctx.step.run("c", nothing))

    assert outcome(await run_one(path, app)) is True
    assert [client.events for client in clients] == [["began", "ended"]] * len(clients)
    assert len(clients) == 2  # before the nap and after it


async def test_what_fails_in_a_held_task_group_fails_the_attempt_and_the_engine_goes_on(path: pathlib.Path) -> None:
    app, attempts, fails = ig.App("shop"), list[int](), [OSError("connection lost")]

    @app.function("f", trigger="go", retries=2, backoff=1)
    async def f(ctx: ig.Context) -> ig.Flow:
        attempts.append(ctx.attempt)
        client = yield ctx.using(Background(fails.pop() if fails else None))
        yield ctx.step.run("a", nothing)
        client.go.set()
        yield ctx.step.run("b", anyio.sleep_forever if client.fails else nothing)

    @app.function("other", trigger="other")
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.run("a", nothing)))

    async with engine(path, app) as its_engine:
        with anyio.fail_after(20):
            one = of(await its_engine.run(ig.Event("go")), "f")
            assert of(await its_engine.run(ig.Event("other")), "other").status == "completed"
        await eventually(its_engine._idle)
    assert one.status == "completed"
    assert [note.kind for note in one.notes] == ["handler"]
    assert "connection lost" in one.notes[0].text
    assert attempts[:2] == [0, 1]


@pytest.mark.parametrize("where", ["in the handler", "in a step", "in an await"])
async def test_a_held_scope_that_is_cancelled_is_a_mistake_that_is_named(path: pathlib.Path, where: str) -> None:
    app = ig.App("shop")

    @app.function("f", trigger="go", retries=0)
    async def f(ctx: ig.Context) -> ig.Flow:
        scope = yield ctx.using(anyio.CancelScope())
        if where == "in a step":
            scope.cancel()
            yield ctx.step.run("a", anyio.sleep_forever)
        elif where == "in the handler":
            scope.cancel()
            yield ctx.step.sleep("nap", 1)
        else:
            scope.cancel()
            await anyio.sleep_forever()  # noqa: IGN106

    [one] = await run(path, app)
    assert one.status == "failed"
    assert one.error is not None
    assert one.error.name == "MisuseError"
    assert "a cancel scope or task group that ctx.using had entered was cancelled" in one.error.message


async def test_a_run_that_is_cancelled_closes_what_it_holds(path: pathlib.Path) -> None:
    app, clients = ig.App("shop"), list[Background]()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        clients.append((yield ctx.using(Background())))
        yield ctx.step.run("a", anyio.sleep_forever)

    async with engine(path, app) as its_engine:
        await its_engine.send(ig.Event("go"))
        await eventually(lambda: clients and clients[0].events == ["began"])
        [one] = await its_engine.runs()
        await its_engine.cancel(one.id)
        await eventually(its_engine._idle)
        assert (await its_engine.get(one.id)).status == "cancelled"
    assert clients[0].events == ["began", "ended"]
