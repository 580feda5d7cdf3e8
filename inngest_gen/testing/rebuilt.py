"""Holds a handler that has been alive since its run began against one that was rebuilt from the run's record: both must do the same.

They are compared where both have come to a stop: the steps they ask for, with their arguments; the defers they made, with their data; how they
ended. What differs would go wrong after a crash, a sleep or a redeploy. Promises: the line of what differs is named, and the likely cause.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from inngest_gen.calls.lazy import DeferAdd
from inngest_gen.driver.divergence import UNSTABLE
from inngest_gen.driver.execution import Execution
from inngest_gen.driver.turn import Diverged, Ended, Op, Raised, Returned, Turn
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Step
from inngest_gen.testing.failures import HeldOverYield, ReplayMismatch, is_found
from inngest_gen.testing.sameness import difference

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line

_CHANGED = (
    "a step body or the handler has changed an object which the handler keeps (a memoized result, a list that a body appends to, an iterator that a"
    " body takes from), and a replay does not change it; or the value comes from the time, randomness, the environment, a global or I/O outside a"
    " step. Let steps return what they make, and take such values from a step, ctx.random, ctx.uuid() or ctx.started_at"
)
SentDefer = tuple[str, bytes | None]
"""A defer's id and its data, None where it is not kept."""

_IDENTITY = frozenset({"code", "hash", "id", "lasti", "name", "result"})
_PARTS: Final[dict[type[Step[Any]], tuple[str, ...]]] = {}
WORDS: Final = {
    "fn": "function",
    "args": "arguments",
    "kwargs": "arguments",
    "duration_s": "duration",
    "timeout_s": "timeout",
    "if_": "condition",
}
"""What parts of a step are called in messages."""
MUTED: Final = logging.Logger("inngest_gen.testing.rebuilt", logging.CRITICAL + 1)  # noqa: LOG001 - one that nobody else gets or configures
"""For handlers that are only looked at."""


def check_held(run: str, execution: Execution) -> None:
    """Raise HeldOverYield if Python would close something of the handler's when it is suspended where it stands."""
    for what, where in execution.held():
        raise HeldOverYield(
            f"{run}: {what} is held over the yield at {where}: Python closes it when the run is suspended there, and the handler will not have it"
            " when it goes on; use `yield ctx.using(...)`, or open it inside a step",
            where=where,
        )


def check_same(run: str, live: Execution, ended: Ended | None, again: Execution, turn: Turn, sent: Mapping[str, SentDefer]) -> None:
    """Compare two executions that have come to a stop: `live` (with `ended` if it has ended) and `again`, whose turn was `turn`.

    `sent` has the defers that were sent, by hash. Raises ReplayMismatch.
    """
    if isinstance(turn.ended, Diverged):
        raise ReplayMismatch(f"{run}: {turn.ended.error}", where=turn.ended.error.yielded_at or turn.ended.error.recorded_at)
    first = [leaf.op for leaf in live.pending.values()]
    second = [leaf.op for leaf in again.pending.values()]
    for one, other in zip(first, second, strict=False):
        _check_op(run, one, other)
    if len(first) != len(second) or (ended is None) != (turn.ended is None):
        shared = min(len(first), len(second))
        raise _mismatch(run, _next(first[shared:], ended), _next(second[shared:], turn.ended), [*second[shared:], *first[shared:]])
    _check_defers(run, live, again, sent)
    if ended is not None and turn.ended is not None:
        _check_ends(run, ended, turn.ended)


def _check_op(run: str, one: Op, other: Op) -> None:
    if one.hash != other.hash or one.step.kind != other.step.kind:
        raise _mismatch(run, _asked(one), _asked(other), [other])
    for (name, first), (_, second) in zip(parts(one.step), parts(other.step), strict=True):
        found = difference(first, second)
        if found is not None:
            raise ReplayMismatch(
                f"{run}: {describe(one.step)} at {other.at} is given another {WORDS.get(name, name)} when the handler is rebuilt from its record\n"
                f"  {found}\n  likely cause: {_CHANGED}",
                where=other.at,
            )


def parts(step: Step[Any]) -> Iterator[tuple[str, Any]]:
    """Give what a step was made with, by name."""
    cls = type(step)
    if cls not in _PARTS:
        _PARTS[cls] = tuple(name for one in cls.__mro__ for name in getattr(one, "__slots__", ()) if name not in _IDENTITY)
    for name in _PARTS[cls]:
        yield name, getattr(step, name)


def _check_defers(run: str, live: Execution, again: Execution, sent: Mapping[str, SentDefer]) -> None:
    missing = sorted(sent[hash][0] if hash in sent else hash for hash in live.lazy.seen - again.lazy.seen)
    if missing:
        raise ReplayMismatch(
            f"{run}: defer {missing[0]!r} is not made when the handler is rebuilt from its record\n  likely cause: {UNSTABLE}"
        )
    for op in again.lazy.drain():
        if not isinstance(op, DeferAdd):
            continue
        if op.hash not in live.lazy.seen:
            raise ReplayMismatch(
                f"{run}: defer {op.id!r} is made when the handler is rebuilt from its record, and was not made before: each replay would send"
                f" one more\n  likely cause: {UNSTABLE}"
            )
        data = sent[op.hash][1] if op.hash in sent else None
        if data is not None and data != op.data:
            raise ReplayMismatch(
                f"{run}: defer {op.id!r} has other data when the handler is rebuilt from its record\n"
                f"  {data.decode()} first, then {op.data.decode()}\n  likely cause: {_CHANGED}"
            )


def _check_ends(run: str, ended: Ended, again: Ended) -> None:
    match ended, again:
        case Returned(one), Returned(other):
            found = difference(one, other)
            if found is not None:
                raise ReplayMismatch(
                    f"{run}: the handler gives another result when it is rebuilt from its record\n  {found}\n  likely cause: {_CHANGED}"
                )
        case Raised(one), Raised(other):
            if type(one) is not type(other):
                raise _mismatch(run, f"raised {_error(one)}", f"raised {_error(other)}", [])
        case _:
            raise _mismatch(run, _next([], ended), _next([], again), [])


def _mismatch(run: str, first: str, second: str, at: list[Op]) -> ReplayMismatch:
    where = at[0].at if at else None
    return ReplayMismatch(
        f"{run}: the handler does something else when it is rebuilt from its record\n  it has {first}\n  rebuilt, it has {second}\n"
        f"  likely cause: {UNSTABLE}",
        where=where,
    )


def _next(ops: list[Op], ended: Ended | None) -> str:
    if ops:
        return _asked(ops[0])
    match ended:
        case Returned(value):
            return f"ended with {value!r}"
        case Raised(error):
            return f"raised {_error(error)}"
        case _:
            return "asked for nothing more"


def _asked(op: Op) -> str:
    return f"asked for {describe(op.step)} at {op.at}"


def _error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
