"""Retries and backoff: how often an attempt is made again, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError

DEFAULT_RETRIES = 4
MAX_RETRIES = 20

Backoff = Duration | Sequence[Duration] | Callable[[int], Duration]
"""A fixed delay, one for each failed attempt (the last one repeats), or a function of the failed attempt's number, from 0."""


def retries(value: int | None, owner: str) -> int | None:
    """Check a number of retries: 0 to 20. Raises ConfigError."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_RETRIES:
        raise ConfigError(f"the retries of {owner} must be a whole number from 0 to {MAX_RETRIES}, not {value!r}")
    return value


def backoff(value: Backoff | None, owner: str) -> Callable[[int], float] | None:
    """Make a function of the failed attempt's number (from 0) that gives seconds. Raises ConfigError for what is no backoff."""
    if value is None:
        return None
    if callable(value):
        function = value
        return lambda attempt: seconds(function(attempt))
    try:
        if isinstance(value, Sequence) and not isinstance(value, str):
            delays = [seconds(one) for one in value]
            if not delays:
                raise ValueError("it is empty")
            return lambda attempt: delays[min(attempt, len(delays) - 1)]
        fixed = seconds(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the backoff of {owner} is a duration, a list of durations or a function of the attempt: {error}") from None
    return lambda _attempt: fixed
