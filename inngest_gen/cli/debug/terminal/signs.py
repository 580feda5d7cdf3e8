"""Signs: what the view draws besides letters, for terminals that know Unicode and for those that do not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

UNICODE: Final[Mapping[str, str]] = {
    "here": "▶", "outer": "▷", "break": "●", "off": "○", "done": "✓", "failed": "✗", "none": "◌", "yield": "·", "flow": "↳", "rule": "─", "bar": "│",
    "shut": "▸", "open": "▾", "changed": "*", "edited": "✎", "again": "↻", "dot": "·", "lost": "⊘", "sent": "→",
}  # fmt: skip
ASCII: Final[Mapping[str, str]] = {
    "here": ">", "outer": "}", "break": "B", "off": "b", "done": "+", "failed": "x", "none": "?", "yield": ".", "flow": "\\", "rule": "-", "bar": "|",
    "shut": "+", "open": "-", "changed": "*", "edited": "~", "again": "@", "dot": "-", "lost": "/", "sent": ">",
}  # fmt: skip


def for_encoding(encoding: str | None) -> Mapping[str, str]:
    """Give the signs that an encoding can write."""
    try:
        "".join(UNICODE.values()).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE
