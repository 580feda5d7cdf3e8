"""Reads runs from the file, beside a running engine or without one. Runs are read whole; nothing is written."""

from __future__ import annotations

import pathlib
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Self

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.durations import utc
from inngest_gen.engine.run import AttemptRecord, DeferRecord, Note, Run, StepRecord
from inngest_gen.engine.store.database import connect_to_read, in_plain_words
from inngest_gen.engine.store.recorder import declared, record
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from inngest_gen.recording.recording import Recording

_RUN = (
    "SELECT r.run, r.id, r.function, r.kind, r.status, r.attempt, r.codes, r.created, r.started, r.ended, r.output, r.error,"
    " e.id AS event_id, e.name AS event_name, e.data AS event_data, e.ts AS event_ts, e.meta AS event_meta,"
    " (SELECT p.id FROM runs p WHERE p.run = r.parent) AS parent_id, EXISTS (SELECT 1 FROM defers d WHERE d.run = r.run) AS has_defers"
    " FROM runs r JOIN events e ON e.seq = r.event"
)
_ONE = f"{_RUN} WHERE r.id = ?"
_CAUSED = f"{_RUN} WHERE r.origin = ? ORDER BY r.run"
_DEFERS = "SELECT id, name, function, data, meta, experiment, status, reason, child FROM defers WHERE run = ? ORDER BY number"
_OF_STEPS = frozenset({"plan", "attempt", "result", "error", "abandoned"})
_MANY_BYTES = 100_000
_position = attrgetter("position")


class LargeRecord(Exception):
    """What is to be read is more than the caller wants to wait for."""


class _Limit:
    """How much may be read: `entries` of the log, and a number of bytes. Without `entries` all there is."""

    __slots__ = ("_bytes", "_entries")

    def __init__(self, entries: int | None) -> None:
        self._entries = sys.maxsize if entries is None else entries
        self._bytes = sys.maxsize if entries is None else _MANY_BYTES

    def rows(self, cursor: sqlite3.Cursor) -> list[Any]:
        """Fetch entries whose last column is their data."""
        if self._entries == sys.maxsize:
            return cursor.fetchall()
        rows = cursor.fetchmany(self._entries + 1)
        self._entries -= len(rows)
        self.count(*(row[-1] for row in rows))
        return rows

    def count(self, *values: bytes | None) -> None:
        """Count values that were read. Raises LargeRecord."""
        self._bytes -= sum(len(value) for value in values if value is not None)
        if self._entries < 0 or self._bytes < 0:
            raise LargeRecord


