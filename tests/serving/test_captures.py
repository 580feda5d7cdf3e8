"""Golden: the calls that a real server made to the JavaScript SDK, answered by the same handlers here, op for op.

Where that SDK loses something, or says it in its own way, DIFFERENT tells what is answered here and why.
"""

from typing import Any

import orjson
import pytest

from inngest_gen.clock import VirtualClock
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.serving.request import Request
from tests.protocol.captured import SCENARIOS, Exchange, body, exchanges
from tests.serving.rig import START, PlayedApi
from tests.serving.scenarios import make

# What is compared of an op: not its times, nor what that SDK leaks of its internals in checkpoints.
_KEYS = {"id", "op", "name", "displayName", "opts", "userland", "data", "error"}
_HEADERS = {"x-inngest-no-retry", "retry-after", "x-inngest-req-version", "x-inngest-sdk-handled"}

DIFFERENT = {
    ("js-nockpt.deferretry", 0): "a failed handler's defers go alone, and the server asks again with the same attempt (L12), "
    "rather than beside a step that is none (A19, A20)",
}


def plain(op: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in op.items() if key in _KEYS}
    error = told.get("error")
    if error is not None:
        told["error"] = error_plain(error)
    if op["op"] == "Sleep" and op["name"].endswith("Z"):
        told["name"] = "a moment"  # of another clock
    if isinstance(told.get("data"), dict) and told["data"].get("__serialized"):
        told["data"] = error_plain(told["data"])
    return told


def error_plain(error: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in error.items() if key in {"name", "message"}}
    cause = error.get("cause")
    if isinstance(cause, dict):
        told["cause"] = {"message": cause["message"]}  # a RuntimeError here is an Error there
    return told


def without_engine_keys(value: Any) -> Any:
    """Data as it is given to handlers here: what the server adds to it is taken out."""
    if isinstance(value, dict):
        return {key: without_engine_keys(one) for key, one in value.items() if key not in {"_inngest", "user"}}
    return [without_engine_keys(one) for one in value] if isinstance(value, list) else value


async def answered(name: str, one: Exchange) -> tuple[Any, PlayedApi]:
    clock = VirtualClock(START)
    app = make(name.partition(".")[0], dev=True, checkpointing=name.startswith("js-ckpt"))
    api = PlayedApi(app)
    endpoint = Endpoint(app, api=api, clock=clock)
    request = Request(method="POST", url=f"http://localhost:8000{one.path}", headers=one.headers, body=body(one))
    return await endpoint.handle(request), api


@pytest.mark.parametrize("name", SCENARIOS)
async def test_calls_are_answered_as_the_reference_sdk_answers_them(name: str) -> None:
    recorded = exchanges(name)
    for number, one in enumerate(recorded):
        if one.direction != "server->sdk":
            continue
        reply, api = await answered(name, one)
        if (name, number) in DIFFERENT:
            assert reply.status == 206
            assert [op["op"] for op in orjson.loads(reply.body)] == ["DeferAdd"]
            continue
        assert {key: reply.headers.get(key) for key in _HEADERS} == {key: one.reply_headers.get(key) for key in _HEADERS}, one.path
        assert reply.status == one.status
        told = orjson.loads(reply.body)
        if reply.status == 206:
            expected = [plain(op) for op in one.reply]
            assert without_engine_keys([plain(op) for op in told]) == without_engine_keys(expected)
        elif reply.status == 200:
            assert without_engine_keys(told) == without_engine_keys(one.reply)
        else:
            assert error_plain(told) == error_plain(one.reply)
        # Calls of a run do not overlap where they checkpoint, so the checkpoints up to the next call are this one's.
        expected_checkpoints = []
        for later in recorded[number + 1 :]:
            if later.direction == "server->sdk":
                break
            expected_checkpoints.append(later)
        assert [set(point) for point in api.checkpoints] == [set(other.json) for other in expected_checkpoints]
        for point, other in zip(api.checkpoints, expected_checkpoints, strict=True):
            assert [plain(op) for op in point["steps"]] == [plain(op) for op in other.json["steps"]]
            for key in ("run_id", "fn_id", "qi_id", "request_id", "generation_id"):
                assert point[key] == other.json[key]
