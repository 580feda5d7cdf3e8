"""The process that runs DBOS for the bench of peers: `python -m tests.bench.dbos_worker DIRECTORY [wal]`, in a venv that has dbos.

DBOS as its documentation has it: SQLite by default, workflows and steps by decorators, async ones awaited, `start_workflow` for many at once,
recovery at launch. What can be async or sync is there in both forms. With `wal` its file is put into write-ahead mode, which DBOS does not do.
"""

from __future__ import annotations

import asyncio
import pathlib
import sqlite3
import sys
import threading
import time
from typing import Any

import anyio
from dbos import DBOS  # type: ignore[import-not-found, unused-ignore]

from tests.bench.side import obey


class Gate:
    """Where steps wait for ever while it is shut; counts who arrives, and which workflows have come to their end."""

    def __init__(self) -> None:
        self.shut: bool = False
        self.arrived: int = 0
        self.ended: int = 0


gate = Gate()


async def _add_one(number: int) -> int:
    return number + 1


def _add_one_in_thread(number: int) -> int:
    return number + 1


async def _add_one_behind_gate(number: int) -> int:
    if gate.shut:
        gate.arrived += 1
        await anyio.sleep_forever()
    return number + 1


def _add_one_behind_gate_in_thread(number: int) -> int:
    if gate.shut:
        gate.arrived += 1
        threading.Event().wait()
    return number + 1


add_one = DBOS.step()(_add_one)
add_one_in_thread = DBOS.step()(_add_one_in_thread)
add_one_behind_gate = DBOS.step()(_add_one_behind_gate)
add_one_behind_gate_in_thread = DBOS.step()(_add_one_behind_gate_in_thread)


async def _steps(count: int) -> None:
    for place in range(count):
        await add_one(place)


def _thread_steps(count: int) -> None:
    for place in range(count):
        add_one_in_thread(place)


async def _gated() -> int:
    first = await add_one(0)
    second = await add_one_behind_gate(first)
    third: int = await add_one(second)
    gate.ended += 1
    return third


def _thread_gated() -> int:
    first = add_one_in_thread(0)
    second = add_one_behind_gate_in_thread(first)
    third: int = add_one_in_thread(second)
    gate.ended += 1
    return third


steps = DBOS.workflow()(_steps)
thread_steps = DBOS.workflow()(_thread_steps)
gated = DBOS.workflow()(_gated)
thread_gated = DBOS.workflow()(_thread_gated)


class Worker:
    """What can be asked of it; the same as of our own worker. Times are in seconds."""

    def __init__(self, directory: pathlib.Path, *, wal: bool) -> None:
        self._file = directory / "dbos.sqlite"
        if wal:
            connection = sqlite3.connect(self._file)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.close()

    async def open(self) -> None:
        """Start DBOS."""
        DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{self._file}", "log_level": "ERROR"})
        DBOS.launch()

    async def steps(self, *, count: int, threads: bool = False) -> float:
        """One workflow of sequential steps, called directly."""
        if threads:
            return await asyncio.to_thread(_timed, count)
        started = time.perf_counter()
        await steps(count)
        return time.perf_counter() - started

    async def burst(self, *, runs: int, steps: int, threads: bool = False) -> float:
        """Many workflows started at once, until the results of all are there."""
        return await (asyncio.to_thread(_thread_burst, runs, steps) if threads else _burst(runs, steps))

    async def ones(self, *, times: int, pause: float, threads: bool = False) -> list[float]:
        """One workflow of one step after the other, with a pause in seconds before each."""
        taken: list[float] = []
        for _ in range(times):
            await anyio.sleep(pause)
            taken.append(await self.steps(count=1, threads=threads))
        return taken

    async def gated(self, *, runs: int, threads: bool = False) -> None:
        """Start workflows and wait until each is in its second step, where it stays."""
        gate.shut = True
        if threads:
            await asyncio.to_thread(lambda: [DBOS.start_workflow(thread_gated) for _ in range(runs)])
        else:
            await asyncio.gather(*(DBOS.start_workflow_async(gated) for _ in range(runs)))
        while gate.arrived < runs:
            await anyio.sleep(0.01)

    async def recover(self, *, runs: int) -> float:
        """Start DBOS on what a killed one left; gives the seconds from before that until all workflows have ended."""
        started = time.perf_counter()
        await self.open()
        while gate.ended < runs:
            await anyio.sleep(0.01)
        while await DBOS.list_workflows_async(status=["PENDING", "ENQUEUED"], limit=1):
            await anyio.sleep(0.01)
        return time.perf_counter() - started


def _timed(count: int) -> float:
    started = time.perf_counter()
    thread_steps(count)
    return time.perf_counter() - started


async def _burst(runs: int, count: int) -> float:
    started = time.perf_counter()
    handles = await asyncio.gather(*(DBOS.start_workflow_async(steps, count) for _ in range(runs)))
    await asyncio.gather(*(handle.get_result() for handle in handles))
    return time.perf_counter() - started


def _thread_burst(runs: int, count: int) -> float:
    started = time.perf_counter()
    handles = [DBOS.start_workflow(thread_steps, count) for _ in range(runs)]
    for handle in handles:
        handle.get_result()
    return time.perf_counter() - started


async def main(directory: pathlib.Path, *options: Any) -> None:
    worker = Worker(directory, wal="wal" in options)
    await obey({name: getattr(worker, name) for name in dir(Worker) if not name.startswith("_")})
    DBOS.destroy()


if __name__ == "__main__":
    anyio.run(main, pathlib.Path(sys.argv[1]), *sys.argv[2:])
