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
from types import FrameType
from typing import Final

from inngest_gen.cli import sources
from inngest_gen.cli.refusal import BROKEN_PIPE, OK

_LOOK_EVERY_S: Final = 0.3
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
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def was_asked(self) -> bool:
        """Whether a signal has ended it."""
        return bool(self._asked)

    def run(self) -> int:
        """Supervise until the child ends or a signal comes; gives the exit status."""
        before = {number: signal.signal(number, self._hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self._supervise()
        finally:
            for number, old in before.items():
                signal.signal(number, old)
            if self._child is not None and self._child.poll() is None:
                self._child.kill()
                self._child.wait()

    def _supervise(self) -> int:
        seen = sources.snapshot(self._directories)
        pause = _LOOK_EVERY_S
        child: subprocess.Popen[bytes] | None = self._start([])
        reloaded = False
        while True:
            if child is not None and _ended(child, pause):
                if self._asked or not reloaded or child.returncode in {OK, BROKEN_PIPE}:
                    return _status(child.returncode)
                self._say("waiting for a change")
                child = None
            elif child is None:
                if self._asked:
                    return 128 + self._asked[0]
                time.sleep(pause)
            if self._asked:
                continue
            started = time.perf_counter()
            now = sources.snapshot(self._directories)
            pause = max(_LOOK_EVERY_S, _SHARE * (time.perf_counter() - started))
            changed = sources.changed(seen, now)
            if changed:
                seen = now
                more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
                self._say(f"{os.path.relpath(changed[0])}{more} changed: reloading")
                if child is not None:
                    self._stop(child)
                if not self._asked:
                    child = self._start(self._again)
                    reloaded = True

    def _start(self, more: Sequence[str]) -> subprocess.Popen[bytes]:
        # A process group of its own: Ctrl-C reaches it through `_hand_on` alone, once.
        self._child = subprocess.Popen([*self._command, *more], stdin=subprocess.PIPE, pass_fds=self._keep, process_group=0)  # noqa: S603 - our own
        return self._child

    def _stop(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        if not _ended(child, self._patience_s):
            self._say(f"the process has not stopped within {self._patience_s:g} s: it is killed; what was in flight is done again")
            child.kill()
            child.wait()

    def _hand_on(self, number: int, _: FrameType | None) -> None:
        if not self._asked:
            os.write(2, f"{self._line}\n".encode())  # not `_say`: the signal may have come in the middle of a print
        self._asked.append(number)
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)


def _ended(child: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _status(returncode: int) -> int:
    """Give the exit status as shells count it: 128 and the signal's number for a child that was killed."""
    return returncode if returncode >= 0 else 128 - returncode
