"""Finding: a place in a file where a rule is broken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """`code` is broken in the file `path` from `line`, `column` up to `end_line`, `end_column` (excluded). Lines and columns count from 1.

    Columns are characters, as editors show them. `message` says what is wrong there and what to write instead.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    code: str
    message: str
