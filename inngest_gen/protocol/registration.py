"""Registration: telling a server which functions an app has, where, and with which options.

Out of band the SDK posts the list to the server's API; in band it is the reply to the server's own request. Promises: an option is written as the
server reads it, durations in whole seconds. Facts: section E3 of the protocol notes, SDK_SPEC 4.3, server pkg/inngest/function.go and pkg/sdk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from inngest_gen.durations import Duration, seconds, wire
from inngest_gen.options.flow import Batch, CancelOn, Concurrency, Debounce, RateLimit, Singleton, Throttle, Timeouts
from inngest_gen.options.trigger import Cron, EventTrigger, EventType
from inngest_gen.protocol.call import BadCall
from inngest_gen.protocol.ops import match_expression
from inngest_gen.protocol.reply import Reply
from inngest_gen.protocol.sdk import CAPABILITIES, LANGUAGE, SDK, VERSION

__all__ = [
    "AppEntry",
    "FunctionEntry",
    "Kind",
    "asks_in_band",
    "deploy_id",
    "in_band_reply",
    "in_band_url",
    "register_body",
    "registered_reply",
]

Kind: TypeAlias = Literal["main", "failure", "defer"]

SYNC_KIND: Final = "x-inngest-sync-kind"
FAILURE_SUFFIX: Final = "-failure"
_FAILED: Final = "inngest/function.failed"
_DEFERRED: Final = "inngest/deferred.schedule"
_INVOKED: Final = "inngest/function.invoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionEntry:
    """A function to be registered. `slug` is "{app id}-{id}", and "{app id}-{id}-failure" for a failure handler; `kind` decides its triggers.

    `flow` holds its flow-control options by the names they have in `app.function`: concurrency, throttle, rate_limit, debounce, priority, batch,
    idempotency, singleton, timeouts, cancel_on.
    """

    slug: str
    name: str
    kind: Kind = "main"
    triggers: Sequence[EventTrigger | Cron | EventType[Any]] = ()
    retries: int | None = None
    flow: Mapping[str, Any] = field(default_factory=dict)

    def wire(self, url: str, *, runtime: Literal["http", "ws"] = "http") -> dict[str, Any]:
        """Give it as the server reads it; `url` is where the app is served (E36, E37, E40, A71)."""
        step: dict[str, Any] = {"id": "step", "name": "step", "runtime": {"type": runtime, "url": function_url(url, self.slug)}}
        if self.retries is not None:
            step["retries"] = {"attempts": self.retries}
        entry: dict[str, Any] = {"id": self.slug, "name": self.name, "triggers": self._triggers(), "steps": {"step": step}}
        for option, value in self.flow.items():
            if value is not None and value != ():
                name, write = _OPTIONS[option]
                entry[name] = write(value)
        return entry

    def _triggers(self) -> list[dict[str, Any]]:
        match self.kind:
            case "failure":
                return [{"event": _FAILED, "expression": f"event.data.function_id == {_cel(self.slug.removesuffix(FAILURE_SUFFIX))}"}]
            case "defer":
                return [{"event": _DEFERRED, "expression": f"event.data._inngest.fn_slug == {_cel(self.slug)}"}]
            case "main":
                return [
                    _trigger(one) for one in self.triggers if getattr(one, "name", None) != _INVOKED
                ]  # else any invoke would start it (E39)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppEntry:
    """An app to be registered: its id, where it is served, by what, and its functions."""

    id: str
    url: str
    framework: str
    functions: Sequence[FunctionEntry]
    version: str | None = None

    def entries(self) -> list[dict[str, Any]]:
        """Give the functions as the server reads them."""
        return [one.wire(self.url) for one in self.functions]


# Out of band.


def register_body(app: AppEntry, *, deploy: str | None = None) -> bytes:
    """Give the body of the request that registers an app (E32); `deploy` is the deploy's id, from `deploy_id`."""
    body: dict[str, Any] = {
        "url": app.url,
        "deployType": "ping",
        "framework": app.framework,
        "appName": app.id,
        "functions": app.entries(),
        "sdk": SDK,
        "v": "0.1",
        "capabilities": CAPABILITIES,
    }
    if deploy is not None:
        body["deployId"] = deploy
    if app.version is not None:
        body["appVersion"] = app.version
    return orjson.dumps(body)


def deploy_id(query: Mapping[str, str]) -> str | None:
    """Give the id of the deploy that a request to register belongs to, or None. Some hosts write "undefined" for none."""
    given = query.get("deployId", "")
    return None if given in {"", "undefined"} else given


def registered_reply(status: int, message: str, *, modified: bool) -> Reply:
    """Reply to the request that asked to register out of band (E34)."""
    return Reply(status=status, headers={SYNC_KIND: "out_of_band"}, body=orjson.dumps({"message": message, "modified": modified}))


# In band.


