"""The test server's HTTP API: events, keys, runs, metadata (sections I2 and J of the behaviours)."""

import json
from typing import Any

import httpx
import pytest

from inngest_gen.testing import Server
from tests.testing.server.scripted import get, op, post, run, sha, start

KEY = "signkey-prod-12345678"
BEARER = "Bearer signkey-prod-b2ed992186a5cb19f6668aade821f502c1d00970dfd0e35128d51bac4649916c"


async def test_events_get_ids_in_the_order_of_the_request() -> None:
    async with Server() as server:
        answer = await post(f"{server.url}/e/any", [{"name": "a"}, {"name": "b", "id": "mine"}])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        body = answer.json()
        assert (len(body["ids"]), body["status"]) == (2, 200)
        assert [event["id"] for event in server.events] == [body["ids"][0], "mine"]


async def test_a_seed_makes_the_ids() -> None:
    async with Server() as server:
        answer = await post(f"{server.url}/e/any", [{"name": "a"}, {"name": "b"}], x_inngest_event_id_seed="1743130137367,eii2YKXRVTJPuA==")
        assert answer.json()["ids"] == ["01JQDAE4RQF8MBCR55T5AK4KXS", "01JQDAE4RQF8MBCR55T5AK4KXT"]


async def test_one_id_starts_a_function_once_within_a_day() -> None:
    async with Server() as server:
        await start(server, go=lambda call: None)
        for _ in range(2):
            await post(f"{server.url}/e/any", {"name": "go", "id": "same"})
        await server.settle()
        assert len(server.runs) == 1
        await server.advance("24h")
        await post(f"{server.url}/e/any", {"name": "go", "id": "same"})
        await server.settle()
        assert len(server.runs) == 2


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"name": "inngest/x"}, "event name is reserved for internal use: inngest/x"),
        ({"name": "INNGEST/x"}, "event name is reserved for internal use: INNGEST/x"),
        ({}, "event name is empty"),
        ({"name": "a", "ts": 1}, "timestamp is before Jan 1, 1980"),
        ({"name": "a", "ts": 5_000_000_000_000}, "timestamp is after Jan 1, 2100"),
        ({"name": "a", "meta": {"sessions": {"k": True}}}, 'event session "k" must be a string, number, or null'),
        ({"name": "a", "meta": {"sessions": {f"k{n}": "v" for n in range(6)}}}, "event sessions can include at most 5 entries"),
        ({"name": "a", "data": {"x": "y" * 3 * 1024 * 1024}}, "event is larger than 3145728 bytes"),
        ("text", "an event must be a JSON object"),
    ],
)
async def test_a_bad_event_is_refused_and_those_before_it_are_taken(event: Any, reason: str) -> None:
    async with Server() as server:
        answer = await post(f"{server.url}/e/any", [{"name": "good"}, event, {"name": "never"}])
        body = answer.json()
        assert (answer.status_code, body["status"], body["error"], len(body["ids"])) == (400, 400, reason, 1)
        assert [one["name"] for one in server.events] == ["good"]


async def test_what_a_user_may_not_say_about_an_event_is_taken_out() -> None:
    async with Server() as server:
        await post(f"{server.url}/e/any", {"name": "a", "data": {"x": 1, "_inngest": {"fn_id": "y"}}})
        assert server.events[0]["data"] == {"x": 1}


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
async def test_events_are_json(content_type: str) -> None:
    async with Server() as server:
        answer = await post(f"{server.url}/e/any", b"x", content_type=content_type)
        assert answer.status_code == 400
        assert (await post(f"{server.url}/e/any", b"{")).status_code == 400


async def test_a_request_has_at_most_5000_events() -> None:
    async with Server() as server:
        assert (await post(f"{server.url}/e/any", [{"name": "a"}] * 5000)).status_code == 200
        assert (await post(f"{server.url}/e/any", [{"name": "a"}] * 5001)).status_code == 400


