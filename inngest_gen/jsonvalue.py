"""JSON as Inngest's server counts it: values to bytes and back, by the number rules of JCS (RFC 8785).

Promises: what `encode` accepts, `decode` reads back the same in every process: 2.0 is 2, NaN never turns into null in silence, an int
never loses digits. A refusal names the value, the type and the place inside it. The input is never changed.
Refuses: to guess for what JSON cannot say (sets, bytes, Decimal, keys that are no strings): declare the type, or convert it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final
from uuid import UUID

import orjson

from inngest_gen.errors import NotJSON

__all__ = ["decode", "encode"]

_LIMIT: Final = 2**53
_DEPTH: Final = 254  # orjson's own, so that both ways through `encode` refuse alike

# What orjson would write by rules of its own is left to `_plain`.
_WHOLE: Final = frozenset({str, int, bool})
"""What has no number in it that orjson would write otherwise. To ask with `in` whether bytes are in bytes costs an exception, inside of Python."""
_STRICT: Final = (
    orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
)

_HINTS: Final[dict[type, str]] = {
    set: "a set has no order: return sorted(...), or declare the type, as in -> set[int]",
    frozenset: "a frozenset has no order: return sorted(...), or declare the type, as in -> frozenset[int]",
    bytes: "JSON holds text: encode it, with base64 for instance, or declare the type -> bytes",
    bytearray: "JSON holds text: encode it, with base64 for instance",
    memoryview: "JSON holds text: encode it, with base64 for instance",
    Decimal: "as a number it would lose digits: use str or float, or declare the type -> Decimal",
    timedelta: "use .total_seconds(), or declare the type -> timedelta",
    complex: "use a pair of floats",
    CoroutineType: "it is a coroutine that was not awaited",
    AsyncGeneratorType: "it is an async generator: collect its items into a list",
    GeneratorType: "it is a generator: collect its items into a list",
}


def encode(value: object, what: str) -> bytes:
    """Write `value` as JSON in UTF-8.

    Beyond plain JSON it takes tuples, subclasses of the plain types, enums (by value), datetimes, dates and times (ISO 8601), UUIDs,
    dataclasses, pydantic models, msgspec structs and attrs instances. `what` names the value in an error: "the result of step 'load'".

    Raises NotJSON.
    """
    if value is None:
        return b"null"
    try:
        data = orjson.dumps(value, None, _STRICT)
    except TypeError:
        return _encode_slowly(value, what)
    # orjson writes NaN as null and 2.0 as 2.0: only where that may have happened is there a reason to look at each number.
    if value.__class__ not in _WHOLE and (data.find(b".0") >= 0 or data.find(b"null") >= 0):
        return _encode_slowly(value, what)
    return data


def decode(data: bytes | str) -> Any:
    """Read JSON. Raises NotJSON, a ValueError, with the place where it stops to be JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        shown = f"{data[:80]!r}" + ("..." if len(data) > 80 else "")
        raise NotJSON(what=f"the text {shown}", path="", type_name=type(data).__name__, reason=f"it is not valid: {error}") from None


class _RefusedError(Exception):
    """A value that is refused; each level of the way up adds its part of the path."""

    def __init__(self, value: object, reason: str) -> None:
        super().__init__()
        self.value: object = value
        self.reason: str = reason
        self.path: list[str] = []


def _encode_slowly(value: object, what: str) -> bytes:
    try:
        return orjson.dumps(_plain(value, set()))
    except _RefusedError as refused:
        path, type_name, reason = refused.path[::-1], type(refused.value).__qualname__, refused.reason
    except RecursionError:  # its classes take several frames a level, or the caller is deep already
        path, type_name, reason = [], type(value).__qualname__, "it is nested too deep"
    if len(path) > 12:
        path[8:-2] = ["..."]
    raise NotJSON(what=what, path="".join(path), type_name=type_name, reason=reason)


