"""Looks into a suspended frame for what must not be held over a yield.

Two questions. `open_scope`: does a cancel scope, task group, nursery or timeout of the handler's own span this yield (PEP 789)? An error.
`closing`: what will Python close when the frame is dropped (sync generators inside `try` or `with`, open files, destructors)? A warning.
`gc.get_referents` of a generator gives its locals and its value stack; on the stack a `with` keeps the bound `__exit__` of its manager.
What nobody can see: a scope that C code or a foreign library's class enters; the loop's own mark of the innermost scope finds most of them.
"""

from __future__ import annotations

import contextlib
import dis
import gc
import inspect
import io
import itertools
import types
import weakref
from collections import deque
from collections.abc import Container, Iterator
from typing import Any

import anyio

_SCOPES = {
    ("trio", "CancelScope"),
    ("trio", "Nursery"),
    ("trio", "NurseryManager"),
    ("trio._core._run", "CancelScope"),
    ("trio._core._run", "Nursery"),
    ("trio._core._run", "NurseryManager"),
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
# Classes that nothing can be derived from.
_METHODS = frozenset({types.MethodType, types.BuiltinMethodType, types.MethodWrapperType})
_GENERATORS = frozenset({types.GeneratorType, types.AsyncGeneratorType})
_GENERATOR_MANAGERS = (contextlib._GeneratorContextManager, contextlib._AsyncGeneratorContextManager)
_STACKS = (contextlib.ExitStack, contextlib.AsyncExitStack)
_STOPITERATION_ERROR = 3
_NOWHERE: Container[int] = ()
_LOOKED_AT = 300
# They have a destructor, but one that says or does nothing worth a warning, or are looked into on their own.
_HARMLESS = (*_GENERATORS, types.CoroutineType, type)
# What most locals are, which hold nothing that Python would close; what they contain is freed as anywhere.
_PLAIN = frozenset({
    str, bytes, int, float, bool, types.NoneType, dict, list, tuple, set, frozenset, types.FrameType, types.CodeType, types.ModuleType,
})  # fmt: skip
_WITH: dict[int, tuple[types.CodeType, bool]] = {}  # by identity: to hash a code takes longer than all else that is asked of it
_INERT: dict[type, bool] = {}


def open_scope(generator: Any, apart: Container[int] = _NOWHERE) -> str | None:
    """Name the kind of scope that spans the yield at which `generator` is suspended, or give None. `apart` are the ids of other flows."""
    for manager in _entered(generator, apart, set()):
        kind = _kind(manager) or _hidden(manager)
        if kind is not None:
            return kind
    return None


def has_entered(generator: Any, apart: Container[int] = _NOWHERE) -> bool:
    """Say whether the frame is inside a `with` of its own."""
    return next(_entered(generator, apart, set()), None) is not None


def closing(generator: Any, apart: Container[int] = _NOWHERE) -> list[tuple[str, str]]:
    """List what Python closes when the frame of `generator` goes: pairs of a description and "file:line"."""
    return list(dict.fromkeys(_closing(generator, where(generator), apart, set())))


def where(generator: Any) -> str:
    """Say where a suspended generator stands, as "file:line"."""
    place = place_of(generator)
    return "?" if place is None else f"{place[0].co_filename}:{place[1]}"


def place_of(generator: Any) -> tuple[types.CodeType, int] | None:
    """Give the code and the line where a suspended generator stands, or None where it has no frame."""
    frame = generator.ag_frame if generator.__class__ is types.AsyncGeneratorType else _frame(generator)
    return None if frame is None else (frame.f_code, frame.f_lineno)


def _is(thing: Any, classes: Any) -> bool:
    # Not isinstance: it asks `thing.__class__`, and a proxy of the user's may raise there.
    return issubclass(type(thing), classes)


def _frame(generator: Any) -> types.FrameType | None:
    frame: types.FrameType | None
    frame = generator.ag_frame if isinstance(generator, types.AsyncGeneratorType) else getattr(generator, "gi_frame", None)
    return frame


def _kind(manager: Any) -> str | None:
    for cls in type(manager).__mro__:
        if (cls.__module__, cls.__qualname__) in _SCOPES:
            return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"
    return None


# What is entered.


def may_enter(generator: Any) -> bool:
    """Say whether the code has a `with`, or iterates over what may have one: most have not, and there is nothing to look through."""
    code = generator.ag_code if generator.__class__ is types.AsyncGeneratorType else getattr(generator, "gi_code", None)
    known = _WITH.get(id(code))
    if known is None:
        if code is None:  # compiled by something else than CPython: nothing to see
            return False
        if len(_WITH) > 4096:
            _WITH.clear()
        may = any("WITH" in op.opname or "SPECIAL" in op.opname or "ITER" in op.opname for op in dis.get_instructions(code))
        known = _WITH[id(code)] = code, may
    return known[1]


def _entered(generator: Any, apart: Container[int], seen: set[int]) -> Iterator[Any]:
    """Every context manager that is entered in the frame, and in the generators and exit stacks that the frame holds."""
    if id(generator) in seen or _frame(generator) is None or not may_enter(generator):
        return
    seen.add(id(generator))
    for referent in gc.get_referents(generator):
        cls = type(referent)
        if cls in _METHODS:
            if _exits(referent):
                yield from _inside(referent.__self__, apart, seen)
        elif cls in _GENERATORS and id(referent) not in apart:
            yield from _entered(referent, apart, seen)


def _exits(method: Any) -> bool:
    if getattr(method, "__name__", None) in _EXITS:
        return True
    # Under another name: `__aexit__ = close`.
    function = getattr(method, "__func__", method)
    return any(getattr(type(method.__self__), name, None) is function for name in _EXITS)


def _inside(manager: Any, apart: Container[int], seen: set[int]) -> Iterator[Any]:
    if id(manager) in seen:
        return
    seen.add(id(manager))
    yield manager
    if _is(manager, _GENERATOR_MANAGERS):
        yield from _entered(manager.gen, apart, seen)
    elif _is(manager, _STACKS):
        for _, callback in manager._exit_callbacks:
            owner = getattr(callback, "__self__", None)
            if owner is not None:
                yield from _inside(owner, apart, seen)
    elif _is(manager, (contextlib.aclosing, contextlib.closing)) and type(manager.thing) in _GENERATORS:
        yield from _entered(manager.thing, apart, seen)


def _hidden(manager: Any) -> str | None:
    """Find an asyncio scope that is entered in the running task and that a manager of the user's keeps to itself.

    The loop's mark does not tell of those; of others it does, and more surely than a look around. The nearest few hundred objects are looked at.
    """
    if _is(manager, (*_GENERATOR_MANAGERS, *_STACKS)):
        return None
    task = anyio.get_current_task().id
    seen = {id(manager)}
    near = deque([manager])
    while near and len(seen) < _LOOKED_AT:
        for thing in itertools.islice(gc.get_referents(near.popleft()), _LOOKED_AT):
            if id(thing) in seen or not _may_hide(thing):
                continue
            seen.add(id(thing))
            near.append(thing)
            inside = _entered(thing, _NOWHERE, set()) if type(thing) in _GENERATORS else (thing,)
            for scope in inside:
                if _is_entered(scope, task):
                    return _kind(scope)
    return None


def _may_hide(thing: Any) -> bool:
    return not _is(thing, (type, types.ModuleType, types.FunctionType, types.FrameType, types.CodeType, str, bytes))


def _is_entered(thing: Any, task: int) -> bool:
    cls = type(thing)
    match (cls.__module__, cls.__qualname__):
        case ("asyncio.timeouts", "Timeout"):
            return id(thing._task) == task and thing._state.value not in {"created", "finished"}
        case ("asyncio.taskgroups", "TaskGroup"):
            return id(thing._parent_task) == task and thing._entered and not thing._exiting
        case _:
            return False


# What will be closed.


def _closing(generator: Any, at: str, apart: Container[int], seen: set[int]) -> Iterator[tuple[str, str]]:
    if id(generator) in seen:
        return
    seen.add(id(generator))
    for referent in [*gc.get_referents(generator), *_entered(generator, apart, set())]:
        cls = type(referent)
        if cls not in _PLAIN and not _INERT.get(cls, False):
            yield from _closed(referent, at, apart, seen)


def _closed(held: Any, at: str, apart: Container[int], seen: set[int]) -> Iterator[tuple[str, str]]:
    if _is(held, _GENERATOR_MANAGERS):
        held = held.gen
    if id(held) in seen or id(held) in apart:
        return
    if _is(held, types.GeneratorType):
        if inspect.getgeneratorstate(held) == inspect.GEN_SUSPENDED:
            if _guarded(held):
                yield f"the sync generator {held.__qualname__}", at
            yield from _closing(held, at, apart, seen)
    elif _is(held, types.AsyncGeneratorType):
        if held.ag_frame is not None:
            yield from _closing(held, at, apart, seen)
    elif _is(held, _HARMLESS):
        return
    elif _is(held, io.IOBase):
        seen.add(id(held))
        if not held.closed:
            yield f"the open file {getattr(held, 'name', held)!r}", at
    elif hasattr(type(held), "__del__") or _finalized(held):
        seen.add(id(held))
        yield f"a {type(held).__module__}.{type(held).__qualname__}, which has a destructor", at
    elif not type(held).__dictoffset__:  # nor can another one of its class be what is looked for here
        if len(_INERT) > 4096:
            _INERT.clear()
        _INERT[type(held)] = True


def _finalized(held: Any) -> bool:
    """Whether an object ends itself by weakref.finalize, as temporary directories do."""
    try:
        attributes = object.__getattribute__(held, "__dict__")
    except AttributeError:
        return False
    return any(_is(value, weakref.finalize) and value.alive for value in attributes.values())


def _guarded(generator: types.GeneratorType[Any, Any, Any]) -> bool:
    """Whether closing the generator would run code of its own: it is suspended inside a `try` or `with`."""
    frame = generator.gi_frame
    if frame is None:
        return False
    code = generator.gi_code
    at = frame.f_lasti
    table = dis._parse_exception_table(code)  # type: ignore[attr-defined]
    while True:
        entry = next((entry for entry in table if entry.start <= at < entry.end), None)
        if entry is None:
            return False
        handler = code.co_code[entry.target : entry.target + 2]
        # From 3.12 on the compiler adds handlers: one turns a StopIteration into a RuntimeError, one is part of each `yield from`.
        if handler[0] != dis.opmap.get("CLEANUP_THROW") and handler != bytes((dis.opmap.get("CALL_INTRINSIC_1", 0), _STOPITERATION_ERROR)):
            return True
        at = entry.target
