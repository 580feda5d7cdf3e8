"""The floor of replay: the least Python that replays memoized steps through an async generator. No engine can be faster.

For each step: one `asend`, one small op object, the count of the id's repeats, `hashlib.sha1`, one look-up in the record. No validation, no
middleware, no types. The call is parsed already.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from typing import Any

import orjson


class RunOp:
    """Asks for a step."""

    __slots__ = ("arguments", "id", "kind")

    def __init__(self, kind: str, id: str, arguments: tuple[Any, ...]) -> None:
        self.kind = kind
        self.id = id
        self.arguments = arguments


class EndOp:
    """Ends the handler."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


async def handler(count: int) -> AsyncGenerator[RunOp | EndOp, Any]:
    """Ask for `count` steps."""
    for place in range(count):
        yield RunOp("run", f"step-{place}", ())
    yield EndOp(count)


async def replay(call: dict[str, Any]) -> bytes:
    """Replay a parsed call; gives the handler's result as JSON."""
    record = call["steps"]
    resume = handler(call["event"]["data"]["count"]).asend
    repeats: dict[str, int] = {}
    value: Any = None
    while True:
        op: Any = await resume(value)
        if op.__class__ is EndOp:
            return orjson.dumps(op.value)
        id = op.id
        repeat = repeats.get(id, 0)
        repeats[id] = repeat + 1
        value = record[hashlib.sha1((f"{id}:{repeat}" if repeat else id).encode()).hexdigest()]["data"]
