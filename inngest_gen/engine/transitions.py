"""The engine's state changes: each runs in the writer's thread, inside one transaction, and tells what follows from it.

Effects are values which the engine acts on after the commit: never before, so that nothing is done which a crash would undo.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected, LazyOp
from inngest_gen.calls.memo import Memo
from inngest_gen.clock import Clock
from inngest_gen.engine.record import Record, identified
from inngest_gen.engine.rules import outcome
from inngest_gen.engine.rules.lifecycle import Status, after
from inngest_gen.engine.rules.matching import Triggers, match_key
from inngest_gen.engine.sent import Sent
from inngest_gen.engine.store.tables import Tables, dumps
from inngest_gen.engine.waiters import Watched
from inngest_gen.errors import EngineError, RunNotFound
from inngest_gen.event import Event
from inngest_gen.ids import new_id

_log = logging.getLogger("inngest_gen.engine")

DEFERS_PER_RUN = 20
INPUT_BYTES = 4 * 1024 * 1024
"""Limits of a run's defers, as the server's (B02); the driver has the same, for what it can know of."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A run was created: it is to be driven. `parent_id` is the id of the run that made it."""

    record: Record
    parent_id: str | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A waiting step has its result, or (`memo` None) its next attempt is due; `hash` "" is the handler's own."""

    run: int
    hash: str
    memo: Memo | None


@dataclass(frozen=True, slots=True)
class Paused:
    """A step waits until `due`."""

    due: float
    run: int


@dataclass(frozen=True, slots=True)
class Over:
    """A run has ended or is blocked. `unfinished` counts what its origin still has under way, if somebody waits for that."""

    run: int
    id: str
    function: str
    origin: int
    status: Status
    output: bytes | None
    error: Failure | None
    unfinished: int | None


@dataclass(frozen=True, slots=True)
class Reopened:
    """An ended or blocked run goes on."""

    run: int


Effect = Queued | Resolved | Paused | Over | Reopened


@dataclass(frozen=True, slots=True)
class Received:
    """An event that was taken in: its id, its number, the number of the event that all began with, and whether it is a new one."""

    id: str
    number: int
    origin: int
    new: bool


@dataclass(slots=True)
class Effects:
    """What follows from a change: `result` for whoever asked, `then` for the engine."""

    result: Any = None
    then: list[Effect] = field(default_factory=list)


Change = Callable[[Tables, Effects], None]
"""What is done inside a transaction, and says what follows."""


