"""The engine's tables in memory: the same statements and the same changes of state as in its file, without a thread and without a disk.

Promises: a change is made as a whole or not at all; `writes` counts them, and `cut` ends the test's process, so to say, after one of them.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping

from inngest_gen.app.function import Function
from inngest_gen.clock import Clock
from inngest_gen.engine.rules.matching import Triggers
from inngest_gen.engine.store.reader import Reader
from inngest_gen.engine.store.schema import MIGRATIONS
from inngest_gen.engine.store.tables import Tables
from inngest_gen.engine.transitions import Effects, Transitions
from inngest_gen.options.trigger import Cron


class Cut(BaseException):
    """The process ends here, so to say: nothing more is written."""


class MemoryStore:
    """The tables, and what changes them. `slugs` are the functions that can be started; `new_id` makes ids."""

    def __init__(self, functions: Mapping[str, Function], slugs: set[str], clock: Clock, new_id: Callable[[float], str]) -> None:
        self._connection = _idle.pop() if _idle else _fresh()
        self._lock = threading.Lock()  # a step's body may send from its thread
        triggers = Triggers(
            (trigger.name, function.slug)
            for function in functions.values()
            for trigger in function.options.triggers
            if not isinstance(trigger, Cron)
        )
        self.tables: Tables = Tables(self._connection)
        self.transitions: Transitions = Transitions(slugs, triggers, clock, new_id)
        self.reader: Reader = Reader.over(self._connection)
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
            self._connection.execute("BEGIN")
            try:
                effects = change(self.tables)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
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
        rows = self._connection.execute("SELECT hash, id, data FROM defers WHERE run = ?", (run,))
        return {hash: (id, data) for hash, id, data in rows}

    def nth(self, run: int) -> int:
        """Say which of its function's runs a run is, from 1."""
        count: int = self._connection.execute(
            "SELECT count(*) FROM runs WHERE run <= ?1 AND function = (SELECT function FROM runs WHERE run = ?1)", (run,)
        ).fetchone()[0]
        return count

    def run_numbers(self) -> dict[str, int]:
        """Give the numbers of all runs by their ids, in the order of their creation."""
        return dict(self._connection.execute("SELECT id, run FROM runs ORDER BY run").fetchall())

    def serialized(self) -> bytes:
        """Give the tables as they are now."""
        return self._connection.serialize()

    def close(self) -> None:
        """Forget everything."""
        for table in _TABLES:
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
        _idle.append(self._connection)


# A connection that is used again has its statements compiled already: half a millisecond a test.
_idle: list[sqlite3.Connection] = []
_TABLES = ("commands", "pauses", "defers", "log", "runs", "events", "meta")


def _fresh() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256, check_same_thread=False)
    for migration in MIGRATIONS:
        connection.executescript(migration)
    return connection
