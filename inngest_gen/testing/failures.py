"""What a test meets when the kit finds something: each says what was seen, where, and what to do.

CheckFailed (an AssertionError)
|- RunFailed               the output was asked of a run that has none
|- Stuck                   nothing more can happen, and the run has not ended
|- NotUsed                 a stand-in or an event was given, and nothing asked for it
|- ReplayMismatch          a handler that was rebuilt from its record did something else
|- HeldOverYield           a handler holds what Python would close when it is suspended
|- KillMismatch            a run that was cut ended differently
`- SimulationFailed        a simulated run failed; `plan` says with which faults
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inngest_gen.errors import ConfigError


def _rebuild(cls: type[CheckFailed], args: tuple[Any, ...], state: dict[str, Any]) -> CheckFailed:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class CheckFailed(AssertionError):
    """Something that the test kit found. `where` is the line it is about, as "file:line", or None."""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.where: str | None = where

    def __reduce__(self) -> tuple[Callable[..., CheckFailed], tuple[Any, ...]]:
        return _rebuild, (type(self), self.args, self.__dict__)


def is_found(excinfo: Any) -> bool:
    """Say whether pytest is about to show something that the kit has found, or a misuse of the kit: then its own frames say nothing."""
    return excinfo.errisinstance((CheckFailed, ConfigError)) is True


class RunFailed(CheckFailed):
    """The output was asked of a run that has failed, was cancelled, or has not ended."""


class Stuck(CheckFailed):
    """Nothing more can happen, and the run has not ended: it waits for what nobody gives."""


class NotUsed(CheckFailed):
    """A stand-in for a step, or an event, was given, and nothing asked for it: a misspelt id, most of the time."""


class ReplayMismatch(CheckFailed):
    """A handler did something else when it was rebuilt from its record: it would go wrong after a crash, a sleep or a redeploy."""


class HeldOverYield(CheckFailed):
    """A handler holds something over a yield that Python closes when the handler is suspended there."""


class KillMismatch(CheckFailed):
    """A run that was cut after a durable write ended differently from one that was not."""


class SimulationFailed(CheckFailed):
    """A simulated run failed. `plan` says with which faults and in which order, `seed` how to find it again; the failure is the `__cause__`."""

    def __init__(self, message: str, *, plan: Any = None, seed: int | None = None) -> None:
        super().__init__(message)
        self.plan: Any = plan
        self.seed: int | None = seed
