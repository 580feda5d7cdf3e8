"""Refusal: why a command did not do what was asked, in one line; and the exit codes of all commands."""

from __future__ import annotations

from typing import Final

OK: Final = 0
RUN_FAILED: Final = 1
"""A run failed, was cancelled, is blocked or took longer than --timeout; the demo's proof did not hold; a command found no taker in time;
lint found something."""
REFUSED: Final = 2
"""Wrong usage, bad input, an app that does not load, a file that cannot be used."""
INTERRUPTED: Final = 130
"""Ctrl-C, as shells count it."""
TERMINATED: Final = 143
"""SIGTERM, as shells count it."""
BROKEN_PIPE: Final = 141
"""Nobody reads what is printed any more, as shells count it."""


class Refusal(Exception):
    """`str()` is the line for stderr; `details` (a traceback of the user's own code) follows it. `code` is the exit status."""

    def __init__(self, line: str, *, details: str | None = None, code: int = REFUSED) -> None:
        super().__init__(line)
        self.details = details
        self.code = code
