"""Lane: the lazy operations as they stand at a stop: the defers that the engine has, and those that wait for the next message."""

from __future__ import annotations

from inngest_gen import jsonvalue
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected, LazyOp
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.stop import Deferred
from inngest_gen.debugger.variables import text
from inngest_gen.ids import step_hash
from inngest_gen.intents.defer import Defer
from inngest_gen.intents.intent import describe


def lazy_of(replay: Replay) -> tuple[Deferred, ...]:
    """List the defers so far: those that the engine has, in the order in which they were made, and what waits for the next message."""
    if not replay.has_begun:
        return ()
    history, execution = replay.history, replay.execution
    buffer = execution.lazy
    found: list[Deferred] = []
    for defer in history.recording.defers:
        by = None if defer.step is None else history.steps.get(defer.step)
        if buffer.has_seen(defer.hash) or (by is not None and _body_is_over(replay, by.hash)):
            found.append(
                Deferred(
                    kind="rejected" if defer.status == "rejected" else "defer", id=defer.id, hash=defer.hash, function=defer.function,
                    state="sent", by=None if by is None else by.id, fate=defer.status, reason=defer.reason, run_id=defer.run_id,
                    data=None if defer.data is None else text(jsonvalue.decode(defer.data)),
                )
            )  # fmt: skip
    carrier = _carrier(replay)
    found += [_waiting(op, None, carrier) for op in buffer.waiting()]
    for edit in history.edits:
        if edit.lazy and _body_is_over(replay, edit.hash):
            found += [_waiting(op, edit.id, f"the result of step {edit.id!r}") for op in edit.lazy]
    return tuple(found)


def _body_is_over(replay: Replay, hash: str) -> bool:
    """Whether a step's outcome has been delivered, or attempts of it have failed by now."""
    history, execution = replay.history, replay.execution
    if hash in execution.pending:
        step = history.steps.get(hash)
        return not history.has(hash) and step is not None and bool(step.attempts)
    return history.has(hash) and not execution.is_unused(hash)


def _waiting(op: LazyOp | Defer, by: str | None, carrier: str) -> Deferred:
    match op:
        case Defer():
            slug = getattr(op.function, "deferred_slug", None)
            return Deferred(
                kind="defer",
                id=op.id,
                hash=step_hash(op.id),
                function=slug,
                state="waiting",
                by=by,
                leaves_with=carrier,
                data=text(op.data),
            )
        case DeferAdd():
            data = text(jsonvalue.decode(op.data))
            return Deferred(
                kind="defer", id=op.id, hash=op.hash, function=op.function, state="waiting", by=by, leaves_with=carrier, data=data
            )
        case DeferAbort():
            return Deferred(kind="abort", id=op.id, hash=op.hash, function=op.function, state="waiting", by=by, leaves_with=carrier)
        case DeferRejected():
            return Deferred(
                kind="rejected", id=op.id, hash=op.hash, function=op.function, state="waiting", by=by, leaves_with=carrier, reason=op.reason
            )


def _carrier(replay: Replay) -> str:
    """Say which message takes what is in the buffer now."""
    if replay.ended is not None:
        return "the end of the run"
    history = replay.history
    leaf = next((leaf for leaf in replay.execution.pending.values() if not history.has(leaf.op.hash)), None)
    return "the next step's message, or the end of the run" if leaf is None else f"the message of {describe(leaf.op.step)}"
