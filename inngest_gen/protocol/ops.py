"""Ops: what a reply tells the server of each step, as dictionaries ready for orjson.

Promises: results are bytes that are sent as they are, never parsed again; a step's op has the same `id`, `name`, `opts` and `userland` however it is
reported. Facts: sections C2 and C3 of the protocol notes, SDK_SPEC 5.1 and 5.3, server pkg/execution/state/opcode.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from inngest_gen import durations, jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected, LazyOp
from inngest_gen.errors import MisuseError
from inngest_gen.ids import abort_hash, step_hash
from inngest_gen.intents.http import AIInfer, Fetch
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import (
    AIWrap,
    Invoke,
    Run,
    SendEvent,
    SendSignal,
    Sleep,
    SleepUntil,
    Step,
    WaitForEvent,
    WaitForSignal,
)
from inngest_gen.sessions import layered_meta

__all__ = [
    "RUN_COMPLETE_ID",
    "discovery_request",
    "error_json",
    "lazy_op",
    "match_expression",
    "nothing",
    "planned",
    "run_complete",
    "step_error",
    "step_run",
    "wire_duration",
    "wire_moment",
]

WireOp = dict[str, Any]

RUN_COMPLETE_ID: Final = "0737c22d3bfae812339732d14d8c7dbd6dc4e09c"
"""The id that ops about the function itself have: the hash of "complete" (C44)."""

_EXPERIMENT: Final = "_inngestExperiment"
"""The key of a defer's input that carries its experiment (A72)."""


def planned(step: Step[Any], hash: str, index: int, *, race: bool = False, sessions: Mapping[str, Any] | None = None) -> WireOp:
    """Give the op that reports a step which is not run here: "StepPlanned" for one that has a body, else the opcode of what the server is to do.

    `index` is the repeat of its id. With `race` the server asks again as soon as it is settled, not only when all of its group are (C49, C73):
    where branches have gone apart. `sessions` are those of the run, which an invoked run inherits; None where they are not handed on.

    Raises InngestGenError for a step that cannot be sent, such as an invoke whose data is no JSON: it has failed, then.
    """
    op, name, opts = _asked(step, sessions)
    wire = _op(op, step, hash, index, name, opts, race=race)
    if op != "StepPlanned":
        try:
            orjson.dumps(wire)
        except TypeError as error:
            raise MisuseError(f"{describe(step)} cannot be sent: {error}") from None
    return wire


def step_run(
    step: Step[Any],
    hash: str,
    index: int,
    data: bytes,
    started_ns: int,
    took_ns: int,
    inputs: Sequence[Any] | None = None,
    *,
    race: bool = False,
) -> WireOp:
    """Give the op that reports the result of a step: `data` as JSON, when its body started (epoch nanoseconds) and how long it took.

    `inputs` are the arguments that the server sent in place of the step's own (C53). The step's own are not sent: they may be anything but JSON, and
    secrets among it.
    """
    name, opts = _body(step, inputs)
    op = _op("StepRun", step, hash, index, name, opts, orjson.Fragment(data), race=race)
    op["timing"] = {"a": started_ns, "b": took_ns}
    return op


def step_error(
    step: Step[Any],
    hash: str,
    index: int,
    failure: Failure,
    *,
    final: bool,
    started_ns: int | None = None,
    took_ns: int = 0,
    inputs: Sequence[Any] | None = None,
    race: bool = False,
) -> WireOp:
    """Give the op that reports a failed attempt of a step: "StepFailed" where it was the last (C35), else "StepError" (C34)."""
    op = _op("StepFailed" if final else "StepError", step, hash, index, *_body(step, inputs), race=race)
    op["error"] = error_json(failure)
    if final:
        op["data"] = {"__serialized": True, "name": _shown(failure.name), "message": _shown(failure.message), "stack": ""}
    if started_ns is not None:
        op["timing"] = {"a": started_ns, "b": took_ns}
    return op


