"""Flow control: how many runs, how fast, in what groups, for how long. Values that are checked on construction.

Promises: what is accepted here the server accepts (server: pkg/inngest/function.go, concurrency.go, batch.go, pkg/consts); a refusal names the field
and the limit. The embedded engine refuses these at start until it honours them.
Refuses: periods below a second. Other lengths the server counts in whole seconds, rounded up (durations.py, `wire`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError

__all__ = ["Batch", "CancelOn", "Concurrency", "Debounce", "RateLimit", "Singleton", "Throttle", "Timeouts", "check_expression"]

_DAY_S: Final = 86_400
MAX_RATE_LIMIT_S: Final = _DAY_S
"""The server's `consts.FunctionIdempotencyPeriod`."""
MAX_DEBOUNCE_S: Final = 7 * _DAY_S
"""The server's `consts.MaxDebouncePeriod`."""
MIN_BATCH: Final = 2


def check_expression(what: str, value: object) -> None:
    """Check that `value` is a CEL expression at first sight, or None. Raises ConfigError."""
    if value is None:
        return
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{what} is an expression such as 'event.data.user_id', not {value!r}")
    if "{{" in value:
        raise ConfigError(f"{what} is an expression such as 'event.data.user_id', without {{{{ }}}}: {value!r}")


def _whole(what: str, value: object, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{what} is a whole number of at least {least}, not {value!r}")


def _lasting(what: str, value: Duration | None) -> float | None:
    if value is None:
        return None
    try:
        length = seconds(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}: {error}") from None
    if length <= 0:
        raise ConfigError(f"{what} must be longer than 0")
    return length


def _span(what: str, value: Duration, most: float | None = None, most_told: str = "") -> None:
    length = _lasting(what, value)
    if length is None or length < 1:
        raise ConfigError(f"{what} is at least 1 second, not {value!r}")
    if most is not None and length > most:
        raise ConfigError(f"{what} is at most {most_told}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` at once, for each value of the CEL expression `key`.

    `of` says of what: "steps" that run at the same moment, or "runs" from their start to their end, asleep or not. `scope` says among whose: the
    function's ("fn"), or with a key those of all functions of the "env" or the "account" that have the same. Raises ConfigError.
    """

    limit: int
    key: str | None = None
    scope: Literal["fn", "env", "account"] = "fn"
    of: Literal["steps", "runs"] = "steps"

    def __post_init__(self) -> None:
        _whole("Concurrency.limit", self.limit)
        check_expression("Concurrency.key", self.key)
        if self.scope not in {"fn", "env", "account"}:
            raise ConfigError(f'Concurrency.scope is "fn", "env" or "account", not {self.scope!r}')
        if self.of not in {"steps", "runs"}:
            raise ConfigError(f'Concurrency.of is "steps" or "runs", not {self.of!r}')
        if self.scope != "fn" and self.of == "runs":
            raise ConfigError(f'Concurrency of "runs" counts those of its own function: its scope is "fn", not {self.scope!r}')
        if self.scope != "fn" and self.key is None:
            raise ConfigError(
                f"Concurrency with the scope {self.scope!r} needs a key, which names what is counted together: key='\"openai\"'"
            )


@dataclass(frozen=True, slots=True)
class Throttle:
    """Start at most `limit` runs in each `period`, for each value of `key`; later ones wait. `burst` more may start at once.

    `period` is at least 1 s. Raises ConfigError.
    """

    limit: int
    period: Duration
    burst: int = 1
    key: str | None = None

    def __post_init__(self) -> None:
        _whole("Throttle.limit", self.limit)
        _whole("Throttle.burst", self.burst)
        _span("Throttle.period", self.period)
        check_expression("Throttle.key", self.key)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Start at most `limit` runs in each `period`, for each value of `key`; further events are dropped.

    `period` is 1 s to 24 h. Raises ConfigError.
    """

    limit: int
    period: Duration
    key: str | None = None

    def __post_init__(self) -> None:
        _whole("RateLimit.limit", self.limit)
        _span("RateLimit.period", self.period, MAX_RATE_LIMIT_S, "24 hours")
        check_expression("RateLimit.key", self.key)


@dataclass(frozen=True, slots=True)
class Debounce:
    """Start once no further event has come for `period`, with the latest one, for each value of `key`; `timeout` caps the wait.

    `period` is 1 s to 7 days. Raises ConfigError.
    """

    period: Duration
    key: str | None = None
    timeout: Duration | None = None

    def __post_init__(self) -> None:
        _span("Debounce.period", self.period, MAX_DEBOUNCE_S, "7 days")
        _lasting("Debounce.timeout", self.timeout)
        check_expression("Debounce.key", self.key)


@dataclass(frozen=True, slots=True)
class Batch:
    """Start with up to `max_size` events at once, at the latest `timeout` after the first, for each value of `key`.

    `max_size` is at least 2, `timeout` at least 1 s. An event for which `if_` is not true starts a run of its own. Raises ConfigError.
    """

    max_size: int
    timeout: Duration
    key: str | None = None
    if_: str | None = None

    def __post_init__(self) -> None:
        _whole("Batch.max_size", self.max_size, MIN_BATCH)
        _span("Batch.timeout", self.timeout)
        check_expression("Batch.key", self.key)
        check_expression("Batch.if_", self.if_)


@dataclass(frozen=True, slots=True)
class Singleton:
    """One run at a time, for each value of `key`: `mode` "skip" drops a second start, "cancel" cancels the earlier run. Raises ConfigError."""

    key: str | None = None
    mode: Literal["skip", "cancel"] = "skip"

    def __post_init__(self) -> None:
        check_expression("Singleton.key", self.key)
        if self.mode not in {"skip", "cancel"}:
            raise ConfigError(f'Singleton.mode is "skip" or "cancel", not {self.mode!r}')


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Cancel a run that has not started within `start`, or not finished within `finish` of its start. Raises ConfigError."""

    start: Duration | None = None
    finish: Duration | None = None

    def __post_init__(self) -> None:
        _lasting("Timeouts.start", self.start)
        _lasting("Timeouts.finish", self.finish)
        if self.start is None and self.finish is None:
            raise ConfigError("Timeouts needs start, finish or both")


@dataclass(frozen=True, slots=True)
class CancelOn:
    """Cancel a run when an event named `event` comes that matches it.

    `match` names a path such as "data.order_id" whose value must be the same in both events; `if_` is an expression over `event`, the run's, and
    `async`, the one that comes. After `timeout` such events cancel no more. Raises ConfigError.
    """

    event: str
    if_: str | None = None
    match: str | None = None
    timeout: Duration | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.event, str) or not self.event:
            raise ConfigError(f"CancelOn names an event: a non-empty string, not {self.event!r}")
        if self.if_ is not None and self.match is not None:
            raise ConfigError("CancelOn takes if_ or match, not both")
        check_expression("CancelOn.if_", self.if_)
        if self.match is not None and (not isinstance(self.match, str) or not self.match):
            raise ConfigError(f"CancelOn.match is a path such as 'data.order_id', not {self.match!r}")
        _lasting("CancelOn.timeout", self.timeout)
