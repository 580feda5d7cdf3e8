"""Runs as they are read from the file, made by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from inngest_gen.engine.run import AttemptRecord, DeferRecord, Note, Run, StepRecord
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from tests.cli.happenings import CHILD, DOWN, RUN

START = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
NOW = START.timestamp() + 100


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_step(id: str, status: str = "completed", **facts: Any) -> StepRecord:
    values: dict[str, Any] = {
        "id": id, "name": id, "hash": id, "kind": "step.run", "index": 0, "position": 0, "path": "", "at": "shop.py:7", "status": status,
        "attempts": (), "result": None, "error": None, "started": after(1), "due": None,
        "ended": after(1.5) if status in {"completed", "failed"} else None,
    }  # fmt: skip
    return StepRecord(**{**values, **facts})


def an_attempt(number: int, next_after: float | None = 2.0, error: StepError = DOWN) -> AttemptRecord:
    at = after(number)
    return AttemptRecord(number=number, at=at, error=error, retry_at=None if next_after is None else at + timedelta(seconds=next_after))


def a_defer(id: str, status: str, **facts: Any) -> DeferRecord:
    values: dict[str, Any] = {
        "id": id, "name": id, "function_id": "shop-receipt", "status": status, "reason": None, "run_id": None,
        "data": {}, "meta": None, "experiment": None,
    }  # fmt: skip
    return DeferRecord(**{**values, **facts})


def a_run(**facts: Any) -> Run:
    values: dict[str, Any] = {
        "id": RUN, "function_id": "shop-placed", "kind": "event", "status": "completed",
        "event": Event("order/placed", {"order_id": "o1"}, id="e", ts=1),
        "output": {"paid": True}, "error": None, "attempt": 0, "parent_run_id": None, "created": START, "started": after(0.1), "ended": after(61),
        "steps": (a_step("load"), a_step("pay", attempts=(an_attempt(0), an_attempt(1)))),
        "defers": (a_defer("receipt", "scheduled", run_id=CHILD),),
        "notes": (Note(kind="retry", at=after(3), text="retried (failed before)"),),
    }  # fmt: skip
    return Run(**{**values, **facts})


def a_child(**facts: Any) -> Run:
    values: dict[str, Any] = {
        "id": CHILD, "function_id": "shop-receipt", "kind": "defer", "parent_run_id": RUN, "steps": (), "defers": (), "notes": (), "output": None,
    }  # fmt: skip
    return a_run(**{**values, **facts})
