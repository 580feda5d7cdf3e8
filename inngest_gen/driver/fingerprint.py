"""Fingerprints: what tells whether a handler's code is the code that made a run's record.

A fingerprint covers the handler, every async generator function reachable from its code, and the plain functions on the way there that make
intents. Reachable is what the code names: globals, attributes of modules and classes it names, closure cells, defaults.
Promises: it is the same in every process of one Python version, whatever the file, the lines, the comments and the hash seed.
Refuses: to see what only running tells: methods called as `self.x()`, names imported inside a function, values of global constants.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

_TOOLS: Final = {"step", "group", "defer", "using"}
_DIGITS: Final = 16


def fingerprint(function: object) -> dict[str, str]:
    """Map "module.qualname" to a short hash of its code, for `function` (a handler or a Function) and what it reaches.

    Raises TypeError if there is no Python function in it.
    """
    handler = _function(function)
    if handler is None:
        raise TypeError(f"a fingerprint is of a Python function, not of {type(function).__name__}")
    package = _package(handler)
    hashes: dict[str, set[str]] = {}
    seen = {handler}
    todo = [handler]
    while todo:
        one = todo.pop()
        if one is handler or inspect.isasyncgenfunction(one) or _TOOLS & _names(one.__code__):
            hashes.setdefault(f"{one.__module__}.{one.__qualname__}", set()).add(_hash(one))
        for reached in _reached(one):
            # Plain functions are followed in the handler's own package: further on there are libraries.
            if reached not in seen and (inspect.isasyncgenfunction(reached) or _package(reached) == package):
                seen.add(reached)
                todo.append(reached)
    # Functions that a decorator or a factory gives one name share an entry.
    return {name: min(found) if len(found) == 1 else _digest(*sorted(found)) for name, found in sorted(hashes.items())}


def _package(function: FunctionType) -> str:
    return (function.__module__ or "").partition(".")[0]


def _function(thing: object) -> FunctionType | None:
    """Find the Python function in a callable: in a method, a partial, a Function of an app."""
    for _ in range(100):  # a chain of wrappers may lead back to itself
        if isinstance(thing, FunctionType):
            return thing
        if isinstance(thing, (MethodType, staticmethod, classmethod)):
            thing = thing.__func__
        elif isinstance(thing, functools.partial):
            thing = thing.func
        else:
            thing = _attributes(thing).get("handler")
    return None


def _attributes(thing: object) -> dict[str, Any]:
    # The dictionary, not getattr: a user's global may be a proxy or load itself when it is looked at.
    try:
        return dict(object.__getattribute__(thing, "__dict__"))
    except AttributeError:
        return {}


def _reached(function: FunctionType) -> Iterator[FunctionType]:
    names = _names(function.__code__)
    todo: list[object] = [function.__globals__[name] for name in names if name in function.__globals__]
    todo += _values(function.__closure__ or ())
    todo += function.__defaults__ or ()
    todo += (function.__kwdefaults__ or {}).values()
    todo.append(_attributes(function).get("__wrapped__"))
    seen: set[int] = set()
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (ModuleType, type)):
            inside = _attributes(thing)
            todo += [inside[name] for name in names if name in inside]
        elif (found := _function(thing)) is not None:
            yield found


def _values(cells: Iterable[Any]) -> Iterator[object]:
    for cell in cells:
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _names(code: CodeType) -> set[str]:
    return set(code.co_names).union(*(_names(const) for const in code.co_consts if isinstance(const, CodeType)))


def _hash(function: FunctionType) -> str:
    defaults = (function.__defaults__ or (), tuple(sorted((function.__kwdefaults__ or {}).items())))
    return _digest(_code(function.__code__), _constant(defaults))


def _code(code: CodeType) -> str:
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    variables = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return _digest(code.co_code.hex(), code.co_exceptiontable.hex(), repr(shape), repr(variables), *map(_constant, code.co_consts))


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return _code(value)
    if isinstance(value, frozenset):
        return f"frozenset{sorted(map(_constant, value))}"
    if isinstance(value, tuple):
        return f"tuple{list(map(_constant, value))}"
    if value is None or value is ... or isinstance(value, (str, bytes, int, float, complex)):
        return f"{type(value).__name__} {value!r}"
    return type(value).__qualname__  # a default that is no constant: its repr may hold an address


def _digest(*parts: str) -> str:
    # With their lengths, so that no two sequences of parts run together.
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
