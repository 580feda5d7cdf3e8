"""What a test costs that uses the test kit: a three-step function tested, every step replayed; and many runs of it with faults.

Wall time, as whoever runs a suite waits for it. One of the steps runs in a thread, which each test starts anew; one is a sleep.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import anyio

import inngest_gen as ig
from inngest_gen import testing
from inngest_gen.testing.simulation import Simulated, Simulation
from tests.bench.figure import Figure, of_samples

app = ig.App("bench")


async def reserve(count: int) -> dict[str, int]:
    return {"reserved": count}


def charge(reserved: int) -> dict[str, int]:
    return {"charged": reserved * 3}


@app.function("three", trigger="bench/three")
async def three(ctx: ig.Context) -> ig.Flow:
    stock = yield ctx.step.run("reserve", reserve, 2)
    yield ctx.step.sleep("a day", "1d")
    paid = yield ctx.step.run("charge", charge, stock["reserved"])
    yield ig.Done(paid["charged"])


async def _tests(count: int) -> list[float]:
    taken = []
    for turn in range(count + 1):
        started = time.perf_counter()
        result = await testing.run(three, ig.Event("bench/three"))
        assert result.output == 6
        if turn:  # the first warms up
            taken.append((time.perf_counter() - started) * 1_000)
    return taken


async def _scenario(simulated: Simulated) -> None:
    async with simulated.engine(app) as engine:
        await engine.send(ig.Event("bench/three", id="once"))
        await engine.settle()
        assert [run.output for run in engine.results().values()] == [6]


async def _simulated(runs: int) -> float:
    started = time.perf_counter()
    done = await Simulation(_scenario).run(runs, seed=7)
    assert done.runs == runs
    assert sum(done.faults.values()) > runs // 2
    return time.perf_counter() - started


def measure(loops: Sequence[str], tests: int = 300, runs: int = 1_000, rounds: int = 3) -> Iterator[Figure]:
    """Measure both under each loop."""
    for loop in loops:
        yield of_samples(
            anyio.run(_tests, tests, backend=loop),
            name="kit-test",
            what="a three-step function tested, always_replay on",
            loop=loop,
            unit="ms",
            better="less",
            limit=3.0,
        )
        yield of_samples(
            [anyio.run(_simulated, runs, backend=loop) for _ in range(rounds)],
            name="kit-simulated",
            what=f"{runs:,} simulated runs of it with faults",
            loop=loop,
            unit="s",
            better="less",
            limit=10.0,
        )
