"""Reads runs from the file, beside a running engine or without one. Runs are read whole; nothing is written."""

from __future__ import annotations

import pathlib
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.engine.run import AttemptRecord, DeferRecord, Note, Run, StepRecord
from inngest_gen.engine.store.database import connect_to_read, in_plain_words
from inngest_gen.engine.store.recorder import record
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from inngest_gen.recording.recording import Recording

_RUN = (
    "SELECT r.*, e.id AS event_id, e.name AS event_name, e.data AS event_data, e.ts AS event_ts, e.meta AS event_meta, p.id AS parent_id"
    " FROM runs r JOIN events e ON e.seq = r.event LEFT JOIN runs p ON p.run = r.parent"
)


class Reader:
    """A read-only look at an engine's file. Not for use in two threads at once. Raises StoreError."""

    def __init__(self, path: str | pathlib.Path) -> None:
        self._path = pathlib.Path(path)
        self._connection: sqlite3.Connection = connect_to_read(self._path)
        self._connection.row_factory = sqlite3.Row

    @classmethod
    def over(cls, connection: Any) -> Self:
        """Read through a connection that is open, or what stands for it; its rows are sqlite3.Row."""
        reader = cls.__new__(cls)
        reader._path = pathlib.Path(":memory:")
        reader._connection = connection
        return reader

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, run_id: str) -> Run | None:
        """Give a run, or None if there is no run with that id."""
        with in_plain_words(self._path):
            row = self._connection.execute(f"{_RUN} WHERE r.id = ?", (run_id,)).fetchone()
            return None if row is None else self._run(row)

    def recording(self, run_id: str) -> Recording | None:
        """Give a run as a recording, or None if there is no run with that id."""
        with in_plain_words(self._path):
            row = self._connection.execute(f"{_RUN} WHERE r.id = ?", (run_id,)).fetchone()
            return None if row is None else record(self._connection, row)

    def unfinished(self, app: str | None = None) -> list[tuple[str, str]]:
        """List the runs that have not ended, oldest first: (id, slug of its function). `app` is the app's id; None: of all apps."""
        with in_plain_words(self._path):
            rows = self._connection.execute("SELECT id, function FROM runs WHERE ended IS NULL ORDER BY run")
            return [(id, slug) for id, slug in rows if app is None or slug.startswith(f"{app}-")]

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
            return [self._run(row) for row in rows]

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

    def caused_by(self, origin: int) -> list[Run]:
        """List the runs that the event with this number caused, in the order of their creation."""
        with in_plain_words(self._path):
            rows = self._connection.execute(f"{_RUN} WHERE r.origin = ? ORDER BY r.run", (origin,)).fetchall()
            return [self._run(row) for row in rows]

    def size(self, run_id: str) -> int:
        """Count the log's entries of a run."""
        return self._count("SELECT count(*) FROM log JOIN runs USING (run) WHERE runs.id = ?", run_id)

    def size_caused(self, origin: int) -> int:
        """Count the log's entries of the runs that an event caused, by the event's number."""
        return self._count("SELECT count(*) FROM log JOIN runs USING (run) WHERE runs.origin = ?", origin)

    def _count(self, statement: str, argument: str | int) -> int:
        with in_plain_words(self._path):
            count: int = self._connection.execute(statement, (argument,)).fetchone()[0]
            return count

    def _run(self, row: sqlite3.Row) -> Run:
        number = row["run"]
        steps, notes = self._steps(number)
        meta = row["event_meta"]
        return Run(
            id=row["id"],
            function_id=row["function"],
            kind=row["kind"],
            status=row["status"],
            event=Event(
                row["event_name"],
                jsonvalue.decode(row["event_data"]),
                id=row["event_id"],
                ts=row["event_ts"],
                meta=None if meta is None else jsonvalue.decode(meta),
            ),
            output=None if row["output"] is None else jsonvalue.decode(row["output"]),
            error=_error(row["error"]),
            attempt=row["attempt"],
            steps=tuple(replace(step, status="abandoned") if step.status in {"running", "waiting"} else step for step in steps)
            if row["ended"]
            else steps,
            defers=self._defers(number),
            notes=notes,
            parent_run_id=row["parent_id"],
            created=_time(row["created"]),
            started=_maybe_time(row["started"]),
            ended=_maybe_time(row["ended"]),
        )

    def _steps(self, run: int) -> tuple[tuple[StepRecord, ...], tuple[Note, ...]]:
        waiting = dict(self._connection.execute("SELECT hash, due FROM pauses WHERE run = ?", (run,)).fetchall())
        found: dict[str, dict[str, Any]] = {}
        notes: list[Note] = []
        rows = self._connection.execute("SELECT at, kind, hash, position, info, data FROM log WHERE run = ? ORDER BY seq", (run,))
        for at, kind, hash, position, info_json, data in rows:
            info = {} if info_json is None else jsonvalue.decode(info_json)
            if kind in {"plan", "attempt", "result", "error", "abandoned"} and hash:
                step = found.setdefault(hash, {"attempts": [], "started": None, "status": "running"})
                step.update({key: value for key, value in info.items() if key in {"id", "name", "kind", "index", "path", "at"}})
                if position is not None:
                    step["position"] = position
                _apply(step, kind, at, info, data)
            elif kind == "handler":
                error = _error(data)
                notes.append(Note(kind=kind, at=_time(at), text=f"attempt {info.get('attempt', 0)} of the handler failed: {error}"))
            elif kind in {"note", "blocked", "cancel", "retry"}:
                notes.append(Note(kind=kind, at=_time(at), text=str(info.get("text", ""))))
        steps = [_step(hash, step, waiting) for hash, step in found.items() if "id" in step]
        steps.sort(key=lambda step: step.position)
        return tuple(steps), tuple(notes)

    def _defers(self, run: int) -> tuple[DeferRecord, ...]:
        rows = self._connection.execute(
            "SELECT id, name, function, data, meta, experiment, status, reason, child FROM defers WHERE run = ? ORDER BY number", (run,)
        )
        return tuple(
            DeferRecord(
                id=id, name=name, function_id=function, status=status, reason=reason, run_id=child,
                data=None if data is None else jsonvalue.decode(data),
                meta=None if meta is None else jsonvalue.decode(meta),
                experiment=None if experiment is None else jsonvalue.decode(experiment),
            )
            for id, name, function, data, meta, experiment, status, reason, child in rows
        )  # fmt: skip


