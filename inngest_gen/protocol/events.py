"""Events on their way to a server (J05, I24)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from inngest_gen.errors import ConfigError
from inngest_gen.event import Event
from inngest_gen.sessions import layered_meta

__all__ = ["wire_event"]

_OWN: Final = "inngest/"
_NAME_BYTES: Final = 512
_EARLIEST_MS: Final = 315_532_800_000
_LATEST_MS: Final = 4_102_444_800_000


def wire_event(event: Event, *, now: float, sessions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give an event as the server takes it, its data as it is; `now` (epoch seconds) is its time where it has none.

    `sessions` are those of the run that sends it, which the runs it starts inherit; None outside a run, and where they are not handed on.

    Raises ConfigError for what the server would refuse: a name of its own, or of more than 512 bytes; a time before 1980 or after 2100; sessions that
    are none.
    """
    if event.name.lower().startswith(_OWN):
        raise ConfigError(f"the event name {event.name!r} is reserved: names that start with {_OWN!r} are Inngest's own")
    if event.ts is not None and not _EARLIEST_MS <= event.ts < _LATEST_MS:
        raise ConfigError(f"the ts of event {event.name!r} is {event.ts}: it is in epoch milliseconds, between the years 1980 and 2100")
    try:
        size = len(event.name.encode())
        (event.id or "").encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the name or the id of event {event.name!r} holds a lone surrogate, which UTF-8 cannot encode") from None
    if size > _NAME_BYTES:
        raise ConfigError(f"the name of event {event.name[:40]!r}... has {size:,} bytes; the limit is {_NAME_BYTES}")
    wire: dict[str, Any] = {"name": event.name, "data": dict(event.data)}
    if event.id is not None:
        wire["id"] = event.id
    wire["ts"] = int(now * 1000) if event.ts is None else event.ts
    meta = layered_meta(event.meta, sessions)
    if meta is not None:
        wire["meta"] = meta
    return wire
