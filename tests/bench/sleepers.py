"""Sleeping runs: what a hundred thousand of them cost in memory, and how fast ten thousand wake that are due at once.

The runs are made with durability "process" (100,000 are to be had in the time of a bench); they are woken with "power". Time is a clock that stands
still until it is moved, so that the moment of waking is the bench's to choose.
"""

from __future__ import annotations

import pathlib
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from tests.bench.durable import compared, share
from tests.bench.figure import Figure, of_samples
from tests.bench.side import Side

_MB = 1e6


def measure(loops: Sequence[str], directory: pathlib.Path, runs: int = 100_000, due: int = 10_000, rounds: int = 2) -> Iterator[Figure]:
    """Measure the memory of `runs` sleeping runs and the waking of `due` of them, `rounds` times a loop."""
    now = time.time()
    noon = datetime.fromtimestamp(now, UTC)
    soon, late = noon + timedelta(hours=1), noon + timedelta(days=365)
    full = directory / "full"
    full.mkdir(parents=True)
    with Side("tests.bench.worker", full, loops[0]) as side:
        side.ask("open", durability="process", time_at=now)
        side.ask("steps", count=1)
        before = side.ask("memory")
        seconds = side.ask("sleepers", runs=due, until=soon.isoformat()) + side.ask("sleepers", runs=runs - due, until=late.isoformat())
        after = side.ask("memory")
    yield of_samples(
        [(after - before) / _MB],
        name="sleepers-memory",
        what=f"{runs:,} runs put to sleep, over the idle engine before",
        unit="MB",
        better="less",
        limit=60,
        detail=f"{before / _MB:.0f} MB before; made at {runs / seconds:,.0f} runs/s",
    )
    taken: dict[str, list[float]] = {loop: [] for loop in loops}
    over: list[float] = []
    idle = 0
    for turn in range(rounds):
        for loop in loops:
            own = directory / f"{loop}-{turn}"
            own.mkdir()
            with Side("tests.bench.worker", own, loop) as side:
                side.ask("open", time_at=now)
                side.ask("steps", count=1)
                idle = side.ask("memory")
            for file in own.iterdir():
                file.unlink()
            for file in (full / "runs.db", full / "runs.db-wal"):
                if file.exists():
                    shutil.copy(file, own)
            with Side("tests.bench.worker", own, loop) as side:
                side.ask("open", time_at=now)
                side.ask("steps", count=1)
                over.append((side.ask("memory") - idle) / _MB)
                taken[loop].append(due / side.ask("wake", runs=due, time_at=soon.timestamp()))
            shutil.rmtree(own)
    yield of_samples(
        over,
        name="sleepers-reopened",
        what=f"an engine opened on {runs:,} sleeping runs, over an idle one",
        unit="MB",
        better="less",
        limit=60,
        detail=f"{idle / _MB:.0f} MB idle",
    )
    for loop in loops:
        yield of_samples(
            taken[loop],
            name=f"sleepers-wake-{loop}",
            what=f"{due:,} of them due at once wake, runs a second",
            loop=loop,
            limit=1000 * share(loop),
        )
    yield from compared("sleepers-wake", "waking", taken)
