"""Variables: what is in a frame, as text, without running anything of the user's.

Promises: no `__repr__`, `__str__`, property, `__getattr__` or iterator of the user's is called, so nothing can raise, hang or change; every text is
bounded; what is inside a value is listed only where it is asked for. Containers are read by the methods of the builtin types, objects by their
instance dictionary and slots. Refuses: to show what only an object's own code could tell. `Session.evaluate("repr(x)")` runs that, when it is asked
to.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

TEXT: Final = 160
"""How many characters of a value are shown."""
_STRING: Final = 100
_ITEMS: Final = 8
_DEPTH: Final = 4
_CONTAINERS: Final[tuple[Any, ...]] = (dict, list, tuple, set, frozenset, deque)
_MACHINERY: Final = {*sys.stdlib_module_names, "anyio", "trio"} - {"__main__"}
_DIGEST: Final = 1_000
"""How many values inside a value are looked at for whether it has changed. The lengths of what is in there count as well."""
_BITS: Final = 4_000
_PLAIN: Final = (datetime, date, time, timedelta, UUID, Decimal, Fraction)
_NAMED: Final = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType,
    types.MethodWrapperType,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value by name: `text` is what is shown of it, `type` its class, `size` how many values are inside it, `path` how to list those.

    `path` has the place at each level: `session.variables(frame, path)`.
    """

    name: str
    text: str
    type: str
    size: int
    path: tuple[int, ...]


def variable(name: str, value: object, path: tuple[int, ...] = ()) -> Variable:
    """Describe a value."""
    return Variable(name=name, text=text(value), type=type_name(value), size=size(value), path=path)


def listed(values: Mapping[str, object]) -> tuple[Variable, ...]:
    """Describe named values, a frame's locals for instance."""
    return tuple(variable(name, value, (place,)) for place, (name, value) in enumerate(values.items()))


def inside(value: object, path: tuple[int, ...] = (), start: int = 0, count: int | None = None) -> tuple[Variable, ...]:
    """List what is inside a value, from the `start`-th on, at most `count`."""
    stop = None if count is None else start + count
    return tuple(variable(name, inner, (*path, start + n)) for n, (name, inner) in enumerate(itertools.islice(_parts(value), start, stop)))


def found(value: object, path: Sequence[int]) -> object:
    """Give the value at a path inside another. Raises LookupError if there is none."""
    for place in path:
        part = next(itertools.islice(_parts(value), place, None), None) if place >= 0 else None
        if part is None:
            raise LookupError(f"there is no value number {place} in it")
        value = part[1]
    return value


def text(value: object, limit: int = TEXT) -> str:
    """Write a value in at most `limit` characters."""
    out = _Writer(limit)
    out.write(value, _DEPTH)
    return out.text()


def digest(value: object) -> bytes:
    """Give what tells whether a value is as it was: a hash of all in it, down to some thousands of values."""
    hasher = hashlib.blake2b(digest_size=12)
    _feed(value, hasher.update)
    return hasher.digest()


def type_name(value: object) -> str:
    """Name a value's class."""
    cls = type(value)
    return "None" if cls is types.NoneType else _class_name(cls)


def _class_name(cls: type) -> str:
    # Not `cls.__qualname__`: a metaclass of the user's may have something to say about that.
    name: str = type.__dict__["__qualname__"].__get__(cls)
    return name


def _module_name(cls: type) -> str:
    for base in type.__dict__["__mro__"].__get__(cls):
        name = type.__dict__["__dict__"].__get__(base).get("__module__")
        if type(name) is str:
            return name
    return ""


def size(value: object) -> int:
    """Count the values inside a value."""
    length = _length(value, type(value), -1)
    return length if length >= 0 else sum(1 for _ in itertools.islice(_parts(value), 10_000))


def _length(value: object, cls: type, other: int) -> int:
    """Give the length of a container; `other` for what is none."""
    for container in _CONTAINERS:
        if issubclass(cls, container):
            length: int = container.__len__(value)
            return length
    return other


# What is inside.


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """Each value inside a value, with its name."""
    cls = type(value)
    if issubclass(cls, dict):
        items: list[tuple[Any, Any]] = list(dict.items(value))  # type: ignore[arg-type]
        for key, inner in items:
            yield text(key, 60), inner
    elif issubclass(cls, (list, tuple)):
        names = _field_names(cls)
        base: Any = list if issubclass(cls, list) else tuple
        for place, inner in enumerate(base.__iter__(value)):
            yield names[place] if place < len(names) else str(place), inner
    elif issubclass(cls, (set, frozenset, deque)):
        base = set if issubclass(cls, set) else frozenset if issubclass(cls, frozenset) else deque
        for place, inner in enumerate(list(base.__iter__(value))):
            yield str(place), inner
    elif cls is types.MappingProxyType:
        yield from _parts(_proxied(value))
    elif issubclass(cls, BaseException):
        yield "args", BaseException.__dict__["args"].__get__(value)
        yield from _attributes(value)
        for name in ("__cause__", "__context__"):
            linked = BaseException.__dict__[name].__get__(value)
            if linked is not None:
                yield name, linked
    elif not _is_leaf(cls):
        yield from _attributes(value)