class Transitions:
    """The changes, over what the engine knows of its functions: their slugs, and which names trigger which. Used in the writer's thread only.

    `new_id` makes the ids of runs and events from the time, in epoch seconds.
    """

    def __init__(self, slugs: set[str], triggers: Triggers, clock: Clock, new_id: Callable[[float], str] = new_id) -> None:
        self._slugs = slugs
        self._triggers = triggers
        self._clock = clock
        self.new_id: Callable[[float], str] = new_id
        self.watched: Watched = Watched()

    def now(self) -> float:
        """Give the time, in epoch seconds."""
        return self._clock.now()

    def open(self, tx: Tables) -> Effects:
        """Take up the file: what is unfinished. `result` is the slugs of unknown functions, and every timer."""
        effects = Effects()
        effects.then += [Reopened(run) for run in tx.runnable()]
        effects.result = sorted(set(tx.open_functions()) - self._slugs), tx.timers()
        return effects

    # Events.

    def receive(self, tx: Tables, sent: Sequence[Sent], origin: int | None = None, *, effects: Effects | None = None) -> Effects:
        """Take events in: start functions, end waits. `result` is a list of Received, in order; known ids start nothing."""
        effects = effects or Effects()
        now = self._clock.now()
        result: list[Received] = []
        for one in sent:
            event = one.event
            id = event.id or self.new_id(now)
            ts = event.ts if event.ts is not None else int(now * 1000)
            seq = tx.add_event(id, event.name, one.data, ts, one.meta, now, origin)
            if seq is None:
                result.append(Received(id, *tx.known_event(id), new=False))
                continue
            result.append(Received(id, seq, origin or seq, new=True))
            whole = Event(event.name, jsonvalue.decode(one.data), id=id, ts=ts, meta=event.meta)
            for slug in self._triggers.match(event.name):
                self._start(tx, slug, whole, seq, "event", origin or seq, None, None, None, effects)
            self._end_waits(tx, whole, effects)
        effects.result = result
        return effects

    def _start(
        self, tx: Tables, slug: str, event: Event, seq: int, kind: str, origin: int, parent: int | None, parent_hash: str | None,
        parent_id: str | None, effects: Effects,
    ) -> str | None:  # fmt: skip
        now = self._clock.now()
        id = self.new_id(now)
        run = tx.add_run(id, slug, seq, kind, origin, parent, parent_hash, now)
        if run is None:
            return None
        record = Record(run=run, id=id, function=slug, kind=kind, origin=origin, parent=parent, parent_hash=parent_hash, event=event)
        effects.then.append(Queued(record, parent_id))
        return id

    def _end_waits(self, tx: Tables, event: Event, effects: Effects) -> None:
        paths = tx.awaited_paths(event.name)
        if not paths:
            return
        value = _event_json(event)
        for path in paths:
            key = match_key(value, path) if path else ""
            if key is not None:
                for run, hash in tx.waits(event.name, path, key):
                    self.resolve(tx, run, hash, value, None, effects)

    # Steps.

    def resolve(self, tx: Tables, run: int, hash: str, value: Any, failure: Failure | None, effects: Effects) -> bool:
        """Give a waiting step its result; says whether it waited."""
        if not tx.end_pause(run, hash):
            return False
        now = self._clock.now()
        if failure is None:
            data = jsonvalue.encode(value, "a step's result")
            tx.log(run, now, "result", hash, None, None, data)
            memo = Memo(jsonvalue.decode(data))
        else:
            tx.log(run, now, "error", hash, None, None, dumps(failure.to_json()))
            memo = Memo(None, failure.error())
        tx.resume(run)
        effects.then.append(Resolved(run, hash, memo))
        return True

    def fire(self, tx: Tables, runs: Sequence[int]) -> Effects:
        """End the waits of these runs whose time has come."""
        effects = Effects()
        now = self._clock.now()
        for run in runs:
            for hash, kind, _ in tx.due(run, now):
                if kind == "retry":
                    tx.end_pause(run, hash)
                    tx.resume(run)
                    effects.then.append(Resolved(run, hash, None))
                elif kind == "invoke":
                    failure = Failure(name="InngestInvokeTimeoutError", message="Timed out waiting for invoked function to complete")
                    self.resolve(tx, run, hash, None, failure, effects)
                else:
                    self.resolve(tx, run, hash, None, None, effects)
        return effects

    def wait_for_event(self, tx: Tables, record: Record, hash: str, event: str, match: str | None, due: float, effects: Effects) -> None:
        """Let a step wait for an event."""
        value: str | None = ""
        if match:
            value = match_key(_event_json(record.event), match)
        # With nothing at the path in the run's own event there is nothing to match: only the timeout can end the wait.
        tx.pause(record.run, hash, "event", due, event=event if value is not None else None, path=match or "", value=value)
        effects.then.append(Paused(due, record.run))

    def wait_for_signal(self, tx: Tables, run: int, hash: str, signal: str, *, replace: bool, due: float, effects: Effects) -> None:
        """Let a step wait for a signal; a conflict fails it, or the one that waits already."""
        other = tx.waiting_for_signal(signal)
        conflict = Failure(name="SignalConflict", message=f"another step waits for the signal {signal!r} already", no_retry=True)
        if other is not None and replace:
            taken = Failure(name="SignalReplaced", message=f"another step has taken over the wait for the signal {signal!r}", no_retry=True)
            self.resolve(tx, *other, None, taken, effects)
            other = None
        tx.pause(run, hash, "signal", due, signal=signal if other is None else None)
        if other is not None:
            self.resolve(tx, run, hash, None, conflict, effects)
        else:
            effects.then.append(Paused(due, run))

    def signal(self, tx: Tables, signal: str, data: Any, effects: Effects) -> bool:
        """Send a signal; says whether a step waited for it."""
        waiting = tx.waiting_for_signal(signal)
        return waiting is not None and self.resolve(tx, *waiting, data, None, effects)

    def invoke(
        self, tx: Tables, record: Record, hash: str, slug: str, data: bytes, meta: bytes | None, due: float | None, effects: Effects
    ) -> None:
        """Start a function whose end gives the step its result."""
        run = record.run
        tx.pause(run, hash, "invoke", due)
        if slug not in self._slugs:
            self.resolve(
                tx, run, hash, None, Failure(name="Error", message=f"could not find function with ID: {slug}", no_retry=True), effects
            )
            return
        now = self._clock.now()
        event = Event(
            outcome.INVOKED,
            jsonvalue.decode(data),
            id=self.new_id(now),
            ts=int(now * 1000),
            meta=None if meta is None else jsonvalue.decode(meta),
        )
        seq = tx.add_event(event.id or "", event.name, data, event.ts or 0, meta, now, record.origin)
        if seq is not None:
            self._start(tx, slug, event, seq, "invoke", record.origin, run, hash, record.id, effects)
        if due is not None:
            effects.then.append(Paused(due, run))

    def suspend(self, tx: Tables, run: int, waiting: set[str], effects: Effects) -> None:
        """Note that a run has nothing to do, unless one of its waits has ended in the meantime. `result` says which."""
        effects.result = waiting <= set(tx.pauses(run))
        if effects.result:
            tx.suspend(run)

    def keep_lazy(self, tx: Tables, run: int, lazy: Sequence[LazyOp]) -> None:
        """Keep defers and aborts; those of a run that has ended are dropped, with a line in its timeline."""
        if not lazy:
            return
        ended = tx.has_ended(run)
        now = self._clock.now()
        count, size = tx.defer_totals(run)
        for op in lazy:
            if isinstance(op, DeferAdd):
                meta = None if op.meta is None else dumps(op.meta)
                experiment = None if op.experiment is None else jsonvalue.encode(op.experiment, f"the experiment of defer {op.id!r}")
                status, reason = ("dropped", "the run had ended") if ended else ("after_run", None)
                # Attempts that run side by side do not know of each other's defers: the limits hold here.
                if status == "after_run" and (refusal := self._refusal(op, count, size)) is not None:
                    status, reason = "rejected", refusal
                    _log.warning("defer %r of run number %d is skipped: %s", op.id, run, refusal)
                if tx.add_defer(run, op.hash, op.id, op.name, op.function, op.data, meta, experiment, status, reason):
                    tx.log(run, now, "defer", None, None, _defer_info(op, status), None)
                    if status == "after_run":
                        count, size = count + 1, size + len(op.data)
            elif isinstance(op, DeferAbort):
                if not ended and tx.abort_defer(run, op.hash):
                    tx.log(run, now, "abort", None, None, dumps({"id": op.id}), None)
            elif tx.add_defer(run, op.hash, op.id, op.id, op.function, None, None, None, "rejected", op.reason):
                tx.log(run, now, "defer", None, None, _defer_info(op, "rejected"), None)

    def _refusal(self, op: DeferAdd, count: int, size: int) -> str | None:
        if op.function not in self._slugs:
            return f"no function {op.function!r} is served here"
        if count >= DEFERS_PER_RUN:
            return f"a run has at most {DEFERS_PER_RUN} defers"
        if size + len(op.data) > INPUT_BYTES:
            return f"the data of all defers of a run may have {INPUT_BYTES:,} bytes together"
        return None

    # Runs.

    def end(self, tx: Tables, record: Record, status: Status, output: bytes | None, failure: Failure | None, effects: Effects) -> bool:
        """End a run: schedule its defers, tell who waits for it, and what its end triggers. Says False if it has ended before."""
        if not tx.end(record.run, status, self._clock.now(), output, None if failure is None else dumps(failure.to_json())):
            return False
        self._schedule_defers(tx, record, effects)
        if record.kind == "invoke" and record.parent is not None and record.parent_hash is not None:
            self._tell_invoker(tx, record, record.parent, record.parent_hash, status, output, failure, effects)
        self._finish_events(tx, record, status, output, failure, effects)
        effects.then.append(
            Over(record.run, record.id, record.function, record.origin, status, output, failure, self._unfinished(tx, record.origin))
        )
        return True

    def _unfinished(self, tx: Tables, origin: int) -> int | None:
        if origin not in self.watched:
            return None
        return tx.unfinished(origin)

    def _schedule_defers(self, tx: Tables, record: Record, effects: Effects) -> None:
        now = self._clock.now()
        for hash, _, slug, data, meta, experiment in tx.to_schedule(record.run):
            inner = None if experiment is None else jsonvalue.decode(experiment)
            id, full = outcome.deferred_event(record.id, record.function, hash, slug, jsonvalue.decode(data), inner)
            event = Event(outcome.DEFERRED, full, id=id, ts=int(now * 1000), meta=None if meta is None else jsonvalue.decode(meta))
            seq = tx.add_event(id, event.name, dumps(full), event.ts or 0, meta, now, record.origin)
            child = None
            if seq is not None and slug in self._slugs:
                child = self._start(tx, slug, event, seq, "defer", record.origin, record.run, hash, record.id, effects)
            if child is None and slug not in self._slugs:
                tx.set_defer(record.run, hash, "rejected", None, f"no function {slug!r} is served here")
            else:
                tx.set_defer(record.run, hash, "scheduled", child)

    def _tell_invoker(
        self, tx: Tables, record: Record, parent: int, hash: str, status: Status, output: bytes | None, failure: Failure | None,
        effects: Effects,
    ) -> None:  # fmt: skip
        if status == "completed":
            value = None if output is None else jsonvalue.decode(output)
            self.resolve(tx, parent, hash, value, None, effects)
            return
        if failure is None:
            failure = Failure(name="InvokedRunCancelled", message=f"the invoked run {record.id} was cancelled")
        self.resolve(tx, parent, hash, None, failure, effects)

    def _finish_events(
        self, tx: Tables, record: Record, status: Status, output: bytes | None, failure: Failure | None, effects: Effects
    ) -> None:
        trigger = record.event
        if trigger.name in outcome.NO_FINISH_EVENTS:
            return
        names: list[tuple[str, str | None]] = []
        if status == "failed":
            names.append((outcome.FAILED, record.id))
        elif status == "cancelled":
            names.append((outcome.CANCELLED, record.id))
        if self._listens(tx, outcome.FINISHED):
            names.append((outcome.FINISHED, None))
        handler = f"{record.function}-failure"
        for name, id in names:
            handled = name == outcome.FAILED and handler in self._slugs
            if not handled and not self._listens(tx, name):
                continue
            error = None if failure is None else failure.to_json()
            result = None if output is None else jsonvalue.decode(output)
            data = outcome.finish_data(record.function, record.id, _event_json(trigger), status, error, result)
            now = self._clock.now()
            event = Event(name, data, id=id or self.new_id(now), ts=int(now * 1000), meta=trigger.meta)
            seq = tx.add_event(
                event.id or "", name, dumps(data), event.ts or 0, None if event.meta is None else dumps(event.meta), now, record.origin
            )
            if seq is None:
                continue
            if handled:
                self._start(tx, handler, event, seq, "failure", record.origin, record.run, None, record.id, effects)
            for slug in self._triggers.match(name):
                self._start(tx, slug, event, seq, "event", record.origin, record.run, None, record.id, effects)
            self._end_waits(tx, event, effects)

    def _listens(self, tx: Tables, name: str) -> bool:
        return bool(self._triggers.match(name) or tx.awaited_paths(name))

    def cancel(self, tx: Tables, run_id: str) -> Effects:
        """Cancel a run; one that has ended stays as it is (I61). Raises RunNotFound."""
        effects = Effects()
        row = tx.run_by_id(run_id)
        if row is None:
            raise RunNotFound(run_id)
        status = after(row["status"], "cancel")
        if status is None:
            return effects
        tx.log(row["run"], self._clock.now(), "cancel", None, None, dumps({"text": "cancelled"}), None)
        self.end(tx, identified(tx, row), status, None, None, effects)
        return effects

    def note(self, tx: Tables, run_id: str, text: str) -> Effects:
        """Note something in a run's timeline; what was noted already is not noted again. Raises RunNotFound."""
        row = tx.run_by_id(run_id)
        if row is None:
            raise RunNotFound(run_id)
        info = dumps({"text": text})
        if not any(entry[2] == "note" and entry[5] == info for entry in tx.history(row["run"])):
            tx.log(row["run"], self._clock.now(), "note", None, None, info, None)
        return Effects()

    def block(self, tx: Tables, run: int, failure: Failure, effects: Effects) -> None:
        """Block a run whose replay left its record."""
        row = tx.run(run)
        status = None if row is None else after(row["status"], "block")
        if row is None or status is None:
            return
        tx.set_status(run, status)
        tx.set_error(run, dumps(failure.to_json()))
        tx.log(run, self._clock.now(), "blocked", None, None, dumps({"text": str(failure)}), None)
        effects.then.append(
            Over(run, row["id"], row["function"], row["origin"], status, None, failure, self._unfinished(tx, row["origin"]))
        )

    def retry(self, tx: Tables, run_id: str) -> Effects:
        """Let a blocked or failed run go on: failed steps are tried again. Raises RunNotFound, EngineError for a run in another state."""
        effects = Effects()
        row = tx.run_by_id(run_id)
        if row is None:
            raise RunNotFound(run_id)
        status = after(row["status"], "retry")
        if status is None:
            raise EngineError(f"run {run_id} is {row['status']}: only blocked and failed runs can be retried")
        if row["status"] == "failed" and self._forget_failures(tx, row["run"]):
            # The steps that fail no more may lead the handler elsewhere than the record does: from here on steps are matched by id.
            tx.set_codes(row["run"], "")
        tx.reopen(row["run"])
        tx.log(row["run"], self._clock.now(), "retry", None, None, dumps({"text": f"retried ({row['status']} before)"}), None)
        effects.then.append(Reopened(row["run"]))
        return effects

    def _forget_failures(self, tx: Tables, run: int) -> bool:
        """Turn the failures that ended a run into history, so that their steps are tried again; those the handler caught stay. Says if any."""
        told = tx.last(run, "handler")
        steps = set() if told is None else set(jsonvalue.decode(told).get("steps", ()))
        failed = [seq for seq, info in tx.errors(run) if jsonvalue.decode(info)["id"] in steps]
        for seq in failed:
            tx.forget_error(seq)
        return bool(failed)


def _defer_info(op: DeferAdd | DeferRejected, status: str) -> bytes:
    info = {"id": op.id, "status": status}
    return dumps(info if op.step is None else {**info, "step": op.step})


def _event_json(event: Event) -> dict[str, Any]:
    value: dict[str, Any] = {"name": event.name, "data": dict(event.data), "id": event.id, "ts": event.ts}
    if event.meta is not None:
        value["meta"] = dict(event.meta)
    return value
