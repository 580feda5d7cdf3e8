"""Triggers: what starts a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from inngest_gen.codecs import Schema
from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError
from inngest_gen.event import Event

D = TypeVar("D")

TRIGGERS_PER_FUNCTION = 10


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """Start on events named `name`; a `*` at the end or between dots or slashes matches anything. `if_` is a CEL expression over `event`."""

    name: str
    if_: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"a trigger names an event: a non-empty string, not {self.name!r}")


@dataclass(frozen=True, slots=True)
class Cron:
    """Start on a schedule: five fields, UTC. `jitter` spreads starts over a duration of at least 1 s."""

    expression: str
    jitter: Duration | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.expression, str) or len(self.expression.replace("TZ=", "").split()) < 5:
            raise ConfigError(f"a cron expression has five fields, such as '0 9 * * 1', not {self.expression!r}")
        if self.jitter is not None and seconds(self.jitter) < 1:
            raise ConfigError("the jitter of a cron trigger is at least 1 second")


class EventType(Generic[D]):
    """An event's name and the schema of its data: a typed trigger. Calling it makes an event: `order_placed({"order_id": "o1"})`."""

    __slots__ = ("name", "schema")

    def __init__(self, name: str, schema: type[D]) -> None:
        EventTrigger(name)
        self.name: str = name
        self.schema: Schema = Schema.of(schema)

    def __call__(self, data: D | Mapping[str, Any], *, id: str | None = None, ts: int | None = None) -> Event:
        """Make an event of this type. Raises SchemaError for data that doesn't fit."""
        from inngest_gen import jsonvalue

        checked = self.schema.check(data)
        plain = jsonvalue.decode(jsonvalue.encode(checked, f"the data of event {self.name!r}"))
        return Event(self.name, plain, id=id, ts=ts)


Trigger = str | EventTrigger | Cron | EventType[Any]


def triggers(declared: Trigger | Sequence[Trigger] | None) -> tuple[EventTrigger | Cron | EventType[Any], ...]:
    """Check a function's triggers. Raises ConfigError."""
    if declared is None:
        return ()
    many = [declared] if isinstance(declared, (str, EventTrigger, Cron, EventType)) else list(declared)
    if len(many) > TRIGGERS_PER_FUNCTION:
        raise ConfigError(f"a function has at most {TRIGGERS_PER_FUNCTION} triggers, not {len(many)}")
    result: list[EventTrigger | Cron | EventType[Any]] = []
    for one in many:
        if isinstance(one, str):
            result.append(EventTrigger(one))
        elif isinstance(one, (EventTrigger, Cron, EventType)):
            result.append(one)
        else:
            raise ConfigError(f"a trigger is an event's name, ig.EventTrigger, ig.Cron or ig.EventType, not {one!r}")
    return tuple(result)
