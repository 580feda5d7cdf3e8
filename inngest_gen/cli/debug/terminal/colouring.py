"""Colouring: lines of Python source as styled pieces, by the lexer that rich brings along."""

from __future__ import annotations

import functools
from typing import Final

from inngest_gen.cli import wording
from inngest_gen.cli.debug.terminal.cells import Line

_LONG: Final = 400_000
"""Characters from which on a file is shown without colours: the lexer would take too long."""
_TAB: Final = 4


@functools.lru_cache(maxsize=32)
def coloured(text: str) -> list[Line]:
    """Give the lines of a source text in colours; what could drive a terminal is made visible."""
    if len(text) > _LONG:
        return [[("class:code", _plain(line))] for line in text.splitlines()]
    from pygments.lexers.python import PythonLexer
    from pygments.token import Token

    styles = (
        (Token.Comment, "class:code.comment"),
        (Token.Literal.String, "class:code.string"),
        (Token.Keyword, "class:code.keyword"),
        (Token.Operator.Word, "class:code.keyword"),
        (Token.Literal.Number, "class:code.number"),
        (Token.Name.Function, "class:code.name"),
        (Token.Name.Class, "class:code.name"),
        (Token.Name.Decorator, "class:code.decorator"),
    )
    lines: list[Line] = [[]]
    for token, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        style = next((name for kind, name in styles if token in kind), "class:code")
        first, *more = value.split("\n")
        if first:
            lines[-1].append((style, _plain(first)))
        lines += [[(style, _plain(part))] if part else [] for part in more]
    return lines


def _plain(text: str) -> str:
    return wording.visible(text.rstrip("\r\n").expandtabs(_TAB))
