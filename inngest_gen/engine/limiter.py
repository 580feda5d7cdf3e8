"""A limit on how many step bodies run at once, fair between runs: a run with a thousand waiting bodies takes turns with one that has a single one."""

from __future__ import annotations

from collections import deque

import anyio

from inngest_gen.errors import ConfigError


class FairLimiter:
    """At most `limit` slots. Those who wait are served run by run in turn, within a run in order."""

    def __init__(self, limit: int) -> None:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ConfigError(f"concurrency is a whole number of at least 1, not {limit!r}")
        self.limit: int = limit
        self.busy: int = 0
        self._waiting: dict[int, deque[anyio.Event]] = {}  # in the order of whose turn it is

    def take(self) -> bool:
        """Take a slot if there is one, and say so."""
        if self.busy < self.limit:
            self.busy += 1
            return True
        return False

    async def acquire(self, run: int) -> None:
        """Take a slot for a body of `run`, waiting for its turn."""
        if self.take():
            return
        turn = anyio.Event()
        self._waiting.setdefault(run, deque()).append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.release()  # the slot was given just as the wait was cancelled
            else:
                waiting = self._waiting[run]
                waiting.remove(turn)
                if not waiting:
                    del self._waiting[run]
            raise

    def release(self) -> None:
        """Give a slot back: to the run whose turn it is, which then goes to the end of the line."""
        if not self._waiting:
            self.busy -= 1
            return
        run = next(iter(self._waiting))
        waiting = self._waiting.pop(run)
        waiting.popleft().set()
        if waiting:
            self._waiting[run] = waiting
