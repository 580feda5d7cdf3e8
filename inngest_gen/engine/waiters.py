"""Waiters: who waits for runs to end, by what they wait for."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

from inngest_gen.loops import bell

K = TypeVar("K")


class Waiter:
    """One who waits, once. Made in a loop."""

    __slots__ = ("_ended", "_error", "_news")

    def __init__(self) -> None:
        self._news = bell()
        self._ended = False
        self._error: Exception | None = None

    async def wait(self) -> None:
        """Wait for `end`. Raises the error given there."""
        if not self._ended:
            await self._news.wait()
        if self._error is not None:
            raise self._error

    def end(self, error: Exception | None = None) -> None:
        """Let it go on."""
        self._ended, self._error = True, error
        self._news.ring()


class Waiters(Generic[K]):
    """The waiters for each of many things."""

    def __init__(self) -> None:
        self._waiting: dict[K, list[Waiter]] = {}

    def add(self, what: K, waiter: Waiter) -> None:
        """Let `waiter` wait for `what`."""
        self._waiting.setdefault(what, []).append(waiter)

    def discard(self, what: K, waiter: Waiter) -> None:
        """Forget a waiter, if it is there."""
        waiting = self._waiting.get(what)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._waiting[what]

    def end(self, what: K, error: Exception | None = None) -> None:
        """Let all who wait for `what` go on, or fail."""
        for waiter in self._waiting.pop(what, ()):
            waiter.end(error)

    def end_all(self, error: Exception) -> None:
        """Let everybody fail."""
        for what in list(self._waiting):
            self.end(what, error)


class Watched:
    """The origins (numbers of events) whose runs somebody waits for. The writer's thread adds to it, the loop takes away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._who: dict[int, set[Waiter]] = {}
        self._origin: dict[Waiter, int] = {}

    def add(self, origin: int, waiter: Waiter) -> None:
        """Note that `waiter` waits for the runs of `origin`. A second time, after a rolled back transaction, replaces the first."""
        with self._lock:
            self._take(waiter)
            self._who.setdefault(origin, set()).add(waiter)
            self._origin[waiter] = origin

    def discard(self, waiter: Waiter) -> None:
        """Forget a waiter."""
        with self._lock:
            self._take(waiter)

    def __contains__(self, origin: int) -> bool:
        return origin in self._who

    def _take(self, waiter: Waiter) -> None:
        origin = self._origin.pop(waiter, None)
        if origin is not None:
            who = self._who[origin]
            who.discard(waiter)
            if not who:
                del self._who[origin]
