"""Seats: the tasks that drive runs, one run after the other.

A task that has finished a run waits for the next one: to wake it costs a quarter of starting another, and can be done in a callback of the writer,
where no task can be started. A run has a task of its own as long as it is in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inngest_gen.loops import bell

if TYPE_CHECKING:
    from inngest_gen.engine.live import LiveRun

_KEPT = 200


class _Seat:
    __slots__ = ("news", "taker")

    def __init__(self) -> None:
        self.news = bell()
        self.taker: LiveRun | None = None


class Seats:
    """Those that are free. Touched in the loop only."""

    def __init__(self) -> None:
        self._free: list[_Seat] = []

    def __bool__(self) -> bool:
        return bool(self._free)

    def take(self, live: LiveRun) -> bool:
        """Give a run to a task that waits for one; says whether there was one."""
        if not self._free:
            return False
        seat = self._free.pop()
        seat.taker = live
        seat.news.ring()
        return True

    async def drive(self, live: LiveRun | None) -> None:
        """Be a task: drive a run, and then those that take this seat. Ends where enough others are free."""
        seat = _Seat()
        while live is not None:
            await live.main()
            live = None  # a run that is over is held by nobody
            if len(self._free) >= _KEPT:
                return
            self._free.append(seat)
            while seat.taker is None:
                await seat.news.wait()
            live, seat.taker = seat.taker, None