def _apply(step: dict[str, Any], kind: str, at: float, info: dict[str, Any], data: bytes | None) -> None:
    if kind == "plan":
        step["started"] = at
        step["status"] = "running"
    elif kind == "attempt":
        step["attempts"].append((info.get("attempt", len(step["attempts"])), at, data, info.get("retry_at")))
        step["status"] = "running"
        step.pop("error", None)
        step.pop("ended", None)
    elif kind == "abandoned":
        if "ended" not in step:
            step["status"] = "abandoned"
    else:
        step["status"] = "completed" if kind == "result" else "failed"
        step["ended"] = at
        step["started"] = info.get("started") or step["started"] or at
        step["data" if kind == "result" else "error"] = data


def _step(hash: str, step: dict[str, Any], waiting: dict[str, float | None]) -> StepRecord:
    status = step["status"]
    if status == "running" and hash in waiting:
        status = "waiting"
    data = step.get("data")
    return StepRecord(
        id=step["id"],
        name=step.get("name", step["id"]),
        hash=hash,
        kind=step.get("kind", "step.run"),
        index=step.get("index", 0),
        position=step.get("position", 0),
        path=step.get("path", ""),
        at=step.get("at"),
        status=status,
        attempts=tuple(
            AttemptRecord(number=number, at=_time(at), error=_error(error) or StepError("Error", ""), retry_at=_maybe_time(retry_at))
            for number, at, error, retry_at in step["attempts"]
        ),
        result=None if data is None else jsonvalue.decode(data),
        error=_error(step.get("error")),
        started=_maybe_time(step["started"]),
        ended=_maybe_time(step.get("ended")),
        due=_maybe_time(waiting.get(hash)),
    )


def _error(data: bytes | None) -> StepError | None:
    return None if data is None else Failure.from_json(jsonvalue.decode(data)).error()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)