async def test_events_want_the_event_key() -> None:
    async with Server(signing_key=KEY, event_key="ek") as server:
        assert (await post(f"{server.url}/e/", {"name": "a"})).json()["error"] == "Event key is required"
        assert (await post(f"{server.url}/e/other", {"name": "a"})).status_code == 401
        assert (await post(f"{server.url}/e/ek", {"name": "a"})).status_code == 200


@pytest.mark.parametrize("path", ["/v1/runs/01GQ3HTEZ01M7R8Z9PR1DMHDN1", "/v1/events/x/runs", "/v0/runs/x/batch"])
async def test_the_rest_of_the_api_wants_the_hashed_signing_key(path: str) -> None:
    async with Server(signing_key=KEY) as server:
        assert (await get(server.url + path)).status_code == 401
        assert (await get(server.url + path, authorization=f"Bearer {KEY}")).status_code == 401
        assert (await get(server.url + path, authorization=BEARER)).status_code != 401
        assert (await get(server.url + path, authorization="Bearer " + BEARER[-64:])).status_code != 401


async def test_without_a_signing_key_any_authorization_will_do() -> None:
    async with Server() as server:
        answer = await get(f"{server.url}/v1/events/x/runs", authorization="Bearer undefined")
        assert answer.status_code == 200
        assert answer.headers["x-inngest-server-kind"] == "dev"


async def test_an_event_s_runs_can_be_read_by_its_internal_id() -> None:
    async with Server() as server:
        await start(server, go=lambda call: {"n": 1}, other=lambda call: None)
        [event_id] = (await post(f"{server.url}/e/any", {"name": "go", "id": "mine"})).json()["ids"]
        await server.settle()
        [shown] = (await get(f"{server.url}/v1/events/{event_id}/runs")).json()["data"]
        assert (shown["run_id"], shown["status"], shown["output"]) == (server.runs[0].id, "Completed", {"n": 1})
        assert (await get(f"{server.url}/v1/events/{event_id}")).json()["data"]["name"] == "go"
        assert (await get(f"{server.url}/v1/events/nothing")).status_code == 404


async def test_a_run_can_be_read_and_cancelled() -> None:
    async with Server() as server:
        await start(server, go=lambda call: [op("Sleep", "nap", name="1h")])
        await server.send({"name": "go"})
        await server.settle()
        url = f"{server.url}/v1/runs/{server.runs[0].id}"
        shown = (await get(url)).json()
        assert (shown["data"]["status"], shown["data"]["ended_at"]) == ("Running", None)
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:
            assert [(await client.delete(url)).status_code for _ in range(2)] == [200, 200]
        assert (await get(url)).json()["data"]["status"] == "Cancelled"
        assert (await get(f"{server.url}/v1/runs/nonsense")).status_code == 400


async def test_a_function_may_be_invoked_by_its_slug() -> None:
    async with Server() as server:
        await start(server, go=lambda call: call["event"]["data"]["x"], triggers={"go": []})
        answer = await post(f"{server.url}/invoke/app-go", {"data": {"x": 1}})
        assert answer.json()["status"] == 200
        await server.settle()
        assert server.runs[0].output == 1


async def test_the_functions_of_an_app_are_listed_with_the_ids_that_runs_have() -> None:
    async with Server() as server:
        await start(server, go=lambda call: None)
        [record] = await server.run({"name": "go"})
        shown = (await get(f"{server.url}/v1/runs/{record.id}")).json()["data"]
        [function] = (await get(f"{server.url}/v1/apps/app/functions")).json()
        assert (function["id"], function["internal_id"]) == (record.function, shown["function_id"])
        assert (await get(f"{server.url}/v1/apps/nobodys/functions")).json() == []


