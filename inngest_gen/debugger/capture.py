"""Capture: keeps what handler code prints and logs while it is replayed, to show it with its stop.

Promises: only the replayed run's own output is taken: it is told by the run's contextvars, so what other tasks print meanwhile goes where it
always went. The streams are put back after each move. What is kept between two stops is bounded.
Refuses: lines of loggers other than `ctx.logger`: their handlers have streams of their own.
"""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal

from inngest_gen.debugger.stop import Output

LIMIT: Final = 64 * 1024
"""How many characters are kept of what is printed between two stops."""

Name = Literal["stdout", "stderr", "log"]


class Tape:
    """What was printed and logged since it was last cleared."""

    def __init__(self) -> None:
        self._parts: list[tuple[Name, str]] = []
        self._room = LIMIT

    def write(self, stream: Name, text: str) -> None:
        """Take some text."""
        if self._room <= 0:
            return
        if len(text) > self._room:
            text = f"{text[: self._room]}\n... the rest is not kept ...\n"
        self._room -= len(text)
        self._parts.append((stream, text))

    def clear(self) -> None:
        """Forget what was taken."""
        self._parts.clear()
        self._room = LIMIT

    def output(self) -> tuple[Output, ...]:
        """Give what was taken, in order."""
        groups = itertools.groupby(self._parts, lambda part: part[0])
        return tuple(Output(stream=stream, text="".join(text for _, text in parts)) for stream, parts in groups)


class Passed:
    """What was printed and logged at several stops, joined and bounded."""

    def __init__(self) -> None:
        self._tape = Tape()

    def take(self, output: tuple[Output, ...]) -> None:
        """Take what belongs to one stop."""
        for one in output:
            self._tape.write(one.stream, one.text)

    def output(self) -> tuple[Output, ...]:
        """Give what was taken, in order."""
        return self._tape.output()


current_tape: ContextVar[Tape | None] = ContextVar("inngest_gen_debugger_tape", default=None)
"""The tape of the run that the running code belongs to; None for all other code."""


class _Stream:
    """Stands for stdout or stderr while a run is replayed: sends each piece to the tape of its run, or on to the stream itself."""

    def __init__(self, name: Literal["stdout", "stderr"], stream: Any) -> None:
        self.stream = stream
        self._name: Name = name

    def write(self, text: str) -> int:
        tape = current_tape.get()
        if tape is None:
            written: int = self.stream.write(text)
            return written
        tape.write(self._name, str(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_lock = threading.Lock()
_users = 0


@contextmanager
def capturing() -> Iterator[None]:
    """Take what runs print while this is entered; several may be entered at once."""
    global _users  # noqa: PLW0603 - the streams are the process's
    with _lock:
        _users += 1
        if _users == 1:
            sys.stdout, sys.stderr = _Stream("stdout", sys.stdout), _Stream("stderr", sys.stderr)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                # Whoever has put another stream there in the meantime keeps it.
                if isinstance(sys.stdout, _Stream):
                    sys.stdout = sys.stdout.stream
                if isinstance(sys.stderr, _Stream):
                    sys.stderr = sys.stderr.stream


class _ToTape(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tape = current_tape.get()
        if tape is not None:
            tape.write("log", f"{record.levelname}: {self.format(record)}\n")


def tape_logger() -> logging.Logger:
    """Make a logger that writes to the tape of the run that logs. It belongs to no hierarchy."""
    logger = logging.Logger("inngest_gen.debugger", logging.DEBUG)  # noqa: LOG001 - so that no handler but this one gets its lines
    logger.addHandler(_ToTape())
    return logger
