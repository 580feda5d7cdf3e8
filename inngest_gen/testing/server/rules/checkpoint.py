"""Checkpoints of steps that an app ran within a call (server: checkpoint.go, behaviours F02 to F16)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from inngest_gen.testing.server.opcode import LAZY, STEP_BYTES, SYNC, Op, output, read_ops
from inngest_gen.testing.server.rules import defers
from inngest_gen.testing.server.rules.answer import label
from inngest_gen.testing.server.rules.memo import STATE_BYTES, memoize, note
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.world import World

__all__ = ["Refused", "checkpoint"]


class Refused(Exception):
    """A checkpoint that is refused: status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


def checkpoint(world: World, run: ServerRun | None, body: Any, now: float) -> None:
    """Store what a checkpoint holds. Raises Refused; what came before the op at fault is stored then, as on the server."""
    if not isinstance(body, Mapping):
        raise Refused(400, "invalid request body: it must be an object")
    try:
        ops = read_ops(body["steps"]) if body.get("steps") else ()
    except ValueError as error:
        too_large = "size is greater" in str(error)
        raise Refused(413 if too_large else 400, str(error) if too_large else f"invalid request body: {error}") from None
    if run is None or run.ended:
        raise Refused(400, "run not found")
    if any(op.op not in SYNC for op in ops):
        raise Refused(400, "cannot checkpoint async steps")
    _check_dispatch(world, body)
    if run.book.state_bytes + sum(len(output(op).encode()) for op in ops if op.op in ("Step", "StepRun")) > STATE_BYTES:
        raise Refused(413, "run state size limit exceeded: state overflowed")
    for op in ops:
        _store(run, op, now)
    job = world.items.get(_job_id(body))
    if job is not None:
        job.stored = 0


def _job_id(body: Mapping[str, Any]) -> str:
    try:
        return base64.b64decode(str(body.get("qi_id") or ""), validate=True).decode().partition("::")[0]
    except ValueError:
        return ""


def _check_dispatch(world: World, body: Mapping[str, Any]) -> None:
    # The real server looks only 10 s after the call has begun, for speed; here time may stand still or jump, so this one looks always.
    generation, job_id = body.get("generation_id") or 0, _job_id(body)
    if not generation or not job_id:
        return
    job = world.items.get(job_id)
    if job is None:
        raise Refused(409, "stale dispatch: queue item not found")
    if job.generation != generation:
        raise Refused(409, f"stale dispatch: dispatch generation {generation} does not match queue item generation {job.generation}")


def _store(run: ServerRun, op: Op, now: float) -> None:
    if op.op in ("Step", "StepRun"):
        memo = output(op) or "null"
        if len(memo.encode()) > STEP_BYTES:
            raise Refused(413, f"step {op.id} output too large: step output size is greater than the limit")
        if op.id in run.steps:
            note(run, f"duplicate checkpoint step {label(op)!r}")
        else:
            memoize(run, op.id, label(op), op.op, memo, now)
    elif op.op in LAZY:
        if op.op == "DeferAdd":
            defers.add(run, op)
        else:
            defers.abort(run, op)
    elif op.op != "StepPlanned":
        raise Refused(400, f"cannot checkpoint opcode: {op.op}")
