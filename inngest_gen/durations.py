"""Durations and moments as users write them: "1h30m", 90, timedelta(days=2); aware datetimes and RFC 3339 strings.

Promises: what is accepted is exact to the millisecond, not negative and at most 1,000 years; every refusal says what is allowed.
Refuses: to guess, whether a unit for a bare number in a string or a timezone for a naive datetime.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

__all__ = ["Duration", "moment", "seconds", "utc", "wire"]

Duration: TypeAlias = str | int | float | timedelta
"""A length of time: a string such as "1h30m", a number of seconds, or a timedelta."""

_LONGEST_S: Final = 1000 * 365.25 * 86_400  # beyond the year 9999 no datetime can say when it ends
_FIRST_S: Final = datetime.min.replace(tzinfo=UTC).timestamp()
_LAST_S: Final = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()
_UNITS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}  # in milliseconds, longest first
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_PART: Final = re.compile(rf"({_NUMBER}) ?(ms|[wdhms])")
_BARE: Final = re.compile(_NUMBER)
_ALLOWED: Final = 'allowed are a string such as "1h30m" (units w d h m s ms), a number of seconds, or a timedelta'


def seconds(value: Duration) -> float:
    """Give a duration in seconds.

    A string holds numbers with units (w d h m s ms), each unit once: "1h30m", "2d 12h", "500ms", "1.5h".

    Raises ValueError for text that is no duration and for what is negative, not finite or longer than 1,000 years, TypeError for any other
    type.
    """
    given: object = value  # callers are not always type-checked
    if isinstance(given, str):
        length = _parse(given)
    elif isinstance(given, timedelta):
        length = given.total_seconds()
    elif isinstance(given, int | float) and not isinstance(given, bool):
        try:
            length = float(given)
        except OverflowError:
            raise ValueError(f"a duration of more than 1e308 seconds is too long; {_ALLOWED}") from None
    else:
        raise TypeError(f"{value!r} (type {type(value).__name__}) is no duration; {_ALLOWED}")
    if not math.isfinite(length):
        raise ValueError(f"the duration {value!r} is not finite; {_ALLOWED}")
    if length < 0:
        raise ValueError(f"the duration {value!r} is negative; a duration is 0 or longer")
    if length > _LONGEST_S:
        raise ValueError(f"a duration of {length:g} seconds is too long; the longest is 1,000 years")
    return length


@lru_cache(maxsize=256)  # a replay parses the same few again and again
def _parse(text: str) -> float:
    stripped = text.strip(" ")
    if _BARE.fullmatch(stripped):
        raise ValueError(f'the duration {text!r} has no unit: add one ("{stripped}s" is {stripped} seconds), or pass a number of seconds')
    millis, seen, position = 0.0, set[str](), 0
    while part := _PART.match(stripped, position):
        number, unit = part.groups()
        if unit in seen:
            raise ValueError(f"the duration {text!r} has the unit {unit!r} twice")
        seen.add(unit)
        millis += float(number) * _UNITS[unit]
        position = part.end()
        while stripped[position : position + 1] == " ":
            position += 1
    if not seen or position != len(stripped):
        raise ValueError(f"{text!r} is no duration; {_ALLOWED}")
    return millis / 1000


def moment(when: datetime | str) -> float:
    """Give a moment in seconds since the epoch (UTC).

    `when` is an aware datetime, or an RFC 3339 string with an offset or Z, such as "2026-01-31T09:00:00Z".

    Raises ValueError for a moment without a timezone and for text that is no moment, TypeError for any other type.
    """
    if isinstance(when, datetime):
        parsed = when
    elif isinstance(when, str):
        try:
            parsed = datetime.fromisoformat(when.upper())  # RFC 3339 allows "t" and "z"
        except ValueError:
            raise ValueError(f'{when!r} is no moment; allowed are an aware datetime or a string such as "2026-01-31T09:00:00Z"') from None
    else:
        raise TypeError(
            f"{when!r} (type {type(when).__name__}) is no moment; allowed are an aware datetime, such as datetime.now(timezone.utc), "
            'or a string such as "2026-01-31T09:00:00Z"'
        )
    if parsed.utcoffset() is None:
        raise ValueError(
            f"the moment {when!r} has no timezone, so it is another moment on another machine: add one, "
            'as in datetime.now(timezone.utc) or "2026-01-31T09:00:00Z"'
        )
    return parsed.timestamp()


def utc(at: float) -> datetime:
    """Give a moment in seconds since the epoch as an aware datetime; what lies before the year 1 or after 9999 is the first or last moment."""
    return datetime.fromtimestamp(min(max(at, _FIRST_S), _LAST_S), UTC)


def wire(seconds: float) -> str:
    """Write a duration (in seconds) as Inngest's server reads it: whole seconds, rounded up, at least one; 5400 is "1h30m".

    Raises ValueError for what is negative or not finite. (Inngest's SDKs disagree below a second; this is behaviour K12's decision.)
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{seconds!r} is no duration: it must be finite and not negative")
    # A difference of two epoch times is off by a fraction of a microsecond; that is no reason to wait a second more.
    left = max(1, math.ceil(round(seconds, 6))) * 1000
    parts: list[str] = []
    for unit, millis in _UNITS.items():
        count, left = divmod(left, millis)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
