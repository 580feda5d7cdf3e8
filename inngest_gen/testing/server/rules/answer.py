"""What comes of an answer: steps memoized, calls asked for, waits opened, retries, the end (server: HandleResponse, HandleGeneratorResponse).

An answer is handled in two parts, as the server does: first waits for events and defers, then the rest. Gateway ops are handed back: their requests
are made by the shell, and `end_gateway` takes what came of each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from inngest_gen.testing.server.call import CallRequest
from inngest_gen.testing.server.canonical import canonical
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.opcode import PLANNED, PRIORITY, STEP_BYTES, Op, output
from inngest_gen.testing.server.reply import Reply, standard_error
from inngest_gen.testing.server.rules import defers, finalize, pausing
from inngest_gen.testing.server.rules.memo import EarlyFailure, ask_again, check_state, memoize, note, unplan
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.world import World

__all__ = ["Answered", "Failure", "answer", "conclude", "end_gateway"]

_STEPS: Final = 1000
_BACKOFF_S: Final = (15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200)
_JITTER_S: Final = 30


@dataclass(frozen=True, slots=True)
class Failure:
    """The job is to be tried again, if it may: at a time of its own, or after the usual delay."""

    retry_at: float | None = None
    never: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What is left to do: requests to make for gateway ops, and how the job failed, if it did."""

    gateways: tuple[Op, ...] = ()
    failure: Failure | None = None


@dataclass(slots=True, kw_only=True)
class Turn:
    """An answer that is being handled."""

    world: World
    run: ServerRun
    job: Job
    request: CallRequest
    reply: Reply
    now: float
    group: str | None = None

    @property
    def last_attempt(self) -> bool:
        """Whether the job may not be tried again."""
        return self.reply.no_retry or self.job.attempt + 1 >= self.run.book.max_attempts

    def saved(self, op: Op, memo: str, *, suffix: str = "") -> None:
        """Memoize a step and let the function be asked again, unless its group has members that are still open."""
        waiting = memoize(self.run, op.id, label(op), op.op, memo, self.now)
        race = self.job.race if suffix == "-failure" else op.race
        if not waiting or race:
            unplan(self.run, self.request.version, plan_only=self.request.plan_only)
            group = self.group if op.op in PLANNED else self.job.group
            ask_again(self.world, self.run, op.id, self.now, race=op.race, group=group, suffix=suffix)


def label(op: Op) -> str:
    """Give what the app calls a step."""
    return str((op.userland or {}).get("id") or op.label)


def answer(turn: Turn) -> Answered:
    """Handle an answer, but for its gateway ops."""
    run, reply = turn.run, turn.reply
    if run.ended:
        return Answered()
    if reply.error is None and reply.ops:
        if all(op.op == "None" and not op.id for op in reply.ops):
            _restart(turn)
            return Answered()
        try:
            return _handle_ops(turn)
        except EarlyFailure as early:
            error = {"error": f"{early.name}: {early.message}", "name": early.name, "message": early.message}
            finalize.fail(turn.world, run, error, turn.now, result={"error": error})
            return Answered()
    if reply.error is not None:
        if turn.last_attempt:
            finalize.fail(turn.world, run, standard_error(reply), turn.now, result=reply.output)
            return Answered()
        return Answered(failure=Failure(reply.retry_at, reason=reply.error))
    finalize.complete(turn.world, run, reply.output, turn.now)
    return Answered()


def _restart(turn: Turn) -> None:
    # No op at all: the function is asked again after the last step, unless it was asked after that one before.
    outgoing = turn.run.stack[-1] if turn.run.steps else f"redrive-{turn.world.ids.uuid()}"
    unplan(turn.run, turn.request.version, plan_only=turn.request.plan_only)
    key = f"{turn.job.group}-discover" if turn.job.group else outgoing
    if not turn.world.enqueue(turn.run, key, Job(kind="call", at=turn.now, outgoing=outgoing)):
        note(turn.run, "an empty list of ops came twice after one step: the function is not asked again")


def _handle_ops(turn: Turn) -> Answered:
    run, ops = turn.run, turn.reply.ops
    steps = [op for op in ops if not op.lazy]
    version = run.book.version
    if run.book.version == -1:
        run.book.version = turn.reply.version
    if len(steps) > 1 and not turn.request.plan_only:
        run.book.plan_only = True
    if len(ops) > _STEPS:
        raise EarlyFailure("InngestErrFunctionOverflowed", f"The function run exceeded the step limit of {_STEPS} steps.")
    known = turn.reply.version if version == -1 else version
    if len(steps) > 1 and known >= 2 and any(op.op in PLANNED for op in ops):
        ids = sorted(op.id for op in steps)
        turn.group = hashlib.sha1("\0".join([run.id, *ids]).encode(), usedforsecurity=False).hexdigest()[:16]
        run.book.pending = set(ids)  # those that have ended among them, as the real server has it
    for urgent in (True, False):
        failures = [_handle(turn, op) for op in ops if (op.op in PRIORITY) is urgent]
        failure = next((one for one in failures if one is not None), None)
        if failure is not None:
            return Answered(failure=_of_reply(turn.reply, failure))
    return Answered(gateways=tuple(op for op in ops if op.op in ("Gateway", "AIGateway")) if not run.ended else ())


