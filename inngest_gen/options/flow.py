"""Flow control: how many runs, how fast, in what groups. The embedded engine refuses these at start until it honours them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError


def _positive(owner: str, name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{owner}.{name} is a whole number of at least 1, not {value!r}")


def _lasting(owner: str, name: str, value: Duration | None) -> None:
    if value is not None and seconds(value) <= 0:
        raise ConfigError(f"{owner}.{name} must be longer than 0")


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` steps at once, for each value of the CEL expression `key`; `scope` is "fn", "env" or "account"."""

    limit: int
    key: str | None = None
    scope: Literal["fn", "env", "account"] = "fn"

    def __post_init__(self) -> None:
        _positive("Concurrency", "limit", self.limit)
        if self.scope not in {"fn", "env", "account"}:
            raise ConfigError(f'Concurrency.scope is "fn", "env" or "account", not {self.scope!r}')


@dataclass(frozen=True, slots=True)
class Throttle:
    """Start at most `limit` runs in each `period`, later ones wait; `burst` more may start at once."""

    limit: int
    period: Duration
    burst: int = 1
    key: str | None = None

    def __post_init__(self) -> None:
        _positive("Throttle", "limit", self.limit)
        _positive("Throttle", "burst", self.burst)
        _lasting("Throttle", "period", self.period)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Start at most `limit` runs in each `period`, further events are dropped."""

    limit: int
    period: Duration
    key: str | None = None

    def __post_init__(self) -> None:
        _positive("RateLimit", "limit", self.limit)
        _lasting("RateLimit", "period", self.period)


@dataclass(frozen=True, slots=True)
class Debounce:
    """Start once no further event has come for `period`, with the latest one; `timeout` caps the wait."""

    period: Duration
    key: str | None = None
    timeout: Duration | None = None

    def __post_init__(self) -> None:
        _lasting("Debounce", "period", self.period)
        _lasting("Debounce", "timeout", self.timeout)


@dataclass(frozen=True, slots=True)
class Batch:
    """Start with up to `max_size` events at once, at the latest after `timeout`."""

    max_size: int
    timeout: Duration
    key: str | None = None
    if_: str | None = None

    def __post_init__(self) -> None:
        _positive("Batch", "max_size", self.max_size)
        _lasting("Batch", "timeout", self.timeout)


@dataclass(frozen=True, slots=True)
class Singleton:
    """One run at a time: `mode` "skip" drops a second start, "cancel" cancels the earlier run."""

    key: str | None = None
    mode: Literal["skip", "cancel"] = "skip"

    def __post_init__(self) -> None:
        if self.mode not in {"skip", "cancel"}:
            raise ConfigError(f'Singleton.mode is "skip" or "cancel", not {self.mode!r}')


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Cancel a run that has not started within `start`, or not finished within `finish` of its start."""

    start: Duration | None = None
    finish: Duration | None = None

    def __post_init__(self) -> None:
        _lasting("Timeouts", "start", self.start)
        _lasting("Timeouts", "finish", self.finish)


@dataclass(frozen=True, slots=True)
class CancelOn:
    """Cancel a run when an event named `event` comes that matches it."""

    event: str
    if_: str | None = None
    match: str | None = None
    timeout: Duration | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.event, str) or not self.event:
            raise ConfigError(f"CancelOn names an event: a non-empty string, not {self.event!r}")
        if self.if_ is not None and self.match is not None:
            raise ConfigError("CancelOn takes if_ or match, not both")
        _lasting("CancelOn", "timeout", self.timeout)
