"""What an app registers: read, checked with the server's limits, refused with the server's words (behaviours E32 to E42)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from inngest_gen.testing.server import timespan
from inngest_gen.testing.server.expression import Expression, UnknownExpression
from inngest_gen.testing.server.ulid import named_uuid

__all__ = ["App", "Cancel", "Function", "Invalid", "Trigger", "read_app"]

_RETRIES: Final = 4
_MOST_RETRIES: Final = 20


class Invalid(ValueError):
    """A registration that is refused. `problems` are sentences, one for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """An event that starts a function. A last `*` after "/" or "." stands for the rest of the name (server: event_trigger_patterns)."""

    event: str
    expression: Expression | None

    def matches(self, name: str) -> bool:
        """Say whether an event of this name is meant."""
        return self.event == name or (self.event[-2:] in ("/*", ".*") and name.startswith(self.event[:-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """An event that cancels a function's runs."""

    event: str
    expression: Expression | None
    timeout: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A registered function. `id` is its UUID; `config` is all that was registered, options that this server does not enforce included."""

    slug: str
    id: str
    app: str
    url: str
    name: str
    triggers: tuple[Trigger, ...]
    cancel: tuple[Cancel, ...]
    retries: int
    finish_s: float | None
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A registered app: `name` is its id, `payload` the whole registration."""

    name: str
    id: str
    url: str
    sdk: str
    functions: tuple[Function, ...]
    payload: Mapping[str, Any]


def read_app(payload: Any) -> App:
    """Read a registration. Raises Invalid."""
    if not isinstance(payload, Mapping):
        raise Invalid(["Invalid request"])
    name = payload.get("appName") or payload.get("appname") or ""  # Go's decoder does not mind the case
    if not name:
        raise Invalid(["App ID required"])
    if not isinstance(name, str):
        raise Invalid(["Invalid request: appName must be a string"])
    app_id = named_uuid(name)
    functions, problems = [], []
    registered = payload.get("functions") or ()
    if not isinstance(registered, Sequence) or isinstance(registered, str):
        raise Invalid(["Invalid request: functions must be an array"])
    for raw in registered:
        shown = raw.get("id") if isinstance(raw, Mapping) else raw
        try:
            functions.append(_function(raw, name))
        except Invalid as invalid:
            problems += [f"function {shown}: {problem}" for problem in invalid.problems]
        except (AttributeError, TypeError, ValueError) as error:
            # Some field is of another type than the server's; which one hardly matters.
            problems.append(f"function {shown}: Invalid request: {error}")
    slugs = [function.slug for function in functions]
    problems += [f"function {slug} is there twice" for slug in sorted({slug for slug in slugs if slugs.count(slug) > 1})]
    if problems:
        raise Invalid(problems)
    return App(
        name=name,
        id=app_id,
        url=str(payload.get("url") or ""),
        sdk=str(payload.get("sdk") or ""),
        functions=tuple(functions),
        payload=payload,
    )


def _function(raw: Any, app: str) -> Function:
    if not isinstance(raw, Mapping):
        raise Invalid(["a function must be an object"])
    problems: list[str] = []
    slug, name = raw.get("id") or "", raw.get("name") or ""
    if not isinstance(slug, str) or not isinstance(name, str):
        raise Invalid(["id and name must be strings"])
    if not name:
        problems.append("A function name is required")
    steps = raw.get("steps") or {}
    if len(steps) != 1:
        raise Invalid([*problems, "Functions must contain one step"])
    step = next(iter(steps.values()))
    url = (step.get("runtime") or {}).get("url")
    if not isinstance(url, str):
        raise Invalid([*problems, f"No SDK URL provided for function '{name}'"])
    if not step.get("name"):
        problems.append("All steps must have a name")
    if urlsplit(url).scheme not in ("http", "https", "ws", "wss"):
        problems.append(f"Non-supported step schema: {urlsplit(url).scheme}")
    attempts = (step.get("retries") or {}).get("attempts", raw.get("retries"))
    retries = _RETRIES if attempts is None else min(int(attempts), _MOST_RETRIES)
    function = Function(
        slug=slug,
        id=named_uuid(name + url),
        app=app,
        url=url,
        name=name,
        triggers=tuple(_triggers(raw.get("triggers") or (), problems)),
        cancel=tuple(_cancels(raw.get("cancel") or (), problems)),
        retries=retries,
        finish_s=_span((raw.get("timeouts") or {}).get("finish"), "timeouts.finish", problems),
        config=raw,
    )
    _span((raw.get("timeouts") or {}).get("start"), "timeouts.start", problems)
    _check_flow(raw, problems)
    if problems:
        raise Invalid(problems)
    return function


def _expression(text: Any, problems: list[str]) -> Expression | None:
    if text is None:
        return None
    try:
        return Expression(str(text))
    except UnknownExpression as unknown:
        problems.append(str(unknown))
        return None


def _triggers(raws: Sequence[Mapping[str, Any]], problems: list[str]) -> list[Trigger]:
    if len(raws) > 10:
        problems.append("This function exceeds the max number of triggers: 10")
    triggers, seen = [], []
    for raw in raws:
        if raw in seen:
            problems.append(f"duplicate trigger {raw.get('event') or raw.get('cron')}")
        seen.append(raw)
        event, cron = raw.get("event"), raw.get("cron")
        if event and cron:
            problems.append("A trigger cannot have both an event and a cron trigger")
        elif event:
            if len(event) > 255:
                problems.append("event name is too long. maximum length is 255 characters")
            triggers.append(Trigger(event=event, expression=_expression(raw.get("expression"), problems)))
        elif cron:
            if len(str(cron).removeprefix("TZ=").split()) not in (5, 6):
                problems.append(f"'{cron}' isn't a valid cron schedule")
        else:
            problems.append("A trigger must supply an event name or a cron schedule")
    return triggers


def _cancels(raws: Sequence[Mapping[str, Any]], problems: list[str]) -> list[Cancel]:
    if len(raws) > 5:
        problems.append("This function exceeds the max number of cancellation events: 5")
    cancels = []
    for raw in raws:
        _span(raw.get("timeout"), "cancel.timeout", problems)
        cancels.append(Cancel(event=raw.get("event") or "", expression=_expression(raw.get("if"), problems), timeout=raw.get("timeout")))
    return cancels


def _span(text: Any, what: str, problems: list[str]) -> float | None:
    if text is None or text == "":
        return None
    try:
        return timespan.duration(str(text))
    except ValueError:
        problems.append(f"{what}: invalid duration {text!r}")
        return None


def _check_flow(raw: Mapping[str, Any], problems: list[str]) -> None:
    _check_concurrency(raw.get("concurrency"), problems)
    _check_batch(raw, problems)
    limit = raw.get("rateLimit")
    if limit is not None:
        if (limit.get("limit") or 0) <= 0:
            problems.append("limit must be greater than 0")
        period = _span(limit.get("period"), "rateLimit.period", problems) if limit.get("period") else None
        if period is None:
            problems.append("period must be specified")
        elif period > 86_400:
            problems.append("period must be less than 24h0m0s")
    debounce = raw.get("debounce")
    if debounce is not None:
        period = _span(debounce.get("period") or "?", "debounce.period", problems)
        if period is not None and not 1 <= period <= 7 * 86_400:
            problems.append(f"The debounce period of '{debounce.get('period')}' is not between 1s and 168h0m0s")
    throttle = raw.get("throttle")
    if throttle is not None:
        _span(throttle.get("period") or "?", "throttle.period", problems)
    singleton = raw.get("singleton")
    if singleton is not None and singleton.get("mode") not in ("skip", "cancel"):
        problems.append(f"{singleton.get('mode')} does not belong to SingletonMode values")


def _check_concurrency(value: Any, problems: list[str]) -> None:
    limits: Sequence[Any] = ()
    if isinstance(value, Mapping):
        limits = value.get("step") or () if "fn" in value or "step" in value else (value,)
        if len(value.get("fn") or ()) > 1:
            problems.append("Only one function concurrency limit is allowed")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        limits = value
    if len(limits) > 2:
        problems.append("There are more concurrency limits specified than the allowed max of: 2")


def _check_batch(raw: Mapping[str, Any], problems: list[str]) -> None:
    batch = raw.get("batchEvents")
    if batch is None:
        return
    if (batch.get("maxSize") or 0) < 2:
        problems.append(f"batch size cannot be smaller than 2: {batch.get('maxSize')}")
    timeout = _span(batch.get("timeout") or "?", "batchEvents.timeout", problems)
    if timeout is not None and timeout < 1:
        problems.append("batch timeout should be more than 1s")
    rivals = {"cancel": "cancellation", "debounce": "debouncing", "singleton": "singletons"}
    problems += [f"Batching and {what} are mutually exclusive" for key, what in rivals.items() if raw.get(key)]
    if (raw.get("priority") or {}).get("run"):
        problems.append("A function cannot specify Priority.Run and Batch together")
