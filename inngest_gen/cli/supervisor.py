"""Supervisor: keeps a child process running and starts it anew when a source file changes.

Promises: the child is asked to stop and has its grace before it is replaced; signals are handed on; a child whose supervisor is killed notices
(its stdin ends) and stops. A child that does not start at all ends the supervisor with its status; one that does not start after a change waits
for the next change.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final

from inngest_gen.cli import sources
from inngest_gen.cli.refusal import BROKEN_PIPE, INTERRUPTED, OK

_LOOK_EVERY_S: Final = 0.3
_TICK_S: Final = 0.05
_SHARE: Final = 20
"""Looking takes at most a twentieth of a core."""


class Supervisor:
    """Runs `command`, with the descriptors `keep` open in it; after a reload with the arguments `again` besides.

    `say` prints a line, `asked` is the one to print when a signal comes; `patience_s` is how long a child may take to stop.
    """

    def __init__(
        self,
        command: Sequence[str],
        directories: Sequence[pathlib.Path],
        say: Callable[[str], None],
        *,
        asked: str,
        again: Sequence[str],
        keep: Sequence[int],
        patience_s: float,
    ) -> None:
        self._command = list(command)
        self._directories = list(directories)
        self._say = say
        self._line = asked
        self._again = list(again)
        self._keep = tuple(keep)
        self._patience_s = patience_s
        self._asked: list[int] = []
        self._handed_on = 0

    @property
    def was_asked(self) -> bool:
        """Whether a signal has ended it."""
        return bool(self._asked)

    def run(self) -> int:
        """Supervise until the child ends or a signal comes; gives the exit status."""
        # Handlers only take note: whatever they interrupt, a half started child among it, is finished first.
        before = {number: signal.signal(number, lambda number, _: self._asked.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self._supervise()
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _supervise(self) -> int:
        seen = sources.snapshot(self._directories)
        pause = _LOOK_EVERY_S
        child = self._start([])
        reloaded = waiting = False
        while True:
            if waiting:
                self._idle(pause)
            elif self._wait(child, pause):
                if self._asked or not reloaded or child.returncode in {OK, BROKEN_PIPE}:
                    return _status(child.returncode)
                self._say("waiting for a change")
                waiting = True
            if self._asked:
                if waiting:
                    return OK if self._asked[0] == signal.SIGTERM else INTERRUPTED
                continue
            started = time.perf_counter()
            now = sources.snapshot(self._directories)
            pause = max(_LOOK_EVERY_S, _SHARE * (time.perf_counter() - started))
            changed = sources.changed(seen, now)
            if changed:
                seen = now
                more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
                self._say(f"{os.path.relpath(changed[0])}{more} changed: reloading")
                self._stop(child)
                if self._asked:
                    return OK if self._asked[0] == signal.SIGTERM else INTERRUPTED
                child = self._start(self._again)
                reloaded, waiting = True, False

    def _start(self, more: Sequence[str]) -> subprocess.Popen[bytes]:
        # A process group of its own: Ctrl-C reaches it through `_wait` alone, once.
        return subprocess.Popen([*self._command, *more], stdin=subprocess.PIPE, pass_fds=self._keep, process_group=0)  # noqa: S603 - our own

    def _stop(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            if not self._wait(child, self._patience_s):
                self._say(f"the process has not stopped within {self._patience_s:g} s: it is killed; what was in flight is done again")
                child.kill()
                child.wait()

    def _wait(self, child: subprocess.Popen[bytes], seconds: float) -> bool:
        """Wait for the child's end or for so long, handing signals on meanwhile; says whether it has ended."""
        deadline = time.perf_counter() + seconds
        while True:
            for number in self._asked[self._handed_on :]:
                if self._handed_on == 0:
                    self._say(self._line)
                self._handed_on += 1
                child.send_signal(number)  # to nobody, if it has ended
            if _ended(child, _TICK_S):
                return True
            if time.perf_counter() >= deadline:
                return False

    def _idle(self, seconds: float) -> None:
        """Wait for so long, or for a signal."""
        deadline = time.perf_counter() + seconds
        while not self._asked and time.perf_counter() < deadline:
            time.sleep(_TICK_S)


def _ended(child: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _status(returncode: int) -> int:
    """Give the exit status as shells count it: 128 and the signal's number for a child that was killed."""
    return returncode if returncode >= 0 else 128 - returncode
