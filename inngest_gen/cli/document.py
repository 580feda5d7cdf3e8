"""Document: runs and happenings as JSON for programs (`--json`). Pure.

Promises: times are ISO 8601 in UTC; every key of a run is always there; a happening has the keys that mean something for its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from inngest_gen.calls.failure import Failure
from inngest_gen.durations import utc
from inngest_gen.engine.progress import Progress
from inngest_gen.engine.run import Run
from inngest_gen.errors import StepError


def of_run(run: Run) -> dict[str, Any]:
    """Give a run with all that is recorded of it."""
    return {
        "id": run.id,
        "function_id": run.function_id,
        "kind": run.kind,
        "status": run.status,
        "event": {"name": run.event.name, "data": run.event.data, "id": run.event.id, "ts": run.event.ts, "meta": run.event.meta},
        "output": run.output,
        "error": _error(run.error),
        "attempt": run.attempt,
        "parent_run_id": run.parent_run_id,
        "created": _time(run.created),
        "started": _time(run.started),
        "ended": _time(run.ended),
        "steps": [
            {
                "id": step.id,
                "name": step.name,
                "hash": step.hash,
                "kind": step.kind,
                "index": step.index,
                "position": step.position,
                "path": step.path,
                "at": step.at,
                "status": step.status,
                "attempts": [
                    {"number": one.number, "at": _time(one.at), "error": _error(one.error), "retry_at": _time(one.retry_at)}
                    for one in step.attempts
                ],
                "result": step.result,
                "error": _error(step.error),
                "started": _time(step.started),
                "ended": _time(step.ended),
                "due": _time(step.due),
            }
            for step in run.steps
        ],
        "defers": [
            {
                "id": defer.id,
                "name": defer.name,
                "function_id": defer.function_id,
                "status": defer.status,
                "reason": defer.reason,
                "run_id": defer.run_id,
                "data": defer.data,
                "meta": defer.meta,
                "experiment": defer.experiment,
            }
            for defer in run.defers
        ],
        "notes": [{"kind": note.kind, "at": _time(note.at), "text": note.text} for note in run.notes],
    }


def of_progress(progress: Progress) -> dict[str, Any]:
    """Give a happening."""
    document: dict[str, Any] = {}
    for field in fields(progress):
        value: Any = getattr(progress, field.name)
        if value is None or (field.name == "path" and not value):
            continue
        if field.name in {"at", "due"}:
            value = _time(utc(value))
        elif field.name == "error":
            value = _error(value)
        document[field.name] = value
    return document


def progress_of(document: Mapping[str, Any]) -> Progress:
    """Read what `of_progress` gave."""
    values = dict(document)
    for name in ("at", "due"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name]).timestamp()
    if "error" in values:
        values["error"] = Failure.from_json(values["error"]).error()
    return Progress(**values)


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _error(error: StepError | None) -> dict[str, Any] | None:
    return None if error is None else Failure.of(error).to_json()
