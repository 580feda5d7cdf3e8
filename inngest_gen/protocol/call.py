"""A call request: what a server sends when it wants a function run, and what the record in it says of each step.

Promises: whatever the bytes are, the outcome is a WireCall or BadCall; the body is parsed once and costs no object a step; results come in the
order in which they were recorded (C59). Refuses: to guess at what is no call. Facts: section C1 and C4 of the protocol notes, SDK_SPEC 4.4.1 and 5.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, Final

import orjson

from inngest_gen.calls.lazy import PriorDefers
from inngest_gen.calls.memo import Memo
from inngest_gen.errors import ConfigError, InngestGenError, StepError
from inngest_gen.event import Event, read_event
from inngest_gen.intents.step import Invoke, Step, WaitForSignal

__all__ = ["BadCall", "WireCall", "api_events", "api_steps", "memo_of", "parse_call", "slug_of", "with_api_state"]

_EVENTS: Final = "the API's answer for the run's events"
_STEPS: Final = "the API's answer for the run's steps"
_FINISHED: Final = "inngest/function.finished"
_CAUSES: Final = 8
_FIELDS: Final = ("run_id", "attempt", "max_attempts", "fn_id", "qi_id", "disable_immediate_execution")
_sent: Final = itemgetter(*_FIELDS)
_EXACT: Final = 2**53
_DISCRIMINATED: Final = 2
"""How many keys a result has that carries the optional `type` beside its value (C52)."""


class BadCall(InngestGenError):
    """A request that is no call of a function: reply with `status`; `code` names the kind of mistake and `message` says it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status: int = status
        self.code: str = code
        self.message: str = message

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True, kw_only=True)  # not frozen: with so many fields that costs microseconds
class WireCall:
    """A call request, read; nobody changes one.

    `function` is the slug of the function to run and `target` the hash of the one step that is wanted, or None. `attempt` counts from 0;
    `max_attempts` is None where the server doesn't say. `event` is what started the run, `events` all that did. `steps` is the record by hash, in the
    order of `stack`, its values as the server sent them (`memo_of` reads one); `inputs` replace the arguments of steps that are yet to run (C53).
    `defers` tells by hashed id whether a defer that the server has can still be aborted. With `use_api` the record and the events are still
    to be fetched (`with_api_state`). `trigger` is the hash of the step on the stack whose end led to this call, where one did. The ids are for
    checkpoints (F02, F03). `version` is -1 where the SDK is to decide.
    """

    function: str
    target: str | None
    run_id: str
    attempt: int
    max_attempts: int | None
    event: Event
    events: tuple[Event, ...]
    steps: dict[str, Any]
    inputs: dict[str, list[Any]]
    defers: PriorDefers
    stack: list[str] = field(repr=False)
    trigger: str | None
    disable_immediate_execution: bool
    use_api: bool
    fn_id: str | None
    qi_id: str
    request_id: str | None
    generation_id: int | None
    job_id: str | None
    version: int

    @property
    def final(self) -> bool:
        """Whether this is the last attempt (D07)."""
        return self.max_attempts is not None and self.attempt + 1 >= self.max_attempts


def slug_of(query: Mapping[str, str]) -> str:
    """Give the slug of the function that a URL's query names. Raises BadCall (500) where it names none (C10)."""
    function = query.get("fnId")
    if not function:
        raise BadCall(500, "function_missing", "the request's URL names no function: it has no fnId")
    return function


def parse_call(body: bytes, *, query: Mapping[str, str], headers: Mapping[str, str]) -> WireCall:
    """Read a call. `query` is the URL's, `headers` have lower-case names.

    Raises BadCall: 400 for a body that is no call, 500 for one without a function or from a protocol that is no more (C05, C10).
    """
    call = _object(_json(body, "the request's body"), "the request's body")
    ctx = _object(call.get("ctx"), "ctx")
    version = call.get("version")
    if version.__class__ is not int:
        version = _whole(call, "version", -1)
    if version == 0:
        raise BadCall(500, "version_unsupported", "the request is of version 0 of the protocol, which is no more: update the server")
    target = query.get("stepId") or headers.get("x-inngest-step-id")
    stack, trigger = _stack(ctx)
    # As the server sends them; what is otherwise is looked at closely.
    try:
        run_id, attempt, most, fn_id, qi_id, plan_only = _sent(ctx)
    except KeyError:
        run_id, attempt, most, fn_id, qi_id, plan_only = map(ctx.get, _FIELDS)
    wire = WireCall.__new__(WireCall)  # with so many keywords it takes a microsecond less to set the fields here
    wire.function = slug_of(query)
    wire.target = None if not target or target == "step" else target
    wire.run_id = run_id if run_id.__class__ is str and run_id else _text(ctx, "run_id") or _missing("ctx.run_id")
    wire.attempt = attempt if attempt.__class__ is int and attempt >= 0 else _attempt(ctx)
    wire.max_attempts = most if most.__class__ is int else _whole(ctx, "max_attempts", None)
    wire.event, wire.events = _events(call)
    wire.steps, wire.inputs = _recorded(_object_or_none(call.get("steps"), "steps"), stack)
    wire.defers = _defers(_object(call["defers"], "defers")) if call.get("defers") is not None else {}
    wire.stack = stack
    wire.trigger = trigger
    wire.disable_immediate_execution = plan_only if plan_only.__class__ is bool else _flag(ctx, "disable_immediate_execution")
    use_api = ctx.get("use_api") or call.get("use_api") or False
    wire.use_api = use_api if use_api.__class__ is bool else _flag({"use_api": use_api}, "use_api")
    wire.fn_id = (fn_id if fn_id.__class__ is str else _text(ctx, "fn_id")) or None
    wire.qi_id = qi_id if qi_id.__class__ is str else _text(ctx, "qi_id")
    wire.request_id = headers.get("x-request-id") or ("request_id" in ctx and _text(ctx, "request_id")) or None
    generation = headers.get("x-inngest-generation-id")
    number = None if generation is None else _number(generation)
    wire.generation_id = _whole(ctx, "generation_id", None) if number is None else number
    wire.job_id = headers.get("x-inngest-job-id") or ("job_id" in ctx and _text(ctx, "job_id")) or None
    wire.version = version
    return wire