class Reader:
    """A read-only look at an engine's file. Not for use in two threads at once. Raises StoreError."""

    def __init__(self, path: str | pathlib.Path) -> None:
        self._path = pathlib.Path(path)
        self._connection: sqlite3.Connection = connect_to_read(self._path)

    @classmethod
    def over(cls, connection: sqlite3.Connection) -> Self:
        """Read through a connection that is open."""
        reader = cls.__new__(cls)
        reader._path = pathlib.Path(":memory:")
        reader._connection = connection
        return reader

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, run_id: str, at_most: int | None = None) -> Run | None:
        """Give a run, or None if there is none with that id. Raises LargeRecord where the log has more than `at_most` entries of it, or big ones."""
        with in_plain_words(self._path):
            row = self._connection.execute(_ONE, (run_id,)).fetchone()
            return None if row is None else self._run(row, _Limit(at_most))

    def recording(self, run_id: str) -> Recording | None:
        """Give a run as a recording, or None if there is no run with that id."""
        with in_plain_words(self._path):
            cursor = self._connection.cursor()
            cursor.row_factory = sqlite3.Row
            row = cursor.execute(_ONE, (run_id,)).fetchone()
            return None if row is None else record(self._connection, row)

    def unfinished(self, app: str | None = None) -> list[tuple[str, str]]:
        """List the runs that have not ended, oldest first: (id, slug of its function). `app` is the app's id; None: of all apps.

        Failed ones whose retry waits for an engine are among them. Which app a function is of was noted by the engine that declared it; in files of
        before that was done, its slug tells.
        """
        with in_plain_words(self._path):
            asked = self._connection.execute("SELECT argument FROM commands WHERE kind = 'retry'").fetchall()
            again = jsonvalue.encode([jsonvalue.decode(argument).get("run_id") for (argument,) in asked], "ids").decode()
            rows = self._connection.execute(
                "SELECT id, function FROM runs WHERE ended IS NULL OR (status = 'failed' AND id IN (SELECT value FROM json_each(?))) ORDER BY run",
                (again,),
            ).fetchall()
            apps = {slug: declared(self._connection, slug)[0] for _, slug in rows} if app is not None else {}
            return [(id, slug) for id, slug in rows if app is None or ((apps[slug] or app) == app and slug.startswith(f"{app}-"))]

    def runs(self, status: str | None = None, function: str | None = None, limit: int = 100) -> list[Run]:
        """List runs, newest first. `function` is a slug or a function's id without its app."""
        conditions: list[str] = []
        arguments: list[Any] = []
        if status is not None:
            conditions.append("r.status = ?")
            arguments.append(status)
        if function is not None:
            conditions.append("(r.function = ? OR substr(r.function, -length(?) - 1) = '-' || ?)")
            arguments += [function] * 3
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        with in_plain_words(self._path):
            rows = self._connection.execute(f"{_RUN}{where} ORDER BY r.run DESC LIMIT ?", (*arguments, limit)).fetchall()
            return [self._run(row, _Limit(None)) for row in rows]

    def find(self, prefix: str) -> list[str]:
        """List up to 10 ids of runs that end or begin with some text, for people who type them."""
        text = prefix.upper().replace("%", "")
        with in_plain_words(self._path):
            rows = self._connection.execute(
                "SELECT id FROM runs WHERE id LIKE ? OR id LIKE ? ORDER BY run DESC LIMIT 10", (f"{text}%", f"%{text}")
            )
            return [row[0] for row in rows]

    def children(self, run_id: str) -> list[str]:
        """List the ids of the runs that a run invoked, deferred, or whose failure started them."""
        with in_plain_words(self._path):
            rows = self._connection.execute(
                "SELECT c.id FROM runs c JOIN runs p ON p.run = c.parent WHERE p.id = ? ORDER BY c.run", (run_id,)
            )
            return [row[0] for row in rows]

    def caused(self, event_id: str) -> list[str]:
        """List the ids of all runs that an event caused, directly or not, in the order of their creation."""
        with in_plain_words(self._path):
            rows = self._connection.execute(
                "SELECT r.id FROM runs r JOIN events e ON e.seq = r.origin WHERE e.id = ? ORDER BY r.run", (event_id,)
            )
            return [row[0] for row in rows]

    def caused_by(self, origin: int, at_most: int | None = None) -> list[Run]:
        """List the runs that the event with this number caused, in the order of their creation. Raises LargeRecord as `get` does."""
        limit = _Limit(at_most)
        with in_plain_words(self._path):
            rows = self._connection.execute(_CAUSED, (origin,)).fetchall()
            return [self._run(row, limit) for row in rows]

    def _run(self, row: tuple[Any, ...], limit: _Limit) -> Run:
        number, ended, output, event_data, has_defers = row[0], row[9], row[10], row[14], row[18]
        limit.count(output, event_data)
        read = self._connection.execute
        entries = limit.rows(read("SELECT at, kind, hash, position, info, data FROM log WHERE run = ? ORDER BY seq", (number,)))
        waiting = read("SELECT hash, due FROM pauses WHERE run = ?", (number,)).fetchall() if ended is None else ()
        defers = read(_DEFERS, (number,)).fetchall() if has_defers else ()
        return run_of(row[:-1], entries, dict(waiting), defers)


def run_of(
    row: tuple[Any, ...], entries: Iterable[tuple[Any, ...]], waiting: Mapping[str, float | None], defers: Iterable[tuple[Any, ...]]
) -> Run:
    """Make a Run of its row joined with its event's, the entries of its log, the waits of its steps (hash: due), and its defers, as read above."""
    (
        _, id, function, kind, status, attempt, _, created, started, ended, output, error,
        event_id, event_name, event_data, event_ts, event_meta, parent_id,
    ) = row  # fmt: skip
    steps, notes = _steps(entries, waiting, has_ended=ended is not None)
    return Run(
        id=id,
        function_id=function,
        kind=kind,
        status=status,
        event=Event(
            event_name,
            jsonvalue.decode(event_data),
            id=event_id,
            ts=event_ts,
            meta=None if event_meta is None else jsonvalue.decode(event_meta),
        ),
        output=None if output is None else jsonvalue.decode(output),
        error=_error(error),
        attempt=attempt,
        steps=steps,
        defers=tuple(
            DeferRecord(
                id=id, name=name, function_id=function, status=status, reason=reason, run_id=child,
                data=None if data is None else jsonvalue.decode(data),
                meta=None if meta is None else jsonvalue.decode(meta),
                experiment=None if experiment is None else jsonvalue.decode(experiment),
            )
            for id, name, function, data, meta, experiment, status, reason, child in defers
        ),
        notes=notes,
        parent_run_id=parent_id,
        created=utc(created),
        started=_maybe_time(started),
        ended=_maybe_time(ended),
    )  # fmt: skip


