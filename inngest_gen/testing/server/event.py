"""Events as JSON objects: what comes in is checked and completed as the server does (server: pkg/event)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from inngest_gen.testing.server import sessions

__all__ = ["CANCELLED", "DEFERRED", "FAILED", "FINISHED", "INVOKED", "inbound", "shown", "stored"]

INVOKED: Final = "inngest/function.invoked"
FINISHED: Final = "inngest/function.finished"
FAILED: Final = "inngest/function.failed"
CANCELLED: Final = "inngest/function.cancelled"
DEFERRED: Final = "inngest/deferred.schedule"
OWN: Final = "_inngest"
"""The key of an event's data that is the server's."""

_FIRST_MS: Final = 315_532_800_000  # 1980
_LAST_MS: Final = 4_102_444_800_000  # 2100
_PREFIX: Final = "inngest/"


def inbound(value: Any, now: float) -> dict[str, Any]:
    """Check and complete an event that came over the event API; it may have no id yet. Raises ValueError with the server's words."""
    if not isinstance(value, Mapping):
        raise ValueError("an event must be a JSON object")  # noqa: TRY004 - the answer is about the request
    name = value.get("name") or ""
    if not isinstance(name, str):
        raise ValueError("event name must be a string")  # noqa: TRY004 - as above
    if name.lower().startswith(_PREFIX):
        raise ValueError(f"event name is reserved for internal use: {name}")
    data = value.get("data")
    if data is not None and not isinstance(data, Mapping):
        raise ValueError("event data must be a JSON object")
    ts = value.get("ts") or int(now * 1000)
    if isinstance(ts, bool) or not isinstance(ts, int):
        raise ValueError("event ts must be a whole number")  # noqa: TRY004 - as above
    folded = sessions.resolve(value.get("meta"))
    if not name:
        raise ValueError("event name is empty")
    if ts < _FIRST_MS:
        raise ValueError("timestamp is before Jan 1, 1980")
    if ts > _LAST_MS:
        raise ValueError("timestamp is after Jan 1, 2100")
    event_id = value.get("id") or ""
    if not isinstance(event_id, str):
        raise ValueError("event id must be a string")  # noqa: TRY004 - as above
    own = {key: one for key, one in (data or {}).items() if key != OWN}
    return stored(name, own, id=event_id, ts=ts, sessions=folded, v=value.get("v") or "", user=value.get("user"))


def stored(
    name: str,
    data: Mapping[str, Any],
    *,
    id: str,
    ts: int,
    sessions: Mapping[str, str] | None = None,
    v: str = "",
    user: Any = None,
) -> dict[str, Any]:
    """Make an event as the server keeps it: what is empty is left out."""
    event: dict[str, Any] = {"data": dict(data), "id": id, "name": name, "ts": ts}
    if v:
        event["v"] = v
    if sessions:
        event["meta"] = {"sessions": dict(sessions)}
    if user:
        event["user"] = user
    return event


def shown(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give an event as call requests and memoized waits show it: `user` is always there."""
    return {**event, "user": event.get("user") or {}}
