"""What stands in for steps and functions in a test: values, errors, functions of the test's, one for each attempt, after a while, never.

Promises: a stand-in is found by the step's id, by id and function, or by a pattern, the most exact first; which were never asked for is known.
Refuses: to replace a sleep, which has no result.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from inngest_gen.app.function import Function
from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError


@final
class Marker:
    """A constant with a name."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"testing.{self._name}"


REAL: Final = Marker("REAL")
"""Left to the real body, or function: `steps={"load*": REAL, "*": None}`."""
NEVER: Final = Marker("NEVER")
"""Has no result, however long one waits: the loser of a race, or a wait that times out."""
RECORD_ONLY: Final = Marker("RECORD_ONLY")
"""Of a function: it does not run. An invoke gives None, a deferred or triggered run stays queued."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """What stands in for each attempt of a step. Made by `attempts`."""

    each: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Lasting:
    """What takes its time. Made by `lasting`."""

    duration_s: float
    then: Any


def attempts(*each: Any) -> Attempts:
    """Give one stand-in for each attempt of a step: `attempts(TimeoutError("busy"), "ok")`. The last one stands for all that follow.

    Raises ConfigError if none is given.
    """
    if not each:
        raise ConfigError("testing.attempts needs at least one stand-in")
    return Attempts(each)


def lasting(duration: Duration, then: Any = REAL) -> Lasting:
    """Let a step take `duration` of the test's time: `lasting("10s", "slow answer")`. `then` is any stand-in; by default the real body runs."""
    return Lasting(seconds(duration), then)


# The keys of a Mapping are invariant to a type checker, so that it can be told no more of them.
Steps = Mapping[Any, Any]
"""Stand-ins by step: its id, `"id:1"` for the second with that id, a pattern with `*`, or a pair of a function (or its id) and one of these."""
Functions = Mapping[Any, Any]
"""Stand-ins by function: an `ig.Function`, its id or slug, or a pattern."""


class _Missing:
    pass


MISSING: Final = _Missing()


class StandIns:
    """The stand-ins of a test, and which of them were used."""

    def __init__(self, steps: Steps | None, functions: Functions | None) -> None:
        for given, what in ((steps, "steps"), (functions, "functions")):
            if given is not None and not isinstance(given, Mapping):
                raise ConfigError(f"{what}= is a dict of stand-ins, not {type(given).__name__}")
        self._steps: dict[tuple[str | None, str], Any] = {}
        for key, value in (steps or {}).items():
            self._steps[_split(key)] = value
        self._functions: dict[str, Any] = {}
        for name, value in (functions or {}).items():
            if not isinstance(name, (Function, str)):
                raise ConfigError(f"functions= is keyed by functions and their ids, not by {type(name).__name__}")
            self._functions[name.slug if isinstance(name, Function) else name] = value
        self._used: set[tuple[str | None, str]] = set()
        self._named = {name for name in functions or {} if isinstance(name, str) and not _is_pattern(name)}

    def of_step(self, function: Function, id: str, index: int) -> Any:
        """Give what stands in for a step, MISSING if nothing does."""
        key = self._exact(function, id, index)
        if key is not None:
            self._used.add(key)
            return self._steps[key]
        for (owner, pattern), value in self._steps.items():
            if owner in {None, function.slug, function.id} and _is_pattern(pattern) and fnmatch.fnmatchcase(id, pattern):
                return value
        return MISSING

    def names(self, function: Function, id: str, index: int) -> bool:
        """Say whether a step was given a stand-in by its id, not by a pattern."""
        return self._exact(function, id, index) is not None

    def _exact(self, function: Function, id: str, index: int) -> tuple[str | None, str] | None:
        names = [f"{id}:{index}", id] if index else [id]
        keys = ((owner, name) for owner in (function.slug, function.id, None) for name in names)
        return next((key for key in keys if key in self._steps), None)

    def of_function(self, slug: str, id: str | None) -> Any:
        """Give what stands in for a function, MISSING if nothing does. `id` is its id without its app's, where that is known."""
        for name in (slug, id):
            if name is not None and name in self._functions:
                self._named.discard(name)
                return self._functions[name]
        for pattern, value in self._functions.items():
            if _is_pattern(pattern) and any(name is not None and fnmatch.fnmatchcase(name, pattern) for name in (slug, id)):
                return value
        return MISSING

    def slugs(self) -> set[str]:
        """Name the functions that have a stand-in of their own."""
        return {name for name in self._functions if not _is_pattern(name)}

    def unused(self) -> list[str]:
        """List the ids that were given a stand-in and never asked for. Patterns may match nothing."""
        return [id for owner, id in self._steps if (owner, id) not in self._used and not _is_pattern(id)]

    def unknown_functions(self, functions: Iterable[Function]) -> list[str]:
        """List the names that were given a stand-in, are none of these functions', and were never asked for."""
        return sorted(self._named - {name for function in functions for name in (function.slug, function.id)})


def _split(key: object) -> tuple[str | None, str]:
    if isinstance(key, str):
        return None, key
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], str) and isinstance(key[0], (Function, str)):
        return key[0].slug if isinstance(key[0], Function) else key[0], key[1]
    raise ConfigError(f"steps= is keyed by step ids, patterns, or (function, step id), not by {key!r}")


def _is_pattern(text: str) -> bool:
    return any(letter in text for letter in "*?[")


def reduced(stand_in: Any, attempt: int) -> tuple[float, Any]:
    """Give how long a stand-in takes at this attempt, in seconds, and what it comes to: neither Attempts nor Lasting."""
    takes = 0.0
    while isinstance(stand_in, (Attempts, Lasting)):
        if isinstance(stand_in, Attempts):
            stand_in = stand_in.each[min(attempt, len(stand_in.each) - 1)]
        else:
            takes += stand_in.duration_s
            stand_in = stand_in.then
    return takes, stand_in


def error_of(stand_in: Any) -> BaseException | None:
    """Give the error that a stand-in is: an exception, or an exception class."""
    if isinstance(stand_in, BaseException):
        return stand_in
    if isinstance(stand_in, type) and issubclass(stand_in, BaseException):
        return stand_in()
    return None
