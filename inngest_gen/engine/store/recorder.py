"""Recorder: reads a run's log as a Recording.

A step's rank is the place of its result among all results of the log, which is the order in which a replay delivers them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.durations import utc
from inngest_gen.engine.rules import received
from inngest_gen.engine.store.tables import FUNCTION
from inngest_gen.event import Event
from inngest_gen.recording.recording import DeferStatus, RecordedAttempt, RecordedDefer, RecordedNote, RecordedStep, Recording, StepStatus

_NOTES = {"note", "blocked", "cancel", "retry"}


@dataclass(slots=True)
class _Found:
    """What the log has told of a step so far."""

    info: dict[str, Any] = field(default_factory=dict)
    position: int | None = None
    status: StepStatus = "running"
    rank: int | None = None
    data: bytes | None = None
    error: Failure | None = None
    attempts: list[RecordedAttempt] = field(default_factory=list)
    attempt: int | None = None
    started: float | None = None
    ended: float | None = None


class _Log:
    """A run's log as far as it has been read."""

    def __init__(self) -> None:
        self.steps: dict[str, _Found] = {}
        self.notes: list[RecordedNote] = []
        self.makers: dict[str, str | None] = {}
        """Which step's body made a defer, by the defer's id."""
        self._rank = 0

    def take(self, at: float, kind: str, hash: str | None, position: int | None, info: dict[str, Any], data: bytes | None) -> None:
        """Take the next entry."""
        if kind in {"plan", "attempt", "result", "error", "abandoned", "forgotten"} and hash:
            step = self.steps.setdefault(hash, _Found())
            if "id" in info:
                step.info = info
            if position is not None:
                step.position = position
            self._of_step(step, at, kind, info, data)
        elif kind == "defer":
            self.makers[info["id"]] = info.get("step")
        elif kind == "handler":
            self.notes.append(
                RecordedNote(kind=kind, at=utc(at), text=f"attempt {info.get('attempt', 0)} of the handler failed: {_error(data)}")
            )
        elif kind in _NOTES:
            self.notes.append(RecordedNote(kind=kind, at=utc(at), text=str(info.get("text", ""))))

    def _of_step(self, step: _Found, at: float, kind: str, info: dict[str, Any], data: bytes | None) -> None:
        match kind:
            case "plan":
                step.started = at
            case "attempt":
                number = info.get("attempt", len(step.attempts))
                error = _error(data) or Failure(name="Error", message="")
                step.attempts.append(
                    RecordedAttempt(
                        number=number, at=utc(at), error=error, retry_at=_maybe(info.get("retry_at")), started=_maybe(info.get("started"))
                    )
                )
                step.attempt = number
            case "result" | "error":
                self._rank += 1
                step.rank = self._rank
                step.ended = at
                step.started = info.get("started") or step.started or at
                step.attempt = info.get("attempt", step.attempt)
                if kind == "result":
                    step.status, step.data = "completed", data if data is not None else b"null"
                else:
                    step.status, step.error = "failed", _error(data) or Failure(name="Error", message="")
            case "abandoned" if step.rank is None:
                step.status = "abandoned"
            case _:  # a failure that a retry took back: the attempts tell of it
                pass


def declared(connection: sqlite3.Connection, slug: str) -> tuple[str | None, int | None]:
    """Give the app of a function and how many attempts it has, as it was declared last; None where the file does not know."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (f"{FUNCTION}{slug}",)).fetchone()
    if row is None:
        return None, None
    told = jsonvalue.decode(row[0])
    return told["app"], told["max_attempts"]


def record(connection: sqlite3.Connection, row: sqlite3.Row) -> Recording:
    """Make the recording of a run, given its row joined with its event's (see Reader)."""
    number = row["run"]
    log = _Log()
    entries = connection.execute("SELECT at, kind, hash, position, info, data FROM log WHERE run = ? ORDER BY seq", (number,))
    for at, kind, hash, position, info, data in entries:
        log.take(at, kind, hash, position, {} if info is None else jsonvalue.decode(info), data)
    ended = row["ended"] is not None
    due: dict[str, float | None] = dict(connection.execute("SELECT hash, due FROM pauses WHERE run = ?", (number,)).fetchall())
    steps = [_step(hash, step, due, ended=ended) for hash, step in log.steps.items() if step.info]
    steps.sort(key=lambda step: -1 if step.position is None else step.position)
    meta = row["event_meta"]
    event = Event(
        row["event_name"],
        jsonvalue.decode(row["event_data"]),
        id=row["event_id"],
        ts=row["event_ts"],
        meta=None if meta is None else jsonvalue.decode(meta),
    )
    codes = row["codes"]
    app, max_attempts = declared(connection, row["function"])
    return Recording(
        run_id=row["id"],
        function=row["function"],
        app=app,
        kind=row["kind"],
        status=row["status"],
        events=(received.event_for(row["kind"], event),),
        parents=received.parents_for(row["kind"], event),
        failure=received.failure_for(row["kind"], event),
        parent_run_id=row["parent_id"],
        attempt=row["attempt"],
        max_attempts=max_attempts,
        code=None if codes is None else jsonvalue.decode(codes) if codes else {},
        steps=tuple(steps),
        defers=tuple(_defers(connection, number, log.makers)),
        notes=tuple(log.notes),
        output=row["output"],
        error=_error(row["error"]),
        created=utc(row["created"]),
        started=_maybe(row["started"]),
        ended=_maybe(row["ended"]),
        made_by="inngest_gen's embedded engine",
    )


def _step(hash: str, step: _Found, due: dict[str, float | None], *, ended: bool) -> RecordedStep:
    info = step.info
    status = step.status
    if status == "running":
        status = "abandoned" if ended else "waiting" if hash in due else status
    return RecordedStep(
        id=info["id"],
        name=info.get("name", info["id"]),
        hash=hash,
        index=info.get("index", 0),
        kind=info.get("kind"),
        position=step.position,
        path=info.get("path", ""),
        at=info.get("at"),
        options=info.get("options", {}),
        status=status,
        rank=step.rank,
        data=step.data,
        error=step.error,
        attempts=tuple(step.attempts),
        attempt=step.attempt,
        started=_maybe(step.started),
        ended=_maybe(step.ended),
        due=_maybe(due.get(hash)),
    )


def _defers(connection: sqlite3.Connection, run: int, makers: Mapping[str, str | None]) -> list[RecordedDefer]:
    rows = connection.execute(
        "SELECT hash, id, name, function, data, meta, experiment, status, reason, child FROM defers WHERE run = ? ORDER BY number", (run,)
    )
    return [
        RecordedDefer(
            id=id, name=name, hash=hash, function=function, step=makers.get(id),
            status=cast("DeferStatus", status), reason=reason, run_id=child, data=data,
            meta=None if meta is None else jsonvalue.decode(meta),
            experiment=None if experiment is None else jsonvalue.decode(experiment),
        )
        for hash, id, name, function, data, meta, experiment, status, reason, child in rows
    ]  # fmt: skip


def _error(data: bytes | None) -> Failure | None:
    return None if data is None else Failure.from_json(jsonvalue.decode(data))


def _maybe(seconds: float | None) -> datetime | None:
    return None if seconds is None else utc(seconds)