def _field_names(cls: type) -> tuple[str, ...]:
    names = _class_attribute(cls, "_fields")
    if type(names) is tuple and all(type(name) is str for name in names):
        return names
    return ()


def _class_attribute(cls: type, name: str) -> Any:
    for base in type.__dict__["__mro__"].__get__(cls):
        found = type.__dict__["__dict__"].__get__(base).get(name)
        if found is not None:
            return found
    return None


def _proxied(value: object) -> object:
    import gc

    referents = gc.get_referents(value)
    return referents[0] if referents and issubclass(type(referents[0]), dict) else {}


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    """The attributes that an object keeps, dictionary first, without those that are nobody's to see."""
    hide_private = _module_name(type(value)).startswith("inngest_gen.")
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        own = None
    if type(own) is dict:
        for name, inner in list(own.items()):
            if type(name) is str and not name.startswith("__") and not (hide_private and name.startswith("_")):
                yield name, inner
    for base in type.__dict__["__mro__"].__get__(type(value)):
        for name, slot in list(type.__dict__["__dict__"].__get__(base).items()):
            if type(slot) is not types.MemberDescriptorType or name.startswith("__") or (hide_private and name.startswith("_")):
                continue
            try:
                inner = slot.__get__(value)
            except (AttributeError, TypeError):  # nothing there yet
                continue
            yield name, inner


def _is_leaf(cls: type) -> bool:
    return cls is not dict and any(issubclass(cls, base) for base, _ in _LEAVES)


# Text.


class _Writer:
    """Writes values until its room is used up."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room = limit
        self._parts: list[str] = []

    def text(self) -> str:
        whole = "".join(self._parts)
        return whole if len(whole) <= self._limit else f"{whole[: self._limit - 1]}…"

    def _put(self, piece: str) -> None:
        self._parts.append(piece)
        self._room -= len(piece)

    def write(self, value: object, depth: int) -> None:
        cls = type(value)
        leaf = _leaf(value, cls)
        if leaf is not None:
            self._put(leaf)
        elif issubclass(cls, dict):
            self._many(value, "{", "}", depth, "" if cls is dict else type_name(value), named=": ")
        elif issubclass(cls, tuple) and _field_names(cls):
            self._many(value, "(", ")", depth, type_name(value), named="=")
        elif issubclass(cls, (list, deque)):
            self._many(value, "[", "]", depth, "" if cls is list else type_name(value))
        elif issubclass(cls, tuple):
            self._many(value, "(", ",)" if tuple.__len__(value) == 1 else ")", depth, "" if cls is tuple else type_name(value))  # type: ignore[arg-type]
        elif issubclass(cls, (set, frozenset)):
            self._many(value, "{", "}", depth, type_name(value))
        elif cls is types.MappingProxyType:
            self.write(_proxied(value), depth)
        elif issubclass(cls, BaseException):
            args = BaseException.__dict__["args"].__get__(value)
            self._many(args, "(", ")", depth, type_name(value))
        else:
            self._many(value, "(", ")", depth, type_name(value), named="=")

    def _many(self, value: object, before: str, after: str, depth: int, name: str, named: str = "") -> None:
        self._put(f"{name}{before}")
        for place, (key, inner) in enumerate(itertools.islice(_parts(value), _ITEMS + 1)):
            if place:
                self._put(", ")
            if depth <= 0 or self._room <= 0 or place == _ITEMS:
                self._put("…")
                break
            if named:
                self._put(f"{key}{named}")
            self.write(inner, depth - 1)
        self._put(after)


def _leaf(value: object, cls: type) -> str | None:
    """Write a value that has nothing inside; None for one that has."""
    if cls is dict or cls is list or cls is tuple:
        return None
    for base, write in _LEAVES:
        if issubclass(cls, base):
            return write(value)
    return None


def _enum(value: Any) -> str:
    return f"{type_name(value)}.{object.__getattribute__(value, '__dict__').get('_name_')}"


def _int(value: Any) -> str:
    if type(value) is bool:
        return "True" if value else "False"
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= _BITS else f"<an int of {bits:,} bits>"


def _plain(value: Any) -> str | None:
    """Write a value of the standard library; of a subclass of the user's nothing is known."""
    if type(value) not in _PLAIN:
        return f"<{type_name(value)}>"
    zone = getattr(value, "tzinfo", None)
    return f"{type_name(value)}({value})" if zone is None or type(zone) in {timezone, ZoneInfo} else f"<{type_name(value)}>"


