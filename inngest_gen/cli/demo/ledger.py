"""The demo's side effects: a file outside the engine, with a line for each time a step's body ran, and the order to kill the process once.

Lines are on disk before the body goes on, so that no kill can hide one. Without the environment variable all this does nothing.
"""

from __future__ import annotations

import os
import pathlib
import signal
from dataclasses import dataclass
from typing import Final

DIRECTORY: Final = "INNGEST_GEN_DEMO"
"""The environment variable that names the directory."""

_LINES: Final = "side-effects.txt"
_KILL: Final = "kill-once"


@dataclass(frozen=True, slots=True)
class Entry:
    """One time that a body ran: the step's name, its attempt from 0, the process."""

    step: str
    attempt: int
    pid: int


def note(step: str, attempt: int = 0) -> None:
    """Append a line for a body that runs now."""
    directory = os.environ.get(DIRECTORY)
    if directory is None:
        return
    fd = os.open(pathlib.Path(directory) / _LINES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, f"{step} {attempt} {os.getpid()}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def kill_once() -> None:
    """Kill this process, if it was ordered and has not been done yet."""
    directory = os.environ.get(DIRECTORY)
    if directory is None:
        return
    try:
        (pathlib.Path(directory) / _KILL).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def order_kill(directory: pathlib.Path) -> None:
    """Order the kill."""
    (directory / _KILL).touch()


def read(directory: pathlib.Path) -> list[Entry]:
    """Read the lines, in order."""
    path = directory / _LINES
    if not path.exists():
        return []
    rows = [line.split() for line in path.read_text().splitlines()]
    return [Entry(step, int(attempt), int(pid)) for step, attempt, pid in rows]
