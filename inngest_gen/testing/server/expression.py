"""The part of CEL that SDKs write for `match`, filters and triggers: comparisons of paths and literals, joined by && and ||.

`event.data.id == async.data.id && event.data.total >= 100`. A missing attribute is null, as on Inngest's server, so two missing ones are equal.
Refuses the rest of CEL (calls, arithmetic, `in`, lists) with `UnknownExpression`: an answer that may be wrong is worse than none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

__all__ = ["Expression", "UnknownExpression"]

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<path>(?:event|async)(?:\.[A-Za-z_][A-Za-z0-9_]*|\[(?:"[^"\\]*"|'[^'\\]*'|\d+)\])*)(?![A-Za-z0-9_(])
    |(?P<word>true|false|null)(?![A-Za-z0-9_(.])
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![A-Za-z0-9_])
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<sign>==|!=|<=|>=|<|>|&&|\|\||!|\(|\)))""",
    re.VERBOSE,
)
_PART: Final = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_]*)|\["([^"]*)"\]|\['([^']*)'\]|\[(\d+)\]""")
_WORDS: Final = {"true": True, "false": False, "null": None}
_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")

_Path: TypeAlias = tuple[str | int, ...]
_Node: TypeAlias = tuple[str, Any, Any]


class UnknownExpression(ValueError):
    """An expression beyond what this server understands."""

    def __init__(self, text: str, position: int) -> None:
        super().__init__(text, position)
        self.text = text
        self.position = position

    def __str__(self) -> str:
        return (
            f"the test server does not understand {self.text[self.position :][:40]!r} in the expression {self.text!r}: it knows "
            "event. and async. paths, literals, comparisons, &&, || and !"
        )


class Expression:
    """A parsed expression. Raises UnknownExpression."""

    def __init__(self, text: str) -> None:
        """Parse."""
        self.text = text
        self._position = 0
        self._kind, self._lexeme = "", ""
        self._next()
        self._root = self._or()
        if self._kind:
            self._fail()

    def matches(self, **roots: Mapping[str, Any]) -> bool:
        """Say whether it is true of these values: `event` and `async`, which is spelled `async_`."""
        return _value(self._root, {name.rstrip("_"): value for name, value in roots.items()}) is True

    def _fail(self) -> None:
        raise UnknownExpression(self.text, self._start)

    def _next(self) -> None:
        self._start = self._position
        if not self.text[self._position :].strip():
            self._kind = self._lexeme = ""
            return
        found = _TOKEN.match(self.text, self._position)
        if found is None:
            self._fail()
            return
        self._kind = found.lastgroup or ""
        self._lexeme = found[self._kind]
        self._position = found.end()

    def _or(self) -> _Node:
        left = self._and()
        while self._lexeme == "||":
            self._next()
            left = ("||", left, self._and())
        return left

    def _and(self) -> _Node:
        left = self._comparison()
        while self._lexeme == "&&":
            self._next()
            left = ("&&", left, self._comparison())
        return left

    def _comparison(self) -> _Node:
        left = self._unary()
        if self._kind == "sign" and self._lexeme in _COMPARISONS:
            sign = self._lexeme
            self._next()
            return (sign, left, self._unary())
        return left

    def _unary(self) -> _Node:
        kind, lexeme = self._kind, self._lexeme
        if lexeme == "!":
            self._next()
            return ("!", self._unary(), None)
        if lexeme == "(":
            self._next()
            inside = self._or()
            if self._lexeme != ")":
                self._fail()
            self._next()
            return inside
        if kind in ("", "sign"):
            self._fail()
        self._next()
        if kind == "path":
            root = "event" if lexeme.startswith("event") else "async"
            return ("path", root, _path(lexeme[len(root) :]))
        if kind == "word":
            return ("literal", _WORDS[lexeme], None)
        if kind == "number":
            return ("literal", json.loads(lexeme), None)
        return ("literal", _text(lexeme), None)


def _path(text: str) -> _Path:
    return tuple(int(part[4]) if part[4] else part[1] or part[2] or part[3] for part in _PART.finditer(text))


def _text(lexeme: str) -> str:
    body = lexeme[1:-1]
    if lexeme[0] == "'":
        body = body.replace("\\'", "'").replace('"', '\\"')
    value: str = json.loads(f'"{body}"')
    return value


def _value(node: _Node, roots: Mapping[str, Any]) -> Any:
    sign, left, right = node
    match sign:
        case "literal":
            return left
        case "path":
            return _look_up(roots.get(left), right)
        case "!":
            return _value(left, roots) is not True
        case "&&":
            return _value(left, roots) is True and _value(right, roots) is True
        case "||":
            return _value(left, roots) is True or _value(right, roots) is True
        case _:
            return _compare(sign, _value(left, roots), _value(right, roots))


def _look_up(value: Any, path: _Path) -> Any:
    for part in path:
        if isinstance(part, str) and isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(part, int) and isinstance(value, list) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _compare(sign: str, left: Any, right: Any) -> bool:
    if sign in ("==", "!="):
        same = isinstance(left, bool) == isinstance(right, bool) and left == right
        return same is (sign == "==")
    if left is None or right is None:
        return sign.startswith(">") and right is None and left is not None  # server: whatever there is, is greater than null
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (left, right))
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign])
