"""Replies: status, retry headers and bodies of section D, and what an unauthenticated caller sees."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.calls.failure import Failure
from inngest_gen.options.settings import Settings
from inngest_gen.protocol.ops import run_complete
from inngest_gen.protocol.reply import (
    Reply,
    error_reply,
    ops_reply,
    problem_reply,
    result_reply,
    retry_after_text,
    sdk_headers,
    step_not_found_reply,
    unauthenticated,
)
from inngest_gen.protocol.sdk import SDK

FAILURE = Failure(name="ValueError", message="no", stack="Traceback (most recent call last): ...", cause=Failure(name="E", message="root"))


def test_a_result_is_answered_as_it_is() -> None:
    """Behaviours D01, D09."""
    assert result_reply(b'{"a":1}') == Reply(status=200, headers={}, body=b'{"a":1}')


def test_ops_are_answered_in_their_order_without_retry_headers() -> None:
    reply = ops_reply([{"op": "DeferAdd"}, run_complete(b"null")])
    assert (reply.status, reply.headers) == (206, {})
    assert [op["op"] for op in orjson.loads(reply.body)] == ["DeferAdd", "RunComplete"]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("given_", "headers"),
    [
        ({"no_retry": True}, {"x-inngest-no-retry": "true"}),
        ({"no_retry": False}, {"x-inngest-no-retry": "false"}),
        ({"no_retry": False, "retry_after": 600.0}, {"x-inngest-no-retry": "false", "retry-after": "600"}),
        ({"retry_after": 1.5}, {"x-inngest-no-retry": "false", "retry-after": "2"}),
        ({"no_retry": True, "retry_after": 5.0}, {"x-inngest-no-retry": "true"}),
    ],
)
def test_failures_say_whether_and_when_beside_other_ops_too(count: int, given_: dict[str, Any], headers: dict[str, str]) -> None:
    """Behaviours D04, D05, L11; K11: the reference SDK loses them where a defer rides along."""
    assert ops_reply([{"op": "StepError"}] * count, **given_).headers == headers


@pytest.mark.parametrize(
    ("given_", "status", "headers"),
    [
        ({"no_retry": False}, 500, {"x-inngest-no-retry": "false"}),
        ({"no_retry": True}, 400, {"x-inngest-no-retry": "true"}),
        ({"no_retry": False, "retry_after": 1.0}, 500, {"x-inngest-no-retry": "false", "retry-after": "1"}),
        ({"no_retry": True, "retry_after": 1.0}, 400, {"x-inngest-no-retry": "true"}),
    ],
)
def test_a_handlers_failure_is_400_for_good_and_500_for_another_attempt(
    given_: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    """Behaviours D02, D03, D06."""
    reply = error_reply(FAILURE, **given_)
    assert (reply.status, reply.headers) == (status, headers)
    assert orjson.loads(reply.body) == {
        "name": "ValueError", "message": "no", "stack": "Traceback (most recent call last): ...", "__serialized": True,
        "cause": {"name": "E", "message": "root", "__serialized": True},
    }  # fmt: skip


def test_a_problem_is_named_and_left_to_be_tried_again() -> None:
    reply = problem_reply(500, "function_not_found", 'Function "x" was not found\ud800', headers={"allow": "GET"})
    assert (reply.status, reply.headers) == (500, {"content-type": "application/json", "allow": "GET"})
    assert orjson.loads(reply.body) == {"code": "function_not_found", "message": 'Function "x" was not found\\ud800', "name": "Error"}


def test_a_missing_step_is_told_with_what_came_up_in_its_place() -> None:
    """Behaviours C74, C75."""
    found = [(f"{number:02}", f"id-{number}", f"Step {number}") for number in reversed(range(29))]
    reply = step_not_found_reply("abc", found)
    assert (reply.status, reply.headers) == (500, {"x-inngest-no-retry": "false"})
    body = orjson.loads(reply.body)
    assert body["requestedStep"] == "abc"
    assert body["totalFoundSteps"] == 29
    assert body["foundSteps"][:2] == [
        {"id": "00", "name": "id-0", "displayName": "Step 0"},
        {"id": "01", "name": "id-1", "displayName": "Step 1"},
    ]
    assert len(body["foundSteps"]) == 25
    assert body["error"].startswith('Could not find step "abc" to run')
    assert orjson.loads(step_not_found_reply("abc", []).body)["foundSteps"] == []


# Retry-After: D08a; the server reads at most seven digits as seconds, and 0 as no number.


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (1.5, "2"), (600, "600"), (0, "1"), (-5, "1"), (0.0001, "1"), (2.0000000001, "2"), (1e12, "9999999"),
        (datetime(2026, 1, 31, 9, 0, 0, 5000, tzinfo=UTC), "2026-01-31T09:00:00.005Z"),
        (datetime(2026, 1, 31, 9, tzinfo=timezone(timedelta(hours=2))), "2026-01-31T07:00:00.000Z"),
    ],
)  # fmt: skip
def test_when_to_try_again_is_whole_seconds_or_a_moment(after: Any, text: str) -> None:
    assert retry_after_text(after) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_server_can_read_any_seconds(after: float) -> None:
    text = retry_after_text(after)
    assert len(text) <= 7
    assert int(text) >= 1


@pytest.mark.parametrize("after", [math.nan, math.inf, datetime(2026, 1, 1)])  # noqa: DTZ001 - the mistake
def test_what_is_no_time_is_refused(after: Any) -> None:
    with pytest.raises(ValueError, match="no time|no timezone"):
        retry_after_text(after)


# Headers: E23, E24, E27, C06.


def test_every_reply_says_what_answers() -> None:
    assert sdk_headers(Settings(), {}, framework="asgi") == {
        "content-type": "application/json", "user-agent": SDK, "x-inngest-sdk": SDK, "x-inngest-sdk-handled": "true", "x-inngest-framework": "asgi",
        "x-inngest-req-version": "2",
    }  # fmt: skip
    assert SDK.startswith("inngest-gen:v")


def test_what_the_request_and_the_settings_say_is_told_back() -> None:
    headers = sdk_headers(
        Settings(env="branch", platform="render"),
        {"x-inngest-server-kind": "dev", "traceparent": "00-a", "tracestate": "b=c", "cookie": "secret"},
        framework="flask",
    )
    assert headers["x-inngest-env"] == "branch"
    assert headers["x-inngest-platform"] == "render"
    assert headers["x-inngest-expected-server-kind"] == "dev"
    assert (headers["traceparent"], headers["tracestate"]) == ("00-a", "b=c")
    assert "secret" not in headers.values()


def test_an_unauthenticated_caller_learns_only_that_an_sdk_answers() -> None:
    headers = {**sdk_headers(Settings(env="e"), {}, framework="asgi"), "x-inngest-signature": "s", "x-inngest-sync-kind": "in_band"}
    assert unauthenticated(headers) == {"content-type": "application/json", "x-inngest-sdk-handled": "true"}
