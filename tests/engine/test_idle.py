"""When an engine is idle: a jumping clock moves on then, so it must be so only while every unfinished run waits for a time to come."""

import contextlib
import pathlib
import random
import sqlite3

import anyio
import pytest

import inngest_gen as ig
from tests.engine.rig import PATIENCE_S, engine
from tests.engine.test_restart import shop

RUNNABLE = "SELECT id FROM runs WHERE ended IS NULL AND suspended = 0 AND status <> 'blocked'"


class Look:
    """Looks at each turn of the loop whether an idle engine has runs that have something to do. Idle, all that happened is in the file."""

    def __init__(self, its_engine: ig.Engine, path: pathlib.Path) -> None:
        self.wrong: list[str] = []
        self.idle = 0
        self._engine = its_engine
        self._path = path

    async def __call__(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path)) as file:
            while not self.wrong:
                await anyio.sleep(0)
                if self._engine._idle():
                    self.idle += 1
                    self.wrong += [id for (id,) in file.execute(RUNNABLE)]


@pytest.mark.parametrize("seed", range(8))
async def test_an_idle_engine_has_nothing_to_do(path: pathlib.Path, seed: int) -> None:
    dice = random.Random(seed)
    async with engine(path, shop([], [])) as its_engine:
        look = Look(its_engine, path)

        async def go() -> None:
            for _ in range(dice.randrange(20)):
                await anyio.sleep(0)
            if dice.random() < 0.7:
                await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
                return
            await its_engine.send(ig.Event("go"))
            for _ in range(dice.randrange(200)):
                await anyio.sleep(0)
            for one in await its_engine.runs():
                await its_engine.cancel(one.id)

        async with anyio.create_task_group() as looking:
            looking.start_soon(look)
            async with anyio.create_task_group() as tasks:
                for _ in range(dice.randint(1, 3)):
                    tasks.start_soon(go)
            looking.cancel_scope.cancel()
    assert look.idle
    assert not look.wrong
