"""Strays: what user code and libraries write to stdout and stderr beside what the run itself prints; it must not reach the view's screen."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Final, TextIO

_KEPT: Final = 64 * 1024
_LAST_WORDS: Final = 20


class Strays:
    """The process's stdout and stderr are files while this is entered. `terminal` is where stdout went before."""

    def __init__(self, terminal: TextIO, file: int) -> None:
        self.terminal: TextIO = terminal
        self._file = file

    def lines(self) -> list[str]:
        """Give the last of what was written."""
        sys.stdout.flush()
        sys.stderr.flush()
        size = os.fstat(self._file).st_size
        return os.pread(self._file, _KEPT, max(0, size - _KEPT)).decode(errors="replace").splitlines()


@contextlib.contextmanager
def kept_away() -> Iterator[Strays]:
    """Keep them away from the terminal. Where an error ends it, what was written last is printed on stderr."""
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as file, os.fdopen(out, "w", encoding=sys.stdout.encoding, errors="replace") as terminal:
        strays = Strays(terminal, file.fileno())
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        told: list[str] = []
        try:
            yield strays
        except BaseException:
            told = strays.lines()[-_LAST_WORDS:]
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            terminal.flush()
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.close(err)
            sys.stderr.write("".join(f"{line}\n" for line in told))
            sys.stderr.flush()
