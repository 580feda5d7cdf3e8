"""Durable execution against the disk: sequential steps, many runs at once, and one run on an idle engine; durability "power".

Each loop has a process of its own with an engine and, in the same directory, the raw commits it is measured against. Samples are taken in turn:
commits, run, commits, run ... of one loop, then of the other.
"""

from __future__ import annotations

import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.bench.figure import Figure, number, of_samples, ratios
from tests.bench.side import Side

WARM_UP = 1_500
_PAUSE_S = 0.002
HALF = 0.5
"""The least part of asyncio's rates that trio's are to have."""


def share(loop: str) -> float:
    """The part of a target that holds for a loop: a target is asyncio's."""
    return HALF if loop == "trio" else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured. `commits` is how many raw commits one sample takes."""

    rounds: int
    commits: int
    warm_up: int = WARM_UP
    steps: int = 100
    runs: int = 1_000
    times: int = 20


@contextmanager
def _workers(loops: Sequence[str], directory: pathlib.Path, size: Size) -> Iterator[Mapping[str, Side]]:
    with ExitStack() as stack:
        sides: dict[str, Side] = {}
        for loop in loops:
            own = directory / loop
            own.mkdir(parents=True)
            sides[loop] = stack.enter_context(Side("tests.bench.worker", own, loop))
            sides[loop].ask("open")
            sides[loop].ask("open_disk", warm_up=size.warm_up)
        yield sides


def compared(name: str, what: str, rates: Mapping[str, Sequence[float]], *, times: bool = False) -> Iterator[Figure]:
    """Compare trio with asyncio, if both were measured; `rates` are by loop, or with `times` durations."""
    if {"asyncio", "trio"} <= rates.keys():
        trio, asyncio = rates["trio"], rates["asyncio"]
        yield of_samples(
            ratios(asyncio, trio) if times else ratios(trio, asyncio),
            name=f"{name}-trio-of-asyncio",
            what=f"{what}: trio's rate, of asyncio's",
            unit="x",
            limit=HALF,
        )


def _rate(rates: Sequence[float], unit: str) -> str:
    return f"{number(statistics.median(rates))} {unit}/s"


def measure_steps(loops: Sequence[str], directory: pathlib.Path, size: Size) -> Iterator[Figure]:
    """Measure one run of sequential steps, with async bodies and with bodies in threads, against raw commits."""
    kinds = {"async": (False, 0.4, 0.7), "sync": (True, 0.3, 0.6)}
    with _workers(loops, directory, size) as sides:
        rates: dict[tuple[str, str], list[float]] = {(kind, loop): [] for kind in kinds for loop in loops}
        parts: dict[tuple[str, str], list[float]] = {key: [] for key in rates}
        fresh: dict[str, list[float]] = {loop: [] for loop in loops}
        raw: dict[str, list[float]] = {loop: [] for loop in loops}
        for turn in range(size.rounds + 1):
            for loop, side in sides.items():
                before = size.commits / side.ask("commits", count=size.commits)
                for kind, (threads, _, _) in kinds.items():
                    rate = size.steps / side.ask("steps", count=size.steps, threads=threads)
                    after = size.commits / side.ask("commits", count=size.commits)
                    if turn:  # the first warms up
                        rates[kind, loop].append(rate)
                        parts[kind, loop].append(rate / ((before + after) / 2))
                        raw[loop] += [before, after]
                    before = after
                fresh[loop].append(size.commits / side.ask("fresh_commits", count=size.commits))
    for kind, (_, limit, aim) in kinds.items():
        for loop in loops:
            yield of_samples(
                parts[kind, loop],
                name=f"steps-{kind}-{loop}",
                what=f"{size.steps} sequential {kind} steps, of the rate of commits",
                loop=loop,
                unit="x",
                limit=limit * share(loop),
                aim=aim * share(loop),
                detail=f"{_rate(rates[kind, loop], 'steps')}, {_rate(raw[loop], 'commits')}",
            )
        yield from compared(f"steps-{kind}", f"sequential {kind} steps", {loop: rates[kind, loop] for loop in loops})
    for loop in loops[:1]:
        yield of_samples(
            ratios(rates["async", loop], fresh[loop][1:]),
            name=f"steps-async-fresh-{loop}",
            what="async steps, of the rate of commits to a fresh database",
            loop=loop,
            unit="x",
            detail=f"{_rate(fresh[loop], 'commits')} while the log still grows",
        )


def measure_burst(loops: Sequence[str], directory: pathlib.Path, size: Size) -> Iterator[Figure]:
    """Measure runs of 3 steps, all started at once."""
    with _workers(loops, directory, size) as sides:
        rates: dict[str, list[float]] = {loop: [] for loop in loops}
        raw: dict[str, list[float]] = {loop: [] for loop in loops}
        for turn in range(size.rounds + 1):
            for loop, side in sides.items():
                commits = size.commits / side.ask("commits", count=size.commits)
                rate = size.runs / side.ask("burst", runs=size.runs, steps=3)
                if turn:
                    raw[loop].append(commits)
                    rates[loop].append(rate)
    for loop in loops:
        yield of_samples(
            rates[loop],
            name=f"burst-{loop}",
            what=f"{size.runs:,} runs of 3 steps started at once, runs a second",
            loop=loop,
            aim=1000,
            detail=f"{number(statistics.median(ratios(rates[loop], raw[loop])))} runs in a commit's time; its target is in bench-peers",
        )
    yield from compared("burst", "runs of 3 steps at once", rates)


def measure_latency(loops: Sequence[str], directory: pathlib.Path, size: Size) -> Iterator[Figure]:
    """Measure from the event to the end of a run of one step, one at a time, in single-row commits' time.

    Commits and runs in turn, each after a pause: an idle engine. And, for information, a loop of runs against a loop of commits.
    """
    cases = {"idle": "each after a pause", "loop": "one after the other"}
    with _workers(loops, directory, size) as sides:
        keys = [(case, loop) for case in cases for loop in loops]
        commits: dict[tuple[str, str], list[float]] = {key: [] for key in keys}
        runs: dict[tuple[str, str], list[float]] = {key: [] for key in keys}
        every: dict[tuple[str, str], list[float]] = {key: [] for key in keys}
        for turn in range(size.rounds + 1):
            for loop, side in sides.items():
                pairs = side.ask("latency", times=size.times, pause=_PAUSE_S)
                idle = [commit for commit, _ in pairs], [run for _, run in pairs]
                loop_commit = side.ask("commits", count=size.commits) / size.commits
                loop_runs = side.ask("ones", times=size.times, pause=None)
                if turn:  # the first warms up
                    for case, (some_commits, some_runs) in {"idle": idle, "loop": ([loop_commit], loop_runs)}.items():
                        commits[case, loop].append(statistics.median(some_commits))
                        runs[case, loop].append(statistics.median(some_runs))
                        every[case, loop] += some_runs
    for case, how in cases.items():
        for loop in loops:
            times = sorted(every[case, loop])
            p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
            commit = statistics.median(commits[case, loop])
            yield of_samples(
                ratios(runs[case, loop], commits[case, loop]),
                name=f"latency-{case}-{loop}",
                what=f"event to finished one-step run, {how}, p50 in commits",
                loop=loop,
                unit="x",
                better="less",
                limit=6 / share(loop) if case == "idle" else None,
                aim=5 / share(loop) if case == "idle" else None,
                detail=f"p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms = {p99 / commit:.0f} commits of {commit * 1e3:.2f} ms",
            )
    yield from compared("latency", "one-step run on an idle engine", {loop: runs["idle", loop] for loop in loops}, times=True)