def _plain(value: Any, parents: set[int]) -> Any:
    """Give a copy made of what orjson writes by our rules. `parents` are the ids of the containers that hold `value`."""
    cls = type(value)
    if cls is str:
        return _text(value, value)
    if cls is int:
        return _integer(value, value)
    if cls is float:
        return _number(value, value)
    if value is None or cls is bool:
        return value
    if cls in _LEAVES:
        return _LEAVES[cls](value)
    if id(value) in parents:
        raise _RefusedError(value, "it contains itself")
    if len(parents) == _DEPTH:
        raise _RefusedError(value, f"it is nested more than {_DEPTH} deep")
    parents.add(id(value))
    if isinstance(value, dict):
        plain: Any = _object(value.items(), parents, keyed=True)
    elif isinstance(value, list | tuple):
        plain = _array(value, parents)
    else:
        plain = _foreign(value, parents)
    parents.discard(id(value))
    return plain


def _text(value: str, original: object) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _RefusedError(original, "it has a lone surrogate, which UTF-8 cannot write") from None
    return value


def _integer(value: int, original: object) -> int:
    if not -_LIMIT <= value <= _LIMIT:
        raise _RefusedError(original, "it is an integer beyond 2**53, where JSON numbers lose digits: send it as a string")
    return value


def _number(value: float, original: object) -> float:
    if -_LIMIT <= value <= _LIMIT:
        return int(value) if value.is_integer() else value
    if value - value != 0:  # infinities and NaN
        raise _RefusedError(original, f"JSON has no {value}")
    return value


_LEAVES: Final[dict[type, Callable[[Any], Any]]] = {
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    UUID: str,
}


def _array(values: Iterable[Any], parents: set[int]) -> list[Any]:
    plain: list[Any] = []
    try:
        for item in values:
            plain.append(_plain(item, parents))  # noqa: PERF401 - its length tells which item was refused
    except _RefusedError as refused:
        refused.path.append(f"[{len(plain)}]")
        raise
    return plain


def _object(items: Iterable[tuple[Any, Any]], parents: set[int], *, keyed: bool = False) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in items:
        name = key if (type(key) is str and key.isascii()) or not keyed else _key(key)
        if item is None or (type(item) is str and item.isascii()):  # what `_plain` would say, without the call
            plain[name] = item
            continue
        try:
            plain[name] = _plain(item, parents)
        except _RefusedError as refused:
            refused.path.append(f".{name}" if name.isidentifier() else f"[{name!r}]")
            raise
    return plain


def _key(key: object) -> str:
    if not isinstance(key, str):
        reason = (
            f"it has the key {key!r}, and the keys of a JSON object are strings: use str(...), or declare the type, as in -> dict[int, str]"
        )
        raise _RefusedError(key, reason)
    return _text(str.__str__(key), key)


def _foreign(value: Any, parents: set[int]) -> Any:
    """Make a value of a class that JSON does not know plain."""
    cls = type(value)
    if isinstance(value, Enum):
        return _plain(value.value, parents)
    if isinstance(value, str):
        return _text(str.__str__(value), value)
    if isinstance(value, int):
        return _integer(int.__int__(value), value)
    if isinstance(value, float):
        return _number(float.__float__(value), value)
    for known, write in _LEAVES.items():
        if isinstance(value, known):
            return write(value)
    if not isinstance(value, type):
        if hasattr(cls, "model_dump"):  # pydantic, not imported for this
            return _plain(_ask(value, lambda: value.model_dump(mode="json")), parents)
        if dataclasses.is_dataclass(value):
            return _fields((field.name for field in dataclasses.fields(value)), value, parents)
        if hasattr(cls, "__attrs_attrs__"):
            return _fields((field.name for field in cls.__attrs_attrs__), value, parents)
        if hasattr(cls, "__struct_config__") and (msgspec := sys.modules.get("msgspec")):
            return _plain(_ask(value, lambda: msgspec.to_builtins(value, str_keys=True)), parents)
    for known, hint in _HINTS.items():
        if isinstance(value, known):
            raise _RefusedError(value, hint)
    raise _RefusedError(value, "JSON has nothing for it: return plain values, a dataclass or a model")


def _fields(names: Iterable[str], value: object, parents: set[int]) -> dict[str, Any]:
    return _object(_ask(value, lambda: [(name, getattr(value, name)) for name in names]), parents)


def _ask(value: object, for_parts: Callable[[], Any]) -> Any:
    try:
        return for_parts()
    except Exception as error:
        raise _RefusedError(value, f"{type(error).__name__}: {error}") from error
