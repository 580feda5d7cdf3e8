"""Checkpointing: how a function reports its steps to the server while it goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError

__all__ = ["Checkpointing", "checkpointing"]


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """Report steps to the server in batches while the handler goes on, instead of answering after each step.

    `buffered_steps`: after so many steps; a crash repeats at most those. `max_interval`: also after this duration since the last report; None:
    never. `max_runtime`: after this duration the next step is left to a request of its own; None: no limit. Raises ConfigError.
    The same three as in inngest-js (src/types.ts, CheckpointingOptions), where 0 stands for None.
    """

    buffered_steps: int = 1
    max_interval: Duration | None = None
    max_runtime: Duration | None = "10s"

    def __post_init__(self) -> None:
        steps = self.buffered_steps
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ConfigError(f"Checkpointing.buffered_steps is a whole number of at least 1, not {steps!r}")
        for name, value, none in (
            ("max_interval", self.max_interval, "reports by number only"),
            ("max_runtime", self.max_runtime, "sets no limit"),
        ):
            if _length(name, value) == 0:
                raise ConfigError(f"Checkpointing.{name} must be longer than 0; None {none}")

    @property
    def max_interval_s(self) -> float | None:
        """`max_interval` in seconds, or None."""
        return _length("max_interval", self.max_interval)

    @property
    def max_runtime_s(self) -> float:
        """`max_runtime` in seconds, infinity for None."""
        length = _length("max_runtime", self.max_runtime)
        return math.inf if length is None else length


def _length(name: str, value: Duration | None) -> float | None:
    if value is None:
        return None
    try:
        return seconds(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Checkpointing.{name}: {error}") from None


def checkpointing(value: object, owner: str, default: Checkpointing | None = None) -> Checkpointing | None:
    """Give what `checkpointing=` means: True is `default`, else plain `Checkpointing()`; False is None. Raises ConfigError."""
    if value is True:
        return default or Checkpointing()
    if value is False:
        return None
    if not isinstance(value, Checkpointing):
        raise ConfigError(f"the checkpointing of {owner} is True, False or ig.Checkpointing(...), not {value!r}")
    return value