async def test_metadata_is_kept_with_its_run() -> None:
    async with Server() as server:
        await start(server, go=lambda call: None)
        [record] = await server.run({"name": "go"})
        url = f"{server.url}/v1/runs/{record.id}/metadata"
        score = {"kind": "inngest.score", "op": "merge", "values": {"quality": {"value": 0.5}}}
        assert (await post(url, {"target": {}, "metadata": [score]})).status_code == 200
        assert record.metadata == [{"target": {}, **score}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"target": {"step_index": 1}, "metadata": []}, 400),
        ({"target": 1, "metadata": []}, 400),
        ({"target": {}, "metadata": [{"kind": "inngest.secret", "values": {}}]}, 400),
        ({"target": {}, "metadata": [{"kind": "x" * 129, "values": {}}]}, 400),
        ({"target": {}, "metadata": [{"kind": "inngest.score", "values": {"x": {"value": "high"}}}]}, 400),
        ({"target": {}, "metadata": [{"kind": "inngest.score", "values": {"x'": {"value": 1}}}]}, 400),
        ({"target": {}, "metadata": [{"kind": "inngest.score", "op": "sum", "values": {"x": {"value": 1}}}]}, 400),
        ({"target": {}, "metadata": [{"kind": "userland.x", "values": {"x": "y" * 65_536}}]}, 413),
    ],
)
async def test_metadata_that_is_none_is_refused(body: Any, status: int) -> None:
    async with Server() as server:
        assert (await post(f"{server.url}/v1/runs/01GQ3HTEZ01M7R8Z9PR1DMHDN1/metadata", body)).status_code == status


async def test_large_state_is_fetched_by_the_app() -> None:
    big = "x" * 2_200_000
    calls: list[Any] = []

    async def go(call: Any) -> Any:
        calls.append(call)
        if not call["ctx"]["use_api"]:
            return [run("b" if call["steps"] else "a", big)]
        url = f"{server.url}/v0/runs/{call['ctx']['run_id']}"
        actions, batch = (await get(f"{url}/actions")).json(), (await get(f"{url}/batch")).json()
        return {"steps": {key: len(value["data"]) for key, value in actions.items()}, "events": batch}

    async with Server() as server:
        await start(server, go=go)
        [record] = await server.run({"name": "go", "data": {"n": 1}})
        gone = await get(f"{server.url}/v0/runs/{record.id}/actions")
        bad = await get(f"{server.url}/v0/runs/nonsense/batch")
    assert [(call["use_api"], len(call["steps"]), len(call["events"])) for call in calls] == [(False, 0, 1), (False, 1, 1), (True, 0, 1)]
    assert record.output == {"steps": {sha("a"): len(big), sha("b"): len(big)}, "events": calls[0]["events"]}
    assert (gone.status_code, bad.status_code) == (410, 400)


async def test_large_events_are_left_out_of_a_call() -> None:
    async with Server() as server:
        await start(
            server, go=lambda call: {"use_api": call["use_api"], "events": len(call["events"]), "event": len(call["event"]["data"]["x"])}
        )
        [record] = await server.run({"name": "go", "data": {"x": "y" * 2_500_000}})
    assert record.output == {"use_api": True, "events": 0, "event": 2_500_000}


async def test_what_the_server_has_not_is_said() -> None:
    async with Server() as server:
        answer = await post(f"{server.url}/v1/checkpoint", {})
        assert answer.status_code == 501
        assert "durable endpoints" in answer.json()["error"]
        assert (await get(f"{server.url}/nothing")).status_code == 404
        assert (await get(f"{server.url}/health")).json() == {"status": 200, "message": "OK"}
        assert (await get(f"{server.url}/dev")).json()["functions"] == []


async def test_a_connection_takes_one_request_after_the_other() -> None:
    async with Server() as server, httpx.AsyncClient(verify=False, trust_env=False) as client:
        answers = [await client.post(f"{server.url}/e/any", content=json.dumps({"name": "a"})) for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 200]
        assert len({one.json()["ids"][0] for one in answers}) == 3
