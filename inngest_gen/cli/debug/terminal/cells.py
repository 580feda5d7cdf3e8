"""Cells: pieces of styled text, cut and filled to so many cells of a terminal. Pure; wide characters take two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prompt_toolkit.utils import get_cwidth

Piece = tuple[str, str]
"""A style's name and a text on one line."""
Line = list[Piece]

ELLIPSIS: Final = "…"


def cells(text: str) -> int:
    """Say how many cells a text takes."""
    return len(text) if text.isascii() else get_cwidth(text)


def cells_of(line: Iterable[Piece]) -> int:
    """Say how many cells a line takes."""
    return sum(cells(text) for _, text in line)


def cut(text: str, width: int) -> str:
    """Give the beginning of a text that fits."""
    if cells(text) <= width:
        return text
    taken = 0
    for place, char in enumerate(text):
        taken += cells(char)
        if taken > width:
            return text[:place]
    return text


def fit(line: Iterable[Piece], width: int, style: str = "") -> Line:
    """Give the line in exactly so many cells: cut, with an ellipsis, or filled with blanks of a style."""
    made: Line = []
    left = width
    pieces = list(line)
    if cells_of(pieces) > width:
        for name, text in pieces:
            room = left - 1
            if room <= 0:
                break
            part = cut(text, room)
            made.append((name, part))
            left -= cells(part)
            if part != text:
                break
        if left > 0:
            made.append((made[-1][0] if made else style, ELLIPSIS))
            left -= 1
    else:
        made = pieces
        left -= cells_of(pieces)
    if left > 0:
        made.append((style, " " * left))
    return made


def wrapped(line: Iterable[Piece], width: int, indent: int) -> list[Line]:
    """Give the line in as many lines as it needs; those after the first are indented."""
    lines: list[Line] = [[]]
    left = width
    for style, text in line:
        rest = text
        while rest:
            part = _by_words(rest, cut(rest, left))
            if part:
                lines[-1].append((style, part))
                left -= cells(part)
            rest = rest[len(part) :]
            if rest:
                if not part and left >= width - indent:  # a terminal narrower than a character
                    break
                lines.append([("", " " * indent)])
                left = max(1, width - indent)
    return lines


def _by_words(text: str, part: str) -> str:
    """Give the part, or what of it ends at a blank, where the text is cut inside a word that is not long."""
    blank = part.rfind(" ")
    return part if part == text or text[len(part)] == " " or blank < len(part) * 2 // 3 else part[: blank + 1]


def text_of(line: Iterable[Piece]) -> str:
    """Give the text alone."""
    return "".join(text for _, text in line)


def styled(line: Iterable[Piece], style: str) -> Line:
    """Put a style over a whole line."""
    return [(f"{name} {style}".strip(), text) for name, text in line]