def _steps(
    entries: Iterable[tuple[Any, ...]], waiting: Mapping[str, float | None], *, has_ended: bool
) -> tuple[tuple[StepRecord, ...], tuple[Note, ...]]:
    found: dict[str, _Step] = {}
    notes: list[Note] = []
    for at, kind, hash, position, info_json, data in entries:
        info = {} if info_json is None else jsonvalue.decode(info_json)
        if kind in _OF_STEPS and hash:
            step = found.get(hash)
            if step is None:
                step = found[hash] = _Step()
            if "id" in info:
                step.info = info
            if position is not None:
                step.position = position
            step.take(kind, at, info, data)
        elif kind == "handler":
            error = _error(data)
            notes.append(Note(kind=kind, at=utc(at), text=f"attempt {info.get('attempt', 0)} of the handler failed: {error}"))
        elif kind in {"note", "blocked", "cancel", "retry"}:
            notes.append(Note(kind=kind, at=utc(at), text=str(info.get("text", ""))))
    if has_ended:
        for step in found.values():
            if step.status == "running":
                step.status = "abandoned"
    steps = [step.record(hash, waiting) for hash, step in found.items() if step.info]
    steps.sort(key=_position)
    return tuple(steps), tuple(notes)


class _Step:
    """A step as its entries in the log tell of it, one after the other."""

    __slots__ = ("attempts", "data", "ended", "error", "info", "position", "started", "status")

    def __init__(self) -> None:
        self.info: dict[str, Any] = {}
        self.position = 0
        self.status = "running"
        self.attempts: list[tuple[int, float, bytes | None, float | None]] = []
        self.started: float | None = None
        self.ended: float | None = None
        self.data: bytes | None = None
        self.error: bytes | None = None

    def take(self, kind: str, at: float, info: dict[str, Any], data: bytes | None) -> None:
        """Take in the next entry."""
        match kind:
            case "plan":
                self.started = at
                self.status = "running"
            case "attempt":
                self.attempts.append((info.get("attempt", len(self.attempts)), at, data, info.get("retry_at")))
                self.status = "running"
                self.error = self.ended = None
            case "abandoned":
                if self.ended is None:
                    self.status = "abandoned"
            case _:
                self.ended = at
                self.started = info.get("started") or self.started or at
                if kind == "result":
                    self.status, self.data = "completed", data
                else:
                    self.status, self.error = "failed", data

    def record(self, hash: str, waiting: Mapping[str, float | None]) -> StepRecord:
        """Give what can be read of it."""
        info = self.info
        return StepRecord(
            id=info["id"],
            name=info.get("name", info["id"]),
            hash=hash,
            kind=info.get("kind", "step.run"),
            index=info.get("index", 0),
            position=self.position,
            path=info.get("path", ""),
            at=info.get("at"),
            status="waiting" if self.status == "running" and hash in waiting else self.status,
            attempts=tuple(
                AttemptRecord(number=number, at=utc(at), error=_error(error) or StepError("Error", ""), retry_at=_maybe_time(retry_at))
                for number, at, error, retry_at in self.attempts
            )
            if self.attempts
            else (),
            result=None if self.data is None else jsonvalue.decode(self.data),
            error=_error(self.error),
            started=_maybe_time(self.started),
            ended=_maybe_time(self.ended),
            due=_maybe_time(waiting.get(hash)),
        )


def _error(data: bytes | None) -> StepError | None:
    return None if data is None else Failure.from_json(jsonvalue.decode(data)).error()


def _maybe_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else utc(seconds)
