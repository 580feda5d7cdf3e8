"""The data of an event on the command line: JSON, @file, or - for stdin.

Refuses in one line: what is no JSON (with the place), what is no JSON object, a file that cannot be read.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from inngest_gen.cli.refusal import Refusal
from inngest_gen.errors import InngestGenError
from inngest_gen.event import Event

_SHOWN = 60


def event(name: str, text: str | None, stdin: Callable[[], bytes], *, id: str | None = None) -> Event:
    """Make the event that the command line names. Raises Refusal."""
    from inngest_gen.engine.sent import checked_event

    data = {} if text is None else _object(*_source(text, stdin))
    try:
        made = Event(name, data, id=id)
        checked_event(made)  # what the engine would refuse: a reserved name, too much data, integers beyond 2**53
    except InngestGenError as error:
        raise Refusal(str(error)) from None
    return made


def _source(text: str, stdin: Callable[[], bytes]) -> tuple[bytes, str]:
    if text == "-":
        return stdin(), "stdin"
    if not text.startswith("@"):
        return text.encode(errors="surrogateescape"), "the data"
    path = pathlib.Path(text[1:])
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise Refusal(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _object(source: bytes, where: str) -> dict[str, Any]:
    import orjson

    try:
        value = orjson.loads(source)
    except orjson.JSONDecodeError as error:
        shown = source[:_SHOWN].decode(errors="replace").replace("\n", " ") + ("..." if len(source) > _SHOWN else "")
        place = f"line {error.lineno}, column {error.colno}"
        hint = "; JSON wants double quotes" if "'" in shown and '"' not in shown else ""
        raise Refusal(f"{where} is not valid JSON ({error.msg.partition(':')[0]}, {place}): {shown or 'it is empty'}{hint}") from None
    if not isinstance(value, dict):
        names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
        raise Refusal(f'{where} holds {names[type(value)]}; an event\'s data is a JSON object, such as \'{{"order_id": "o1"}}\'')
    return value
