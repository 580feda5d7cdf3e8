"""Checkpoints: the body that the reference SDK sends."""

from __future__ import annotations

import dataclasses

import orjson
import pytest

from inngest_gen.protocol.call import parse_call
from inngest_gen.protocol.checkpoint import checkpoint_body
from tests.protocol.captured import SCENARIOS, body, exchanges


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name.startswith("js-ckpt")])
def test_recorded_checkpoints_are_those_that_would_be_sent_for_their_calls(name: str) -> None:
    calls = {
        one.json["ctx"]["request_id"]: parse_call(body(one), query=one.query, headers=one.headers)
        for one in exchanges(name)
        if one.direction == "server->sdk" and one.method == "POST"
    }
    for one in exchanges(name):
        if one.direction == "sdk->server":
            theirs = one.json
            ours = checkpoint_body(
                calls[theirs["request_id"]],
                [orjson.Fragment(orjson.dumps(step)) for step in theirs["steps"]],  # type: ignore[misc]
                started=theirs["request_started_at"] / 1000 + 1e-4,
                now=theirs["ts"] / 1000 + 1e-4,
            )
            assert orjson.loads(ours) == theirs
            assert list(orjson.loads(ours)) == list(theirs)


def test_what_the_server_did_not_say_is_left_out() -> None:
    one = exchanges("js-ckpt.steps")[0]
    call = parse_call(body(one), query=one.query, headers=one.headers)
    sent = orjson.loads(checkpoint_body(dataclasses.replace(call, request_id=None, generation_id=None), [], started=1, now=2))
    assert "request_id" not in sent
    assert "generation_id" not in sent
