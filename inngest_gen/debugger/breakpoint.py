"""Breakpoints: where moves stop, and what they say in passing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from inngest_gen.debugger.evaluation import filled, truth
from inngest_gen.debugger.frames import stack
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.stop import Mark
from inngest_gen.debugger.target import Target, check_expression
from inngest_gen.errors import MisuseError

_HITS: Final = re.compile(r"\s*(==|>=|>|<=|<|%)?\s*(\d+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakpoint:
    """A place where moves stop.

    `condition` is an expression that must be true in the innermost frame; `hits` says at which of the matches, counted from the run's start: "3",
    ">=3", "%2". With `log` (text with {expressions}) it says that and does not stop.
    """

    id: int
    target: Target
    condition: str | None = None
    hits: str | None = None
    log: str | None = None
    enabled: bool = True

    def counts(self, hit: int) -> bool:
        """Say whether the `hit`-th match, from 1, is one to stop at."""
        if self.hits is None:
            return True
        found = _HITS.fullmatch(self.hits)
        if found is None:
            return True
        number = int(found[2])
        match found[1]:
            case ">=":
                return hit >= number
            case ">":
                return hit > number
            case "<=":
                return hit <= number
            case "<":
                return hit < number
            case "%":
                return number > 0 and hit % number == 0
            case _:
                return hit == number


def checked(one: Breakpoint) -> Breakpoint:
    """Give the one. Raises MisuseError for a condition that is no expression, or hits that are none."""
    if one.condition is not None:
        check_expression(one.condition)
    if one.hits is not None and _HITS.fullmatch(one.hits) is None:
        raise MisuseError(f'the hits {one.hits!r} are none: write a number, or one after ==, >=, >, <=, < or %, such as ">=3"')
    return one


class Hits:
    """What one move meets of its breakpoints. How often each matched is counted from where the move begins to look."""

    def __init__(self, breakpoints: dict[int, Breakpoint]) -> None:
        self._breakpoints = [one for one in breakpoints.values() if one.enabled]
        self._counts: dict[int, int] = {}

    @property
    def count_from_start(self) -> bool:
        """Whether the look must begin at the run's start."""
        return any(one.hits is not None for one in self._breakpoints)

    def at(self, replay: Replay, mark: Mark) -> tuple[list[int], list[str]]:
        """Give the ids of the breakpoints that stop here, and what logpoints say."""
        hit: list[int] = []
        said: list[str] = []
        for one in self._breakpoints:
            if not one.target.matches(mark, lambda expression: truth(expression, stack(replay))):
                continue
            if one.condition is not None and not truth(one.condition, stack(replay)):
                continue
            self._counts[one.id] = self._counts.get(one.id, 0) + 1
            if not one.counts(self._counts[one.id]):
                continue
            if one.log is not None:
                said.append(filled(one.log, stack(replay)))
            else:
                hit.append(one.id)
        return hit, said
