"""Orders: every order in which the branches of a run can finish, tried one after the other, so many of them.

A director whose choices are a list: where it ends the first is chosen, and what else could have been chosen there is an order to be tried.
A body runs once for the same arguments: the other orders get what it gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inngest_gen.driver.body import Outcome
from inngest_gen.intents.step import Step
from inngest_gen.testing.director import Director
from inngest_gen.testing.rebuilt import parts
from inngest_gen.testing.sameness import difference

Key = tuple[str, int, str, int]
"""Which attempt of a body it is: function, which of its runs, hash of the step, number."""


class Following(Director):
    """Chooses as it is told, and then the first. `choices` are what it has chosen, `of` of how many."""

    def __init__(self, told: tuple[int, ...] = ()) -> None:
        self._told = told
        self.choices: list[int] = []
        self.of: list[int] = []

    def pick(self, many: int) -> int:
        """Choose as told, else the first."""
        place = len(self.choices)
        choice = min(self._told[place], many - 1) if place < len(self._told) else 0
        self.choices.append(choice)
        self.of.append(many)
        return choice

    def others(self) -> Iterator[tuple[int, ...]]:
        """Give the orders that part from this one where it was not told what to choose."""
        for place in range(len(self._told), len(self.choices)):
            for other in range(1, self.of[place]):
                yield (*self.choices[:place], other)


class Outcomes:
    """What bodies came to, so that they need not run again for the same arguments."""

    def __init__(self) -> None:
        self._known: dict[Key, list[tuple[Step[Any], Outcome]]] = {}

    def get(self, key: Key, step: Step[Any]) -> Outcome | None:
        """Give what this attempt came to when it ran with these arguments; None if it did not."""
        for known, outcome in self._known.get(key, ()):
            if all(difference(one, other) is None for (_, one), (_, other) in zip(parts(known), parts(step), strict=True)):
                return outcome
        return None

    def keep(self, key: Key, step: Step[Any], outcome: Outcome) -> None:
        """Keep what an attempt came to."""
        self._known.setdefault(key, []).append((step, outcome))
