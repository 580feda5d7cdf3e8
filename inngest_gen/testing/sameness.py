"""Tells whether two values that a handler made, one live and one when it was rebuilt, are the same.

Promises: what has a value (JSON, dates, enums, dataclasses, models, classes with an `__eq__`) is compared by value; a function by its code, its
defaults and what it closes over; the first difference is named with its place. Refuses: to judge what has only an identity, such as a client.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import reprlib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inngest_gen.app.context import Context
from inngest_gen.intents.intent import Intent

_LOOKED_AT = 20_000
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60
_short.maxdict = _short.maxlist = _short.maxtuple = 4


def difference(one: object, other: object) -> str | None:
    """Say how two values differ (`[0].total: 3 first, then 4`), or give None where they are the same or nobody can tell."""
    seen: set[tuple[int, int]] = set()
    todo: list[tuple[str, Any, Any]] = [("", one, other)]
    while todo and len(seen) < _LOOKED_AT:
        path, a, b = todo.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        found = _compared(path, a, b)
        if isinstance(found, str):
            return found
        todo.extend(reversed(found))
    return None


def _compared(path: str, a: Any, b: Any) -> str | list[tuple[str, Any, Any]]:
    """Give the difference, or the pairs of parts that are still to be compared."""
    if type(a) is not type(b) or isinstance(a, enum.Enum):
        return _told(path, a, b)
    if isinstance(a, (Context, Intent)):
        return []
    if isinstance(a, Mapping):
        return _told(path, list(a), list(b), "keys ") if list(a) != list(b) else [(f"{path}[{key!r}]", a[key], b[key]) for key in a]
    if isinstance(a, Sequence) and not isinstance(a, (str, bytes, bytearray)):
        if len(a) != len(b):
            return _told(path, a, b)
        return [(f"{path}[{n}]", x, y) for n, (x, y) in enumerate(zip(a, b, strict=True))]
    if isinstance(a, types.FunctionType):
        return _functions(path, a, b)
    if isinstance(a, types.MethodType):
        return [(path, a.__func__, b.__func__), (path, a.__self__, b.__self__)]
    if isinstance(a, functools.partial):
        return [(path, a.func, b.func), (f"{path} arguments", a.args, b.args), (f"{path} arguments", a.keywords, b.keywords)]
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        names = [field.name for field in dataclasses.fields(a) if field.compare]
        return [(f"{path}.{name}", getattr(a, name, None), getattr(b, name, None)) for name in names]
    return [] if _equal(a, b) is not False else _told(path, a, b)


def _equal(a: Any, b: Any) -> bool | None:
    """Whether two values are equal; None where that says nothing: they have an identity only, or cannot be asked."""
    compares: object = type(a).__eq__
    if compares is object.__eq__:
        return None
    try:
        return bool(a == b) or (a != a and b != b)  # noqa: PLR0124 - not a number
    except Exception:  # noqa: BLE001 - an array's truth, for one
        return None


def _functions(path: str, a: types.FunctionType, b: types.FunctionType) -> str | list[tuple[str, Any, Any]]:
    if a.__code__ != b.__code__:
        return _told(path, a.__qualname__, b.__qualname__, "function ")
    parts = [(f"{path} default", a.__defaults__, b.__defaults__), (f"{path} default", a.__kwdefaults__, b.__kwdefaults__)]
    return parts + [(f"{path} variable {name!r}", x, y) for name, x, y in _cells(a, b)]


def _cells(a: types.FunctionType, b: types.FunctionType) -> Iterator[tuple[str, Any, Any]]:
    for name, x, y in zip(a.__code__.co_freevars, a.__closure__ or (), b.__closure__ or (), strict=False):
        try:
            yield name, x.cell_contents, y.cell_contents
        except ValueError:  # not assigned yet
            continue


def _told(path: str, a: Any, b: Any, what: str = "") -> str:
    place = f"{path.strip().removeprefix('.')}: " if path.strip() else ""
    return f"{place}{what}{_short.repr(a)} first, then {_short.repr(b)}"
