"""Real traffic: every recorded call is read as it was, and the ops made here are those that the reference SDK sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAbort, DeferAdd
from inngest_gen.durations import moment
from inngest_gen.errors import StepError
from inngest_gen.ids import step_hash
from inngest_gen.intents.step import Invoke, Run, Sleep, SleepUntil, Step
from inngest_gen.protocol.call import memo_of, parse_call
from inngest_gen.protocol.ops import RUN_COMPLETE_ID, lazy_op, planned, run_complete, step_error, step_run
from tests.protocol.captured import SCENARIOS, Exchange, body, calls, exchanges

CALLS = list(calls())

# What that SDK's checkpoints leak of its internals, and what no two runs have alike.
LEAKED = {
    "mode", "rawArgs", "hashedId", "promise", "fulfilled", "hasStepState", "handled", "middleware", "memoizationDeferred", "transformedResultPromise",
}  # fmt: skip


def test_there_are_recordings() -> None:
    assert len(SCENARIOS) == 28
    assert len(CALLS) > 60


@pytest.mark.parametrize(("name", "one"), CALLS, ids=[f"{name}-{place}" for place, (name, _) in enumerate(CALLS)])
def test_a_recorded_call_is_read_as_it_is(name: str, one: Exchange) -> None:
    call = parse_call(body(one), query=one.query, headers=one.headers)
    ctx = one.json["ctx"]
    assert call.function == one.query["fnId"]
    assert call.target == (None if one.query["stepId"] == "step" else one.query["stepId"])
    assert call.run_id == ctx["run_id"] == one.headers["x-run-id"]
    assert (call.attempt, call.max_attempts) == (ctx["attempt"], ctx["max_attempts"])
    assert list(call.steps) == ctx["stack"]["stack"] == call.stack
    assert call.steps == one.json["steps"]
    assert call.defers == {hash: entry["abortable"] for hash, entry in one.json["defers"].items()}
    assert call.inputs == {}
    assert (call.event.name, call.event.data, call.event.id) == tuple(one.json["event"][key] for key in ("name", "data", "id"))
    assert call.events == (call.event,)
    assert (call.fn_id, call.qi_id, call.request_id) == (ctx["fn_id"], ctx["qi_id"], ctx["request_id"])
    assert (call.generation_id, call.job_id, call.version) == (ctx["generation_id"], ctx["job_id"], one.json["version"])
    assert call.disable_immediate_execution is ctx["disable_immediate_execution"]
    assert not call.use_api
    for hash, value in one.json["steps"].items():
        memo = memo_of(call.steps[hash])
        if value is not None and "error" in value:
            assert isinstance(memo.error, StepError)
            assert (memo.error.name, memo.error.message) == (value["error"]["name"], value["error"]["message"])
        else:
            assert memo.error is None
            assert memo.data == (value if value is None else value["data"])


def _steps(name: str) -> dict[str, Step[Any]]:
    """The steps of the scenarios, by their hashes."""
    app = "js-ckpt" if name.startswith("js-ckpt") else "js-nockpt"
    runs = ["a", "b", "undef", "null", "p1", "p2", "p3", "after", "before", "flaky", "dead", "work", "work2", "w2", "between", "deliver"]
    steps: list[Step[Any]] = [Run(id, id, print, ()) for id in runs]
    steps += [Sleep("nap", "nap", 1.0), SleepUntil("until", "until", 0.0), Invoke("call", "call", f"{app}-child", {"x": 1}, None, None)]
    by_hash = {step_hash(step.id): step for step in steps}
    by_hash[step_hash("a:1")] = Run("a", "a", print, ())
    return by_hash


def _ops(name: str) -> list[Any]:
    """Every op that the reference SDK sent in a recording, in replies and in checkpoints."""
    found: list[Any] = []
    for one in exchanges(name):
        if one.direction == "server->sdk" and one.status == 206:
            found += one.reply
        elif one.direction == "sdk->server" and "/v1/checkpoint/" in one.path:
            found += one.json["steps"]
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ops_are_those_of_the_reference_sdk(name: str) -> None:
    app = name.split(".", maxsplit=1)[0]
    steps = _steps(name)
    for theirs in _ops(name):
        if theirs["op"] == "StepError" and theirs["id"] == RUN_COMPLETE_ID:
            continue  # the step that is none by which that SDK ships defers before an error (A19); L12 has better ways
        ours = _ours(theirs, app, steps)
        sent = orjson.loads(orjson.dumps(ours))
        assert sent == {key: value for key, value in theirs.items() if key not in LEAKED}


def _ours(theirs: Any, app: str, steps: dict[str, Step[Any]]) -> Any:
    hash = theirs["id"]
    match theirs["op"]:
        case "RunComplete":
            ours = run_complete(orjson.dumps(theirs["data"]))
            assert list(ours) == list(theirs)
            return ours
        case "DeferAdd":
            id = theirs["userland"]["id"]
            opts = theirs["opts"]
            assert hash == step_hash(id)
            return lazy_op(DeferAdd(hash=hash, id=id, name=id, function=opts["fn_slug"], data=orjson.dumps(opts["input"])))
        case "DeferAbort":
            return lazy_op(DeferAbort(hash=step_hash("foo"), id="foo", function=f"{app}-noschema"))
    step = steps[hash]
    index = theirs["userland"].get("index", 0)
    assert hash == step_hash(f"{step.id}:{index}" if index else step.id)
    match theirs["op"]:
        case "StepRun":
            return step_run(step, hash, index, orjson.dumps(theirs["data"]), theirs["timing"]["a"], theirs["timing"]["b"])
        case "StepError" | "StepFailed":
            failure = Failure.from_json(theirs["error"])
            return step_error(step, hash, index, failure, final=theirs["op"] == "StepFailed", started_ns=theirs["timing"]["a"])
        case "Sleep" if isinstance(step, SleepUntil):
            step.until = moment(theirs["name"])
            return planned(step, hash, index)
        case _:
            return planned(step, hash, index)
