"""From a memo to the value the handler sees: the JSON decoded into the declared type."""

from __future__ import annotations

from typing import Any

from inngest_gen.codecs import result_decoder, type_decoder
from inngest_gen.event import Event
from inngest_gen.intents.http import Fetch, Response
from inngest_gen.intents.step import AIWrap, Run, Step, WaitForEvent


def decoded(step: Step[Any], data: Any) -> Any:
    """Give the value of `data` (parsed JSON) for a step that has a type: a Run's function, a wait's Event."""
    cls = step.__class__
    if cls is Run or cls is AIWrap:
        returns = step.returns_type
        decode = result_decoder(step.fn) if returns is None else type_decoder(returns)
        return data if decode is None else decode(data)
    if cls is WaitForEvent and data is not None:
        return Event(data["name"], data.get("data"), id=data.get("id"), ts=data.get("ts"), meta=data.get("meta"))
    if cls is Fetch:
        return Response.from_json(data)
    returns = getattr(step, "returns_type", None)
    if returns is not None:
        decode = type_decoder(returns)
        return data if decode is None else decode(data)
    return data
