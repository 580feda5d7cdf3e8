"""Calls: what is read, in which order, what a record's values mean, and that no bytes whatever raise anything but BadCall."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.calls.memo import Memo
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from inngest_gen.intents.step import Invoke, Run, Step, WaitForEvent, WaitForSignal
from inngest_gen.protocol.call import BadCall, WireCall, api_steps, memo_of, parse_call, with_api_state

RUN = "01M81RB0FSX84E1VDKPWMDY63R"
EVENT = {"name": "shop/order", "data": {"order_id": "o1"}, "id": "e1", "ts": 1_700_000_000_000, "user": {}}


def body(**changes: Any) -> bytes:
    ctx = {
        "run_id": RUN,
        "attempt": 1,
        "max_attempts": 4,
        "stack": {"stack": [], "current": 0},
        "fn_id": "f",
        "qi_id": "q",
        **changes.pop("ctx", {}),
    }
    return json.dumps({"event": EVENT, "events": [EVENT], "steps": {}, "defers": {}, "ctx": ctx, "version": -1, **changes}).encode()


def call(raw: bytes | None = None, query: dict[str, str] | None = None, headers: dict[str, str] | None = None, **changes: Any) -> WireCall:
    return parse_call(body(**changes) if raw is None else raw, query={"fnId": "shop-order", **(query or {})}, headers=headers or {})


# What is read.


def test_a_call_with_the_least_a_server_may_send_has_the_defaults_of_the_sdks() -> None:
    """Behaviour C03."""
    read = call(orjson.dumps({"event": {"name": "e"}, "ctx": {"run_id": RUN}}))
    assert read == WireCall(
        function="shop-order", target=None, run_id=RUN, attempt=0, max_attempts=None, event=Event("e"), events=(Event("e"),), steps={}, inputs={},
        defers={}, stack=[], trigger=None, disable_immediate_execution=False, use_api=False, fn_id=None, qi_id="", request_id=None, generation_id=None, job_id=None,
        version=-1,
    )  # fmt: skip
    assert not read.final


def test_a_number_beyond_2_to_the_53_is_the_double_that_it_was() -> None:
    numbers = [1e16, -1e18, 2.0**53 + 2, 1e20, 1e21, 1.5, 2**53, -(2**53)]
    sent = [
        int(number) if abs(number) < 1e21 and number != 1.5 else number for number in numbers
    ]  # as the server writes them: seen on a real one
    deep: Any = 10**17
    for _ in range(600):
        deep = [deep]
    read = call(event={"name": "e", "data": {"n": sent}}, events=[], steps={"a": {"data": {"x": [sent, 10**17]}}, "b": {"data": deep}})
    assert repr(read.event.data["n"]) == repr(numbers)
    assert repr(memo_of(read.steps["a"]).data) == repr({"x": [numbers, 1e17]})
    assert "e+17" in json.dumps(read.steps["b"])
    assert api_steps(b'{"a":{"data":10000000000000000}}')["a"] == {"data": 1e16}


def test_the_event_and_all_events_are_read() -> None:
    other = {"name": "shop/other", "data": None, "id": "", "ts": 1.7e12}
    read = call(events=[EVENT, other])
    assert read.event == Event("shop/order", {"order_id": "o1"}, id="e1", ts=1_700_000_000_000)
    assert read.events == (read.event, Event("shop/other", {}, ts=1_700_000_000_000))


def test_an_event_that_is_read_is_one_like_any_other() -> None:
    read, made = call().event, Event("shop/order", {"order_id": "o1"}, id="e1", ts=1_700_000_000_000)
    assert type(read) is Event
    assert (read, repr(read)) == (made, repr(made))
    assert copy.deepcopy(read) == pickle.loads(pickle.dumps(read)) == made
    assert dataclasses.replace(read, name="other") == dataclasses.replace(made, name="other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        read.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("changes", [{"events": None}, {"events": []}])
def test_without_a_list_the_event_is_all_there_is(changes: dict[str, Any]) -> None:
    assert call(**changes).events == (call().event,)


def test_without_an_event_it_is_the_first_of_the_list() -> None:
    assert call(event=None).event.name == "shop/order"


@pytest.mark.parametrize(
    ("query", "headers", "target"),
    [
        ({}, {}, None),
        ({"stepId": "step"}, {}, None),
        ({"stepId": ""}, {}, None),
        ({"stepId": "abc"}, {}, "abc"),
        ({"stepId": "abc"}, {"x-inngest-step-id": "other"}, "abc"),
        ({}, {"x-inngest-step-id": "abc"}, "abc"),
        ({}, {"x-inngest-step-id": "step"}, None),
    ],
)
def test_the_target_is_in_the_query_or_in_a_header(query: dict[str, str], headers: dict[str, str], target: str | None) -> None:
    """Behaviour C11."""
    assert call(query=query, headers=headers).target == target


def test_the_ids_for_checkpoints_come_from_headers_or_from_the_context() -> None:
    """Behaviour F03."""
    ctx = {"request_id": "in ctx", "generation_id": 2, "job_id": "in ctx"}
    read = call(ctx=ctx)
    assert (read.fn_id, read.qi_id, read.request_id, read.generation_id, read.job_id) == ("f", "q", "in ctx", 2, "in ctx")
    read = call(ctx=ctx, headers={"x-request-id": "r", "x-inngest-generation-id": "7", "x-inngest-job-id": "j"})
    assert (read.request_id, read.generation_id, read.job_id) == ("r", 7, "j")
    assert call(headers={"x-inngest-generation-id": "0"}).generation_id == 0


@pytest.mark.parametrize("given_", ["", "x", "1.5", "-1", "٣", "9" * 30])
def test_a_generation_that_is_no_whole_number_is_as_none(given_: str) -> None:
    assert call(headers={"x-inngest-generation-id": given_}).generation_id is None


@pytest.mark.parametrize("changes", [{"ctx": {"use_api": True}}, {"use_api": True}])
def test_the_api_may_be_asked_for_in_two_places(changes: dict[str, Any]) -> None:
    assert call(**changes).use_api


@pytest.mark.parametrize(("attempt", "most", "final"), [(0, 1, True), (0, 2, False), (3, 4, True), (5, 4, True), (9, None, False)])
def test_the_last_attempt_is_known_where_the_server_says_how_many_there_are(attempt: int, most: int | None, final: bool) -> None:
    """Behaviour D07."""
    assert call(ctx={"attempt": attempt, "max_attempts": most}).final is final


def test_defers_can_be_aborted_unless_the_server_says_otherwise() -> None:
    """Behaviours A34, A37."""
    read = call(defers={"a": {"abortable": True}, "b": {"abortable": False}, "c": {}, "d": None})
    assert read.defers == {"a": True, "b": False, "c": True, "d": True}
    assert call(defers=None).defers == {}


# The record's order.


def test_results_come_in_the_order_of_the_stack() -> None:
    """Behaviour C59."""
    steps = {"a": {"data": 1}, "b": {"data": 2}, "c": None}
    assert list(call(steps=steps, ctx={"stack": {"stack": ["c", "a", "b"]}}).steps.items()) == [
        ("c", None),
        ("a", {"data": 1}),
        ("b", {"data": 2}),
    ]


@pytest.mark.parametrize(("current", "trigger"), [(0, None), (1, "a"), (2, "b"), (2.0, "b"), (3, None), (-1, None), (None, None)])
def test_the_stack_tells_which_step_led_to_the_call(current: Any, trigger: str | None) -> None:
    assert call(steps={"a": 1, "b": 2}, ctx={"stack": {"stack": ["a", "b"], "current": current}}).trigger == trigger


@pytest.mark.parametrize("stack", [{"stack": []}, {"stack": None}, {}, None])
def test_without_a_stack_they_come_as_they_stand(stack: Any) -> None:
    """Behaviour C08."""
    steps = {"b": {"data": 2}, "a": {"data": 1}, "x": {"input": [1]}}
    read = call(steps=steps, ctx={"stack": stack})
    assert list(read.steps) == ["b", "a"]
    assert read.inputs == {"x": [1]}


def test_what_is_not_on_the_stack_is_a_replaced_input_or_a_result_that_follows() -> None:
    """Behaviours C12, C53."""
    steps = {
        "late": {"data": 9}, "in": {"input": [1, {"x": 2}]}, "typed": {"type": "input", "input": []}, "a": {"data": 1},
        "more": {"input": [1], "data": 2}, "no list": {"input": 1},
    }  # fmt: skip
    read = call(steps=steps, ctx={"stack": {"stack": ["a", "gone", "a"]}})
    assert list(read.steps) == ["a", "late", "more", "no list"]
    assert read.inputs == {"in": [1, {"x": 2}], "typed": []}


# The API's state.


def test_the_state_from_the_api_is_put_in_the_order_of_the_calls_stack() -> None:
    """Behaviour C07."""
    large = call(steps={}, events=[], use_api=True, ctx={"stack": {"stack": ["b", "a"]}})
    read = with_api_state(large, orjson.dumps([EVENT, EVENT]), orjson.dumps({"a": {"data": 1}, "b": {"data": 2}, "c": {"input": [3]}}))
    assert list(read.steps) == ["b", "a"]
    assert read.inputs == {"c": [3]}
    assert read.events == (large.event, large.event)
    assert (read.event, read.use_api, read.run_id) == (large.event, False, RUN)


@pytest.mark.parametrize(
    ("batch", "actions", "message"),
    [
        (b"", b"{}", "the run's events is no JSON"),
        (b'{"error":"gone"}', b"{}", "the run's events must be an array, not an object"),
        (b"[1]", b"{}", "must be an object, not a number"),
        (b"[]", b"[]", "the run's steps must be an object, not an array"),
        (b"[]", b"<html>", "the run's steps is no JSON"),
    ],
)
def test_an_answer_of_the_api_that_is_none_is_a_failure_of_the_call(batch: bytes, actions: bytes, message: str) -> None:
    with pytest.raises(BadCall, match=message) as raised:
        with_api_state(call(use_api=True), batch, actions)
    assert raised.value.status == 500


# What is refused.


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b'"\\ud800"', "no JSON"),
        (b"NaN", "no JSON"),
        (b'{"event":{"name":"e","data":{"n":NaN}},"ctx":{"run_id":"r"}}', "no JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "no JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "no JSON"),
        (b"1" * 5000, "no JSON"),
        (b"null", "the request's body must be an object, not null"),
        (b"[]", "the request's body must be an object, not an array"),
        (b"1", "the request's body must be an object, not a number"),
        (b"{}", "ctx must be an object, not null"),
        (body(ctx={"run_id": None}), "has no ctx.run_id"),
        (body(ctx={"run_id": ""}), "has no ctx.run_id"),
        (body(ctx={"run_id": 1}), "ctx.run_id must be a string, not a number"),
        (body(ctx={"attempt": "1"}), "attempt must be a whole number, not a string"),
        (body(ctx={"attempt": 1.5}), "attempt must be a whole number"),
        (body(ctx={"attempt": True}), "attempt must be a whole number, not true or false"),
        (body(ctx={"attempt": -1}), "attempt must be 0 or more"),
        (body(ctx={"max_attempts": []}), "max_attempts must be a whole number, not an array"),
        (body(ctx={"disable_immediate_execution": 1}), "disable_immediate_execution must be true or false"),
        (body(ctx={"stack": []}), "ctx.stack must be an object, not an array"),
        (body(ctx={"stack": {"stack": "ab"}}), "ctx.stack.stack must be an array of strings"),
        (body(ctx={"stack": {"stack": ["a"], "current": "a"}}), "current must be a whole number, not a string"),
        (body(ctx={"stack": {"stack": ["a", 1]}}), "ctx.stack.stack must be an array of strings"),
        (body(ctx={"stack": {"stack": [["a"]]}}), "ctx.stack.stack must be an array of strings"),
        (body(ctx={"qi_id": 1}), "ctx.qi_id must be a string"),
        (body(ctx={"generation_id": "1"}), "generation_id must be a whole number"),
        (body(steps=[]), "steps must be an object, not an array"),
        (body(defers=[]), "defers must be an object"),
        (body(defers={"a": 1}), "must be an object, not a number"),
        (body(defers={"a": {"abortable": "yes"}}), "abortable must be true or false"),
        (body(event=None, events=[]), "has no event"),
        (body(event=1), "event must be an object, not a number"),
        (body(events={}), "events must be an array, not an object"),
        (body(events=[1]), r"events\[0\] must be an object, not a number"),
        (body(event={"name": ""}, events=[]), "event is no event: an event's name must be a non-empty string"),
        (body(events=[{"name": 7}]), "an event's name must be a non-empty string"),
        (body(events=[{"name": "e", "data": []}]), "must be a JSON object"),
        (body(events=[{"name": "e", "data": 10**17}]), "must be a JSON object"),
        (body(events=[{"name": "e", "ts": "now"}]), "ts of event 'e'"),
        (body(events=[{"name": "e" * 10_000, "id": 5}]), "the data of|the id of|no event"),
        (body(events=[{"name": "e", "id": 5}]), "the id of event 'e'"),
        (body(events=[{"name": "e", "meta": 5}]), "the meta of event 'e'"),
        (body(version="x"), "version must be a whole number"),
    ],
)  # fmt: skip
def test_what_is_no_call_is_refused_with_a_sentence(raw: bytes, message: str) -> None:
    with pytest.raises(BadCall, match=message) as raised:
        call(raw)
    assert (raised.value.status, raised.value.code) == (400, "body_invalid")
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("query", "raw", "code"),
    [({"fnId": ""}, body(), "function_missing"), ({}, body(version=0), "version_unsupported")],
)
def test_what_the_server_should_not_have_sent_is_its_failure(query: dict[str, str], raw: bytes, code: str) -> None:
    """Behaviours C05, C10."""
    with pytest.raises(BadCall) as raised:
        call(raw, query=query)
    assert (raised.value.status, raised.value.code) == (500, code)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=6) | st.sampled_from(["a", "b", RUN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "stack", "data", "input", "error", "name"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_KEYS = ["event", "events", "steps", "defers", "ctx", "version", "use_api"]
_CTX = [
    "run_id",
    "attempt",
    "max_attempts",
    "stack",
    "fn_id",
    "qi_id",
    "request_id",
    "generation_id",
    "disable_immediate_execution",
    "use_api",
]


@st.composite
def _hostile(draw: st.DrawFn) -> bytes:
    """A real call with some of its values replaced, and then perhaps some of its bytes."""
    value = json.loads(body(steps={"a": {"data": 1}, "b": {"input": [1]}}, ctx={"stack": {"stack": ["a"]}}))
    for key in draw(st.lists(st.sampled_from(_KEYS), max_size=2)):
        value[key] = draw(_VALUES)
    if isinstance(value.get("ctx"), dict):
        for key in draw(st.lists(st.sampled_from(_CTX), max_size=2)):
            value["ctx"][key] = draw(_VALUES)
    raw = bytearray(json.dumps(value).encode())
    for at in draw(st.lists(st.integers(0, len(raw) - 1), max_size=2)):
        raw[at] = draw(st.integers(0, 255))
    return bytes(raw)


# A soak fixture and Hypothesis do not mix: the profile that `--soak` loads has the size.
@given(
    _hostile() | st.binary(max_size=64),
    st.dictionaries(st.sampled_from(["x-inngest-generation-id", "x-inngest-step-id"]), st.text(max_size=8)),
)
def test_no_bytes_raise_anything_but_a_refusal(raw: bytes, headers: dict[str, str]) -> None:
    _refused_or_read(raw, headers)


def test_no_bytes_raise_anything_but_a_refusal_at_length(soak: bool) -> None:
    search = hypothesis.settings(max_examples=20_000 if soak else 20)(given(_hostile())(lambda raw: _refused_or_read(raw, {})))
    search()


def _refused_or_read(raw: bytes, headers: dict[str, str]) -> None:
    try:
        read = call(raw, headers=headers)
    except BadCall:
        return
    assert isinstance(read.run_id, str)
    assert read.events
    for value in read.steps.values():
        for step in (None, *_kinds()):
            memo = memo_of(value, step)
            assert isinstance(memo, Memo)
            assert memo.error is None or str(memo.error)


def _kinds() -> list[Step[Any]]:
    return [Run("a", "a", print, ()), Invoke("i", "i", "f", {}, None, None), WaitForSignal("s", "s", "s", 1.0, "fail"), _wait()]


def _wait() -> WaitForEvent[Any]:
    return WaitForEvent("w", "w", "e", 1.0, None, None)


# What a record's values mean: C51 to C57.

FINISHED = {
    "name": "inngest/function.finished", "id": "01J", "ts": 1, "user": {},
    "data": {"function_id": "f", "run_id": RUN, "event": EVENT, "events": [EVENT], "correlation_id": "r.h", "_inngest": {"status": "Cancelled"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, None),
        ({"data": 1}, 1),
        ({"data": None}, None),
        ({"data": {"data": 1}}, {"data": 1}),
        ({"data": {"error": {"name": "Alice", "message": "Hello"}}}, {"error": {"name": "Alice", "message": "Hello"}}),
        ({"type": "data", "data": [1]}, [1]),
        ({"type": "other", "data": [1]}, {"type": "other", "data": [1]}),
        ({"data": 1, "more": 2}, {"data": 1, "more": 2}),
        (EVENT, EVENT),
        ({"name": "Alice", "message": "Hello"}, {"name": "Alice", "message": "Hello"}),
        ({}, {}),
        ([], []),
        ("text", "text"),
        (FINISHED, FINISHED),
    ],
)
def test_data_alone_is_the_result_and_anything_else_is_the_value_itself(value: Any, data: Any) -> None:
    memo = memo_of(value, Run("a", "a", print, ()))
    assert memo.error is None
    assert memo.data == data
    assert type(memo.data) is type(data)


def test_an_error_alone_is_a_failure_with_its_cause() -> None:
    cause = {"name": "Error", "message": "root", "stack": "at root", "__serialized": True}
    memo = memo_of({"error": {"name": "TypeError", "message": "no", "stack": "at", "cause": cause, "noRetry": True, "data": {"x": 1}}})
    error = memo.error
    assert isinstance(error, StepError)
    assert (error.name, error.message, error.stack, error.no_retry, error.data) == ("TypeError", "no", "at", True, {"x": 1})
    assert isinstance(error.cause, StepError)
    assert (error.cause.name, error.cause.message, error.cause.stack, error.cause.no_retry) == ("Error", "root", "at root", False)
    assert error.__cause__ is error.cause


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        ("boom", "Error", "boom"),
        (None, "Error", ""),
        ({}, "Error", ""),
        ([1], "Error", "[1]"),
        ({"name": 1, "message": {"a": 1}, "stack": 5}, "1", '{"a":1}'),
        ({"error": "invalid status code: 500", "name": "E", "message": "m"}, "E", "m"),
    ],
)
def test_an_error_of_another_shape_is_a_failure_too(error: Any, name: str, message: str) -> None:
    found = memo_of({"error": error}).error
    assert isinstance(found, StepError)
    assert (found.name, found.message, found.stack) == (name, message, None)


@pytest.mark.parametrize("cause", ["text", {"message": "text"}])
def test_a_cause_may_be_a_text(cause: Any) -> None:
    error = memo_of({"error": {"name": "E", "message": "m", "cause": cause}}).error
    assert error is not None
    assert error.cause is not None
    assert error.cause.message == "text"


def test_a_deep_chain_of_causes_is_cut() -> None:
    error: Any = {"name": "E", "message": "m"}
    for _ in range(900):
        error = {"name": "E", "message": "m", "cause": error}
    found, depth = memo_of({"error": error}).error, 0
    while found is not None:
        found, depth = found.cause, depth + 1
    assert depth < 20


def test_a_signal_gives_its_data() -> None:
    """Behaviours C54, I33."""
    wait: WaitForSignal[Any] = WaitForSignal("s", "s", "go", 1.0, "fail")
    value = {"data": {"signal": "go", "data": {"x": 1}}}
    assert memo_of(value, wait).data == {"x": 1}
    assert memo_of(value, Run("s", "s", print, ())).data == {"signal": "go", "data": {"x": 1}}
    assert memo_of(None, wait).data is None


def test_an_invoked_run_that_was_cancelled_is_a_failure_of_the_invoke_only() -> None:
    """Behaviour K13."""
    invoke: Invoke[Any] = Invoke("i", "i", "f", {}, None, None)
    error = memo_of(FINISHED, invoke).error
    assert error is not None
    assert error.name == "InvokedRunCancelled"
    assert RUN in error.message
    assert memo_of(FINISHED, _wait()).data == FINISHED
    assert memo_of(FINISHED).data == FINISHED
    assert memo_of({"data": FINISHED}, invoke).data == FINISHED
    assert memo_of({**FINISHED, "data": None}, invoke).error is not None
