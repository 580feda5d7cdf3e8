"""Changes: what is written down of one run as it goes on: of each step, of the handler's attempts, of the end.

Every shell that drives runs over the engine's tables makes these same changes, each when and where it writes: so a run of a test reads as one of
production does. Promises: what a run hands on, its sessions among it, is settled here. A change may be made twice (see `store/writer.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAdd, LazyOp
from inngest_gen.driver.body import check_size
from inngest_gen.driver.turn import Op
from inngest_gen.engine.record import Record
from inngest_gen.engine.rules.lifecycle import Status
from inngest_gen.engine.store.tables import Tables, dumps
from inngest_gen.engine.transitions import Change, Effects, Paused, Transitions
from inngest_gen.errors import EngineError, InngestGenError, StepError
from inngest_gen.sessions import folded_meta


class Changes:
    """The changes of the run whose record it is."""

    __slots__ = ("_record", "_run", "_transitions")

    def __init__(self, record: Record, transitions: Transitions) -> None:
        self._record = record
        self._run = record.run
        self._transitions = transitions

    # Steps.

    def plan(self, op: Op, wait: Change) -> Change:
        """Let a step wait; one of a run that was cancelled in the meantime does not."""
        run = self._run
        info = info_of(op)

        def plan(tx: Tables, effects: Effects) -> None:
            if not tx.has_ended(run):
                tx.log(run, self._now(), "plan", op.hash, op.position, info, None)
                wait(tx, effects)

        return plan

    def send(self, op: Op, send: Change) -> Change:
        """Send something together with the step's result, which `send` leaves in the effects: exactly once, and not for a cancelled run."""
        run = self._run
        info = info_of(op)

        def sent(tx: Tables, effects: Effects) -> None:
            if not tx.has_ended(run):
                send(tx, effects)
                tx.log(run, self._now(), "result", op.hash, op.position, info, dumps(effects.result))

        return sent

    def done(self, op: Op, data: bytes, lazy: Sequence[LazyOp], started: float, number: int) -> Change:
        """Keep the result of a body's attempt, and what was deferred until then."""
        run = self._run
        info = info_of(op, started=started, attempt=number)
        lazy = self._inheriting(lazy)

        def done(tx: Tables, effects: Effects) -> None:  # noqa: ARG001 - a Change
            tx.log(run, self._now(), "result", op.hash, op.position, info, data)
            if lazy:
                self._transitions.keep_lazy(tx, run, lazy)

        return done

    def failed_attempt(
        self, op: Op, failure: Failure, lazy: Sequence[LazyOp], started: float, number: int, now: float, due: float
    ) -> Change:
        """Keep why an attempt failed at `now`; the next one is at `due`."""
        run = self._run
        info = info_of(op, started=started, attempt=number, retry_at=due)
        lazy = self._inheriting(lazy)

        def failed(tx: Tables, effects: Effects) -> None:
            tx.log(run, now, "attempt", op.hash, op.position, info, dumps(failure.to_json()))
            self._transitions.keep_lazy(tx, run, lazy)
            if not tx.has_ended(run):
                tx.pause(run, op.hash, "retry", due)
                effects.then.append(Paused(due, run))

        return failed

    def failed(self, op: Op, failure: Failure, lazy: Sequence[LazyOp], started: float, number: int) -> Change:
        """Keep why a step failed for good."""
        run = self._run
        info = info_of(op, started=started, attempt=number)
        data = dumps(failure.to_json())
        lazy = self._inheriting(lazy)

        def failed(tx: Tables, effects: Effects) -> None:  # noqa: ARG001 - a Change
            now = self._now()
            tx.log(run, now, "attempt", op.hash, op.position, info, data)
            tx.log(run, now, "error", op.hash, op.position, info, data)
            self._transitions.keep_lazy(tx, run, lazy)

        return failed

    def abandon(self, hash: str, op: Op | None = None) -> Change:
        """End the wait of a race's loser, of which no more than its hash may be known."""
        run = self._run
        position, info = (None, None) if op is None else (op.position, info_of(op))

        def abandon(tx: Tables, effects: Effects) -> None:  # noqa: ARG001 - a Change
            tx.end_pause(run, hash)
            tx.log(run, self._now(), "abandoned", hash, position, info, None)

        return abandon

    # The handler.

    def suspend(self, waiting: set[str], lazy: Sequence[LazyOp]) -> Change:
        """Note that the run only waits, for these steps; the effects' `result` says whether it still does."""
        lazy = self._inheriting(lazy)

        def suspend(tx: Tables, effects: Effects) -> None:
            self._transitions.keep_lazy(tx, self._run, lazy)
            self._transitions.suspend(tx, self._run, waiting, effects)

        return suspend

    def handler_failed(self, failure: Failure, lazy: Sequence[LazyOp], number: int, now: float, due: float) -> Change:
        """Keep why an attempt of the handler failed at `now`; the next one is at `due`."""
        run = self._run
        lazy = self._inheriting(lazy)

        def failed(tx: Tables, effects: Effects) -> None:
            tx.log(run, now, "handler", None, None, dumps({"attempt": number, "retry_at": due}), dumps(failure.to_json()))
            self._transitions.keep_lazy(tx, run, lazy)
            if not tx.has_ended(run):
                tx.set_attempt(run, number + 1)
                tx.end_pause(run, "")
                tx.pause(run, "", "retry", due)
                tx.suspend(run)
                effects.then.append(Paused(due, run))

        return failed

    def end(
        self, status: Status, output: bytes | None, failure: Failure | None, lazy: Sequence[LazyOp], told: dict[str, Any] | None = None
    ) -> Change:
        """End the run. `told` is what the timeline says of a handler whose last attempt has failed (see `told_of`)."""
        run = self._run
        lazy = self._inheriting(lazy)

        def end(tx: Tables, effects: Effects) -> None:
            if told is not None and failure is not None:
                tx.log(run, self._now(), "handler", None, None, dumps(told), dumps(failure.to_json()))
            self._transitions.keep_lazy(tx, run, lazy)
            self._transitions.end(tx, self._record, status, output, failure, effects)

        return end

    def unsent(self, lazy: Sequence[LazyOp]) -> Change:
        """Keep in the timeline, as dropped, what was deferred and cannot be sent any more."""
        lazy = self._inheriting(lazy)
        return lambda tx, _: self._transitions.keep_lazy(tx, self._run, lazy)

    def _inheriting(self, lazy: Sequence[LazyOp]) -> Sequence[LazyOp]:
        """Give defers the sessions of this run, where they are handed on and have no others."""
        inherited = self._record.inherited
        if not lazy or not inherited:
            return lazy
        return [replace(op, meta=folded_meta(op.meta, inherited)) if isinstance(op, DeferAdd) else op for op in lazy]

    def _now(self) -> float:
        return self._transitions.now()


