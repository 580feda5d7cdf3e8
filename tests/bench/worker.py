"""The process that runs our engine for the bench: `python -m tests.bench.worker DIRECTORY asyncio|trio`. It measures what it is told to."""

from __future__ import annotations

import gc
import logging
import os
import pathlib
import resource
import sys
import time
from contextlib import AsyncExitStack
from typing import Literal

import anyio

import inngest_gen as ig
from inngest_gen.engine.progress import Progress
from tests.bench.disk import Disk
from tests.bench.side import obey
from tests.bench.subjects import app, gate


class Count:
    """Waits until something has happened so many times."""

    def __init__(self, kind: str, times: int) -> None:
        self._kind = kind
        self._left = times
        self.reached: anyio.Event = anyio.Event()

    def __call__(self, progress: Progress) -> None:
        if progress.kind == self._kind:
            self._left -= 1
            if not self._left:
                self.reached.set()


class Worker:
    """What can be asked of it. Times are in seconds, memory in bytes."""

    def __init__(self, directory: pathlib.Path, stack: AsyncExitStack) -> None:
        self._directory = directory
        self._stack = stack
        self._clock: ig.VirtualClock | None = None
        self._engine: ig.Engine
        self._disk: Disk

    async def open(
        self, *, durability: Literal["power", "process"] = "power", concurrency: int | None = None, time_at: float | None = None
    ) -> None:
        """Open the engine on the directory's file; with `time_at` its clock stands still there, in epoch seconds."""
        self._engine = self._make(durability, concurrency, time_at)
        await self._stack.enter_async_context(self._engine)

    def _make(
        self, durability: Literal["power", "process"] = "power", concurrency: int | None = None, time_at: float | None = None
    ) -> ig.Engine:
        self._clock = None if time_at is None else ig.VirtualClock(time_at)
        return ig.Engine(self._directory / "runs.db", apps=[app], durability=durability, concurrency=concurrency, clock=self._clock)

    # The disk.

    async def open_disk(self, *, warm_up: int) -> None:
        """Make the database of the raw commits, and let its log reach its size."""
        self._disk = Disk(self._directory / "commits.db")
        self._disk.warm_up(warm_up)

    async def commits(self, *, count: int) -> float:
        """Commit single rows, one after the other."""
        return self._disk.commits(count)

    async def fresh_commits(self, *, count: int) -> float:
        """The same in a database made for it, whose log grows with each commit."""
        path = self._directory / "fresh.db"
        disk = Disk(path)
        try:
            return disk.commits(count)
        finally:
            disk.close()
            path.unlink()

    # Runs.

    async def steps(self, *, count: int, threads: bool = False) -> float:
        """One run of sequential steps, from the event to its end."""
        event = ig.Event("bench/thread-steps" if threads else "bench/steps", {"count": count})
        started = time.perf_counter()
        (run,) = await self._engine.run(event)
        seconds = time.perf_counter() - started
        assert run.status == "completed", run
        assert len(run.steps) == count, run
        return seconds

    async def burst(self, *, runs: int, steps: int) -> float:
        """Many runs started at once, from the sending of their events to the end of the last."""
        events = [ig.Event("bench/steps", {"count": steps}) for _ in range(runs)]
        ended = self._engine.watch = Count("run.ended", runs)
        started = time.perf_counter()
        await self._engine.send(*events)
        await ended.reached.wait()
        seconds = time.perf_counter() - started
        self._engine.watch = None
        return seconds

    async def ones(self, *, times: int, pause: float | None) -> list[float]:
        """One run of one step after the other, with a pause in seconds before each if there is one."""
        taken: list[float] = []
        for _ in range(times):
            if pause is not None:
                await anyio.sleep(pause)
            taken.append(await self.steps(count=1))
        return taken

    async def latency(self, *, times: int, pause: float) -> list[tuple[float, float]]:
        """One commit and one run of one step in turn, with a pause in seconds before each; gives (commit, run) for each time."""
        taken: list[tuple[float, float]] = []
        for _ in range(times):
            await anyio.sleep(pause)
            commit = self._disk.commits(1)
            await anyio.sleep(pause)
            taken.append((commit, await self.steps(count=1)))
        return taken

    # Sleeping runs.

    async def sleepers(self, *, runs: int, until: str) -> float:
        """Start runs that sleep until a moment, a thousand at a time; gives the seconds until all sleep."""
        started = time.perf_counter()
        while runs:
            batch = min(runs, 1000)
            asleep = self._engine.watch = Count("step.waiting", batch)
            await self._engine.send(*[ig.Event("bench/sleeper", {"until": until}) for _ in range(batch)])
            await asleep.reached.wait()
            runs -= batch
        self._engine.watch = None
        return time.perf_counter() - started

    async def wake(self, *, runs: int, time_at: float) -> float:
        """Let the clock jump to a moment; gives the seconds until the runs that are due have ended."""
        assert self._clock is not None
        ended = self._engine.watch = Count("run.ended", runs)
        started = time.perf_counter()
        self._clock.advance_to(time_at)
        await ended.reached.wait()
        seconds = time.perf_counter() - started
        self._engine.watch = None
        return seconds

    async def memory(self) -> int:
        """What the process has resident, once it has come to rest."""
        await anyio.sleep(0.3)
        gc.collect()
        statm = pathlib.Path("/proc/self/statm")
        if statm.exists():
            return int(statm.read_text().split()[1]) * resource.getpagesize()
        return int((await anyio.run_process(["ps", "-o", "rss=", "-p", str(os.getpid())])).stdout) * 1024

    # Restarts.

    async def gated(self, *, runs: int) -> None:
        """Start runs and wait until each is in the body of its second step, where it stays."""
        gate.shut = True
        await self._engine.send(*[ig.Event("bench/gated") for _ in range(runs)])
        while gate.arrived < runs:
            await anyio.sleep(0.01)

    async def recover(self, *, runs: int) -> float:
        """Open the engine on what a killed one left; gives the seconds from before that until all runs have ended."""
        gate.shut = False
        self._engine = self._make()
        ended = self._engine.watch = Count("run.ended", runs)
        started = time.perf_counter()
        await self._stack.enter_async_context(self._engine)
        await ended.reached.wait()
        seconds = time.perf_counter() - started
        self._engine.watch = None
        completed = await self._engine.runs(status="completed", limit=runs + 1)
        assert len(completed) == runs, len(completed)
        assert all([step.result for step in run.steps] == [1, 2, 3] for run in completed)
        return seconds


async def main(directory: pathlib.Path) -> None:
    async with AsyncExitStack() as stack:
        worker = Worker(directory, stack)
        names = [name for name in dir(Worker) if not name.startswith("_")]
        await obey({name: getattr(worker, name) for name in names})


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    anyio.run(main, pathlib.Path(sys.argv[1]), backend=sys.argv[2])