def with_api_state(call: WireCall, batch: bytes, actions: bytes) -> WireCall:
    """Give the call with what the API answered for it: `batch` is the run's events, `actions` its record (C07).

    Raises BadCall (500) for answers that are neither.
    """
    try:
        events = api_events(batch)
        steps, inputs = _recorded(_object_or_none(_json(actions, _STEPS), _STEPS), call.stack)
    except BadCall as bad:
        raise BadCall(500, "api_state_invalid", bad.message) from None
    return replace(call, events=events or call.events, steps=steps, inputs=inputs, use_api=False)


def api_events(batch: bytes) -> tuple[Event, ...]:
    """Read the events that started a run, as the API gives them. Raises BadCall for what is none."""
    many = _json(batch, _EVENTS)
    if not isinstance(many, list):
        raise _wrong(_EVENTS, "an array", many)
    return tuple(_event(one, f"events[{place}]") for place, one in enumerate(many))


def api_steps(actions: bytes) -> dict[str, Any]:
    """Read the results of a run's steps by hash, as the API gives them, in no order. Raises BadCall for what is none."""
    return _recorded(_object_or_none(_json(actions, _STEPS), _STEPS), [])[0]


# What a record holds.


def memo_of(value: Any, step: Step[Any] | None = None) -> Memo:
    """Read what the record holds of a finished step (C51 to C57, SDK_SPEC 5.2.1); `step` is the one that asks for it.

    `{"data": x}` alone is x, `{"error": {...}}` alone a failure, anything else, an event say, is the value itself. Of a signal the data is given;
    the event that a cancelled run leaves in place of a result is a StepError "InvokedRunCancelled" to the step that invoked it (K13).
    """
    if value.__class__ is not dict:
        return Memo(value)
    count = len(value)
    if count == 1 or (count == _DISCRIMINATED and "type" in value):
        if "data" in value and (count == 1 or value["type"] == "data"):
            data = value["data"]
            if step.__class__ is WaitForSignal and data.__class__ is dict and data.keys() == {"signal", "data"}:
                data = data["data"]
            return Memo(data)
        if "error" in value and (count == 1 or value["type"] == "error"):
            error = value["error"]
            return Memo(None, _failed(error if isinstance(error, dict) else {"message": error}, 0))
    elif step.__class__ is Invoke and value.get("name") == _FINISHED:
        return Memo(None, _cancelled(value.get("data")))
    return Memo(value)


def _failed(error: dict[str, Any], depth: int) -> StepError:
    cause = error.get("cause")
    if cause.__class__ is str:
        cause = {"message": cause}
    stack = error.get("stack")
    return StepError(
        _as_text(error.get("name")) or "Error",
        _as_text(error.get("message")),
        stack if stack.__class__ is str else None,
        _failed(cause, depth + 1) if isinstance(cause, dict) and depth < _CAUSES else None,
        data=error.get("data"),
        no_retry=error.get("noRetry") is True,
    )


def _cancelled(data: Any) -> StepError:
    run_id = data.get("run_id") if isinstance(data, dict) else None
    run = f"the invoked run {run_id}" if isinstance(run_id, str) else "the invoked run"
    return StepError("InvokedRunCancelled", f"{run} was cancelled before it had a result")


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if value.__class__ is str else orjson.dumps(value).decode()