def asks_in_band(headers: Mapping[str, str]) -> bool:
    """Say whether a request to register wants the list in its reply (E30). The spec spells it otherwise than the server; both count (K03)."""
    return headers.get(SYNC_KIND, "").strip().lower() in {"in_band", "in-band"}


def in_band_url(body: bytes) -> str:
    """Give the URL under which the server reaches the app, from the body of its request to register. Raises BadCall (E31)."""
    if not body:
        raise BadCall(500, "body_missing", "Missing request body when syncing, possibly due to missing request body middleware")
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadCall(400, "invalid_request", f"the request's body is no JSON: {error}") from None
    url = asked.get("url") if isinstance(asked, dict) else None
    if not isinstance(url, str) or not _is_url(url):
        raise BadCall(400, "invalid_request", 'the request\'s body must be {"url": "<the app\'s URL>"}')
    return url


def in_band_reply(app: AppEntry, inspection: Mapping[str, Any], *, env: str | None, platform: str | None) -> Reply:
    """Reply with the list to a request of the server's (E35). `inspection` is what introspection gives."""
    body: dict[str, Any] = {
        "app_id": app.id,
        "capabilities": CAPABILITIES,
        "env": env,
        "framework": app.framework,
        "functions": app.entries(),
        "inspection": inspection,
        "platform": platform,
        "sdk_author": "inngest",
        "sdk_language": LANGUAGE,
        "sdk_version": VERSION,
        "sdk": SDK,
        "url": app.url,
    }
    if app.version is not None:
        body["appVersion"] = app.version
    return Reply(status=200, headers={SYNC_KIND: "in_band"}, body=orjson.dumps(body))


# URLs, triggers, options.


def function_url(url: str, slug: str) -> str:
    """Give the URL at which a function is called: the app's, with the function's slug in the query. What else the query holds is kept."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in {"fnId", "stepId", "deployId"}]
    return urlunsplit(parts._replace(query=urlencode([*query, ("fnId", slug), ("stepId", "step")]), fragment=""))


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _cel(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _trigger(trigger: EventTrigger | Cron | EventType[Any]) -> dict[str, Any]:
    match trigger:
        case Cron():
            return _given(cron=trigger.expression, jitter=_span(trigger.jitter))
        case EventTrigger():
            return _given(event=trigger.name, expression=trigger.if_)
        case EventType():
            return {"event": trigger.name}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _span(length: Duration | None) -> str | None:
    return None if length is None else wire(seconds(length))


def _go_span(length: Duration) -> str:
    """Write a duration for Go's own parser, which the server uses for a batch's timeout: it knows no unit above the hour."""
    left = max(1, -(-round(seconds(length) * 1000) // 1000))
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (left, "s")) if count)


def _concurrency(limits: int | Concurrency | Iterable[Concurrency]) -> Any:
    if isinstance(limits, int):
        return limits
    many = [limits] if isinstance(limits, Concurrency) else list(limits)
    steps = [_given(limit=one.limit, key=one.key, scope=one.scope) for one in many if one.of == "steps"]
    runs = [_given(limit=one.limit, key=one.key) for one in many if one.of == "runs"]
    if not runs:
        return steps
    return {"fn": runs, "step": steps} if steps else {"fn": runs}  # I57a


def _throttle(one: Throttle) -> dict[str, Any]:
    return _given(limit=one.limit, period=_span(one.period), burst=one.burst, key=one.key)


def _rate_limit(one: RateLimit) -> dict[str, Any]:
    return _given(limit=one.limit, period=_span(one.period), key=one.key)


def _debounce(one: Debounce) -> dict[str, Any]:
    return _given(period=_span(one.period), key=one.key, timeout=_span(one.timeout))


def _batch(one: Batch) -> dict[str, Any]:
    return _given(maxSize=one.max_size, timeout=_go_span(one.timeout), key=one.key, **{"if": one.if_})


def _singleton(one: Singleton) -> dict[str, Any]:
    return _given(mode=one.mode, key=one.key)


def _timeouts(one: Timeouts) -> dict[str, Any]:
    return _given(start=_span(one.start), finish=_span(one.finish))


def _cancel(many: Iterable[CancelOn]) -> list[dict[str, Any]]:
    return [
        _given(event=one.event, timeout=_span(one.timeout), **{"if": one.if_ if one.match is None else match_expression(one.match)})
        for one in many
    ]


def _priority(expression: str) -> dict[str, Any]:
    return {"run": expression}


def _as_it_is(value: Any) -> Any:
    return value


_OPTIONS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "concurrency": ("concurrency", _concurrency),
    "throttle": ("throttle", _throttle),
    "rate_limit": ("rateLimit", _rate_limit),
    "debounce": ("debounce", _debounce),
    "priority": ("priority", _priority),
    "batch": ("batchEvents", _batch),
    "idempotency": ("idempotency", _as_it_is),
    "singleton": ("singleton", _singleton),
    "timeouts": ("timeouts", _timeouts),
    "cancel_on": ("cancel", _cancel),
}
