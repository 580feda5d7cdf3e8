"""Possible: whether there is a terminal that can show the view, and if not, why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TextIO

_DUMB: Final = frozenset({"", "dumb", "unknown"})


def why_not(environment: Mapping[str, str], *, is_windows: bool = False) -> str | None:
    """Say why the terminal of a process with this environment cannot show the view; None where it can."""
    term = environment.get("TERM", "")
    if is_windows:
        return "the full-screen view needs a POSIX terminal"
    if term in _DUMB:
        return f"TERM is {term!r}: this terminal cannot show the full-screen view"
    return None


def is_terminal(*streams: TextIO) -> bool:
    """Say whether all of these are a terminal's."""
    return all(stream.isatty() for stream in streams)
