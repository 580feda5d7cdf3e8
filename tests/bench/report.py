"""Prints figures as they come: a line each for people, or a JSON object each for programs."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterable

from tests.bench.figure import Figure, number


class Report:
    """Where figures go. Remembers which missed their targets."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._started = time.monotonic()
        self.figures: list[Figure] = []

    def begin(self, title: str) -> None:
        """Say what is measured on what."""
        machine = {
            "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "cpus": os.cpu_count(), "system": platform.platform(),
            "load": round(os.getloadavg()[0], 2), "date": time.strftime("%Y-%m-%d"),
        }  # fmt: skip
        if self._as_json:
            print(json.dumps({"title": title, **machine}), flush=True)
        else:
            print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)

    def section(self, title: str) -> None:
        """Say what comes."""
        if not self._as_json:
            print(f"\n{title}", flush=True)

    def add(self, figures: Iterable[Figure]) -> None:
        """Print figures."""
        for figure in figures:
            self.figures.append(figure)
            if self._as_json:
                print(json.dumps(figure.to_json()), flush=True)
                continue
            spread = "" if figure.low is None or figure.high is None else f"[{number(figure.low)} .. {number(figure.high)}]"
            value = f"{number(figure.value)} {figure.unit}".rstrip()
            line = f"  {figure.what:<68} {figure.loop:<8} {value:>9}  {spread:<18} {figure.target:<19} {figure.verdict:<9} {figure.detail}"
            print(line.rstrip(), flush=True)

    def end(self) -> None:
        """Add up the verdicts."""
        missed = [f"{figure.what} {figure.loop}".rstrip() for figure in self.figures if figure.verdict == "MISS"]
        judged = sum(1 for figure in self.figures if figure.limit is not None)
        if self._as_json:
            print(json.dumps({"judged": judged, "missed": missed, "seconds": round(time.monotonic() - self._started, 1)}), flush=True)
            return
        print(f"\n{judged - len(missed)} of {judged} targets met, in {time.monotonic() - self._started:.0f} s", flush=True)
        for what in missed:
            print(f"  MISS: {what}", flush=True)
        sys.stdout.flush()
