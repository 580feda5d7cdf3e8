"""The engine's changes of state over tables in memory, without a thread and without a disk.

Promises: a change is made as a whole or not at all; `writes` counts them, and `cut` ends the test's process, so to say, after one of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from inngest_gen.app.function import Function
from inngest_gen.clock import Clock
from inngest_gen.engine.rules.matching import Triggers
from inngest_gen.engine.run import Run
from inngest_gen.engine.store.reader import run_of
from inngest_gen.engine.store.tables import Tables
from inngest_gen.engine.transitions import Effects, Transitions
from inngest_gen.options.trigger import Cron
from inngest_gen.testing.tables import MemoryTables


class Cut(BaseException):
    """The process ends here, so to say: nothing more is written."""


class MemoryStore:
    """The tables, and what changes them. `slugs` are the functions that can be started; `new_id` makes ids."""

    def __init__(self, functions: Mapping[str, Function], slugs: set[str], clock: Clock, new_id: Callable[[float], str]) -> None:
        self._lock = threading.Lock()  # a step's body may send from its thread
        triggers = Triggers(
            (trigger.name, function.slug)
            for function in functions.values()
            for trigger in function.options.triggers
            if not isinstance(trigger, Cron)
        )
        self.tables: MemoryTables = MemoryTables()
        self.transitions: Transitions = Transitions(slugs, triggers, clock, new_id)
        self.writes: int = 0
        """How many changes have been made."""
        self.cut_after: int | None = None
        """After how many changes the process ends."""
        self.is_cut: bool = False
        self.told: list[str] | None = None
        """What each change wrote, in words; None: nobody wants to know."""

    def change(self, change: Callable[[Tables], Effects], what: str) -> Effects:
        """Make a change that writes `what`. Raises what it raises, having changed nothing, and Cut once the process has ended."""
        with self._lock:
            if self.is_cut:
                raise Cut
            tables = self.tables
            tables.begin()
            try:
                effects = change(tables)
            except BaseException:
                tables.take_back()
                raise
            self.writes += 1
            if self.told is not None:
                self.told.append(what)
            if self.writes == self.cut_after:
                self.is_cut = True
                raise Cut
        return effects

    def go_on(self) -> None:
        """Begin the next process."""
        self.is_cut = False
        self.cut_after = None

    def defers(self, run: int) -> dict[str, tuple[str, bytes | None]]:
        """Give the id and the data of each defer of a run, by hash."""
        return {hash: (defer.id, defer.data) for hash, defer in self.tables.deferred.get(run, {}).items()}

    def nth(self, run: int) -> int:
        """Say which of its function's runs a run is, from 1."""
        rows = self.tables.runs
        function = rows[run - 1]["function"]
        return sum(row["function"] == function for row in rows[:run])

    def run_id(self, run: int) -> str:
        """Give the id of the run with a number."""
        id: str = self.tables.runs[run - 1]["id"]
        return id

    def runs(self) -> dict[int, Run]:
        """Give all runs by number, in the order of their creation."""
        return {row["run"]: self._run(row) for row in self.tables.runs}

    def _run(self, row: Mapping[str, Any]) -> Run:
        tables = self.tables
        run = row["run"]
        event = tables.events[row["event"] - 1]
        parent = row["parent"]
        joined = (
            run, row["id"], row["function"], row["kind"], row["status"], row["attempt"], row["codes"], row["created"], row["started"],
            row["ended"], row["output"], row["error"], event.id, event.name, event.data, event.ts, event.meta,
            None if parent is None else self.run_id(parent),
        )  # fmt: skip
        entries = [entry[1:] for entry in tables.entries[run]]
        waiting = {} if row["ended"] is not None else {hash: pause.due for hash, pause in tables.pausing.get(run, {}).items()}
        defers = [
            (one.id, one.name, one.function, one.data, one.meta, one.experiment, one.status, one.reason, one.child)
            for one in tables.deferred.get(run, {}).values()
        ]
        return run_of(joined, entries, waiting, defers)
