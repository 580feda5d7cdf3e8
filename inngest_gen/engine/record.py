"""Record: a run as the file has it, ready to be driven."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import PriorDefers
from inngest_gen.calls.memo import Memo
from inngest_gen.calls.request import CallRequest
from inngest_gen.driver.turn import Planned
from inngest_gen.engine.rules import received
from inngest_gen.engine.store.tables import Row, Tables
from inngest_gen.event import Event
from inngest_gen.sessions import run_sessions


@dataclass(frozen=True, slots=True)
class Plan:
    """What is recorded of an unfinished step. `path` is set for one in a branch of a group."""

    hash: str
    position: int
    kind: str
    label: str
    at: str | None
    path: str | None


@dataclass(slots=True, kw_only=True)
class Record:
    """A run: who it is, and what is recorded of its steps. `attempts` counts the failed attempts of steps, `waiting` are those with a pause."""

    run: int
    id: str
    function: str
    kind: str
    origin: int
    parent: int | None
    parent_hash: str | None
    event: Event
    attempt: int = 0
    codes: str | None = None
    memos: dict[str, Memo] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    defers: PriorDefers = field(default_factory=dict)
    inherited: Mapping[str, Any] | None = None
    """The sessions that go on to what this run starts."""

    def call(self, max_attempts: int) -> CallRequest:
        """Give what the handler is told of its run."""
        failure = received.failure_for(self.kind, self.event)
        return CallRequest(
            run_id=self.id,
            events=(received.event_for(self.kind, self.event),),
            attempt=self.attempt,
            max_attempts=max_attempts,
            sessions=dict(run_sessions((self.event,))),
            error=None if failure is None else failure.error(),
            parents=received.parents_for(self.kind, self.event),
        )


def load(tables: Tables, run: int) -> Record | None:
    """Read an unfinished run; None if it has ended or does not exist."""
    row = tables.run(run)
    if row is None or row["ended"] is not None or row["status"] == "blocked":
        return None
    record = identified(tables, row)
    record.attempt = row["attempt"]
    record.codes = row["codes"]
    record.waiting.update(tables.pauses(run))
    record.defers.update(tables.prior_defers(run))
    for _, _, kind, hash, position, info_json, data in tables.history(run):
        _take(record, kind, hash, position, info_json, data)
    return record


def identified(tables: Tables, row: Row) -> Record:
    """Give a run by its row, with nothing of what is recorded of its steps."""
    return Record(
        run=row["run"],
        id=row["id"],
        function=row["function"],
        kind=row["kind"],
        origin=row["origin"],
        parent=row["parent"],
        parent_hash=row["parent_hash"],
        event=event_of(tables.event(row["event"])),
    )


def planned(record: Record) -> dict[int, Planned]:
    """Give the unfinished steps by position, as the driver wants them; where two have one position, the handler's own counts."""
    plans = sorted(record.plans.values(), key=lambda plan: plan.path is None)
    return {plan.position: Planned(plan.hash, plan.kind, plan.label, plan.at, plan.path) for plan in plans}


def event_of(row: tuple[str, str, bytes, int, bytes | None] | sqlite3.Row) -> Event:
    """Make an Event of a row (id, name, data, ts, meta)."""
    id, name, data, ts, meta = row
    return Event(name, jsonvalue.decode(data), id=id, ts=ts, meta=None if meta is None else jsonvalue.decode(meta))


def _take(record: Record, kind: str, hash: str | None, position: int | None, info_json: bytes | None, data: bytes | None) -> None:
    if kind == "retry":
        record.attempts.clear()
    if not hash:
        return
    if position is not None and info_json is not None:
        info = jsonvalue.decode(info_json)
        path = info.get("path", "")
        record.plans[hash] = Plan(hash, position, info["kind"], info["id"], info.get("at"), path if "[" in path else None)
    if kind == "attempt":
        record.attempts[hash] = record.attempts.get(hash, 0) + 1
    elif kind in {"result", "error"}:
        plan = record.plans.pop(hash, None)
        value = None if data is None else jsonvalue.decode(data)
        memo = Memo(value) if kind == "result" else Memo(None, Failure.from_json(value or {}).error())
        if plan is not None:
            memo.kind, memo.label, memo.at, memo.path = plan.kind, plan.label, plan.at, plan.path
            memo.position = plan.position if plan.path is None else None
        record.memos[hash] = memo
