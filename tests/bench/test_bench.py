"""The bench itself works: each section measures something and says what it should be. Nothing here looks at how fast anything is."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.figure import Figure, number, of_samples, ratios
from tests.bench.side import ROOT

TARGETS = {
    "kit-test": 3.0,
    "kit-simulated": 10.0,
    "replay-1000": 3,
    "replay-growth": 1.1,
    "replay-dataclass": 2,
    "replay-model": 2,
    "steps-async": 0.4,
    "steps-sync": 0.3,
    "latency-idle": 6,
    "sleepers-memory": 60,
    "sleepers-reopened": 60,
    "sleepers-wake": 1000,
    "debug-far-back-1000": 50,
    "import": 0.15,
    "wire-1000": 3,
    "wire-growth": 1.1,
    "wire-signing": 1.5,
}
"""The issue's targets, by the figure's name without its loop. Those of runs at once and of restarts are DBOS's to give."""


def bench(tmp_path: Path, *options: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json", "--dir", str(tmp_path), *options]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stderr
    assert list(tmp_path.iterdir()) == []
    return [json.loads(line) for line in finished.stdout.splitlines()]


def test_a_quick_bench_measures_every_section_and_judges_it(tmp_path: Path) -> None:
    first, *lines, last = bench(tmp_path, "--loop", "asyncio")
    figures = {line["name"].removesuffix("-asyncio"): line for line in lines}

    assert first["title"] == "inngest_gen bench"
    assert {name: figure["limit"] for name, figure in figures.items() if figure["limit"] is not None} == TARGETS
    moves = {f"debug-{move}-{count}" for move in ("open", "step", "back", "far-back", "goto", "run-to", "trail") for count in (100, 1000)}
    assert {
        "replay-100",
        "steps-async-fresh",
        "latency-loop",
        "burst",
        "restart",
        "wire-100",
    } | moves - TARGETS.keys() == figures.keys() - TARGETS.keys()
    for name, figure in figures.items():
        assert math.isfinite(figure["value"]), name
        if figure["unit"] in {"x", "s"} or name in {"burst", "sleepers-wake"}:
            assert figure["value"] > 0, name
    assert last["judged"] == len(TARGETS)


def test_both_loops_are_compared_with_each_other(tmp_path: Path) -> None:
    _, *lines, _ = bench(tmp_path, "--only", "burst", "--only", "restart")

    assert [(line["name"], line["loop"], line["limit"]) for line in lines] == [
        ("burst-asyncio", "asyncio", None),
        ("burst-trio", "trio", None),
        ("burst-trio-of-asyncio", "", 0.5),
        ("restart-asyncio", "asyncio", None),
        ("restart-trio", "trio", None),
        ("restart-trio-of-asyncio", "", 0.5),
    ]


def test_a_figure_is_judged_by_its_limit_and_its_aim() -> None:
    def verdict(value: float, better: str) -> str:
        return Figure(name="f", what="", value=value, limit=3, aim=2 if better == "less" else 4, better=better).verdict  # type: ignore[arg-type]

    assert [verdict(value, "less") for value in (1.9, 2, 2.1, 3, 3.1)] == ["pass, aim", "pass, aim", "pass", "pass", "MISS"]
    assert [verdict(value, "more") for value in (4.1, 4, 3.9, 3, 2.9)] == ["pass, aim", "pass, aim", "pass", "pass", "MISS"]
    assert Figure(name="f", what="", value=1).verdict == ""


def test_a_figure_of_samples_is_their_median() -> None:
    figure = of_samples([5.0, 1.0, 2.0], name="f", what="")

    assert (figure.value, figure.low, figure.high) == (2, 1, 5)


def test_ratios_are_taken_sample_by_sample() -> None:
    # The machine was ten times slower in the second moment: for both sides.
    assert ratios([4, 40], [2, 20]) == [2, 2]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


def test_numbers_are_short() -> None:
    assert [number(value) for value in (0.12345, 2.0, 99.94, 12345.6)] == ["0.123", "2", "99.9", "12,346"]