def lazy_op(op: LazyOp, *, sessions: Mapping[str, Any] | None = None) -> WireOp | None:
    """Give the op of a defer (A01) or its abort (A03), or None for one that was rejected here.

    `sessions` are those of the run, which the deferred run inherits; None where they are not handed on.

    Raises InngestGenError where the sessions or the experiment cannot be sent: that defer is skipped then, with a log line (A58).
    """
    match op:
        case DeferAdd():
            opts: dict[str, Any] = {"fn_slug": op.function, "input": orjson.Fragment(_defer_input(op))}
            meta = layered_meta(op.meta, sessions)
            if meta is not None:
                opts["meta"] = meta
            return _lazy("DeferAdd", op.hash, op.id, op.name, opts)
        case DeferAbort():
            # The target is what counts; the rest is for people (A05).
            opts = {"target_hashed_id": op.hash, "fn_slug": op.function or "", "id": op.id}
            return _lazy("DeferAbort", abort_hash(op.hash), op.id, op.id, opts)
        case DeferRejected():
            return None


def run_complete(data: bytes) -> WireOp:
    """Give the op that ends a run with a result, as JSON. Lazy ops stand before it (C44)."""
    return {"op": "RunComplete", "id": RUN_COMPLETE_ID, "data": orjson.Fragment(data)}


def nothing(run_id: str) -> WireOp:
    """Give the op that asks for nothing: for a call that was made anew elsewhere (F13), or that has nothing to do where others have.

    The server acts on the answer to a call that it has no use for any more, so an error would count against the run. An op "None" ends that path of
    execution, if it has an id (server: executor.go, OpcodeNone and allEmptyNoneOps).
    """
    return {"id": step_hash(f"{run_id}:nothing"), "op": "None", "data": None}


def discovery_request(now: float, *, race: bool = False) -> WireOp:
    """Give the op that asks for one further call. Several lazy ops alone would each lead to one (server: executor.go, enqueueLazyOpFallback).

    Its id is another each time, or the server would take it for one that it knows (C46). `now` is in epoch seconds; `race` as in `planned`.
    """
    op: WireOp = {"id": step_hash(f"discovery-request-{int(now * 1000)}"), "op": "DiscoveryRequest", "data": None}
    if race:
        op["opts"] = {"parallelMode": "race"}
    return op


def error_json(failure: Failure) -> dict[str, Any]:
    """Give an error as the server and other SDKs read it: name, message, stack and cause (D10)."""
    value: dict[str, Any] = {"name": _shown(failure.name), "message": _shown(failure.message)}
    if failure.stack is not None:
        value["stack"] = _shown(failure.stack)
    if failure.cause is not None:
        value["cause"] = error_json(failure.cause)
    if failure.no_retry:
        value["noRetry"] = True
    value["__serialized"] = True
    return value


def wire_duration(seconds: float) -> str:
    """Write a duration as the server reads it: whole seconds, rounded up (K12); none at all is "0s".

    Other SDKs write the latter as "", which means "at once" to a sleep and to a wait for an event, and a year to an invoke and to a signal (C39).
    """
    return "0s" if seconds == 0 else durations.wire(seconds)


