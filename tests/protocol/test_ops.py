"""Ops: the shapes that the server reads, for every kind of step."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected
from inngest_gen.durations import moment, seconds
from inngest_gen.errors import ConfigError, MisuseError, NotJSON
from inngest_gen.ids import step_hash
from inngest_gen.intents.http import AIInfer, Fetch, Model
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
from inngest_gen.protocol.ops import error_json, lazy_op, planned, run_complete, step_error, step_run, wire_duration, wire_moment

RUN: Run[Any] = Run("work", "The work", print, ("secret",))
HASH = step_hash("work")


def sent(op: Any) -> Any:
    return orjson.loads(orjson.dumps(op))


def opts(step: Step[Any], **more: Any) -> tuple[str, Any, Any]:
    op = sent(planned(step, step_hash(step.id), 0, **more))
    assert op["id"] == step_hash(step.id)
    assert op["displayName"] == step.name
    assert op["userland"] == {"id": step.id}
    assert op["data"] is None
    return op["op"], op.get("name"), op["opts"]


# Steps that the server carries out, and those that it plans: C33, C36 to C43.


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (RUN, ("StepPlanned", "work", {})),
        (AIWrap("w", "w", print, ()), ("StepPlanned", "w", {"type": "step.ai.wrap"})),
        (SendEvent("e", "Tell", ()), ("StepPlanned", "sendEvent", {"type": "step.sendEvent"})),
        (SendSignal("s", "s", "go", {"x": 1}), ("StepPlanned", "sendSignal", {"type": "step.sendSignal", "signal": "go"})),
        (Sleep("n", "Nap", 5400.0), ("Sleep", "1h30m", {})),
        (Sleep("n", "n", 0.2), ("Sleep", "1s", {})),
        (Sleep("n", "n", 0.0), ("Sleep", "0s", {})),
        (SleepUntil("u", "u", moment("2026-11-22T13:47:19.997Z")), ("Sleep", "2026-11-22T13:47:19.997Z", {})),
        (WaitForEvent("w", "w", "pay/ok", 259200.0, None, None), ("WaitForEvent", "pay/ok", {"timeout": "3d"})),
        (WaitForEvent("w", "w", "pay/ok", 0.0, None, None), ("WaitForEvent", "pay/ok", {"timeout": "0s"})),
        (
            WaitForEvent("w", "w", "pay/ok", 10.0, None, "data.order_id"),
            ("WaitForEvent", "pay/ok", {"timeout": "10s", "if": "event.data.order_id == async.data.order_id"}),
        ),
        (
            WaitForEvent("w", "w", "pay/ok", 10.0, "async.data.sum > 5", None),
            ("WaitForEvent", "pay/ok", {"timeout": "10s", "if": "async.data.sum > 5"}),
        ),
        (
            WaitForSignal("s", "s", "go", 60.0, "replace"),
            ("WaitForSignal", "go", {"signal": "go", "timeout": "1m", "conflict": "replace"}),
        ),
        (Invoke("i", "i", "shop-child", {"x": 1}, None, None), ("InvokeFunction", None, {"function_id": "shop-child", "payload": {"data": {"x": 1}}})),
        (Invoke("i", "i", "shop-child", None, 90.0, None), ("InvokeFunction", None, {"function_id": "shop-child", "payload": {}, "timeout": "1m30s"})),
        (
            Fetch("f", "f", "https://example.com", "GET", {"a": "b"}, None),
            ("Gateway", None, {"url": "https://example.com", "method": "GET", "headers": {"a": "b"}}),
        ),
        (
            Fetch("f", "f", "https://example.com", "POST", {}, '{"x":1}'),
            ("Gateway", None, {"url": "https://example.com", "method": "POST", "headers": {}, "body": '{"x":1}'}),
        ),
        (
            AIInfer("a", "a", Model("https://ai.test/v1", "anthropic", "k", {"v": "1"}, {"model": "m"}), {"messages": []}),
            (
                "AIGateway",
                None,
                {
                    "type": "step.ai.infer",
                    "url": "https://ai.test/v1",
                    "headers": {"v": "1"},
                    "auth_key": "k",
                    "format": "anthropic",
                    "body": {"model": "m", "messages": []},
                },
            ),
        ),
    ],
)  # fmt: skip
def test_every_kind_of_step_is_reported_as_the_server_reads_it(step: Step[Any], expected: Any) -> None:
    assert opts(step) == expected


@pytest.mark.parametrize("step", [RUN, Sleep("n", "n", 1.0), WaitForEvent("w", "w", "e", 1.0, None, None), SendEvent("e", "e", ())])
def test_a_step_of_a_race_says_so(step: Step[Any]) -> None:
    """Behaviour C49."""
    assert opts(step, race=True)[2]["parallelMode"] == "race"
    assert "parallelMode" not in opts(step)[2]


def test_a_step_of_a_race_says_so_when_it_has_run_too() -> None:
    """Behaviour C73: the server decides by the op that reports the result."""
    assert step_run(RUN, HASH, 0, b"1", 1, 2, race=True)["opts"] == {"parallelMode": "race"}
    assert step_error(RUN, HASH, 0, Failure(name="E", message="m"), final=False, race=True)["opts"] == {"parallelMode": "race"}


# Invokes.


def test_an_invoke_hands_the_runs_sessions_on_beside_its_own() -> None:
    """Behaviours A60 to A63."""
    step: Invoke[Any] = Invoke("i", "i", "f", {}, None, {"sessions": {"org": 5, "cut": None}})
    assert opts(step, sessions={"org": "acme"})[2]["payload"]["meta"] == {
        "sessions": {"org": "5", "cut": None},
        "propagated_sessions": {"org": "acme"},
    }
    assert opts(step)[2]["payload"]["meta"] == {"sessions": {"org": "5", "cut": None}}
    plain: Invoke[Any] = Invoke("i", "i", "f", {}, None, None)
    assert opts(plain, sessions={"org": "acme"})[2]["payload"]["meta"] == {"propagated_sessions": {"org": "acme"}}
    assert "meta" not in opts(plain, sessions={})[2]["payload"]


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (Invoke("i", "i", "f", {"x": {1}}, None, None), NotJSON, "the data of step.invoke 'i'"),
        (Invoke("i", "i", "f", [1], None, None), MisuseError, "must be a JSON object"),
        (Invoke("i", "i", "f", {}, None, {"sessions": {"a": True}}), ConfigError, "must be a string or number"),
        (Invoke("i", "i", "f", {}, None, "meta"), ConfigError, "must be a JSON object"),
        (AIInfer("a", "a", Model("https://ai.test"), {"n": math.nan}), NotJSON, "the body of step.ai.infer 'a'"),
        (WaitForEvent("w", "w", "\ud800", 1.0, None, None), MisuseError, "cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_an_error_that_names_the_step(step: Step[Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        planned(step, "hash", 0)


def test_sessions_that_middleware_made_unusable_fail_the_invoke() -> None:
    """Behaviour A58."""
    with pytest.raises(ConfigError, match="must be a string or number"):
        planned(Invoke("i", "i", "f", {}, None, None), "hash", 0, sessions={"a": {"b": 1}})


# Results: C30, C31, C34, C35.


def test_a_result_is_sent_as_the_bytes_it_is() -> None:
    op = step_run(RUN, HASH, 0, b'{"big":12345678901234567890,"b":1.50}', 1_700_000_000_000_000_000, 5_000_000)
    assert (
        orjson.dumps(op)
        == (
            f'{{"id":"{HASH}","op":"StepRun","name":"work","displayName":"The work","opts":{{}},"userland":{{"id":"work"}},'
            '"data":{"big":12345678901234567890,"b":1.50},"timing":{"a":1700000000000000000,"b":5000000}}'
        ).encode()
    )


def test_a_steps_own_arguments_are_not_sent_and_those_that_the_server_replaced_are() -> None:
    """Behaviours C31, C53."""
    assert b"secret" not in orjson.dumps(step_run(RUN, HASH, 0, b"1", 1, 1))
    assert b"secret" not in orjson.dumps(planned(RUN, HASH, 0))
    assert sent(step_run(RUN, HASH, 0, b"1", 1, 1, [1, {"x": 2}]))["opts"] == {"input": [1, {"x": 2}]}
    assert sent(step_run(RUN, HASH, 0, b"1", 1, 1, []))["opts"] == {"input": []}
    wrap: AIWrap[Any] = AIWrap("w", "w", print, ())
    assert sent(step_run(wrap, HASH, 0, b"1", 1, 1, [1]))["opts"] == {"input": [1], "type": "step.ai.wrap"}


def test_a_repeated_id_has_its_index() -> None:
    """Behaviours C22, C25."""
    op = step_run(RUN, step_hash("work:2"), 2, b"1", 1, 1)
    assert op["userland"] == {"id": "work", "index": 2}
    assert op["name"] == "work"
    assert planned(RUN, "h", 1)["userland"] == {"id": "work", "index": 1}


FAILURE = Failure(name="ValueError", message="no", stack="Traceback ...", cause=Failure(name="KeyError", message="'x'"), no_retry=True)


def test_a_failure_that_may_be_retried_is_a_step_error() -> None:
    op = sent(step_error(RUN, HASH, 0, FAILURE, final=False))
    assert (op["op"], op["data"]) == ("StepError", None)
    assert op["error"] == {
        "name": "ValueError", "message": "no", "stack": "Traceback ...", "noRetry": True, "__serialized": True,
        "cause": {"name": "KeyError", "message": "'x'", "__serialized": True},
    }  # fmt: skip
    assert "timing" not in op


def test_a_failure_for_good_is_a_failed_step() -> None:
    op = sent(step_error(RUN, HASH, 0, FAILURE, final=True, started_ns=5, took_ns=6))
    assert (op["op"], op["timing"]) == ("StepFailed", {"a": 5, "b": 6})
    assert op["data"] == {"__serialized": True, "name": "ValueError", "message": "no", "stack": ""}


def test_texts_that_utf8_cannot_hold_do_not_fail_a_reply() -> None:
    odd = "caf\udce9"
    orjson.dumps(error_json(Failure(name=odd, message=odd, stack=odd, cause=Failure(name=odd, message=odd))))
    orjson.dumps(step_error(Run("w", odd, print, ()), HASH, 0, Failure(name=odd, message=odd), final=True))
    orjson.dumps(step_run(Run("w", odd, print, ()), HASH, 0, b"1", 1, 1))
    orjson.dumps(planned(Sleep("w", odd, 1.0), HASH, 0))
    orjson.dumps(lazy_op(DeferAdd(hash=HASH, id="d", name=odd, function="f", data=b"{}")))


def test_an_error_that_is_read_back_is_the_same() -> None:
    assert Failure.from_json(sent(error_json(FAILURE))) == FAILURE


# Defers: A01 to A04.


def test_a_defer_has_the_shape_and_the_ids_of_the_reference_sdk() -> None:
    add = DeferAdd(hash=step_hash("send"), id="send", name="Send it", function="shop-send", data=b'{"to":"a@b.c"}')
    assert sent(lazy_op(add)) == {
        "id": "37ed539c0cef13959abd980bebf30f4922f606e3", "op": "DeferAdd", "name": "Send it", "displayName": "Send it",
        "opts": {"fn_slug": "shop-send", "input": {"to": "a@b.c"}}, "userland": {"id": "send"}, "data": None,
    }  # fmt: skip
    abort = DeferAbort(hash=step_hash("foo"), id="foo", function="shop-foo")
    assert sent(lazy_op(abort)) == {
        "id": "be3f1d00dd44d7041469f6ad044b4d520b514d06", "op": "DeferAbort", "name": "foo", "displayName": "foo",
        "opts": {"target_hashed_id": "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33", "fn_slug": "shop-foo", "id": "foo"},
        "userland": {"id": "foo"}, "data": None,
    }  # fmt: skip
    other = lazy_op(DeferAbort(hash=step_hash("send"), id="send", function=None))
    assert other is not None
    assert other["id"] == "c8caba5fd45e052ec206809699935f3bfe1656b7"


def test_a_rejected_defer_is_never_sent() -> None:
    assert lazy_op(DeferRejected(hash="h", id="x", function=None, reason="no")) is None


@pytest.mark.parametrize(
    ("meta", "sessions", "expected"),
    [
        (None, None, None),
        (None, {}, None),
        ({}, None, None),
        (None, {"org": "acme"}, {"propagated_sessions": {"org": "acme"}}),
        ({"sessions": {"conv_id": "manual"}}, None, {"sessions": {"conv_id": "manual"}}),
        ({"sessions": {"conv_id": None}}, None, {"sessions": {"conv_id": None}}),
        ({"sessions": None}, {"org": "a"}, {"sessions": None, "propagated_sessions": {"org": "a"}}),
        ({"sessions": {}}, {"org": "a"}, {"propagated_sessions": {"org": "a"}}),
    ],
)
def test_the_sessions_of_a_defer_are_two_layers(meta: Any, sessions: Any, expected: Any) -> None:
    """Behaviours A60 to A63."""
    op = sent(lazy_op(DeferAdd(hash="h", id="x", name="x", function="f", data=b"{}", meta=meta), sessions=sessions))
    assert op["opts"].get("meta") == expected
    assert ("meta" in op["opts"]) is (expected is not None)


@pytest.mark.parametrize(("data", "rest"), [(b"{}", {}), (b' { "a" : 1 } ', {"a": 1}), (b'{"_inngestExperiment":"mine"}', {})])
def test_an_experiment_rides_in_a_reserved_key_of_the_input(data: bytes, rest: dict[str, Any]) -> None:
    """Behaviour A72."""
    experiment = {"experimentName": "x", "variant": "a"}
    op = sent(lazy_op(DeferAdd(hash="h", id="x", name="x", function="f", data=data, experiment=experiment)))
    assert op["opts"]["input"] == {**rest, "_inngestExperiment": experiment}


# The end, and durations.


def test_the_end_of_a_run_has_the_keys_in_their_order() -> None:
    """Behaviour C44."""
    assert orjson.dumps(run_complete(b'{"a":1}')) == b'{"op":"RunComplete","id":"0737c22d3bfae812339732d14d8c7dbd6dc4e09c","data":{"a":1}}'


@given(st.floats(min_value=0, max_value=3e7))
def test_durations_are_whole_seconds_rounded_up(length: float) -> None:
    """Behaviour K12."""
    written = seconds(wire_duration(length))
    assert written == int(written)
    assert length - 1e-6 <= written < length + 1 + 1e-6
    assert (written == 0) is (length == 0)


@given(st.integers(-(10**9), 10**10))
def test_moments_are_written_to_the_millisecond(millis: int) -> None:
    assert abs(moment(wire_moment(millis / 1000)) - millis / 1000) < 0.0011
