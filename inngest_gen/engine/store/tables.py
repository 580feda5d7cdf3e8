"""Every statement the engine writes with, one small method each. All run in the writer's thread, inside its transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, Protocol

import orjson

from inngest_gen.calls.lazy import PriorDefers

FUNCTION: Final = "function "
"""What the key of a function begins with, in the table `meta`."""

Entry = tuple[int, float, str, str | None, int | None, bytes | None, bytes | None]
"""An entry of a run's log: (seq, at, kind, hash, position, info, data)."""


class Row(Protocol):
    """A row, by its columns' names."""

    def __getitem__(self, key: str, /) -> Any: ...


class Tables:
    """The tables, through the writing connection."""

    __slots__ = ("_run", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection: sqlite3.Connection = connection
        self._run = connection.execute

    def declare(self, slug: str, app: str, max_attempts: int) -> None:
        """Note which app a function is of, and how many attempts it has: for those who read the file without the app's code."""
        told = orjson.dumps({"app": app, "max_attempts": max_attempts}).decode()
        self._run(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value != excluded.value",
            (f"{FUNCTION}{slug}", told),
        )

    # Events.

    def add_event(self, id: str, name: str, data: bytes, ts: int, meta: bytes | None, now: float, origin: int | None) -> int | None:
        """Insert an event; gives its number, or None if the id is known already."""
        cursor = self._run(
            "INSERT INTO events (id, name, data, ts, meta, received, origin) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (id, name, data, ts, meta, now, origin),
        )
        return cursor.lastrowid if cursor.rowcount else None

    def known_event(self, id: str) -> tuple[int, int]:
        """Give the number of a known event, and that of the event it began with."""
        row: tuple[int, int] = self._run("SELECT seq, coalesce(origin, seq) FROM events WHERE id = ?", (id,)).fetchone()
        return row

    def event(self, seq: int) -> tuple[str, str, bytes, int, bytes | None]:
        """Give (id, name, data, ts, meta)."""
        row: tuple[str, str, bytes, int, bytes | None] = self._run(
            "SELECT id, name, data, ts, meta FROM events WHERE seq = ?", (seq,)
        ).fetchone()
        return row

    # Runs.

    def add_run(
        self, id: str, function: str, event: int, kind: str, origin: int, parent: int | None, parent_hash: str | None, now: float
    ) -> int | None:
        """Insert a queued run; gives its number, or None if this event has started this function before."""
        cursor = self._run(
            "INSERT INTO runs (id, function, event, kind, origin, parent, parent_hash, status, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?) ON CONFLICT (event, function) DO NOTHING",
            (id, function, event, kind, origin, parent, parent_hash, now),
        )
        return cursor.lastrowid if cursor.rowcount else None

    def run(self, run: int) -> Row | None:
        """Give a run's row by number."""
        return self._row("SELECT * FROM runs WHERE run = ?", (run,))

    def run_by_id(self, id: str) -> Row | None:
        """Give a run's row by its id."""
        return self._row("SELECT * FROM runs WHERE id = ?", (id,))

    def started(self, run: int, now: float, codes: str) -> None:
        """Note the run's first turn, unless it was cancelled in the meantime."""
        self._run(
            "UPDATE runs SET status = 'running', started = coalesce(started, ?), codes = ? WHERE run = ? AND ended IS NULL",
            (now, codes, run),
        )

    def has_ended(self, run: int) -> bool:
        """Say whether a run has ended."""
        return self._run("SELECT 1 FROM runs WHERE run = ? AND ended IS NOT NULL", (run,)).fetchone() is not None

    def set_status(self, run: int, status: str) -> None:
        """Set a run's state."""
        self._run("UPDATE runs SET status = ? WHERE run = ?", (status, run))

    def set_codes(self, run: int, codes: str) -> None:
        """Set which code made the record."""
        self._run("UPDATE runs SET codes = ? WHERE run = ?", (codes, run))

    def set_attempt(self, run: int, attempt: int) -> None:
        """Set the handler's attempt."""
        self._run("UPDATE runs SET attempt = ? WHERE run = ?", (attempt, run))

    def set_error(self, run: int, error: bytes | None) -> None:
        """Set a run's error without ending it."""
        self._run("UPDATE runs SET error = ? WHERE run = ?", (error, run))

    def suspend(self, run: int) -> None:
        """Note that the run has nothing to do until one of its pauses ends."""
        self._run("UPDATE runs SET suspended = 1 WHERE run = ?", (run,))

    def resume(self, run: int) -> None:
        """Note that the run has something to do."""
        self._run("UPDATE runs SET suspended = 0 WHERE run = ?", (run,))

    def end(self, run: int, status: str, now: float, output: bytes | None, error: bytes | None) -> bool:
        """End a run, and its steps' waits. Says False if it has ended before."""
        cursor = self._run(
            "UPDATE runs SET status = ?, ended = ?, output = ?, error = ?, suspended = 0 WHERE run = ? AND ended IS NULL",
            (status, now, output, error, run),
        )
        if not cursor.rowcount:
            return False
        self._run("DELETE FROM pauses WHERE run = ?", (run,))
        return True

    def reopen(self, run: int) -> None:
        """Make an ended or blocked run running again, from its handler's first attempt."""
        self._run(
            "UPDATE runs SET status = 'running', ended = NULL, error = NULL, output = NULL, attempt = 0, suspended = 0 WHERE run = ?",
            (run,),
        )

    def runnable(self) -> list[int]:
        """List the unfinished runs that have something to do, oldest first."""
        rows = self._run("SELECT run FROM runs WHERE ended IS NULL AND suspended = 0 AND status <> 'blocked' ORDER BY run")
        return [row[0] for row in rows]

    def open_functions(self) -> list[str]:
        """List the slugs of the functions that have unfinished runs."""
        return [row[0] for row in self._run("SELECT DISTINCT function FROM runs WHERE ended IS NULL")]

    def unfinished(self, origin: int) -> int:
        """Count the unfinished runs that an event caused, blocked ones not counted: nothing will end them by itself."""
        count: int = self._run(
            "SELECT count(*) FROM runs WHERE origin = ? AND ended IS NULL AND status <> 'blocked'", (origin,)
        ).fetchone()[0]
        return count

    # The log.

    def log(self, run: int, now: float, kind: str, hash: str | None, position: int | None, info: bytes | None, data: bytes | None) -> None:
        """Append an entry."""
        self._run(
            "INSERT INTO log (run, at, kind, hash, position, info, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run, now, kind, hash, position, info, data),
        )

    def history(self, run: int) -> list[Entry]:
        """List a run's entries in order: (seq, at, kind, hash, position, info, data)."""
        return self._run("SELECT seq, at, kind, hash, position, info, data FROM log WHERE run = ? ORDER BY seq", (run,)).fetchall()

    def last(self, run: int, kind: str) -> bytes | None:
        """Give the info of a run's last entry of a kind."""
        row = self._run("SELECT info FROM log WHERE run = ? AND kind = ? ORDER BY seq DESC LIMIT 1", (run, kind)).fetchone()
        return None if row is None else row[0]

    def errors(self, run: int) -> list[tuple[int, bytes]]:
        """List the recorded failures of a run's steps: (seq, info)."""
        # Of a step that waited the plan's entry tells which it is.
        return self._run(
            "SELECT e.seq, coalesce(e.info, (SELECT p.info FROM log p WHERE p.run = e.run AND p.hash = e.hash AND p.info IS NOT NULL LIMIT 1))"
            " FROM log e WHERE e.run = ? AND e.kind = 'error'",
            (run,),
        ).fetchall()

    def forget_error(self, seq: int) -> None:
        """Turn a step's recorded failure into history."""
        self._run("UPDATE log SET kind = 'forgotten' WHERE seq = ?", (seq,))

    # Pauses.

    def pause(
        self,
        run: int,
        hash: str,
        kind: str,
        due: float | None = None,
        *,
        event: str | None = None,
        path: str | None = None,
        value: str | None = None,
        signal: str | None = None,
        info: bytes | None = None,
    ) -> None:
        """Let a step wait. Raises sqlite3.IntegrityError for a signal that another step waits for."""
        self._run(
            "INSERT INTO pauses (run, hash, kind, due, event, path, value, signal, info) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (run, hash, kind, due, event, path, value, signal, info),
        )

    def end_pause(self, run: int, hash: str) -> bool:
        """End a step's wait; says whether there was one."""
        return self._run("DELETE FROM pauses WHERE run = ? AND hash = ?", (run, hash)).rowcount > 0

    def pauses(self, run: int) -> list[str]:
        """List the hashes of a run's waiting steps."""
        return [row[0] for row in self._run("SELECT hash FROM pauses WHERE run = ?", (run,))]

    def due(self, run: int, now: float) -> list[tuple[str, str, bytes | None]]:
        """List a run's waits whose time has come: (hash, kind, info), earliest first."""
        return self._run("SELECT hash, kind, info FROM pauses WHERE run = ? AND due <= ? ORDER BY due, hash", (run, now)).fetchall()

    def first_due(self) -> float | None:
        """Give the time at which the first wait ends by itself."""
        due: float | None = self._run("SELECT min(due) FROM pauses WHERE due IS NOT NULL").fetchone()[0]
        return due

    def timers(self) -> list[tuple[float, int]]:
        """List every wait that has a time: (due, run)."""
        return self._run("SELECT due, run FROM pauses WHERE due IS NOT NULL").fetchall()

    def awaited_paths(self, event: str) -> list[str]:
        """List the paths by which steps match an event of this name that they wait for."""
        paths: list[str] = []
        row = self._run("SELECT path FROM pauses WHERE event = ? ORDER BY path LIMIT 1", (event,)).fetchone()
        while row is not None:  # a look at the index for each path: DISTINCT would look at every wait
            paths.append(row[0])
            row = self._run("SELECT path FROM pauses WHERE event = ? AND path > ? ORDER BY path LIMIT 1", (event, row[0])).fetchone()
        return paths

    def waits(self, event: str, path: str, value: str) -> list[tuple[int, str]]:
        """List the (run, hash) that wait for this event with this value at this path."""
        return self._run(
            "SELECT run, hash FROM pauses WHERE event = ? AND path = ? AND value = ? ORDER BY run", (event, path, value)
        ).fetchall()

    def waiting_for_signal(self, signal: str) -> tuple[int, str] | None:
        """Give the (run, hash) that waits for a signal."""
        row: tuple[int, str] | None = self._run("SELECT run, hash FROM pauses WHERE signal = ?", (signal,)).fetchone()
        return row

    # Defers.

    def add_defer(
        self, run: int, hash: str, id: str, name: str, function: str | None, data: bytes | None, meta: bytes | None, experiment: bytes | None,
        status: str, reason: str | None,
    ) -> bool:  # fmt: skip
        """Keep a defer; the first with an id stays (B04). Says whether it was new."""
        cursor = self._run(
            "INSERT INTO defers (run, hash, id, name, function, data, meta, experiment, status, reason, number)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT count(*) FROM defers WHERE run = ?))"
            " ON CONFLICT (run, hash) DO NOTHING",
            (run, hash, id, name, function, data, meta, experiment, status, reason, run),
        )
        return cursor.rowcount > 0

    def abort_defer(self, run: int, hash: str) -> bool:
        """Abort a defer that is to be scheduled; its input is dropped (B09)."""
        return (
            self._run(
                "UPDATE defers SET status = 'aborted', data = NULL WHERE run = ? AND hash = ? AND status = 'after_run'", (run, hash)
            ).rowcount
            > 0
        )

    def defer_totals(self, run: int) -> tuple[int, int]:
        """Count a run's defers that were not rejected, and the bytes of their data."""
        row: tuple[int, int] = self._run(
            "SELECT count(*), coalesce(sum(length(data)), 0) FROM defers WHERE run = ? AND status <> 'rejected'", (run,)
        ).fetchone()
        return row

    def prior_defers(self, run: int) -> PriorDefers:
        """Give what the driver is to know of a run's defers."""
        # What was refused here, when it came, has its data: its handler has had an active handle by then.
        rows = self._run("SELECT hash, status = 'after_run', status = 'rejected' AND data IS NULL FROM defers WHERE run = ?", (run,))
        return {hash: None if skipped else bool(abortable) for hash, abortable, skipped in rows}

    def to_schedule(self, run: int) -> list[tuple[str, str, str, bytes, bytes | None, bytes | None]]:
        """List the defers to schedule now: (hash, id, function, data, meta, experiment)."""
        return self._run(
            "SELECT hash, id, function, data, meta, experiment FROM defers WHERE run = ? AND status = 'after_run' ORDER BY number", (run,)
        ).fetchall()

    def set_defer(self, run: int, hash: str, status: str, child: str | None, reason: str | None = None) -> None:
        """Note what became of a defer."""
        self._run(
            "UPDATE defers SET status = ?, child = ?, reason = coalesce(?, reason) WHERE run = ? AND hash = ?",
            (status, child, reason, run, hash),
        )

    # Commands.

    def take_commands(self) -> list[tuple[int, str, bytes]]:
        """Take what other processes asked for: (seq, kind, argument)."""
        rows: list[tuple[int, str, bytes]] = self._run("SELECT seq, kind, argument FROM commands ORDER BY seq").fetchall()
        if rows:
            self._run("DELETE FROM commands WHERE seq <= ?", (rows[-1][0],))
        return rows

    def data_version(self) -> int:
        """Give a number that changes when another connection has written the file."""
        version: int = self._run("PRAGMA data_version").fetchone()[0]
        return version

    def _row(self, statement: str, arguments: Iterable[Any]) -> Row | None:
        cursor = self.connection.cursor()
        cursor.row_factory = sqlite3.Row
        row: Row | None = cursor.execute(statement, tuple(arguments)).fetchone()
        return row


def dumps(value: Any) -> bytes:
    """Give a value of ours as JSON: an entry's info. User data goes through jsonvalue."""
    return orjson.dumps(value)
