"""Sessions on events: the two layers an SDK sends, folded into the one that events carry (server: pkg/event/sessions.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["resolve"]

_MOST: Final = 5
_KEY_BYTES: Final = 128
_ID_BYTES: Final = 512


def resolve(meta: Any) -> dict[str, str]:
    """Fold an event's meta into its sessions. Raises ValueError, with the server's words, for what the server refuses.

    Set by hand (`sessions`) wins over inherited (`propagated_sessions`), which fills what is free up to 5, by key. A null for a key cuts the
    inherited one, a null for all of `sessions` cuts them all.
    """
    if meta is None:
        return {}
    if not isinstance(meta, Mapping):
        raise ValueError("event meta must be an object")  # noqa: TRY004 - the server's answer is about the request
    inherited = _layer(meta.get("propagated_sessions"), nulls=False)
    manual: dict[str, str | None] = {}
    if "sessions" in meta and meta["sessions"] is None:
        inherited = {}
    else:
        manual = _layer(meta.get("sessions"), nulls=True)
    merged = {key: value for key, value in manual.items() if value is not None}
    for key in sorted(inherited, key=str.encode):
        if key not in manual and len(merged) < _MOST:
            merged[key] = str(inherited[key])
    _check(merged)
    return merged


def _layer(value: Any, *, nulls: bool) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("event sessions must be an object")  # noqa: TRY004 - as above
    layer: dict[str, str | None] = {}
    for key, one in value.items():
        if isinstance(one, bool) or not isinstance(one, str | int | float | None) or (one is None and not nulls):
            raise ValueError(f'event session "{key}" must be a string{", number, or null" if nulls else " or number"}')
        layer[key] = one if one is None or isinstance(one, str) else str(one)
    return layer


def _check(sessions: Mapping[str, str]) -> None:
    if len(sessions) > _MOST:
        raise ValueError(f"event sessions can include at most {_MOST} entries")
    for key, one in sessions.items():
        if not key:
            raise ValueError("event session keys cannot be empty")
        if len(key.encode()) > _KEY_BYTES:
            raise ValueError(f'event session key "{key}" exceeds {_KEY_BYTES} bytes')
        if not one:
            raise ValueError(f'event session "{key}" cannot have an empty ID')
        if len(one.encode()) > _ID_BYTES:
            raise ValueError(f'event session "{key}" exceeds {_ID_BYTES} bytes')
