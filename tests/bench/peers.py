"""Measures our engine against DBOS on SQLite, and serving against inngest-py: `python -m tests.bench.peers`, or `make bench-peers`, which makes
a venv that has them.

Both are given the same work on the same disk in turn, in processes of their own. Where the target leaves it open whether steps are async or sync,
DBOS is measured in the form in which it is faster here.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench import restart, wire_peer
from tests.bench.__main__ import LOOPS, parser
from tests.bench.durable import share
from tests.bench.figure import Figure, number, of_samples, ratios
from tests.bench.report import Report
from tests.bench.side import Side

NAMES = ("steps", "burst", "latency", "restart", "wire")
_PAUSE_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    runs: int
    steps: int = 100
    times: int = 20
    probe: int = 100
    rounds: int = 10
    long_rounds: int = 3


class Peers:
    """DBOS in one process, our engine in one for each loop."""

    def __init__(self, loops: Sequence[str], directory: pathlib.Path, size: Size, *, wal: bool) -> None:
        self._loops = loops
        self._directory = directory
        self._size = size
        self._wal = ["wal"] if wal else []

    def _target(self, bound: float | None, loop: str) -> float | None:
        """A target for a rate; halved for trio. The targets are set against DBOS's default: its file in another mode is for information."""
        return None if bound is None or self._wal else bound * share(loop)

    def _most(self, bound: float, loop: str) -> float | None:
        """A target for a time; doubled for trio."""
        return None if self._wal else bound / share(loop)

    def _open(self, stack: ExitStack, name: str) -> tuple[Side, dict[str, Side]]:
        directory = self._directory / name / "dbos"
        directory.mkdir(parents=True)
        dbos = stack.enter_context(Side("tests.bench.dbos_worker", directory, *self._wal))
        dbos.ask("open")
        ours: dict[str, Side] = {}
        for loop in self._loops:
            directory = self._directory / name / loop
            directory.mkdir()
            ours[loop] = stack.enter_context(Side("tests.bench.worker", directory, loop))
            ours[loop].ask("open")
        return dbos, ours

    def steps(self) -> Iterator[Figure]:
        """Sequential steps in one run: async against async, sync against sync."""
        count = self._size.steps
        for kind, threads, limit in (("async", False, 4.0), ("sync", True, None)):
            with ExitStack() as stack:
                dbos, ours = self._open(stack, f"steps-{kind}")
                theirs: list[float] = []
                rates: dict[str, list[float]] = {loop: [] for loop in ours}
                for turn in range(self._size.rounds + 1):
                    taken = {loop: count / side.ask("steps", count=count, threads=threads) for loop, side in ours.items()}
                    rate = count / dbos.ask("steps", count=count, threads=threads)
                    if turn:  # the first warms up
                        theirs.append(rate)
                        for loop in ours:
                            rates[loop].append(taken[loop])
            for loop in ours:
                yield of_samples(
                    ratios(rates[loop], theirs),
                    name=f"peers-steps-{kind}-{loop}",
                    what=f"{count} sequential {kind} steps, of DBOS's rate",
                    loop=loop,
                    unit="x",
                    limit=self._target(limit, loop),
                    detail=_both(rates[loop], theirs, "steps/s"),
                )

    def burst(self) -> Iterator[Figure]:
        """Runs of 3 steps, all started at once."""
        runs = self._size.runs
        with ExitStack() as stack:
            dbos, ours = self._open(stack, "burst")
            probes = {threads: dbos.ask("burst", runs=self._size.probe, steps=3, threads=threads) for threads in (False, True)}
            threads = probes[True] < probes[False]
            theirs: list[float] = []
            rates: dict[str, list[float]] = {loop: [] for loop in ours}
            for side in ours.values():
                side.ask("burst", runs=self._size.probe, steps=3)
            for _ in range(self._size.long_rounds):
                for loop, side in ours.items():
                    rates[loop].append(runs / side.ask("burst", runs=runs, steps=3))
                theirs.append(runs / dbos.ask("burst", runs=runs, steps=3, threads=threads))
        for loop in ours:
            yield of_samples(
                ratios(rates[loop], theirs),
                name=f"peers-burst-{loop}",
                what=f"{runs:,} runs of 3 steps started at once, of DBOS's rate",
                loop=loop,
                unit="x",
                limit=self._target(20, loop),
                aim=self._target(40, loop),
                detail=f"{_both(rates[loop], theirs, 'runs/s')} ({_form(threads)})",
            )

    def latency(self) -> Iterator[Figure]:
        """A run of one step on an idle engine: from the event to its end; of DBOS, a direct call."""
        size = self._size
        with ExitStack() as stack:
            dbos, ours = self._open(stack, "latency")
            theirs: dict[bool, list[float]] = {False: [], True: []}
            medians: dict[str, list[float]] = {loop: [] for loop in ours}
            for turn in range(size.rounds + 1):
                for loop, side in ours.items():
                    times = side.ask("ones", times=size.times, pause=_PAUSE_S)
                    if turn:
                        medians[loop].append(statistics.median(times))
                for threads, medians_of_form in theirs.items():
                    times = dbos.ask("ones", times=size.times, pause=_PAUSE_S, threads=threads)
                    if turn:
                        medians_of_form.append(statistics.median(times))
        threads = statistics.median(theirs[True]) < statistics.median(theirs[False])
        for loop in ours:
            yield of_samples(
                ratios(medians[loop], theirs[threads]),
                name=f"peers-latency-{loop}",
                what="one-step run, p50, of DBOS's direct call",
                loop=loop,
                unit="x",
                better="less",
                limit=self._most(1 / 3, loop),
                detail=f"{_both([s * 1e3 for s in medians[loop]], [s * 1e3 for s in theirs[threads]], 'ms')} ({_form(threads)})",
            )

    def restart(self) -> Iterator[Figure]:
        """Recovery of runs that a kill left in their second step."""
        runs = self._size.runs
        probes = {
            threads: self._recover_dbos(self._directory / f"restart-probe-{threads}", self._size.probe, threads=threads)
            for threads in (False, True)
        }
        threads = probes[True] < probes[False]
        theirs: list[float] = []
        ours: dict[str, list[float]] = {loop: [] for loop in self._loops}
        for turn in range(self._size.long_rounds):
            for loop in self._loops:
                ours[loop].append(restart.recover(self._directory / f"restart-{loop}-{turn}", loop, runs))
            theirs.append(self._recover_dbos(self._directory / f"restart-dbos-{turn}", runs, threads=threads))
        for loop in self._loops:
            yield of_samples(
                ratios(ours[loop], theirs),
                name=f"peers-restart-{loop}",
                what=f"restart with {runs:,} unfinished runs, of DBOS's time",
                loop=loop,
                unit="x",
                better="less",
                limit=self._most(0.1, loop),
                aim=self._most(0.05, loop),
                detail=f"{_both(ours[loop], theirs, 's')} ({_form(threads)})",
            )

    def wire(self) -> Iterator[Figure]:
        """Calls of an Inngest server, against inngest-py."""
        return wire_peer.measure(max(3, 3 * self._size.rounds))

    def _recover_dbos(self, directory: pathlib.Path, runs: int, *, threads: bool) -> float:
        directory.mkdir()
        with Side("tests.bench.dbos_worker", directory, *self._wal) as side:
            side.ask("open")
            side.ask("gated", runs=runs, threads=threads)
            side.kill()
        with Side("tests.bench.dbos_worker", directory, *self._wal) as side:
            seconds: float = side.ask("recover", runs=runs)
        shutil.rmtree(directory)
        return seconds


