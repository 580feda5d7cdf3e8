"""Triggers: what starts a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from inngest_gen.codecs import Schema
from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import ConfigError
from inngest_gen.event import Event
from inngest_gen.options.cron import check_cron
from inngest_gen.options.flow import check_expression

D = TypeVar("D")

TRIGGERS_PER_FUNCTION: Final = 10
NAME_BYTES: Final = 255
"""The server's `inngest.MaxEventNameLength`, of a trigger."""
MIN_JITTER_S: Final = 1
MAX_JITTER_S: Final = 300
"""The server's `inngest.MaxCronJitter`."""


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """Start on events named `name`; a `*` at the end or between dots or slashes matches anything. `if_` is a CEL expression over `event`."""

    name: str
    if_: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"a trigger names an event: a non-empty string, not {self.name!r}")
        if len(self.name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
            raise ConfigError(f"the event name {self.name[:40]!r}... of a trigger is longer than {NAME_BYTES} bytes")
        check_expression("EventTrigger.if_", self.if_)


@dataclass(frozen=True, slots=True)
class Cron:
    """Start on a schedule: five fields, in UTC, or in another zone as in "TZ=Europe/Paris 0 9 * * 1".

    `jitter` spreads the starts over a duration of 1 s to 5 min. Raises ConfigError.
    """

    expression: str
    jitter: Duration | None = None

    def __post_init__(self) -> None:
        check_cron(self.expression)
        if self.jitter is None:
            return
        try:
            length = seconds(self.jitter)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"Cron.jitter: {error}") from None
        if not MIN_JITTER_S <= length <= MAX_JITTER_S:
            raise ConfigError(f"Cron.jitter is 1 second to 5 minutes, not {self.jitter!r}")


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
    many = list(declared) if isinstance(declared, (list, tuple)) else [declared]
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
    _refuse_twins(result)
    return tuple(result)


def _refuse_twins(triggers: Sequence[EventTrigger | Cron | EventType[Any]]) -> None:
    seen: set[tuple[type, str, str | None]] = set()
    for one in triggers:
        # Of two schedules the server looks at the expression only.
        if isinstance(one, Cron):
            key: tuple[type, str, str | None] = (Cron, one.expression, None)
        else:
            key = (EventTrigger, one.name, one.if_ if isinstance(one, EventTrigger) else None)
        if key in seen:
            raise ConfigError(f"a function has the same trigger twice: {key[1]!r}")
        seen.add(key)
