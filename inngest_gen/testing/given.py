"""At: an event that is sent when a time has come. And what a test may give for the event that starts a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from inngest_gen import jsonvalue
from inngest_gen.app.function import DeferredFunction, Function
from inngest_gen.calls.failure import Failure
from inngest_gen.durations import Duration
from inngest_gen.engine.rules import outcome
from inngest_gen.errors import ConfigError
from inngest_gen.event import Event
from inngest_gen.ids import nth_id
from inngest_gen.options.trigger import Cron, EventTrigger, EventType

PARENT: Final = nth_id(0, "parent", 0)
"""The run that deferred a function which a test runs alone; there is none."""


@dataclass(frozen=True, slots=True)
class At:
    """An event that is sent at `when`. Made by `at`."""

    when: Duration | datetime
    event: Event


def at(when: Duration | datetime, event: Event) -> At:
    """Send an event at a time: after a duration from the beginning of the test's time (`at("2h", event)`), or at an aware datetime."""
    if not isinstance(event, Event):
        raise ConfigError(f"testing.at takes an ig.Event, not {type(event).__name__}")
    return At(when, event)


def starting(function: Function, given: Any, now: float) -> tuple[str, Event]:
    """Give the kind of the run and the event that starts `function`, of what a test gives: an event, the event's data, or None.

    For a failure handler it may be the error that it handles. Raises ConfigError where no trigger tells the event's name, and SchemaError.
    """
    if isinstance(function, DeferredFunction):
        return "defer", _deferred(function, given)
    if function.kind == "failure":
        return "failure", _failed(function, given, nth_id(now, "failed", 0))
    if isinstance(given, Event):
        return "event", given
    triggers = function.options.triggers
    if not triggers:
        return "invoke", Event(outcome.INVOKED, _plain(given))
    for trigger in triggers:
        if isinstance(trigger, EventType):
            return "event", trigger({} if given is None else given)
        if isinstance(trigger, EventTrigger) and "*" not in trigger.name:
            return "event", Event(trigger.name, _plain(given))
        if isinstance(trigger, Cron):
            return "event", _scheduled(trigger, now)
    raise ConfigError(f"function {function.id!r} has no trigger that names an event: give an ig.Event")


def _deferred(function: DeferredFunction[Any], given: Any) -> Event:
    data = given.data if isinstance(given, Event) else given
    if function.schema is not None and not function.schema.is_async:
        data = function.schema.check({} if data is None else data)
    inner = {"fn_slug": function.slug, "parent_fn_slug": f"{function.app.id}-parent", "parent_run_id": PARENT}
    return Event(outcome.DEFERRED, {**_plain(data), "_inngest": inner})


def _failed(function: Function, given: Any, failed_run_id: str) -> Event:
    if isinstance(given, Event):
        return given
    failure = Failure.of(given) if isinstance(given, BaseException) else Failure(name="Error", message="" if given is None else str(given))
    slug = function.slug.removesuffix("-failure")
    return Event(outcome.FAILED, outcome.finish_data(slug, failed_run_id, {"name": "test", "data": {}}, "failed", failure.to_json(), None))


def _scheduled(trigger: Cron, now: float) -> Event:
    at = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
    return Event("inngest/scheduled.timer", {"cron": trigger.expression, "scheduledAt": at, "fireAt": at})


def _plain(data: Any) -> dict[str, Any]:
    value = jsonvalue.decode(jsonvalue.encode({} if data is None else data, "the event's data"))
    if not isinstance(value, Mapping):
        raise ConfigError(f"an event's data is a JSON object (a dict), not {type(data).__name__}")
    return dict(value)
