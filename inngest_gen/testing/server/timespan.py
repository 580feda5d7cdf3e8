"""Durations and moments as Inngest's server reads them: "1h30m", "10s", "2026-01-31T09:00:00Z"."""

from __future__ import annotations

import email.utils
import re
from datetime import UTC, datetime
from typing import Final

__all__ = ["YEAR_S", "duration", "expiry", "retry_at", "sleep_end"]

YEAR_S: Final = 365 * 86_400.0
"""How long a wait without a timeout lasts, in seconds."""
LIMIT_S: Final = 366 * 86_400.0
"""How long a sleep or a wait may last at most, in seconds."""

_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|us|µs|ns|[wdhms])")
_DAY_S: Final = 86_400


def duration(text: str) -> float:
    """Read a duration, in seconds. Raises ValueError."""
    sign = -1 if text.startswith("-") else 1
    rest = text.lstrip("+-")
    if rest == "0":
        return 0.0
    total, position = 0.0, 0
    while part := _PART.match(rest, position):
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not rest or position != len(rest):
        raise ValueError(f"invalid duration {text!r}")
    return sign * total


def _moment(text: str) -> float:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"invalid RFC 3339 timestamp {text!r}") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def expiry(text: str, now: float) -> float:
    """Read a timeout, which is a duration from now or an RFC 3339 moment, as a moment. Raises ValueError (server: pkg/util/strtimeout)."""
    try:
        return now + duration(text)
    except ValueError:
        if "T" not in text:
            raise
    return _moment(text)


def sleep_end(text: str, now: float) -> float:
    """Read what a Sleep op says as the moment at which it ends, never before now. Raises ValueError."""
    if not text:
        return now
    if len(text) >= 10:
        try:
            return max(now, _moment(text))
        except ValueError:
            pass
    return now + max(0.0, duration(text))


def retry_at(header: str, now: float) -> float | None:
    """Read a Retry-After header: whole seconds, or a date in one of the usual forms; from 1 s to 24 h. None where it is neither.

    Seconds count from the beginning of the current one (server: httpdriver/parse.go), so that "1" may be over at once.
    """
    if not header:
        return None
    whole = float(int(now))
    if len(header) <= 7 and header.isascii() and header.isdigit() and int(header) > 0:
        at = whole + int(header)
    else:
        try:
            at = _moment(header)
        except ValueError:
            try:
                at = email.utils.parsedate_to_datetime(header).timestamp()
            except (TypeError, ValueError):
                return None
    if at - now > _DAY_S:
        return whole + _DAY_S
    return max(at, whole + 1) if at - now < 1 else at
