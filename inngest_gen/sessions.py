"""Sessions: what groups runs. A run has those that all its events share, and hands them on to what it starts.

Promises: the layer that a user wrote and the inherited one are sent side by side, never merged: the server does that, and the user's wins (A62).
Sources: server pkg/event/sessions.go, behaviours A60 to A65, I25, I26.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from inngest_gen.errors import ConfigError
from inngest_gen.event import Event

__all__ = ["checked_sessions", "folded_meta", "handed_on", "layered_meta", "run_sessions"]

_PER_EVENT: Final = 5
_KEY_BYTES: Final = 128
_ID_BYTES: Final = 512

handed_on: ContextVar[tuple[object, Mapping[str, Any]] | None] = ContextVar("inngest_gen_sessions", default=None)
"""In the handler and the step bodies of a run that has sessions to hand on: its app and these. For what is sent without a context, by `app.send`."""


def run_sessions(events: Sequence[Event]) -> dict[str, str]:
    """Give the sessions of a run: the (key, id) pairs that every one of its events has, at most five, the first by key (I26)."""
    for event in events:
        if event.meta is not None:
            break
    else:
        return {}
    shared: dict[str, str] | None = None
    for event in events:
        own = _of(event)
        shared = own if shared is None else {key: id for key, id in shared.items() if own.get(key) == id}
    # Code points sort as their UTF-8 does, which is how the server sorts.
    return dict(sorted((shared or {}).items())[:_PER_EVENT])


def layered_meta(meta: Mapping[str, Any] | None, inherited: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give what goes on the wire as `meta` of an event, an invoke or a defer, or None for nothing.

    `meta` is what the user wrote; its `sessions` may hold None for a key, or be None, to cut what is inherited. `inherited` are the run's sessions,
    or None where they are not handed on. Raises ConfigError for sessions that are none, and for a meta that is no dict.
    """
    if meta is not None and not isinstance(meta, Mapping):
        raise ConfigError(f"meta must be a JSON object (a dict), not {type(meta).__name__}")
    written = dict(meta or {})
    if "sessions" in written:
        written["sessions"] = checked_sessions(written["sessions"], "meta.sessions")
        if written["sessions"] == {}:
            del written["sessions"]
    if inherited:
        written["propagated_sessions"] = checked_sessions(inherited, "the run's sessions", inherited=True)
    return written or None


def folded_meta(meta: Mapping[str, Any] | None, inherited: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give the meta of an event that an engine makes of the two layers, as the server does (B31, B33, A65): what the user wrote wins, what is
    inherited fills up to five, None cuts a key, and None for all of `sessions` cuts all. Raises ConfigError as `layered_meta` does.
    """
    layers = layered_meta(meta, inherited)
    if layers is None:
        return None
    given = layers.pop("propagated_sessions", {})
    own = layers.pop("sessions", {})
    if own is None:
        return layers or None
    sessions = {key: id for key, id in own.items() if id is not None}
    for key in sorted(given):
        if key not in own and len(sessions) < _PER_EVENT:
            sessions[key] = given[key]
    return {**layers, "sessions": sessions} if sessions else layers or None


def checked_sessions(sessions: object, what: str, *, inherited: bool = False) -> dict[str, str | None] | None:
    """Check sessions and give their ids as text: at most 5, keys of 1 to 128 bytes, ids of 1 to 512 (I25). None cuts, unless `inherited`.

    Raises ConfigError.
    """
    if sessions is None and not inherited:
        return None
    if not isinstance(sessions, Mapping):
        raise ConfigError(f"{what} must be a dict of strings, not {type(sessions).__name__}")
    checked = {_key(key, what): _id(id, f"{what}[{key!r}]", inherited=inherited) for key, id in sessions.items()}
    count = sum(id is not None for id in checked.values())
    if count > _PER_EVENT:
        raise ConfigError(f"{what} has {count} sessions, and at most {_PER_EVENT} are allowed")
    return checked


def _key(key: object, what: str) -> str:
    if not isinstance(key, str) or not 1 <= _size(key, what) <= _KEY_BYTES:
        raise ConfigError(f"a key of {what} is a string of 1 to {_KEY_BYTES} bytes, not {key!r:.200}")
    return key


def _id(id: object, what: str, *, inherited: bool) -> str | None:
    if id is None and not inherited:
        return None
    if isinstance(id, bool) or not isinstance(id, (str, int, float)):
        raise ConfigError(f"{what} must be a string or number, not {'None' if id is None else type(id).__name__}")
    text = id if isinstance(id, str) else _number(id, what)
    if not 1 <= _size(text, what) <= _ID_BYTES:
        raise ConfigError(f"{what} must have 1 to {_ID_BYTES} bytes, not {_size(text, what)}")
    return text


def _size(text: str, what: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ConfigError(f"{what} holds a lone surrogate, which UTF-8 cannot encode") from None


def _number(id: float, what: str) -> str:
    if isinstance(id, int):
        return str(id)
    if id - id != 0:  # infinities and NaN
        raise ConfigError(f"{what} must be a string or a finite number, not {id}")
    return str(int(id)) if id.is_integer() else repr(id)


def _of(event: Event) -> dict[str, str]:
    sessions = (event.meta or {}).get("sessions")
    if not isinstance(sessions, Mapping):
        return {}
    # What the server sends is text; a number would make 1 and "1" two.
    return {key: id if isinstance(id, str) else str(id) for key, id in sessions.items() if key and id is not None}
