"""Says where a replay left its record, and what likely made it."""

from __future__ import annotations

from typing import Any

from inngest_gen.calls.memo import Memo
from inngest_gen.driver.turn import Planned
from inngest_gen.errors import NonDeterminismError
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Step

UNSTABLE = (
    "the handler's path or a step id depends on something that changes between replays: the time, randomness, the environment, a set's order,"
    " a global, or I/O outside a step; take such values from a step, ctx.random, ctx.uuid() or ctx.started_at"
)


def other_step(step: Step[Any], position: int, at: str | None, found: Memo | None, recorded: Memo | Planned | None) -> NonDeterminismError:
    """Make the error for a step that is not the one the record holds at its position. `found` is the memo its own hash has elsewhere."""
    if found is not None and found.position is not None and found.position != position:
        cause = f"the same step is recorded at position {found.position}: the order of the yields changed; " + UNSTABLE
    elif found is not None:
        if found.kind != step.kind:
            cause = "the same id now names another kind of step; " + UNSTABLE
        else:
            cause = (
                f"the same id is used in several branches, and is recorded of {found.path}: give the steps of each branch ids of their own"
            )
        return NonDeterminismError(
            position=position, recorded=_name(found), yielded=describe(step), recorded_at=found.at, yielded_at=at, cause=cause
        )  # fmt: skip
    else:
        cause = UNSTABLE
    return NonDeterminismError(
        position=position,
        recorded=_name(recorded),
        yielded=describe(step),
        recorded_at=None if recorded is None else recorded.at,
        yielded_at=at,
        cause=cause,
    )


def ended_early(position: int, recorded: Memo | Planned) -> NonDeterminismError:
    """Make the error for a handler that ended although the record holds further steps."""
    return NonDeterminismError(
        position=position, recorded=_name(recorded), yielded=None, recorded_at=recorded.at, yielded_at=None,
        cause="the handler ended where it went on before; " + UNSTABLE,
    )  # fmt: skip


def _name(recorded: Memo | Planned | None) -> str | None:
    if recorded is None:
        return None
    label = getattr(recorded, "label", None)
    kind = recorded.kind or "a step"
    return f"{kind} {label!r}" if label else kind