def _both(ours: Sequence[float], theirs: Sequence[float], unit: str) -> str:
    return f"{number(statistics.median(ours))} against {number(statistics.median(theirs))} {unit}"


def _form(threads: bool) -> str:
    return f"DBOS in its {'sync' if threads else 'async'} form, the faster one here"


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = parser("Measures our engine against DBOS on SQLite.", list(NAMES))
    options.add_argument("--loop", choices=LOOPS, help="measure ours under this event loop alone")
    options.add_argument("--runs", type=int, default=1_000, help="how many runs the burst and the restart have (default: 1000)")
    options.add_argument("--wal", action="store_true", help="put DBOS's file into write-ahead mode, which it does not do by itself")
    chosen = options.parse_args(arguments)
    size = Size(runs=chosen.runs)
    if chosen.quick:
        size = Size(runs=20, steps=10, times=3, probe=10, rounds=1, long_rounds=1)
    chosen.dir.mkdir(parents=True, exist_ok=True)
    report = Report(as_json=chosen.json)
    mode = "in write-ahead mode" if chosen.wal else "by default"
    report.begin(f"inngest_gen against DBOS {importlib.metadata.version('dbos')} on SQLite {mode}")
    with tempfile.TemporaryDirectory(dir=chosen.dir) as base:
        peers = Peers(LOOPS if chosen.loop is None else (chosen.loop,), pathlib.Path(base), size, wal=chosen.wal)
        for name in NAMES:
            if chosen.only is None or name in chosen.only:
                report.section(name)
                report.add(getattr(peers, name)())
    report.end()


if __name__ == "__main__":
    main()