def _path(value: Any) -> str:
    own = _module_name(type(value)).partition(".")[0] == "pathlib"
    return f"{type_name(value)}({str(value)!r})" if own else f"<{type_name(value)}>"


def _named(value: Any) -> str:
    cls = type(value)
    named = value.__func__ if cls is types.MethodType else value
    return f"<{_class_name(cls)} {named.__qualname__ if issubclass(type(named), _NAMED) else type_name(named)}>"


_LEAVES: Final[tuple[tuple[Any, Callable[[Any], str | None]], ...]] = (
    (types.NoneType, lambda _: "None"),
    (Enum, _enum),
    (str, lambda value: _cut(str, value)),
    (int, _int),
    (float, float.__repr__),
    (complex, complex.__repr__),
    (bytes, lambda value: _cut(bytes, value)),
    (bytearray, lambda value: _cut(bytearray, value)),
    (_PLAIN, _plain),
    (PurePath, _path),
    (type, lambda value: f"<class {_class_name(value)}>"),
    (types.ModuleType, lambda value: f"<module {types.ModuleType.__getattribute__(value, '__dict__').get('__name__')}>"),
    (_NAMED, _named),
)
"""How values without anything inside are written; the first that fits counts."""


def _cut(many: Any, value: object) -> str:
    length = many.__len__(value)
    start: str = many.__repr__(many.__getitem__(value, slice(0, _STRING)))
    return start if length <= _STRING else f"{start}… ({length:,})"


# Digests.


def _feed(value: object, update: Callable[[bytes], object]) -> None:
    """Feed all that is in a value, without recursion and each object once."""
    seen: dict[int, int] = {}
    todo: list[object] = [value]
    left = _DIGEST
    while todo and left > 0:
        left -= 1
        one = todo.pop()
        cls = type(one)
        leaf = _whole_leaf(one, cls)
        if leaf is not None:
            update(leaf)
            continue
        if id(one) in seen:  # again, or a cycle: which one it was says enough
            update(b"@%d" % seen[id(one)])
            continue
        seen[id(one)] = len(seen)
        names, inner = _named_values(one, cls, left)
        update(f"{type_name(one)}:{_length(one, cls, len(inner))}:{names};".encode("utf-8", "surrogatepass"))
        inner.reverse()
        todo += inner


def _named_values(value: Any, cls: type, count: int) -> tuple[str, list[object]]:
    """Give the names in a value as one text, and the first values in it. Plain lists and dictionaries are most of what there is, so they are fast."""
    if cls is list or cls is tuple:
        return "", list(value[:count])
    if cls is dict:
        keys = list(itertools.islice(value, count))
        if all(type(key) is str for key in keys):
            return ",".join(map(repr, keys)), list(itertools.islice(value.values(), count))
    parts = [] if _is_opaque(cls) else list(itertools.islice(_parts(value), count))
    names = "" if issubclass(cls, (list, tuple, set, frozenset, deque)) else ",".join(name for name, _ in parts)
    return names, [inner for _, inner in parts]


def _is_opaque(cls: type) -> bool:
    """Whether what is inside is machinery: loggers, locks, random streams, the context. That changes without meaning anything, and leads far."""
    if issubclass(cls, (dict, list, tuple, set, frozenset, deque, BaseException, types.SimpleNamespace, types.MappingProxyType)):
        return False
    module = _module_name(cls)
    return module.partition(".")[0] in _MACHINERY or module == "inngest_gen.app.context"


def _whole_leaf(value: object, cls: type) -> bytes | None:
    if cls is list or cls is dict or cls is tuple:
        return None
    if issubclass(cls, str):
        return b"s" + str.encode(value, "utf-8", "surrogatepass") + b";"  # type: ignore[arg-type]
    if issubclass(cls, (bytes, bytearray)):
        return b"b" + bytes(memoryview(value)) + b";"  # type: ignore[arg-type]
    if issubclass(cls, int) and not issubclass(cls, Enum):
        return b"i%d:" % int.bit_length(value) + int.to_bytes(value, int.bit_length(value) // 8 + 1, "big", signed=True)  # type: ignore[arg-type]
    leaf = _leaf(value, cls)
    return None if leaf is None else f"{type_name(value)} {leaf};".encode("utf-8", "surrogatepass")
