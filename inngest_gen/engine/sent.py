"""Sent: an event that has been checked and is ready to be stored."""

from __future__ import annotations

from dataclasses import dataclass

from inngest_gen import jsonvalue
from inngest_gen.driver.body import check_size
from inngest_gen.engine.rules.matching import OWN
from inngest_gen.errors import EngineError
from inngest_gen.event import Event

_EARLIEST_MS = 315_532_800_000
_LATEST_MS = 4_102_444_800_000


@dataclass(frozen=True, slots=True)
class Sent:
    """An event ready to be stored: its data as JSON."""

    event: Event
    data: bytes
    meta: bytes | None


def checked_event(event: Event) -> Sent:
    """Check an event from a user and give it with its data as JSON (I24). Raises EngineError, TooLarge, NotJSON."""
    if event.name.lower().startswith(OWN):
        raise EngineError(f"the event name {event.name!r} is reserved: names that start with {OWN!r} are the engine's own")
    try:
        f"{event.name}{event.id}".encode()
    except UnicodeEncodeError:
        raise EngineError(f"the name or the id of event {event.name!r} holds a lone surrogate, which UTF-8 cannot encode") from None
    data = event.data
    if "_inngest" in data:
        data = {key: value for key, value in data.items() if key != "_inngest"}
    encoded = jsonvalue.encode(data if isinstance(data, dict) else dict(data), f"the data of event {event.name!r}")
    check_size(f"event {event.name!r}", encoded)
    if event.ts is not None and not _EARLIEST_MS <= event.ts < _LATEST_MS:
        raise EngineError(f"the ts of event {event.name!r} is {event.ts}: it is in epoch milliseconds, between the years 1980 and 2100")
    meta = None if event.meta is None else jsonvalue.encode(dict(event.meta), f"the meta of event {event.name!r}")
    return Sent(event, encoded, meta)
