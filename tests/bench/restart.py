"""Restart: runs that a killed engine left unfinished, each with one step recorded and one under way, are finished by the next one."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Iterator, Sequence

from tests.bench.durable import compared
from tests.bench.figure import Figure, of_samples
from tests.bench.side import Side


def recover(directory: pathlib.Path, loop: str, runs: int) -> float:
    """Leave runs unfinished, kill the process, and give the seconds from the opening of the next engine to the last run's end."""
    directory.mkdir(parents=True)
    with Side("tests.bench.worker", directory, loop) as side:
        side.ask("open", concurrency=runs)
        side.ask("gated", runs=runs)
        side.kill()
    with Side("tests.bench.worker", directory, loop) as side:
        seconds: float = side.ask("recover", runs=runs)
    shutil.rmtree(directory)
    return seconds


def measure(loops: Sequence[str], directory: pathlib.Path, runs: int = 1_000, rounds: int = 3) -> Iterator[Figure]:
    """Measure the restart of each loop in turn."""
    taken: dict[str, list[float]] = {loop: [] for loop in loops}
    for turn in range(rounds):
        for loop in loops:
            taken[loop].append(recover(directory / f"{loop}-{turn}", loop, runs))
    for loop in loops:
        yield of_samples(
            taken[loop],
            name=f"restart-{loop}",
            what=f"restart with {runs:,} unfinished runs until all are done",
            loop=loop,
            unit="s",
            better="less",
            detail="its target is in bench-peers",
        )
    yield from compared("restart", "restart", taken, times=True)