def returned(function: str, value: Any) -> tuple[Status, bytes | None, Failure | None]:
    """Give what a handler's result makes of its run: its end and its output, or why that cannot be one."""
    what = f"the result of function {function!r}"
    try:
        output = jsonvalue.encode(value, what)
        check_size(what, output)
    except InngestGenError as error:
        return "failed", None, Failure.of(error, no_retry=True)
    return "completed", output, None


def too_many_steps(most: int) -> Failure:
    """Give why a run fails that asks for more steps than it may have."""
    error = EngineError(
        f"a run has at most {most} steps, and this one asked for more: split the work over runs (step.invoke, step.send_event), or raise max_steps"
        " (up to 10000)"
    )
    return Failure.of(error, no_retry=True)


def told_of(error: BaseException, number: int) -> dict[str, Any]:
    """Give what the timeline says of a handler's last attempt: its number, and the steps whose failures ended it."""
    steps = _failed_steps(error)
    return {"attempt": number, "steps": steps} if steps else {"attempt": number}


def _failed_steps(error: BaseException) -> list[str]:
    """List the ids of the steps whose recorded failures left the handler."""
    if isinstance(error, BaseExceptionGroup):
        return [id for inner in error.exceptions for id in _failed_steps(inner)]
    return [error.step_id] if isinstance(error, StepError) and error.memoized and error.step_id is not None else []


def info_of(op: Op, **more: Any) -> bytes:
    """Give what an entry of the log says of its step."""
    step = op.step
    info: dict[str, Any] = {"id": step.id, "kind": step.kind, "at": op.at}
    if step.name != step.id:
        info["name"] = step.name
    if op.index:
        info["index"] = op.index
    if op.path:
        info["path"] = op.path
    if options := step.options():
        info["options"] = options
    info.update(more)
    return dumps(info)
