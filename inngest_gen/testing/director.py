"""Director: says which of several things comes next, and what goes wrong. The one here: the first, and nothing.

What may go wrong has a name that stays the same whatever else goes wrong: a step's id, or what is written or delivered.
"""

from __future__ import annotations

from typing import Literal

Crash = Literal["before", "after"]
"""When a step's attempt crashes: before its body, or after it."""


class Director:
    """What a memory engine asks where a real one leaves it to the loop, the threads, the disk and fate."""

    def pick(self, many: int) -> int:  # noqa: ARG002 - for others to look at, as below
        """Choose one of `many` things that may come next: step bodies, and, as the last of them, that time passes."""
        return 0

    def crash(self, step_id: str, *, last: bool) -> Crash | None:  # noqa: ARG002
        """Say whether an attempt of a step's body crashes; `last` that there is no other."""
        return None

    def loses(self, step_id: str) -> bool:  # noqa: ARG002
        """Say whether what a step's body came to is lost on its way: the body runs once more."""
        return False

    def slow(self, step_id: str) -> float:  # noqa: ARG002
        """Give how long writing down what a step's body came to takes, in seconds."""
        return 0

    def kills(self, written: str) -> bool:  # noqa: ARG002
        """Say whether the process ends after this was written."""
        return False

    def duplicates(self, delivered: str) -> bool:  # noqa: ARG002
        """Say whether this, an event or the end of a wait, is delivered twice."""
        return False
