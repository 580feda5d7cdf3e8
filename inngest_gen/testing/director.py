"""Director: says which of several things comes next, and what goes wrong. The one here: the first, and nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fault = Literal["kill", "lose", "slow", "duplicate"]


@dataclass(frozen=True, slots=True)
class Crash:
    """A step's attempt fails: before its body has run, or `after` it."""

    after: bool


class Director:
    """What a memory engine asks where a real one leaves it to the loop, the threads and fate."""

    def pick(self, many: int) -> int:  # noqa: ARG002 - for others to look at
        """Choose one of `many` things that may come next: step bodies, and, as the last of them, that time passes."""
        return 0

    def crash(self, step_id: str, attempt: int) -> Crash | None:  # noqa: ARG002 - as above
        """Say whether this attempt of a step crashes."""
        return None
