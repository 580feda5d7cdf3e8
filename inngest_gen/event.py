"""Event: what starts runs and wakes waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inngest_gen.errors import ConfigError


class _Fields:
    """The layout of an event."""

    __slots__ = ("data", "id", "meta", "name", "ts")

    name: str
    data: Mapping[str, Any]
    id: str | None
    ts: int | None
    meta: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Event(_Fields):
    """An event: `name`, `data` (a JSON object), `id` (deduplicates: one id starts a function once), `ts` (epoch milliseconds), `meta`.

    `id` and `ts` are filled in when it is sent. Raises ConfigError for an empty name or data that is no mapping.
    """

    name: str
    data: Mapping[str, Any]
    id: str | None
    ts: int | None
    meta: Mapping[str, Any] | None

    def __init__(
        self,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        ts: int | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"an event's name must be a non-empty string, not {name!r}")
        if data is None:
            data = {}
        elif data.__class__ is not dict and not isinstance(data, Mapping):  # asking an ABC takes longer than all the rest
            raise ConfigError(f"the data of event {name!r} must be a JSON object (a dict), not {type(data).__name__}")
        if id is not None and (not isinstance(id, str) or not id):
            raise ConfigError(f"the id of event {name!r} must be a non-empty string or None, not {id!r}")
        if ts is not None and (not isinstance(ts, int) or isinstance(ts, bool)):
            raise ConfigError(f"the ts of event {name!r} is in epoch milliseconds, an int, not {ts!r}")
        if meta is not None and not isinstance(meta, Mapping):
            raise ConfigError(f"the meta of event {name!r} must be a JSON object (a dict), not {type(meta).__name__}")
        put = object.__setattr__
        put(self, "name", name)
        put(self, "data", data)
        put(self, "id", id)
        put(self, "ts", ts)
        put(self, "meta", meta)


class _Draft(_Fields):
    """An event that can still be written."""

    __slots__ = ()


def read_event(name: str, data: dict[str, Any], id: str | None, ts: int | None, meta: dict[str, Any] | None) -> Event:
    """Make an event of parts that are right: in a third of the time of `Event`, since every call has one."""
    draft = _Draft()
    draft.name, draft.data, draft.id, draft.ts, draft.meta = name, data, id, ts, meta
    draft.__class__ = Event  # type: ignore[assignment]
    event: Event = draft  # type: ignore[assignment]
    return event
