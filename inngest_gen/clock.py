"""Time as the rest of the package sees it: seconds since the epoch, UTC, injected.

Promises: no clock here ever goes backwards. This is the only file that reads the machine's clocks.
Refuses: to stop when the machine's clock is set back: time then runs at half speed until the machine's clock has caught up, so that a
sleep lasts at most twice its length, whatever the step.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "SystemClock", "VirtualClock"]


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Give the time in seconds since the epoch, UTC; never less than it gave before."""
        ...


# One for the process, however many SystemClocks are made: records written through two of them are compared.
_lock = threading.Lock()
_last_given = -math.inf
_last_elapsed = 0.0


class SystemClock:
    """The machine's clock, which never goes backwards within a process. Thread-safe."""

    __slots__ = ()

    def now(self) -> float:
        """Give the time in seconds since the epoch, UTC."""
        global _last_given, _last_elapsed
        with _lock:
            elapsed = time.monotonic()
            given = max(time.time(), _last_given + (elapsed - _last_elapsed) / 2)
            _last_given, _last_elapsed = given, elapsed
            return given


class VirtualClock:
    """A clock that stands still until it is told: for tests and for `--fast-forward`.

    `start` is the first time it gives, in seconds since the epoch. With `jumps`, an idle engine moves it to its next timer. Raises ValueError if
    `start` is not finite.
    """

    __slots__ = ("_listeners", "_now", "jumps")

    def __init__(self, start: float, *, jumps: bool = False) -> None:
        if not math.isfinite(start):
            raise ValueError(f"a clock cannot start at {start!r}")
        self._now = float(start)
        self._listeners: list[Callable[[], None]] = []
        self.jumps: bool = jumps

    def now(self) -> float:
        """Give the time in seconds since the epoch, UTC."""
        return self._now

    def advance_to(self, t: float) -> None:
        """Let the time be `t`, in seconds since the epoch. Raises ValueError if that is in the past or not finite."""
        if not (math.isfinite(t) and t >= self._now):
            raise ValueError(f"the clock cannot advance to {t!r}: it is {self._now!r} already, and time goes forwards")
        self._now = float(t)
        for listener in list(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever the time has moved; gives a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
