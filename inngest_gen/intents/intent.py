"""The base of everything a handler may yield, and the names and source positions that intents carry."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import CodeType
from typing import Any, NoReturn

from inngest_gen.errors import MisuseError


class Intent:
    """Something a handler yields: what it wants done. Making one does nothing; yielding it does."""

    __slots__ = ()

    def __await__(self) -> NoReturn:
        """Refuse `await`: an intent is yielded."""
        raise MisuseError(f"{describe(self)} was awaited: intents are yielded, write `result = yield ...`")

    def __bool__(self) -> bool:
        """Refuse a truth test, which is always a forgotten yield."""
        raise MisuseError(f"{describe(self)} was used as a condition: yield it first, and test what the yield gives")


Flow = AsyncGenerator[Intent | AsyncGenerator[Any, Any], Any]
"""What a handler or a sub-flow is to a type checker: `async def order_placed(ctx: ig.Context) -> ig.Flow`."""


@dataclass(frozen=True, slots=True)
class Id:
    """A step's or defer's id with a name to show: `ctx.step.run(ig.Id("load", name="Load the order"), load_order)`.

    `id` identifies it in the run's record: keep it when the code changes. `name` is only shown. Both are non-empty strings.
    """

    id: str
    name: str

    def __init__(self, id: str, *, name: str | None = None) -> None:
        check_id(id)
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "name", id if name is None else name)


def check_id(id: object) -> None:
    """Raise MisuseError unless `id` is a non-empty string that UTF-8 can hold."""
    if not isinstance(id, str):
        raise MisuseError(f"an id is a string or ig.Id, not {type(id).__name__}")
    if not id:
        raise MisuseError("an id must not be empty: it identifies the step in the run's record")
    try:
        id.encode()
    except UnicodeEncodeError:
        raise MisuseError(f"the id {id!r} holds a lone surrogate, which UTF-8 cannot encode") from None


def position(code: CodeType, lasti: int) -> str:
    """Say where in the source the instruction `lasti` of `code` is, as "file:line"."""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end and number is not None:
            line = number
            break
    return f"{code.co_filename}:{line}"


def describe(intent: object) -> str:
    """Name an intent for a message: `step 'load'`, `group.parallel`, `defer 'receipt'`."""
    kind = getattr(intent, "kind", type(intent).__name__)
    id = getattr(intent, "id", None)
    return f"{kind} {id!r}" if id is not None else str(kind)
