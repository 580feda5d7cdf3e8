"""Combination: which flow-control options a function may declare together, and how many of each.

Promises: what the server refuses, or would ignore in silence, is an error at declaration that says why
(server: pkg/inngest/function.go `Validate`, pkg/sdk/function.go, pkg/execution/executor/executor.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from inngest_gen.errors import ConfigError
from inngest_gen.options.flow import Batch, CancelOn, Concurrency, Debounce, RateLimit, Singleton, Throttle, Timeouts, check_expression

__all__ = ["OPTIONS", "flow_control"]

STEP_LIMITS: Final = 2
"""The server's `consts.MaxConcurrencyLimits`."""
CANCELLATIONS: Final = 5
"""The server's `consts.MaxCancellations`."""

_TYPES: Final[Mapping[str, type]] = {
    "throttle": Throttle, "rate_limit": RateLimit, "debounce": Debounce, "batch": Batch, "singleton": Singleton, "timeouts": Timeouts,
}  # fmt: skip
OPTIONS: Final = frozenset({*_TYPES, "concurrency", "priority", "idempotency", "cancel_on"})
"""The names of all flow-control options of `app.function`."""

_CLASHES: Final[tuple[tuple[str, str, str], ...]] = (
    ("batch", "cancel_on", "the server refuses both: a batch has no single event to match a cancelling one with"),
    ("batch", "debounce", "the server refuses both: one collects events, the other drops all but the latest"),
    ("batch", "singleton", "the server refuses both"),
    ("batch", "priority", "the server refuses both: a batch has no single event to take the priority from"),
    ("batch", "rate_limit", "the server would start batches without regard to the limit"),
    ("batch", "idempotency", "the server would start batches without regard to the key"),
    ("idempotency", "rate_limit", "idempotency is a rate limit of one run a key in 24 hours, and would replace the other"),
)


def flow_control(declared: Mapping[str, Any], owner: str, *, kind: Literal["main", "defer"] = "main") -> dict[str, Any]:
    """Check the flow-control options of a function, by name; gives those that were declared. `owner` is the function, for messages.

    Of `concurrency` and `cancel_on` it gives tuples. Raises TypeError for a name that does not exist, ConfigError for all else.
    """
    unknown = sorted(set(declared) - OPTIONS)
    if unknown:
        raise TypeError(f"{owner} got options that do not exist: {', '.join(unknown)}; there are: {', '.join(sorted(OPTIONS))}")
    given = {name: value for name, value in declared.items() if value is not None and not (name == "cancel_on" and _is_empty(value))}
    for name, value in given.items():
        if name in _TYPES:
            _check_type(owner, name, value, _TYPES[name])
    if "concurrency" in given:
        given["concurrency"] = _limits(given["concurrency"], owner)
    if "cancel_on" in given:
        given["cancel_on"] = _cancellations(given["cancel_on"], owner)
    for name in ("priority", "idempotency"):
        check_expression(f"the {name} of {owner}", given.get(name))
    if kind == "defer" and "batch" in given:
        raise ConfigError(f"{owner} cannot batch: each defer starts a run of its own")
    for one, other, why in _CLASHES:
        if one in given and other in given:
            raise ConfigError(f"{owner} declares {one} and {other}, which do not go together: {why}")
    return given


def _is_empty(value: object) -> bool:
    return isinstance(value, Sequence) and not value


def _check_type(owner: str, name: str, value: object, expected: type) -> None:
    if not isinstance(value, expected):
        raise ConfigError(f"the {name} of {owner} is ig.{expected.__name__}(...), not {value!r}")


def _limits(value: Any, owner: str) -> tuple[Concurrency, ...]:
    wrong = ConfigError(f"the concurrency of {owner} is a whole number, ig.Concurrency(...) or a list of those, not {value!r}")
    if isinstance(value, int):
        return (Concurrency(value),)
    if isinstance(value, Concurrency):
        return (value,)
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise wrong
    limits = tuple(Concurrency(one) if isinstance(one, int) else one for one in value)
    if not all(isinstance(one, Concurrency) for one in limits):
        raise wrong
    if sum(one.of == "steps" for one in limits) > STEP_LIMITS:
        raise ConfigError(f"{owner} declares more than {STEP_LIMITS} limits to the concurrency of steps, which is as many as there may be")
    if sum(one.of == "runs" for one in limits) > 1:
        raise ConfigError(f"{owner} declares more than one limit to the concurrency of runs")
    return limits


def _cancellations(value: Any, owner: str) -> tuple[CancelOn, ...]:
    many = (value,) if isinstance(value, CancelOn) else value
    if not isinstance(many, Sequence) or not all(isinstance(one, CancelOn) for one in many):
        raise ConfigError(f"the cancel_on of {owner} is a list of ig.CancelOn(...), not {value!r}")
    if len(many) > CANCELLATIONS:
        raise ConfigError(f"{owner} declares {len(many)} events that cancel it; there may be {CANCELLATIONS}")
    return tuple(many)
