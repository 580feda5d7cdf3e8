"""What the record holds of a run: finished steps in the order of their completion, planned ones by position; and where a replay leaves it.

Promises: `rank` orders results as they were recorded, those that come later after those that were there; a strict history raises Left at the
first step that is not the recorded one. Refuses: to judge a history that isn't strict, whose steps are matched by id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inngest_gen.calls.memo import Memo
from inngest_gen.driver.divergence import ended_early, other_step
from inngest_gen.driver.turn import Op, Planned
from inngest_gen.errors import NonDeterminismError
from inngest_gen.intents.step import Step

MemoOf = Callable[[Any, Step[Any]], Memo]
"""Makes a Memo of what a shell keeps of a result, for the step that asks for it."""


class Left(Exception):
    """A replay left its history: `error` says where."""

    def __init__(self, error: NonDeterminismError) -> None:
        super().__init__()
        self.error: NonDeterminismError = error


class History:
    """A run's record, used up as the handler asks for it. `memos` is taken over."""

    __slots__ = ("_at", "_came", "_count", "_lost", "_order", "_passed", "branches", "memo_of", "memos", "planned", "strict")

    def __init__(self, memos: dict[str, Any], strict: bool, planned: Mapping[int, Planned], memo_of: MemoOf | None = None) -> None:
        # With `strict` what memo_of makes a Memo of must be of a subclass: positions are looked at of memos that are not asked for.
        self.memos: dict[str, Any] = memos
        self.memo_of: MemoOf = memo_of or _refuse
        self.strict: bool = strict
        self.planned: Mapping[int, Planned] = planned
        self.branches: bool = strict and any(one.path is not None for one in (*self.memos.values(), *planned.values()))
        """Whether the record tells which steps belong to branches: those are held to their branch, not to a position."""
        self._passed = max(planned) if planned else -1
        self._at: dict[int, Memo] | None = None
        self._order: dict[str, int] | None = None
        self._came: dict[str, int] = {}
        self._count = 0
        self._lost: set[str] = set()

    def passed(self, position: int) -> bool:
        """Say whether the record tells that a handler which has yielded `position` steps went on from there before."""
        return bool(self.memos) or position <= self._passed

    def add(self, hash: str, memo: Memo) -> int | None:
        """Take a result that came while the run is live. Gives its rank, or None where it is no longer wanted: its step lost a race."""
        if hash in self._lost:
            return None
        self.memos[hash] = memo
        self._count += 1
        self._came[hash] = self._count
        return self._count

    def rank(self, hash: str) -> int:
        """Give the place of a recorded result: below all that came since."""
        came = self._came.get(hash)
        if came is not None:
            return came
        order = self._order
        if order is None:
            there = [known for known in self.memos if known not in self._came] if self._came else self.memos
            order = self._order = {known: place for place, known in enumerate(there, -len(there))}
        return order[hash]

    def take(self, hash: str, step: Step[Any]) -> Memo:
        """Use up the result of a step."""
        self._came.pop(hash, None)
        memo = self.memos.pop(hash)
        return memo if memo.__class__ is Memo else self.memo_of(memo, step)

    def lost(self) -> frozenset[str]:
        """Give the hashes of the steps that lost a race."""
        return frozenset(self._lost)

    def lose(self, hash: str) -> None:
        """Forget a step that lost a race, and its result, now or when it comes."""
        self.memos.pop(hash, None)
        self._lost.add(hash)

    # Determinism. Callers ask only where the history is strict.

    def check_recorded(self, step: Step[Any], position: int, memo: Memo, path: str, at: str | None) -> None:
        """Raise Left if `memo`, which has the hash of `step`, is not the record's step at this position, or of this branch."""
        if memo.position is None:
            if memo.path is not None and (memo.path != path or memo.kind != step.kind):
                raise Left(other_step(step, position, at, memo, memo))
            return
        if memo.position == position and memo.kind == step.kind:
            return
        recorded = next((other for other in self.memos.values() if other.position == position), None)
        raise Left(other_step(step, position, at, memo, recorded or self.planned.get(position)))

    def check_unrecorded(self, op: Op) -> None:
        """Raise Left if the record holds another step at the position of this one, which has no result."""
        step, position = op.step, op.position
        planned = self.planned.get(position)
        if planned is not None and planned.path is None and (planned.hash != op.hash or planned.kind != step.kind):
            raise Left(other_step(step, position, op.at, None, planned))
        if self._at is None:
            # Those that were asked for by now stood at earlier positions.
            self._at = {memo.position: memo for memo in self.memos.values() if memo.position is not None}
        recorded = self._at.get(position)
        if recorded is not None:
            raise Left(other_step(step, position, op.at, None, recorded))

    def check_all_asked(self, position: int) -> None:
        """Raise Left if the record holds steps at or after `position`, where the handler has ended."""
        left = [memo for memo in self.memos.values() if memo.position is not None and memo.position >= position]
        if left:
            first = min(left, key=lambda memo: memo.position or 0)
            raise Left(ended_early(position, first))
        for planned_at, planned in sorted(self.planned.items()):
            if planned_at >= position and planned.path is None:
                raise Left(ended_early(position, planned))


def _refuse(value: Any, _: Step[Any]) -> Memo:
    raise TypeError(f"a record's values are Memo unless memo_of makes them: {type(value).__name__}")
