"""When the next attempt comes (behaviour I01)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

DELAYS_S: Final = (15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200)
JITTER_S: Final = 30


def default_delay(failed_attempt: int, key: str) -> float:
    """Give the delay in seconds after the attempt `failed_attempt` (from 0): the table, plus 0 to 30 s that depend on `key` alone."""
    return DELAYS_S[min(failed_attempt, len(DELAYS_S) - 1)] + Random(f"{key}:{failed_attempt}").random() * JITTER_S  # noqa: S311 - spreads load


def next_attempt(
    failed_attempt: int,
    key: str,
    now: float,
    *,
    backoff: Callable[[int], float] | None,
    retry_in: float | None,
    retry_at: float | None,
) -> float:
    """Give the moment of the next attempt: what RetryAfterError asked for, else the declared backoff, else the default table."""
    if retry_at is not None:
        return max(now, retry_at)
    if retry_in is not None:
        return now + retry_in
    return now + (backoff(failed_attempt) if backoff is not None else default_delay(failed_attempt, key))
