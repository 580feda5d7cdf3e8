"""Ctrl-C and SIGTERM: the first one asks a command to stop gracefully, the second one ends the process at once.

Plain signal handlers, not the loops' own: a step body that blocks the loop cannot hold up the second Ctrl-C. Ending at once is safe: what the
engine has acknowledged is on disk.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import anyio

from inngest_gen.cli.refusal import INTERRUPTED
from inngest_gen.engine.progress import Listener, Progress
from inngest_gen.loops import waker

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether and why the command is to stop. `scope` is cancelled then, for work that would go on else.

    `signal` is the one that came; `unread` says that nobody reads the output any more.
    """

    def __init__(self, asked: Callable[[], None]) -> None:
        self.signal: signal.Signals | None = None
        self.unread = False
        self.scope: anyio.CancelScope = anyio.CancelScope()
        self._asked = asked
        self._event = anyio.Event()

    def ask(self, number: signal.Signals | None = None) -> None:
        """Ask the command to stop."""
        if not self._event.is_set():
            self.signal = number
            if number is not None:
                self._asked()
            self._event.set()
            self.scope.cancel()

    def while_read(self, watch: Listener) -> Listener:
        """Give a listener that asks the command to stop when `watch` finds that nobody reads what it prints."""

        def watching(progress: Progress) -> None:
            try:
                watch(progress)
            except BrokenPipeError:
                self.unread = True
                self.ask()

        return watching

    @property
    def is_asked(self) -> bool:
        """Whether it is to stop."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait until it is to stop."""
        await self._event.wait()


@contextmanager
def stop_on_signals(asked: Callable[[], None]) -> Iterator[Stop]:
    """Turn signals into a Stop, in the running loop. `asked` is called in the loop at the first signal."""
    stop = Stop(asked)
    wake = waker()
    received = False

    def handler(number: int, _: FrameType | None) -> None:
        nonlocal received
        if received:
            leave_at_once()
        received = True
        wake(lambda: stop.ask(signal.Signals(number)))

    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def leave_at_once() -> None:
    """End the process now, with the terminal's cursor shown again."""
    if sys.stdout.isatty():
        os.write(sys.stdout.fileno(), b"\x1b[?25h\n")
    os._exit(INTERRUPTED)
