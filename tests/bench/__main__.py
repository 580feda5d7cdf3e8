"""Measures the numbers that the engine is to reach: `python -m tests.bench`, or `make bench`. docs/benchmarks.md tells what each one means.

Prints each beside its target. Targets missed do not make it fail: on a machine that others use too, a miss is to be looked at, not obeyed.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
from collections.abc import Callable, Iterator

from tests.bench import debugging, durable, imports, kit, replay, restart, sleepers, wire
from tests.bench.figure import Figure
from tests.bench.report import Report
from tests.bench.side import ROOT

LOOPS = ("asyncio", "trio")


def parser(description: str, names: list[str]) -> argparse.ArgumentParser:
    """The options that both benches have."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--only", action="append", choices=names, help="measure this alone; may be given more than once")
    options.add_argument("--quick", action="store_true", help="a few small samples: shows that the bench works, no more")
    options.add_argument("--json", action="store_true", help="print JSON lines")
    options.add_argument(
        "--dir", type=pathlib.Path, default=ROOT / ".bench", help="where the databases are made: a disk, no tmpfs (default: .bench here)"
    )
    return options


def sections(loops: tuple[str, ...], base: pathlib.Path, *, quick: bool) -> dict[str, tuple[str, Callable[[], Iterator[Figure]]]]:
    """What can be measured: a title and the measuring, by name."""
    size = durable.Size
    if quick:
        small = size(rounds=2, commits=50, warm_up=50, steps=20, runs=50, times=5)
        return {
            "replay": ("Replay", lambda: replay.measure(loops, (100, 1_000), rounds=3)),
            "wire": ("Calls of an Inngest server", lambda: wire.measure(loops, (100, 1_000), rounds=3)),
            "steps": ("Sequential steps", lambda: durable.measure_steps(loops, base / "steps", small)),
            "burst": ("Many runs at once", lambda: durable.measure_burst(loops, base / "burst", small)),
            "latency": ("One run at a time", lambda: durable.measure_latency(loops, base / "latency", small)),
            "sleepers": ("Sleeping runs", lambda: sleepers.measure(loops, base / "sleepers", runs=200, due=100, rounds=1)),
            "restart": ("Restart", lambda: restart.measure(loops, base / "restart", runs=20, rounds=1)),
            "debug": ("Debugger", lambda: debugging.measure(loops, (100, 1_000), rounds=2)),
            "kit": ("Test kit", lambda: kit.measure(loops, tests=10, runs=20, rounds=1)),
            "import": ("Import", lambda: imports.measure(rounds=2)),
        }
    return {
        "replay": ("Replay", lambda: replay.measure(loops)),
        "wire": ("Calls of an Inngest server", lambda: wire.measure(loops)),
        "steps": ("Sequential steps", lambda: durable.measure_steps(loops, base / "steps", size(rounds=15, commits=300))),
        "burst": ("Many runs at once", lambda: durable.measure_burst(loops, base / "burst", size(rounds=9, commits=300))),
        "latency": ("One run at a time", lambda: durable.measure_latency(loops, base / "latency", size(rounds=12, commits=300))),
        "sleepers": ("Sleeping runs", lambda: sleepers.measure(loops, base / "sleepers")),
        "restart": ("Restart", lambda: restart.measure(loops, base / "restart")),
        "debug": ("Debugger", lambda: debugging.measure(loops)),
        "kit": ("Test kit", lambda: kit.measure(loops)),
        "import": ("Import", imports.measure),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = parser("Measures the numbers that the engine is to reach.", list(sections(LOOPS, ROOT, quick=True)))
    options.add_argument("--loop", choices=LOOPS, help="measure under this event loop alone")
    chosen = options.parse_args(arguments)
    chosen.dir.mkdir(parents=True, exist_ok=True)
    loops = LOOPS if chosen.loop is None else (chosen.loop,)
    report = Report(as_json=chosen.json)
    report.begin("inngest_gen bench")
    with tempfile.TemporaryDirectory(dir=chosen.dir) as base:
        for name, (title, measure) in sections(loops, pathlib.Path(base), quick=chosen.quick).items():
            if chosen.only is None or name in chosen.only:
                report.section(f"{title} ({name})")
                report.add(measure())
    report.end()


if __name__ == "__main__":
    main()
