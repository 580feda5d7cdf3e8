"""The tasks that drive runs are used again."""

import pathlib
from typing import Any, cast

import anyio
import pytest

import inngest_gen as ig
from inngest_gen.engine.live import LiveRun
from inngest_gen.engine.seats import Seats
from tests.engine.rig import PATIENCE_S, engine


class Taker:
    """Stands for a run; `task` is what drove it."""

    def __init__(self, fails: bool = False) -> None:
        self.task = 0
        self.fails = fails
        self.over = anyio.Event()

    async def main(self) -> None:
        self.task = anyio.get_current_task().id
        await anyio.sleep(0)
        self.over.set()
        if self.fails:
            raise RuntimeError("a defect")


def live(taker: Taker) -> LiveRun:
    return cast("LiveRun", taker)


async def test_a_task_drives_one_run_after_the_other() -> None:
    seats = Seats()
    takers = [Taker() for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        assert not seats
        assert not seats.take(live(takers[0]))
        tasks.start_soon(seats.drive, live(takers[0]))
        for taker in takers[1:]:
            await anyio.wait_all_tasks_blocked()
            assert seats
            assert seats.take(live(taker))
            assert not seats
            await taker.over.wait()
        tasks.cancel_scope.cancel()
    assert len({taker.task for taker in takers}) == 1


async def test_a_run_that_takes_a_seat_before_its_task_waits_is_driven() -> None:
    seats = Seats()

    class Followed(Taker):
        async def main(self) -> None:
            await super().main()
            tasks.start_soon(take)

    async def take() -> None:
        assert seats.take(live(last))

    last = Taker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seats.drive, live(Followed()))
        with anyio.fail_after(PATIENCE_S):
            await last.over.wait()
        tasks.cancel_scope.cancel()


async def test_only_so_many_tasks_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inngest_gen.engine.seats._KEPT", 2)
    seats = Seats()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(seats.drive, live(Taker()))
        await anyio.wait_all_tasks_blocked()
        assert [seats.take(live(Taker())) for _ in range(3)] == [True, True, False]
        tasks.cancel_scope.cancel()


async def test_a_seat_whose_run_failed_is_gone() -> None:
    seats = Seats()
    with pytest.raises(ExceptionGroup):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(seats.drive, live(Taker(fails=True)))
    assert not seats


async def test_runs_that_share_a_task_share_no_contextvars(path: pathlib.Path) -> None:
    from contextvars import ContextVar

    var: ContextVar[str] = ContextVar("var", default="unset")
    seen: list[Any] = []
    app = ig.App("shop")

    async def body() -> None:
        seen.append((var.get(), anyio.get_current_task().id))

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        seen.append((var.get(), anyio.get_current_task().id))
        var.set("set")
        yield ctx.step.run("s", body)
        assert var.get() == "set"

    async with engine(path, app) as its_engine:
        for _ in range(2):
            await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
    assert [value for value, _ in seen] == ["unset", "set", "unset", "set"]
    assert len({task for _, task in seen}) == 1
