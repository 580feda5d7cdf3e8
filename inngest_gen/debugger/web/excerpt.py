"""Excerpt: of source files the lines that a reader of certain places wants: a short file whole, of a long one what is around them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

_WHOLE: Final = 1_500
"""A file of so many lines is given whole."""
_AROUND: Final = 60
_LINE: Final = 500


def excerpt(lines: Sequence[str], places: Iterable[int]) -> list[dict[str, Any]]:
    """Give pieces of a file (`first`, the number of the first line, and `lines`), in order, such that all places (lines from 1) are in one."""
    if len(lines) <= _WHOLE:
        return [_piece(lines, 1, len(lines))] if lines else []
    pieces: list[tuple[int, int]] = []
    for line in sorted(set(places)):
        first, last = max(1, line - _AROUND), min(len(lines), line + _AROUND)
        if pieces and first <= pieces[-1][1] + 1:
            pieces[-1] = (pieces[-1][0], max(last, pieces[-1][1]))
        elif first <= last:
            pieces.append((first, last))
    return [_piece(lines, first, last) for first, last in pieces]


def _piece(lines: Sequence[str], first: int, last: int) -> dict[str, Any]:
    return {"first": first, "lines": [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in lines[first - 1 : last]]}