def _of_reply(reply: Reply, failure: Failure) -> Failure:
    # The reply's headers are about whatever failed in it.
    if reply.no_retry:
        return Failure(never=True, reason=failure.reason)
    return Failure(reply.retry_at, reason=failure.reason) if reply.retry_at is not None else failure


_Handler: TypeAlias = Callable[[Turn, Op], "Failure | None"]


def _handle(turn: Turn, op: Op) -> Failure | None:
    if turn.run.ended:
        return None
    handler = _HANDLERS.get(op.op)
    if handler is None:
        return None
    try:
        return handler(turn, op)
    except ValueError as error:
        note(turn.run, f"error handling generator response: {op.op} {label(op)!r}: {error}")
        return Failure(reason=str(error))


def _ran(turn: Turn, op: Op) -> None:
    memo = output(op)
    check_state(turn.run, memo)
    turn.saved(op, memo or "null")


def _errored(turn: Turn, op: Op) -> Failure | None:
    if not (turn.last_attempt or (op.error or {}).get("noRetry")):
        return Failure(reason=f"step {label(op)!r} failed")
    _failed(turn, op)
    return None


def _failed(turn: Turn, op: Op) -> None:
    turn.saved(op, output(op), suffix="-failure")


def _planned(turn: Turn, op: Op) -> None:
    job = Job(kind="call", at=turn.now, target=op.id, outgoing=turn.job.outgoing, race=op.race, group=turn.group)
    turn.world.enqueue(turn.run, f"{op.id}-plan", job)


def _discover(turn: Turn, op: Op) -> None:
    unplan(turn.run, turn.request.version, plan_only=turn.request.plan_only)
    ask_again(turn.world, turn.run, op.id, turn.now, race=op.race, group=turn.job.group)


def _deferred(turn: Turn, op: Op) -> None:
    if op.op == "DeferAdd":
        defers.add(turn.run, op)
    elif not defers.abort(turn.run, op):
        return
    if all(one.lazy for one in turn.reply.ops):
        # Nothing else would bring the run forward.
        note(turn.run, f"{op.op} received without a host op; enqueuing discovery as fallback")
        _discover(turn, op)


def _completed(turn: Turn, op: Op) -> None:
    data: Any = op.data
    if op.op == "SyncRunComplete":
        data = data.get("data") if isinstance(data, Mapping) else data
    finalize.complete(turn.world, turn.run, data, turn.now)


def _pause(turn: Turn, op: Op) -> None:
    pausing.begin(turn.world, turn.run, op, label(op), turn.group, turn.now)


_HANDLERS: Final[dict[str, _Handler]] = {
    "Step": _ran,
    "StepRun": _ran,
    "StepError": _errored,
    "StepFailed": _failed,
    "StepPlanned": _planned,
    "Sleep": _pause,
    "WaitForEvent": _pause,
    "WaitForSignal": _pause,
    "InvokeFunction": _pause,
    "RunComplete": _completed,
    "SyncRunComplete": _completed,
    "DiscoveryRequest": _discover,
    "DeferAdd": _deferred,
    "DeferAbort": _deferred,
}


def end_gateway(turn: Turn, op: Op, result: Mapping[str, Any], error: str | None) -> Failure | None:
    """Take what came of a gateway op's request: the result, or the error that tells why there is none."""
    if turn.run.ended:
        return None
    if error is not None:
        if not turn.last_attempt:
            return _of_reply(turn.reply, Failure(reason=error))
        result = {"error": {"name": f"{op.op}Error", "message": error, **result}}
    memo = canonical(result)
    if len(memo.encode()) > STEP_BYTES:
        note(turn.run, f"the result of {label(op)!r} has more than {STEP_BYTES:,} bytes")
    turn.saved(op, memo)
    return None


def conclude(world: World, job: Job, failure: Failure | None, now: float) -> None:
    """End a job, or put it back into the queue for another attempt."""
    run = job.run
    assert run is not None
    if failure is None or run.ended:
        world.items.pop(job.id, None)
        return
    if failure.never or job.attempt + 1 >= run.book.max_attempts:
        world.items.pop(job.id, None)
        note(run, f"the last attempt failed and nothing is left to bring the run forward: {failure.reason}")
        return
    delay = _BACKOFF_S[min(job.attempt, len(_BACKOFF_S) - 1)] + world.ids.fraction() * _JITTER_S
    job.attempt += 1
    job.stored = job.attempt
    job.generation += 1
    job.at = max(now, failure.retry_at if failure.retry_at is not None else now + delay)
    world.queue.put(job)
