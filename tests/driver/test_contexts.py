"""What a run has to itself: contextvars, resources entered by ctx.using, and what ctx derives from the run's id."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Self

import anyio
import anyio.lowlevel
import pytest

import inngest_gen as ig
from inngest_gen.app.app import App
from inngest_gen.calls.request import CallRequest
from inngest_gen.driver.execution import Execution
from inngest_gen.driver.turn import Returned
from inngest_gen.intents.using import Using
from tests.driver.shell import RUN_ID, Shell, run

var: ContextVar[str] = ContextVar("var", default="unset")
log: list[str] = []
STARTED = datetime(2023, 1, 18, 23, 1, tzinfo=UTC)
"""The moment in RUN_ID."""


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


async def echo(value: object = None) -> object:
    return value


class TestContextvars:
    async def test_a_variable_set_in_a_handler_is_seen_in_it_later_live_and_replayed(self) -> None:
        async def sub(ctx: ig.Context) -> ig.Flow:
            seen = [var.get()]
            var.set("by sub-flow")
            yield ctx.step.run("b", echo)
            yield ig.Done([*seen, var.get()])

        async def handler(ctx: ig.Context) -> ig.Flow:
            seen = [var.get()]
            var.set("by handler")
            yield ctx.step.run("a", echo)
            await anyio.lowlevel.checkpoint()
            seen.append(var.get())
            seen += yield sub(ctx)
            yield ig.Done([*seen, var.get()])

        end = await run(handler)
        assert end.value == ["unset", "by handler", "by handler", "by sub-flow", "by sub-flow"]
        assert var.get() == "unset"

    async def test_runs_do_not_see_each_others_variables_nor_the_shell_theirs(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            seen = [var.get()]
            var.set(ctx.data["name"])
            for n in range(3):
                yield ctx.step.run("a", echo, n)
                await anyio.lowlevel.checkpoint()
                seen.append(var.get())
            yield ig.Done(seen)

        token = var.set("outer")
        ends: list[Any] = []

        async def one(name: str) -> None:
            ends.append((await Shell(handler, {"name": name}).run()).value)

        async with anyio.create_task_group() as group:
            for name in "xyz":
                group.start_soon(one, name)
        assert sorted(ends) == [["outer", name, name, name] for name in "xyz"]
        assert var.get() == "outer"
        var.reset(token)

    async def test_a_variable_set_by_a_generator_manager_is_reset_in_the_same_context(self) -> None:
        @contextlib.asynccontextmanager
        async def setting(value: str) -> AsyncIterator[None]:
            token = var.set(value)
            try:
                await anyio.lowlevel.checkpoint()
                yield
            finally:
                await anyio.lowlevel.checkpoint()
                var.reset(token)  # raises ValueError in another context

        async def handler(ctx: ig.Context) -> ig.Flow:
            async with setting("inside"):
                inside = yield ctx.step.run("a", echo, var.get())
                yield ctx.step.run("b", echo)
            yield ig.Done([inside, var.get()])

        assert (await run(handler)).value == ["inside", "unset"]


class Resource:
    def __init__(self, name: str) -> None:
        self.name = name

    async def __aenter__(self) -> str:
        await anyio.lowlevel.checkpoint()
        log.append(f"{self.name} opens in task {anyio.get_current_task().id}")
        var.set(f"{var.get()}+{self.name}")
        return self.name

    async def __aexit__(self, *error: object) -> None:
        await anyio.lowlevel.checkpoint()
        assert error[0] in {None, ConnectionResetError}  # what an inner one raised, as in nested `with`s
        log.append(f"{self.name} closes in task {anyio.get_current_task().id}")


class TestUsing:
    async def test_resources_are_entered_in_the_runs_task_and_closed_last_in_first_out(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            a = yield ctx.using(Resource("a"))
            b = yield ctx.using(Resource("b"))
            try:
                yield ctx.step.run("s", echo)
                yield ig.Done([a, b, var.get()])
            finally:
                log.append("handler ends")

        task = anyio.get_current_task().id
        assert (await Shell(handler).run()).value == ["a", "b", "unset+a+b"]
        assert log == [
            f"a opens in task {task}",
            f"b opens in task {task}",
            "handler ends",
            f"b closes in task {task}",
            f"a closes in task {task}",
        ]

    async def test_they_are_closed_when_the_run_is_let_go_and_entered_again_on_replay(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Resource("a"))
            yield ctx.step.run("s", echo)
            yield ctx.step.run("t", echo)

        shell = Shell(handler)
        execution = shell.begin()
        await execution.turn()
        assert [line.partition(" in ")[0] for line in log] == ["a opens"]
        await execution.let_go()
        assert [line.partition(" in ")[0] for line in log] == ["a opens", "a closes"]
        log.clear()
        await shell.run(stop=lambda point: point % 4 == 0)
        assert [line.partition(" in ")[0] for line in log] == ["a opens", "a closes"] * 3

    async def test_sync_managers_and_generator_managers_are_fine(self) -> None:
        @contextlib.contextmanager
        def sync() -> Iterator[str]:
            log.append("sync opens")
            yield "sync"
            log.append("sync closes")

        @contextlib.asynccontextmanager
        async def generator() -> AsyncIterator[str]:
            log.append("generator opens")
            try:
                yield "generator"
            finally:
                await anyio.lowlevel.checkpoint()
                log.append("generator closes")

        async def handler(ctx: ig.Context) -> ig.Flow:
            names = [(yield ctx.using(sync())), (yield ctx.using(generator()))]
            yield ctx.step.run("s", echo)
            yield ig.Done(names)

        assert (await Shell(handler).run()).value == ["sync", "generator"]
        assert log == ["sync opens", "generator opens", "generator closes", "sync closes"]
        await run(handler)

    async def test_a_resource_may_hold_a_task_group_over_yields(self) -> None:
        class Client:
            async def __aenter__(self) -> Self:
                self.ticks = 0
                self.group = anyio.create_task_group()
                await self.group.__aenter__()
                self.group.start_soon(self.tick)
                return self

            async def __aexit__(self, *error: object) -> None:
                self.group.cancel_scope.cancel()
                await self.group.__aexit__(None, None, None)

            async def tick(self) -> None:
                while True:
                    self.ticks += 1
                    await anyio.lowlevel.checkpoint()

        async def handler(ctx: ig.Context) -> ig.Flow:
            one = yield ctx.using(Client())
            yield ctx.step.run("s", echo)
            two = yield ctx.using(Client())
            with anyio.move_on_after(0) as scope:
                await anyio.sleep_forever()
            yield ctx.step.run("t", echo)
            await anyio.lowlevel.checkpoint()
            yield ctx.group.parallel(ctx.step.run("u", echo), ctx.step.sleep("v", 1))
            yield ig.Done([one.ticks > 0, two.ticks > 0, scope.cancelled_caught])

        assert (await run(handler)).value == [True, True, True]
        await anyio.lowlevel.checkpoint()

    async def test_a_scope_of_the_handlers_own_is_told_under_a_resource_too(self) -> None:
        @contextlib.asynccontextmanager
        async def client() -> AsyncIterator[None]:
            async with anyio.create_task_group():
                yield

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(client())
            with anyio.CancelScope():
                yield ctx.step.run("s", echo)

        async def around(ctx: ig.Context) -> ig.Flow:
            with anyio.CancelScope():
                yield ctx.using(client())

        for each, line in ((handler, 3), (around, 2)):
            end = await run(each)
            assert end.final
            assert end.error is not None
            assert "spans a yield" in end.error
            assert f"{__file__}:{each.__code__.co_firstlineno + line}" in end.error

    async def test_failing_to_enter_is_raised_at_the_yield(self) -> None:
        class Broken:
            async def __aenter__(self) -> None:
                raise ConnectionError("refused")

            async def __aexit__(self, *error: object) -> None:
                log.append("never")

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Broken())

        async def catching(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Resource("kept"))
            try:
                yield ctx.using(Broken())
            except ConnectionError as error:
                yield ig.Done([str(error), (yield ctx.step.run("s", echo, 1))])

        end = await run(handler)
        assert (end.error, end.final) == ("ConnectionError: refused", False)
        assert (await run(catching)).value == ["refused", 1]
        assert "never" not in log

    async def test_a_resource_that_fails_to_close_is_logged_and_the_others_are_closed(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(Resource):
            async def __aexit__(self, *error: object) -> None:
                raise ConnectionResetError("reset")

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(Resource("a"))
            yield ctx.using(Broken("b"))
            yield ig.Done("end")

        assert (await Shell(handler).run()).value == "end"
        assert [line.partition(" in ")[0] for line in log] == ["a opens", "b opens", "a closes"]
        assert f"closing a resource of run {RUN_ID} failed" in caplog.text
        assert "reset" in caplog.text

    async def test_what_is_no_context_manager_is_told(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.using(1)  # type: ignore[arg-type]

        end = await run(handler)
        assert end.error is not None
        assert end.error.startswith("MisuseError: ctx.using takes a context manager, not int")

    async def test_a_debugger_may_enter_a_stub_instead(self) -> None:
        async def stub(using: Using) -> str:
            return f"stub of {using.manager.name}"  # type: ignore[union-attr]

        async def handler() -> ig.Flow:
            yield ig.Done((yield Using(Resource("a"))))

        execution = Execution(enter=stub)
        execution.start(handler())
        turn = await execution.turn()
        assert turn.ended == Returned("stub of a")
        await execution.let_go()
        assert log == []


class TestDerived:
    async def test_random_uuid_and_started_at_are_the_same_in_every_replay(self) -> None:
        seen: list[Any] = []

        async def sub(ctx: ig.Context) -> ig.Flow:
            seen.append(ctx.random.random())
            yield ctx.step.run("b", echo)

        async def handler(ctx: ig.Context) -> ig.Flow:
            seen.append([ctx.random.random(), ctx.uuid(), ctx.started_at])
            yield ctx.step.run("a", echo)
            seen.append(ctx.uuid())
            yield ctx.group.parallel(sub(ctx), sub(ctx))
            seen.append(ctx.uuid())

        shell = Shell(handler)
        await shell.run()
        once = list(seen)
        assert len({str(each) for each in once}) == len(once)
        seen.clear()
        await shell.replay()
        assert seen == once
        assert once[0][2] == STARTED
        assert once[0][1].version == 4

    async def test_another_run_sees_another_stream(self) -> None:
        app = App("test")

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(str(ctx.uuid()))

        function = app.function("f")(handler)
        found = set()
        for run_id in (RUN_ID, RUN_ID[:-1] + "4"):
            execution = function.begin(CallRequest(run_id=run_id, events=(ig.Event("x"),)), data={})
            turn = await execution.turn()
            found.add(turn.ended.value)  # type: ignore[union-attr]
        assert len(found) == 2


class TestLogger:
    def lines(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [record.getMessage() for record in caplog.records]

    async def test_every_line_is_written_once_however_often_the_run_is_replayed(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)

        async def sub(ctx: ig.Context, name: str) -> ig.Flow:
            ctx.logger.info("%s starts", name)
            yield ctx.step.run(name, echo)
            ctx.logger.info("%s ends", name)

        async def handler(ctx: ig.Context) -> ig.Flow:
            ctx.logger.info("start")
            yield ctx.step.run("a", echo)
            ctx.logger.info("after a")
            yield ctx.group.parallel(sub(ctx, "x"), sub(ctx, "y"), ctx.step.sleep("s", 1))
            ctx.logger.warning("after group")
            yield ctx.step.run("b", echo)
            ctx.logger.info("end")

        expected = ["start", "after a", "x starts", "y starts", "x ends", "y ends", "after group", "end"]
        assert (await Shell(handler).run()).kind == "returned"
        assert self.lines(caplog) == expected
        caplog.clear()
        shell = Shell(handler)
        rounds = 0

        def stop(point: int) -> bool:
            nonlocal rounds
            rounds += 1
            return rounds % 4 == 0

        await shell.run(stop=stop)
        assert self.lines(caplog) == expected
        assert all(vars(record)["run_id"] == RUN_ID for record in caplog.records)
        caplog.clear()
        await shell.replay()
        assert self.lines(caplog) == ["end"]  # the record does not tell that the handler got there

    async def test_a_losers_recorded_result_does_not_silence_what_is_new(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(ctx.step.run("a", echo), ctx.step.run("b", echo))
            ctx.logger.info("after race")
            yield ctx.step.run("c", echo)

        shell = Shell(handler, at_once=2)
        await shell.run(stop=lambda point: point == 5)
        assert self.lines(caplog) == ["after race"]

    async def test_a_retry_of_the_handler_is_silent_up_to_where_it_failed(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)

        async def handler(ctx: ig.Context) -> ig.Flow:
            ctx.logger.info("start")
            yield ctx.step.run("a", echo)
            ctx.logger.info("attempt %s", ctx.attempt)
            if ctx.attempt == 0:
                raise ValueError("first")

        shell = Shell(handler)
        await shell.run()
        execution = shell.begin(attempt=1)
        await execution.turn()
        await execution.let_go()
        assert self.lines(caplog) == ["start", "attempt 0", "attempt 1"]
