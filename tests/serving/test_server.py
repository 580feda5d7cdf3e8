"""An app behind `ig.serve` and a server that plays the real one: the recorded scenarios from the event to the end of every run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.server import Server
from tests.protocol.captured import exchanges
from tests.serving import scenarios

KEY, EVENT_KEY = "signkey-test-0123456789abcdef", "events"


def settings_for(server: Server) -> dict[str, Any]:
    if server.signing_key is None:
        return {"dev": server.url}
    return {"dev": False, "base_url": server.url, "signing_key": server.signing_key, "event_key": EVENT_KEY}


@asynccontextmanager
async def serving(app_of: Any, *, signed: bool = False) -> AsyncIterator[Server]:
    async with Server(signing_key=KEY if signed else None, event_key=EVENT_KEY if signed else None, seed=1) as server:
        await server.register(ig.serve(app_of(**settings_for(server))))
        yield server


def run_of(runs: Sequence[ServerRun], function: str) -> ServerRun:
    [one] = [run for run in runs if run.function == f"shop-{function}"]
    return one


OUTPUTS = {
    "plain": {"hello": {"hello": "world"}},
    "steps": {"a": {"v": 1}, "b": "bee", "u": None, "n": None, "again": "dup id"},
    "parallel": {"x": 1, "y": 2, "z": 3, "after": 6},
    "sleep": "woke",
    "steperror": "ok@1",
    "stepfail": {"caught": "NonRetriableError", "msg": "dead", "cause": "root"},
    "fnerror": "recovered@1",
    "invoke": {"r": {"child": {"x": 1}}},
    "deferonly": "p",
    "defertop": "parent",
    "defertopfirst": "parent",
    "deferinstep": "parent",
    "deferretry": "ok",
    "abortafterstep": "x",
}
DEFERRED = {
    "deferonly": [("noschema", {"k": 1, "nested": {"a": [1, 2]}})],
    "defertop": [("send", {"to": "a@b.c"})],
    "defertopfirst": [("send", {"to": "first@b.c"})],
    "deferinstep": [("send", {"to": "in@step"})],
    "deferretry": [("noschema", {"t": 0})],
}


def calls_recorded(mode: str, scenario: str) -> int:
    recorded = exchanges(f"js-{mode}.{scenario}")
    return sum(one.direction == "server->sdk" and f"-{scenario}&" in one.path for one in recorded)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("mode", ["ckpt", "nockpt"])
@pytest.mark.parametrize("scenario", OUTPUTS)
async def test_scenarios_end_as_recorded_in_as_many_calls(scenario: str, mode: str, signed: bool) -> None:
    async with serving(lambda **settings: scenarios.make("shop", checkpointing=mode == "ckpt", **settings), signed=signed) as server:
        runs = await server.run({"name": f"shop/{scenario}", "data": {"hello": "world"}})
        one = run_of(runs, scenario)
        assert (one.status, one.output) == ("completed", OUTPUTS[scenario]), one.error
        calls = [call for call in one.calls if call.direction == "app"]
        # Defers of a failed handler go in a reply of their own where there is no checkpoint (L12): the server asks once more.
        assert len(calls) == calls_recorded(mode, scenario) + (scenario == "deferretry" and mode == "nockpt")
        assert not [call.signature_problem for call in calls if call.signature_problem]
        deferred = [run for run in runs if run.event["name"] == "inngest/deferred.schedule"]
        assert all(run.status == "completed" for run in deferred)
        assert [(run.function.removeprefix("shop-"), given(run)) for run in deferred] == DEFERRED.get(scenario, [])


def given(run: ServerRun) -> dict[str, Any]:
    return {key: value for key, value in run.event["data"].items() if key != "_inngest"}
