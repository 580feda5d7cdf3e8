"""Which step attempt the running code belongs to, if any: the one whose defers the buffer in the contextvar `current_sink` collects."""

from __future__ import annotations

from random import Random

from inngest_gen.ids import seed
from inngest_gen.intents.defer import current_sink


class Attempt:
    """One attempt of a step body: its run, its step's hash, and a random stream of its own, the same in each attempt."""

    __slots__ = ("_random", "number", "run_id", "step_hash")

    def __init__(self, run_id: str, step_hash: str, number: int) -> None:
        self.run_id: str = run_id
        self.step_hash: str = step_hash
        self.number: int = number
        self._random: Random | None = None

    @property
    def random(self) -> Random:
        """The step's own random stream."""
        if self._random is None:
            self._random = Random(seed(self.run_id, self.step_hash))  # noqa: S311 - reproducible is what it is for
        return self._random


def current_attempt() -> Attempt | None:
    """Give the attempt of the step body that is running, or None in a handler and outside a run."""
    attempt: Attempt | None = getattr(current_sink.get(), "attempt", None)
    return attempt
