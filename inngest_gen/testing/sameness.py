"""Tells whether two values that a handler made, one live and one when it was rebuilt, are the same.

Promises: what has a value (JSON, dates, enums, dataclasses, models, classes with an `__eq__`, objects whose attributes are all data) is compared by
value; a function by its code, its defaults and what it closes over; an iterator by how far it has come; the first difference is named with its
place. Refuses: to judge what has only an identity, such as a client with its connections.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import functools
import gc
import inspect
import itertools
import operator
import reprlib
import types
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inngest_gen.app.context import Context
from inngest_gen.intents.intent import Intent

_LOOKED_AT = 20_000
_MOST_DATA = 1_000
_MADE_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_SCALARS = (types.NoneType, bool, int, float, complex, str, bytes, dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, enum.Enum)
_CONTAINERS = (list, tuple, set, frozenset, deque)
_CALLED = (types.FunctionType, types.MethodType, types.BuiltinMethodType, types.MethodWrapperType, functools.partial)
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
    if isinstance(a, _CALLED):
        return _called(path, a, b)
    if isinstance(a, Iterator) and type(a).__eq__ is object.__eq__:
        return _iterators(path, a, b)
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        names = [field.name for field in dataclasses.fields(a) if field.compare]
        return [(f"{path}.{name}", getattr(a, name, None), getattr(b, name, None)) for name in names]
    if _is_data(a) and _is_data(b):
        return _told(path, list(vars(a)), list(vars(b)), "attributes ") if vars(a).keys() != vars(b).keys() else _attributes(path, a, b)
    return [] if _equal(a, b) is not False else _told(path, a, b)


def _is_data(thing: Any) -> bool:
    """Whether a thing is an object of a class made in Python, without an `__eq__`, that holds data and nothing else."""
    if not _is_plain_object(thing):
        return False
    todo = [thing]
    for _ in range(_MOST_DATA):
        if not todo:
            return True
        one = todo.pop()
        if isinstance(one, dict):
            todo += [*one, *one.values()]
        elif isinstance(one, _CONTAINERS):
            todo += one
        elif _is_plain_object(one):
            todo += vars(one).values()
        elif not isinstance(one, _SCALARS):
            return False
    return False


def _is_plain_object(thing: Any) -> bool:
    if not type(thing).__flags__ & _MADE_IN_PYTHON or isinstance(thing, type) or not hasattr(thing, "__dict__"):
        return False
    compares: object = type(thing).__eq__
    return compares is object.__eq__


def _attributes(path: str, a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    return [(f"{path}.{name}", value, vars(b)[name]) for name, value in vars(a).items()]


def _equal(a: Any, b: Any) -> bool | None:
    """Whether two values are equal; None where that says nothing: they have an identity only, or cannot be asked."""
    compares: object = type(a).__eq__
    if compares is object.__eq__:
        return None
    try:
        return bool(a == b) or (a != a and b != b)  # noqa: PLR0124 - not a number
    except Exception:  # noqa: BLE001 - an array's truth, for one
        return None


def _called(path: str, a: Any, b: Any) -> str | list[tuple[str, Any, Any]]:
    """Compare two functions, two methods by what they are bound to, or two partials."""
    if isinstance(a, types.FunctionType):
        return _functions(path, a, b)
    if isinstance(a, functools.partial):
        return [(path, a.func, b.func), (f"{path} arguments", a.args, b.args), (f"{path} arguments", a.keywords, b.keywords)]
    if isinstance(a, types.MethodType):
        return [(path, a.__func__, b.__func__), (path, a.__self__, b.__self__)]
    if a.__name__ != b.__name__:
        return _told(path, a.__name__, b.__name__, "method ")
    return [(path, a.__self__, b.__self__)]


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


def _generators(path: str, a: types.GeneratorType[Any, Any, Any], b: Any) -> str | list[tuple[str, Any, Any]]:
    """Compare two generators by where they stand and by their variables."""
    if a.gi_code is not b.gi_code:
        return _told(path, a.__qualname__, b.__qualname__, "generator ")
    one, other = a.gi_frame, b.gi_frame
    if one is None or other is None or one.f_lasti != other.f_lasti:
        return [] if one is other else f"{_place(path)}generator {a.__qualname__} {_stands(a)} first, then {_stands(b)}"
    names = [name for name in one.f_locals if name in other.f_locals]
    return [(f"{path} variable {name!r}", one.f_locals[name], other.f_locals[name]) for name in names]


def _stands(generator: types.GeneratorType[Any, Any, Any]) -> str:
    state = inspect.getgeneratorstate(generator)
    if state == inspect.GEN_CREATED or generator.gi_frame is None:
        return "at its beginning" if state == inspect.GEN_CREATED else "at its end"
    return f"at line {generator.gi_frame.f_lineno}"


def _iterators(path: str, a: Any, b: Any) -> str | list[tuple[str, Any, Any]]:
    """Compare two iterators by how far they have come: what they have left, what they are made of, or, in a class of Python's, their attributes."""
    if isinstance(a, types.GeneratorType):
        return _generators(path, a, b)
    if isinstance(a, itertools.count):
        return [] if repr(a) == repr(b) else _told(path, a, b)
    if hasattr(a, "__dict__"):
        return [(path, vars(a), vars(b))]
    left = [operator.length_hint(one, -1) for one in (a, b)]
    if left[0] != left[1]:
        return f"{_place(path)}{type(a).__name__} with {left[0]} left first, then with {left[1]}"
    parts = [list(_inside(one)) for one in (a, b)]
    if len(parts[0]) != len(parts[1]):
        return f"{_place(path)}{type(a).__name__} that has come to another place"
    return [(path, one, other) for one, other in zip(*parts, strict=True)]


def _inside(iterator: Any) -> Iterator[Any]:
    """Give what an iterator made in C refers to. Its tuples may have holes, through which only the garbage collector looks safely."""
    for one in gc.get_referents(iterator):
        if type(one) is tuple:
            yield from gc.get_referents(one)
        elif not isinstance(one, type):
            yield one


def _told(path: str, a: Any, b: Any, what: str = "") -> str:
    return f"{_place(path)}{what}{_short.repr(a)} first, then {_short.repr(b)}"


def _place(path: str) -> str:
    return f"{path.strip().removeprefix('.')}: " if path.strip() else ""
