"""RUN on the command line -> a run's id: the whole id, its beginning, its end, or "last"."""

from __future__ import annotations

from inngest_gen.cli.refusal import Refusal
from inngest_gen.engine.store.reader import Reader

_SHOWN = 5


def select(reader: Reader, text: str) -> str:
    """Give the id of the run that is meant. Raises Refusal where there is none, or more than one."""
    if text == "last":
        newest = reader.runs(limit=1)
        if not newest:
            raise Refusal("there is no run yet")
        return newest[0].id
    found = reader.find(text) if text.isalnum() else []
    if text.upper() in found:
        return text.upper()
    if not found:
        raise Refusal(f"no run's id begins or ends with {text!r} (inngest-gen runs list)")
    if len(found) > 1:
        more = ", ..." if len(found) > _SHOWN else ""
        raise Refusal(f"{text!r} could be more than one run: {', '.join(found[:_SHOWN])}{more}")
    return found[0]