def _recorded(steps: dict[str, Any], stack: list[str]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Put the record in the order of the stack; what is not on it is a replaced input, or a result that follows as it stands (C08, C12)."""
    if not steps:
        return {}, {}
    _make_exact(steps)
    try:
        ordered = {hash: steps[hash] for hash in stack}
    except KeyError:
        ordered = {hash: steps[hash] for hash in stack if hash in steps}
    inputs: dict[str, list[Any]] = {}
    if len(ordered) < len(steps):
        for hash, value in steps.items():
            if hash in ordered:
                continue
            if value.__class__ is dict and value.get("input").__class__ is list and (len(value) == 1 or value.keys() == {"type", "input"}):
                inputs[hash] = value["input"]
            else:
                ordered[hash] = value
    return ordered, inputs


# The parts of a body.


def _json(body: bytes, what: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadCall(400, "body_invalid", f"{what} is no JSON: {error}") from None


def _make_exact(values: dict[str, Any]) -> None:
    """Make integers beyond 2^53 floats: the server writes 1e16 as 10000000000000000, and has the digits of a double only."""
    try:  # the fastest way to look for them
        orjson.dumps(values, None, orjson.OPT_STRICT_INTEGER)
    except TypeError:  # or for depth
        containers: list[Any] = [values]
    else:
        return
    for one in containers:  # it grows
        for key, value in one.items() if one.__class__ is dict else enumerate(one):
            if value.__class__ is int:
                if not -_EXACT <= value <= _EXACT:
                    one[key] = float(value)
            elif value.__class__ is dict or value.__class__ is list:
                containers.append(value)


def _wrong(what: str, wanted: str, found: object) -> BadCall:
    name = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}.get(type(found), "a number")
    return BadCall(400, "body_invalid", f"{what} must be {wanted}, not {name}")


def _missing(what: str) -> Any:
    raise BadCall(400, "body_invalid", f"the request's body has no {what}")


def _object(value: Any, what: str) -> dict[str, Any]:
    if value.__class__ is not dict:
        raise _wrong(what, "an object", value)
    found: dict[str, Any] = value
    return found


def _object_or_none(value: Any, what: str) -> dict[str, Any]:
    return {} if value is None else _object(value, what)


def _text(ctx: dict[str, Any], name: str) -> str:
    value = ctx.get(name)
    if value is None:
        return ""
    if value.__class__ is str:
        text: str = value
        return text
    raise _wrong(f"ctx.{name}", "a string", value)


def _whole(values: dict[str, Any], name: str, default: Any) -> Any:
    value = values.get(name)
    if value is None or value.__class__ is int:
        return default if value is None else value
    if value.__class__ is float and value.is_integer():
        value = int(value)  # JSON has one kind of number
    if value.__class__ is not int:
        raise _wrong(name, "a whole number", value)
    return value


def _attempt(ctx: dict[str, Any]) -> int:
    attempt: int = _whole(ctx, "attempt", 0)
    if attempt < 0:
        raise BadCall(400, "body_invalid", f"attempt must be 0 or more, not {attempt}")
    return attempt


def _flag(values: dict[str, Any], name: str) -> bool:
    value = values.get(name)
    if value is None or value is False:
        return False
    if value is True:
        return True
    raise _wrong(name, "true or false", value)


def _stack(ctx: dict[str, Any]) -> tuple[list[str], str | None]:
    """Read the stack, and the step on it whose end led to this call: `current` is its place, from 1, or 0 (server: executor.go, stackIndex)."""
    outer = ctx.get("stack")
    if outer is None:
        return [], None
    stack = _object(outer, "ctx.stack").get("stack")
    if not stack and (stack is None or stack.__class__ is list):  # null is Go's nil slice
        return [], None
    if stack.__class__ is not list or not set(map(type, stack)) <= {str}:
        raise _wrong("ctx.stack.stack", "an array of strings", stack)
    hashes: list[str] = stack
    current = _whole(outer, "current", 0)
    return hashes, hashes[current - 1] if 1 <= current <= len(hashes) else None


def _defers(known: dict[str, Any]) -> PriorDefers:
    return {hash: one is None or one.get("abortable") is None or _flag(one, "abortable") for hash, one in _entries(known)}


def _entries(known: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    for hash, one in known.items():
        yield hash, None if one is None else _object(one, "a defer")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _events(call: dict[str, Any]) -> tuple[Event, tuple[Event, ...]]:
    many, first = call.get("events"), call.get("event")
    if many is None:
        many = []
    if many.__class__ is not list:
        raise _wrong("events", "an array", many)
    if not many:  # too large a body comes without them: `with_api_state` fills them in
        event = _missing("event") if first is None else _event(first, "event")
        return event, (event,)
    if first is not None:  # the same as the first of all
        _object(first, "event")
    if len(many) == 1:  # as ever, but for a batch
        event = _event(many[0], "events[0]")
        return event, (event,)
    events = tuple([_event(one, f"events[{place}]") for place, one in enumerate(many)])
    return events[0], events


def _event(value: Any, what: str) -> Event:
    event = _object(value, what)
    name, data, id, ts, meta = event.get("name"), event.get("data"), event.get("id"), event.get("ts"), event.get("meta")
    if data.__class__ is dict:
        _make_exact(data)
    if name.__class__ is str and name and data.__class__ is dict and id.__class__ is str and ts.__class__ is int and meta is None:
        return read_event(name, data, id or None, ts, None)
    if ts.__class__ is float and ts.is_integer():
        ts = int(ts)
    try:
        return Event(name, data, id=id or None, ts=ts, meta=meta)  # type: ignore[arg-type]
    except ConfigError as error:
        raise BadCall(400, "body_invalid", f"{what} is no event: {error!s:.200}") from None