def wire_moment(when: float) -> str:
    """Write a moment (epoch seconds) in RFC 3339, UTC, to the millisecond."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def match_expression(path: str) -> str:
    """Give the CEL expression for `match`: that two events have the same value at a path such as "data.order_id" (C38)."""
    return f"event.{path} == async.{path}"


# The parts of an op.


def _op(
    op: str,
    step: Step[Any],
    hash: str,
    index: int,
    name: str | None,
    opts: dict[str, Any],
    data: orjson.Fragment | None = None,
    *,
    race: bool,
) -> WireOp:
    if race:
        opts["parallelMode"] = "race"
    userland = {"id": step.id, "index": index} if index else {"id": step.id}
    wire: WireOp = {"id": hash, "op": op, "name": name, "displayName": _shown(step.name), "opts": opts, "userland": userland, "data": data}
    if name is None:
        del wire["name"]
    return wire


def _body(step: Step[Any], inputs: Sequence[Any] | None) -> tuple[str, dict[str, Any]]:
    """Give the name and the opts of a step that has a body (C32)."""
    if step.__class__ is Run and inputs is None:  # as most have
        return step.id, {}
    match step:
        case SendEvent():
            name, opts = "sendEvent", {"type": "step.sendEvent"}
        case SendSignal():
            name, opts = "sendSignal", {"type": "step.sendSignal", "signal": step.signal}
        case AIWrap():
            name, opts = step.id, {"type": "step.ai.wrap"}
        case _:
            name, opts = step.id, {}
    return name, opts if inputs is None else {"input": inputs, **opts}


def _asked(step: Step[Any], sessions: Mapping[str, Any] | None) -> tuple[str, str | None, dict[str, Any]]:
    """Give the opcode, the name and the opts of a step that the server is asked for."""
    match step:
        case Run() | SendEvent() | SendSignal():
            return "StepPlanned", *_body(step, None)
        case Sleep():
            return "Sleep", wire_duration(step.duration_s), {}
        case SleepUntil():
            return "Sleep", wire_moment(step.until), {}
        case WaitForEvent():
            opts: dict[str, Any] = {"timeout": wire_duration(step.timeout_s)}
            condition = match_expression(step.match) if step.match is not None else step.if_
            if condition is not None:
                opts["if"] = condition
            return "WaitForEvent", step.event, opts
        case WaitForSignal():
            opts = {"signal": step.signal, "timeout": wire_duration(step.timeout_s), "conflict": step.on_conflict}
            return "WaitForSignal", step.signal, opts
        case Invoke():
            opts = {"function_id": step.function, "payload": _payload(step, sessions)}
            if step.timeout_s is not None:
                opts["timeout"] = wire_duration(step.timeout_s)
            return "InvokeFunction", None, opts
        case Fetch():
            opts = {"url": step.url, "method": step.method, "headers": dict(step.headers)}
            if step.body is not None:
                opts["body"] = step.body
            return "Gateway", None, opts
        case AIInfer():
            model = step.model
            body = jsonvalue.encode(step.body, f"the body of {describe(step)}")
            opts = {
                "type": "step.ai.infer",
                "url": model.url,
                "headers": dict(model.headers),
                "auth_key": model.auth_key,
                "format": model.format,
                "body": orjson.Fragment(body),
            }
            return "AIGateway", None, opts
        case _:
            raise MisuseError(f"{describe(step)} cannot be sent to a server")


def _payload(step: Invoke[Any], sessions: Mapping[str, Any] | None) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if step.data is not None:
        data = jsonvalue.encode(step.data, f"the data of {describe(step)}")
        if not data.startswith(b"{"):
            raise MisuseError(f"the data of {describe(step)} must be a JSON object (a dict), not {type(step.data).__name__}")
        payload["data"] = orjson.Fragment(data)
    meta = layered_meta(step.meta, sessions)
    if meta is not None:
        payload["meta"] = orjson.Fragment(jsonvalue.encode(meta, f"the meta of {describe(step)}"))
    return payload


def _shown(text: str) -> str:
    """Give a text for people as UTF-8 can hold it: a lone surrogate, from a file's name for instance, would fail the whole reply."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _lazy(op: str, hash: str, id: str, name: str, opts: dict[str, Any]) -> WireOp:
    return {"id": hash, "op": op, "name": _shown(name), "displayName": _shown(name), "opts": opts, "userland": {"id": id}, "data": None}


def _defer_input(op: DeferAdd) -> bytes:
    if op.experiment is None:
        return op.data
    experiment = jsonvalue.encode(op.experiment, f"the experiment of defer {op.id!r}")
    inner = op.data.strip()[1:-1].strip()
    return b"{" + inner + (b"," if inner else b"") + f'"{_EXPERIMENT}":'.encode() + experiment + b"}"
