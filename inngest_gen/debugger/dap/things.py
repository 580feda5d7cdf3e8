"""Things: what can be listed in a variables view, part by part, and some of it set. A thing has rows; a row may have a thing inside.

Promises: nothing is listed before it is asked for, and no more of it than is asked for.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from inngest_gen.debugger import variables
from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.variables import Variable

PAGED: Final = 100
"""From so many values on also what has names is listed by numbers, so that clients ask for pages of it."""
_PAGE: Final = 1_000
_SEQUENCES: Final = {"list", "tuple", "deque"}

Setter = Callable[[str], Awaitable[object]]
"""Sets something to what the user typed. Raises Refused, MisuseError, NotJSON."""


class Thing(Protocol):
    """What has rows: so many of them, `indexed` (to be asked for page by page) or not."""

    @property
    def size(self) -> int:
        """How many rows there are."""
        ...

    @property
    def indexed(self) -> bool:
        """Whether they are to be asked for by number."""
        ...

    def rows(self, start: int, count: int | None) -> list[Row]:
        """List the rows from the `start`-th on, at most `count`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a variables view. `set` is how it is set, if it can be; `expression` what gives it when evaluated."""

    name: str
    text: str
    type: str | None = None
    inside: Thing | None = None
    set: Setter | None = None
    expression: str | None = None


class Rows:
    """Some rows, made when they are asked for, so that they tell what is so then."""

    indexed: bool = False

    def __init__(self, make: Callable[[], Iterable[Row]]) -> None:
        self.size: int = len(list(make()))
        self._make = make

    def rows(self, start: int, count: int | None) -> list[Row]:
        """List them."""
        return list(self._make())[start : None if count is None else start + count]


class Rest:
    """The rows of a thing from the `first`-th on."""

    def __init__(self, thing: Thing, first: int) -> None:
        self.size: int = thing.size - first
        self.indexed: bool = thing.indexed
        self._thing = thing
        self._first = first

    def rows(self, start: int, count: int | None) -> list[Row]:
        """List them."""
        return self._thing.rows(self._first + start, count)


class InFrame:
    """The locals of a frame, or with a `path` what is inside one of them; `of` is the value's type."""

    def __init__(
        self, session: Session, frame: int, path: tuple[int, ...] = (), size: int = 0, of: str = "", expression: str | None = None
    ) -> None:
        self.size: int = size
        self.indexed: bool = bool(path) and (of in _SEQUENCES or size > PAGED)
        self._session = session
        self._frame = frame
        self._path = path
        self._of = of
        self._expression = expression

    def rows(self, start: int, count: int | None) -> list[Row]:
        """List them."""
        found = self._session.variables(self._frame, self._path, start=start, count=count)
        return [in_frame(self._session, self._frame, one, self._within(one)) for one in found]

    def _within(self, one: Variable) -> str | None:
        if not self._path:
            return one.name
        if self._expression is None or one.name.endswith("…"):
            return None
        if self._of == "dict" or self._of in _SEQUENCES:
            return f"{self._expression}[{one.name}]"
        return f"{self._expression}.{one.name}" if one.name.isidentifier() else None


def in_frame(session: Session, frame: int, one: Variable, expression: str | None) -> Row:
    """Make the row of a variable."""
    inside = InFrame(session, frame, one.path, one.size, one.type, expression) if one.size else None
    return Row(name=one.name, text=one.text, type=one.type, inside=inside, expression=expression)


class InResult:
    """What is inside the result of a step, at `keys`. Each part can be set: the step then has another result, in another history."""

    def __init__(self, session: Session, hash: str, keys: tuple[str | int, ...], value: Any) -> None:
        self.size: int = len(value)
        self.indexed: bool = isinstance(value, list) or self.size > PAGED
        self._session = session
        self._hash = hash
        self._keys = keys

    def rows(self, start: int, count: int | None) -> list[Row]:
        """List them, as the result is now."""
        value = self._session.result(self._hash)
        try:
            for key in self._keys:
                value = value[key]
            parts: list[tuple[Any, Any]] = list(value.items() if isinstance(value, dict) else enumerate(value))
        except (AttributeError, LookupError, TypeError):  # another result has come in between
            return []
        return [
            in_result(self._session, self._hash, (*self._keys, key), str(key), inner)
            for key, inner in parts[start : None if count is None else start + count]
        ]


def in_result(session: Session, hash: str, keys: tuple[str | int, ...], name: str, value: Any) -> Row:
    """Make the row of a part of a step's result."""

    async def change(typed: str) -> None:
        new = meant(typed)
        if keys:
            whole = holder = session.result(hash)
            try:
                for key in keys[:-1]:
                    holder = holder[key]
                holder[keys[-1]] = new
            except (LookupError, TypeError):
                raise Refused("the result has changed meanwhile: there is no such part of it any more") from None
            new = whole
        await session.replace(hash, result=new)

    inside = InResult(session, hash, keys, value) if isinstance(value, (dict, list)) and value else None
    return Row(name=name, text=variables.text(value), type=variables.type_name(value), inside=inside, set=change)


def plain(name: str, value: object) -> Row:
    """Make the row of a JSON value of ours."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    inside = Rows(lambda: [plain(str(key), inner) for key, inner in parts]) if parts and value else None
    return Row(name=name, text=value if isinstance(value, str) else variables.text(value), inside=inside)


def named(thing: Thing, name: str) -> Row:
    """Give the row of a thing that has a name. Raises Refused."""
    for start in range(0, thing.size, _PAGE):
        for row in thing.rows(start, _PAGE):
            if row.name == name:
                return row
    raise Refused(f"there is no {name!r} there")


def meant(typed: str) -> Any:
    """Read what a user typed for a value: JSON, or a Python literal. Raises Refused."""
    try:
        return json.loads(typed)
    except ValueError:
        pass
    try:
        return ast.literal_eval(typed.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise Refused(f"{typed[:80]!r} is neither JSON nor a Python literal: a step's result is one of these") from None
