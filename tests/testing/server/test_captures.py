"""The server sends what Inngest's server sent, field for field, when an app answers what Inngest's JavaScript SDK answered."""

from urllib.parse import urlsplit

import pytest

from inngest_gen.clock import VirtualClock
from inngest_gen.testing import Server
from tests.testing.server.capture import CAPTURES, Names, Script

SCENARIOS = sorted(path.stem for path in CAPTURES.glob("js-*kpt.*.json"))


def test_there_are_captures() -> None:
    assert len(SCENARIOS) == 28


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_calls_are_those_of_the_real_server(name: str) -> None:
    script = Script(name)
    async with Server(clock=VirtualClock(script.event["ts"] / 1000)) as server:
        await server.register(script.app(server), path=script.path)
        sent = {"name": script.event["name"], "data": script.event["data"]}
        runs = await server.run(sent)
    assert [run.status for run in runs] == ["completed"] * len(runs)
    calls = {call.headers["X-Request-Id"]: call for run in runs for call in run.calls if call.direction == "app"}
    assert len(calls) == len(script.exchanges)
    ours, theirs = Names(), Names()
    for exchange in script.exchanges:
        assert exchange.request_id is not None
        call = calls[exchange.request_id]
        parts = urlsplit(call.url)
        assert f"{parts.path}?{parts.query}" == exchange.request["path"]
        assert ours.plain(call.json) == theirs.plain(exchange.request["json"])
        assert ours.plain(dict(call.headers)) == theirs.plain(dict(exchange.request["headers"]))


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name.startswith("js-ckpt")])
async def test_checkpoints_are_taken(name: str) -> None:
    script = Script(name)
    async with Server(clock=VirtualClock(script.event["ts"] / 1000)) as server:
        await server.register(script.app(server), path=script.path)
        await server.run({"name": script.event["name"], "data": script.event["data"]})
    assert [(one.status_code, one.content, one.headers["content-type"]) for one in script.posted] == [
        (200, b"", "application/json") for exchange in script.exchanges for _ in exchange.checkpoints
    ]
