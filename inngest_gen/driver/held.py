"""Looks into a suspended frame for what must not be held over a yield.

Two questions. `open_scope`: does a cancel scope, task group, nursery or timeout of the handler's own span this yield (PEP 789)? Always an error.
`closing`: what will Python close when the frame is dropped (sync generators inside `try` or `with`, open files, destructors)? A warning.
`gc.get_referents` of a generator gives its locals and its value stack; on the stack a `with` keeps the bound `__exit__` of its manager.
"""

from __future__ import annotations

import contextlib
import dis
import gc
import inspect
import io
import types
from collections.abc import Iterator
from typing import Any

_SCOPES = {
    ("trio._core._run", "CancelScope"),
    ("trio._core._run", "NurseryManager"),
    ("trio", "CancelScope"),
    ("trio", "NurseryManager"),
    ("trio", "Nursery"),
    ("anyio", "CancelScope"),
    ("anyio._core._tasks", "CancelScope"),
    ("anyio._core._tasks", "FailAfterContextManager"),
    ("anyio._backends._asyncio", "CancelScope"),
    ("anyio._backends._asyncio", "TaskGroup"),
    ("anyio._backends._trio", "CancelScope"),
    ("anyio._backends._trio", "TaskGroup"),
    ("asyncio.timeouts", "Timeout"),
    ("asyncio.taskgroups", "TaskGroup"),
}

_EXITS = {"__exit__", "__aexit__"}
_GENERATORS = (types.GeneratorType, types.AsyncGeneratorType)
_STOPITERATION_ERROR = 3
# They have a destructor, but one that says or does nothing worth a warning, or are looked into on their own.
_HARMLESS = (*_GENERATORS, types.CoroutineType, type)


def open_scope(generator: Any) -> str | None:
    """Name the kind of scope that spans the yield at which `generator` is suspended, or give None."""
    if not _has_with(generator):
        return None
    for manager in _entered(generator, set()):
        for cls in type(manager).__mro__:
            if (cls.__module__, cls.__qualname__) in _SCOPES:
                return f"{cls.__module__.split('.')[0]}.{cls.__qualname__}"
    return None


def has_entered(generator: Any) -> bool:
    """Say whether the frame is inside a `with` of its own."""
    return _has_with(generator) and next(_entered(generator, set()), None) is not None


def closing(generator: Any) -> list[tuple[str, str]]:
    """List what Python closes when the frame of `generator` goes: pairs of a description and "file:line"."""
    return list(dict.fromkeys(_closing(generator, where(generator), set())))


def where(generator: Any) -> str:
    """Say where a suspended generator stands, as "file:line"."""
    frame = generator.ag_frame if isinstance(generator, types.AsyncGeneratorType) else getattr(generator, "gi_frame", None)
    if frame is None:
        return "?"
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _has_with(generator: Any) -> bool:
    code = generator.ag_code if isinstance(generator, types.AsyncGeneratorType) else getattr(generator, "gi_code", None)
    if code is None:
        return True
    known = _WITH.get(code)
    if known is None:
        if len(_WITH) > 4096:
            _WITH.clear()
        known = _WITH[code] = any("WITH" in op.opname or "LOAD_SPECIAL" in op.opname for op in dis.get_instructions(code))
    return known


_WITH: dict[types.CodeType, bool] = {}


def _entered(generator: Any, seen: set[int]) -> Iterator[Any]:
    """Every context manager that is entered in the frame, those in generator-based managers and exit stacks included."""
    for referent in gc.get_referents(generator):
        if getattr(referent, "__name__", None) in _EXITS and hasattr(referent, "__self__"):
            yield from _inside(referent.__self__, seen)


def _inside(manager: Any, seen: set[int]) -> Iterator[Any]:
    if id(manager) in seen:
        return
    seen.add(id(manager))
    yield manager
    inner = getattr(manager, "gen", None)
    if isinstance(inner, _GENERATORS):
        yield from _entered(inner, seen)
    for entry in getattr(manager, "_exit_callbacks", ()):
        callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
        owner = getattr(callback, "__self__", None)
        if owner is not None:
            yield from _inside(owner, seen)


def _closing(generator: Any, at: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if id(generator) in seen:
        return
    seen.add(id(generator))
    referents = [*gc.get_referents(generator), *_managers(generator)]
    for referent in referents:
        yield from _closed(referent, at, seen)


def _managers(generator: Any) -> list[Any]:
    return list(_entered(generator, set()))


def _closed(held: Any, at: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(held, contextlib._GeneratorContextManager | contextlib._AsyncGeneratorContextManager):
        held = held.gen
    if isinstance(held, types.GeneratorType):
        if held.gi_frame is not None and held.gi_frame.f_lasti >= 0 and _started(held) and id(held) not in seen:
            if _guarded(held):
                yield f"the sync generator {held.__qualname__}", at
            yield from _closing(held, at, seen)
    elif isinstance(held, types.AsyncGeneratorType):
        if held.ag_frame is not None:
            yield from _closing(held, at, seen)
    elif isinstance(held, _HARMLESS) or id(held) in seen:
        return
    elif isinstance(held, io.IOBase):
        seen.add(id(held))
        if not held.closed:
            yield f"the open file {getattr(held, 'name', held)!r}", at
    elif hasattr(type(held), "__del__"):
        seen.add(id(held))
        yield f"a {type(held).__module__}.{type(held).__qualname__}, which has a destructor", at


def _started(generator: types.GeneratorType[Any, Any, Any]) -> bool:
    return inspect.getgeneratorstate(generator) == inspect.GEN_SUSPENDED


def _guarded(generator: types.GeneratorType[Any, Any, Any]) -> bool:
    """Whether closing the generator would run code of its own: it is suspended inside a `try` or `with`."""
    lasti = generator.gi_frame.f_lasti
    code = generator.gi_code
    for entry in dis._parse_exception_table(code):  # type: ignore[attr-defined]
        if entry.start <= lasti < entry.end:
            # From 3.12 on the whole of a generator lies in a handler that turns StopIteration into RuntimeError.
            made_by_compiler = (
                code.co_code[entry.target] == dis.opmap.get("CALL_INTRINSIC_1") and code.co_code[entry.target + 1] == _STOPITERATION_ERROR
            )
            return not made_by_compiler
    return False
