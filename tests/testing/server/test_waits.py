"""Waits on the test server: events, signals, invoked functions, cancellation (section I3 of the behaviours)."""

from typing import Any

import pytest

from inngest_gen.testing import Server
from tests.testing.server.scripted import Answer, complete, error, failed, op, post, run, sha, start


def wait(id: str = "paid", event: str = "paid", **opts: Any) -> dict[str, Any]:
    return op("WaitForEvent", id, name=event, opts={"timeout": "1h", **opts})


def once(*ops: Any) -> Any:
    """A function that answers ops, then what is memoized."""
    return lambda call: call["steps"] or list(ops)


async def test_a_matching_event_resolves_a_wait_with_the_whole_event() -> None:
    async with Server() as server:
        await start(server, go=once(wait(**{"if": "event.data.id == async.data.id"})))
        await server.send({"name": "go", "data": {"id": 7}})
        await server.settle()
        await server.send(
            {"name": "paid", "data": {"id": 8}, "id": "wrong"}, {"name": "paid", "data": {"id": 7}, "id": "right", "ts": 1_700_000_000_000}
        )
        await server.settle()
        [record] = server.runs
    assert record.output == {sha("paid"): {"name": "paid", "data": {"id": 7}, "id": "right", "ts": 1_700_000_000_000, "user": {}}}


async def test_a_wait_ends_with_null_when_its_time_is_over() -> None:
    async with Server() as server:
        await start(server, go=once(wait()))
        before = server.clock.now()
        [record] = await server.run({"name": "go"})
        await server.send({"name": "paid"})
        await server.settle()
    assert record.output == {sha("paid"): None}
    assert record.ended_at == pytest.approx(before + 3600)


async def test_events_arrive_while_time_passes_in_their_order() -> None:
    async with Server() as server:
        await start(server, go=once(wait("a", "a"), wait("b", "b")))
        await server.send({"name": "a"}, after="59m")
        await server.send({"name": "b"}, after="61m")
        [record] = await server.run({"name": "go"})
    assert record.output[sha("a")]["name"] == "a"
    assert record.output[sha("b")] is None


async def test_a_wait_and_the_event_that_ends_it_may_come_of_one_answer() -> None:
    async def go(call: Any) -> Any:
        if call["target"]:
            await post(f"{server.url}/e/key", {"name": "paid"})
            return [run("send")]
        return call["steps"] or [op("StepPlanned", "send"), wait()]

    async with Server() as server:
        await start(server, go=go)
        [record] = await server.run({"name": "go"})
    assert record.output[sha("paid")]["name"] == "paid"
    assert record.output[sha("send")] == {"data": None}


@pytest.mark.parametrize("timeout", ["366d", "", "2020-01-01T00:00:00Z"])
async def test_a_wait_may_last_a_year_and_may_be_over_at_once(timeout: str) -> None:
    async with Server() as server:
        await start(server, go=once(wait(timeout=timeout)))
        [record] = await server.run({"name": "go"})
    assert record.output == {sha("paid"): None}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (wait(timeout="367d"), "InngestErrTimeoutTooLong"),
        (op("Sleep", "nap", name="367d"), "InngestErrTimeoutTooLong"),
        (wait(**{"if": "size(async.data.items) > 1"}), "InvalidExpression"),
    ],
)
async def test_what_no_wait_may_be_fails_the_run_at_once(body: Any, name: str) -> None:
    async with Server() as server:
        await start(server, go=once(body))
        [record] = await server.run({"name": "go"})
    assert record.error is not None
    assert (record.status, record.error["name"], len(record.calls)) == ("failed", name, 1)


async def test_a_signal_resolves_the_wait_for_it() -> None:
    async with Server() as server:
        await start(server, go=once(op("WaitForSignal", "sig", opts={"signal": "door", "timeout": "1h"})))
        await server.send({"name": "go"})
        await server.settle()
        [record] = server.runs
        answer = await post(f"{server.url}/v1/signals", {"signal": "door", "data": {"open": True}})
        assert answer.json()["data"] == {"run_id": record.id}
        await server.settle()
        assert record.output == {sha("sig"): {"data": {"signal": "door", "data": {"open": True}}}}
        assert (await post(f"{server.url}/v1/signals", {"signal": "door"})).status_code == 404
        assert await server.signal("door") is None


@pytest.mark.parametrize(("conflict", "statuses"), [("fail", ["running", "failed"]), ("replace", ["running", "completed"])])
async def test_a_second_wait_for_a_signal_fails_or_replaces_the_first(conflict: str, statuses: list[str]) -> None:
    async with Server() as server:
        await start(server, go=once(op("WaitForSignal", "sig", opts={"signal": "door", "timeout": "1h", "conflict": conflict})))
        for _ in range(2):
            await server.send({"name": "go"})
            await server.settle()
        await server.signal("door")
        await server.settle()
        # Where the second one failed, the signal went to the first.
        expected = ["completed", "failed"] if conflict == "fail" else statuses
        assert [record.status for record in server.runs] == expected


def invoke(function: str = "app-child", **opts: Any) -> dict[str, Any]:
    return op("InvokeFunction", "call", opts={"function_id": function, "payload": {"data": {"x": 1}}, **opts})


async def test_an_invoked_function_s_result_is_the_step_s() -> None:
    async with Server() as server:
        await start(server, go=once(invoke()), child=lambda call: call["event"]["data"]["x"], triggers={"child": []})
        record, child = await server.run({"name": "go"})
    assert record.output == {sha("call"): {"data": 1}}
    own = child.event["data"]["_inngest"]
    assert (own["correlation_id"], own["fn_id"], own["name"]) == (f"{record.id}.{sha('call')}", "app-child", "call")
    assert child.parent_id == record.id


async def test_a_function_may_be_invoked_by_its_uuid() -> None:
    async with Server() as server:
        await start(
            server,
            go=lambda call: call["steps"] or [invoke(server.functions["app-child"].id)],
            child=lambda call: "ok",
            triggers={"child": []},
        )
        record, _ = await server.run({"name": "go"})
    assert record.output == {sha("call"): {"data": "ok"}}


@pytest.mark.parametrize("answer", [error(400, no_retry=True), error()])
async def test_an_invoked_function_that_fails_fails_the_step(answer: Answer) -> None:
    async with Server() as server:
        await start(server, go=once(invoke()), child=lambda call: answer, triggers={"child": []})
        record, _ = await server.run({"name": "go"})
    result = record.output[sha("call")]["error"]
    assert (result["name"], result["message"]) == ("Boom", "boom")


async def test_an_unknown_function_fails_the_step() -> None:
    async with Server() as server:
        await start(server, go=once(invoke("app-nobody")))
        [record] = await server.run({"name": "go"})
    assert record.output == {sha("call"): {"error": {"name": "Error", "message": "could not find function with ID: app-nobody"}}}


async def test_an_invoke_that_takes_too_long_fails_the_step_and_the_invoked_run_goes_on() -> None:
    async with Server() as server:
        await start(server, go=once(invoke(timeout="10s")), child=once(op("Sleep", "nap", name="1h")), triggers={"child": []})
        record, child = await server.run({"name": "go"})
    assert record.output[sha("call")]["error"] == {
        "error": "InngestInvokeTimeoutError: Timed out waiting for invoked function to complete",
        "name": "InngestInvokeTimeoutError",
        "message": "Timed out waiting for invoked function to complete",
    }
    assert child.status == "completed"


async def test_a_cancelled_invoked_run_leaves_its_finished_event_as_the_result() -> None:
    async with Server() as server:
        await start(server, go=once(invoke()), child=once(op("Sleep", "nap", name="1h")), triggers={"child": []})
        await server.send({"name": "go"})
        await server.settle()
        record, child = server.runs
        await server.cancel(child.id)
        await server.settle()
    assert record.output[sha("call")]["name"] == "inngest/function.finished"
    assert record.output[sha("call")]["data"]["_inngest"] == {"status": "Cancelled"}


async def test_an_event_cancels_the_runs_that_it_matches() -> None:
    config = {"go": {"cancel": [{"event": "stop", "if": "event.data.id == async.data.id"}]}}
    async with Server() as server:
        await start(server, config=config, go=once(op("Sleep", "nap", name="1h")))
        await server.send({"name": "go", "data": {"id": 1}}, {"name": "go", "data": {"id": 2}})
        await server.settle()
        await server.send({"name": "stop", "data": {"id": 1}})
        await server.finish()
        assert [record.status for record in server.runs] == ["cancelled", "completed"]


async def test_a_cancelling_event_is_heeded_until_its_timeout() -> None:
    config = {"go": {"cancel": [{"event": "stop", "timeout": "10m"}]}}
    async with Server() as server:
        await start(server, config=config, go=once(op("Sleep", "nap", name="1h")))
        await server.send({"name": "stop"}, after="11m")
        [record] = await server.run({"name": "go"})
    assert record.status == "completed"


async def test_a_run_that_takes_too_long_to_finish_is_cancelled() -> None:
    async with Server() as server:
        await start(server, config={"go": {"timeouts": {"finish": "10m"}}}, go=once(op("Sleep", "nap", name="1h")))
        [record] = await server.run({"name": "go"})
    assert record.started_at is not None
    assert (record.status, record.ended_at) == ("cancelled", record.started_at + 600)


async def test_the_end_of_a_run_is_told_in_events() -> None:
    async with Server() as server:
        await start(server, go=lambda call: "ok", bad=lambda call: error(400, no_retry=True))
        [good] = await server.run({"name": "go"})
        [bad] = await server.run({"name": "bad"})
        own = [event for event in server.events if event["name"].startswith("inngest/")]
    assert [(event["name"], event["data"]["run_id"]) for event in own] == [
        ("inngest/function.finished", good.id),
        ("inngest/function.finished", bad.id),
        ("inngest/function.failed", bad.id),
    ]
    assert own[0]["data"]["result"] == "ok"
    assert own[0]["data"]["function_id"] == "app-go"
    assert own[2]["id"] == bad.id
    assert own[2]["data"]["error"]["name"] == "Boom"
    assert own[2]["data"]["event"]["name"] == "bad"


async def test_a_failure_handler_runs_once_and_its_own_end_is_not_told() -> None:
    triggers = {"bad-failure": [{"event": "inngest/function.failed", "expression": "event.data.function_id == 'app-bad'"}]}
    async with Server() as server:
        functions = {"bad": lambda call: error(400, no_retry=True), "bad-failure": lambda call: call["event"]["data"]["error"]["message"]}
        await start(server, triggers=triggers, **functions)
        _, handler = await server.run({"name": "bad"})
        told = [event["data"]["run_id"] for event in server.events if event["name"] == "inngest/function.finished"]
    assert handler.output == "boom"
    assert handler.id not in told


async def test_a_gateway_op_is_a_request_of_the_server_s() -> None:
    async with Server() as server:
        gateway = op("Gateway", "get", opts={"url": f"{server.url}/health", "method": "GET", "headers": {"x-a": "b"}})
        await start(server, go=once(gateway))
        [record] = await server.run({"name": "go"})
    result = record.output[sha("get")]["data"]
    assert (result["status_code"], result["url"]) == (200, f"{server.url}/health")
    assert result["body"] == '{"status": 200, "message": "OK"}\n'
    assert result["headers"]["content-type"] == "application/json"


async def test_a_gateway_whose_server_cannot_be_reached_fails_the_step_in_the_end() -> None:
    async with Server() as server:
        await start(server, go=once(op("Gateway", "get", opts={"url": "http://127.0.0.1:1/", "method": "GET"})), retries=1)
        [record] = await server.run({"name": "go"})
    assert [call.attempt for call in record.calls] == [0, 1, 0]
    assert record.output[sha("get")]["error"]["name"] == "GatewayError"


async def test_nothing_leaves_the_machine() -> None:
    async with Server() as server:
        await start(server, go=once(op("AIGateway", "ask", opts={"url": "https://api.example.com/v1/x", "body": {}})), retries=0)
        [record] = await server.run({"name": "go"})
    result = record.output[sha("ask")]["error"]
    assert result["name"] == "AIGatewayError"
    assert "loopback only" in result["message"]


async def test_an_inference_s_answer_is_the_step_s() -> None:
    def go(call: Any) -> Any:
        # The server's own event API stands in for a model: it answers JSON.
        return call["steps"] or [
            op("AIGateway", "ask", opts={"url": f"{server.url}/e/key", "auth_key": "secret", "body": {"name": "asked"}})
        ]

    async with Server() as server:
        await start(server, go=go)
        [record] = await server.run({"name": "go"})
        [asked] = [event for event in server.events if event["name"] == "asked"]
    assert record.output == {sha("ask"): {"data": {"ids": [asked["id"]], "status": 200}}}


async def test_an_inference_that_is_refused_fails_the_step_in_the_end() -> None:
    def go(call: Any) -> Any:
        return call["steps"] or [op("AIGateway", "ask", opts={"url": f"{server.url}/e/key", "body": {"name": ""}})]

    async with Server() as server:
        await start(server, go=go, retries=1)
        [record] = await server.run({"name": "go"})
    failure = record.output[sha("ask")]["error"]
    assert (failure["name"], failure["message"]) == ("AIGatewayError", "Error making AI request: unsuccessful status code: 400")
    assert failure["data"]["error"] == "event name is empty"
    assert [call.attempt for call in record.calls] == [0, 1, 0]


async def test_a_gateway_reaches_an_app_that_has_no_socket() -> None:
    async with Server() as server:
        await start(
            server,
            go=lambda call: call.get("steps") or [op("Gateway", "get", opts={"url": url, "body": '{"ctx": 1}'})],
            echo=lambda call: call["ctx"],
        )
        url = server.functions["app-echo"].url
        [record] = await server.run({"name": "go"})
    assert record.output[sha("get")]["data"]["body"] == "1"


async def test_a_race_asks_again_after_each_member() -> None:
    def raced(id: str, **fields: Any) -> Any:
        return op("StepPlanned", id, opts={"parallelMode": "race"}, **fields)

    def go(call: Any) -> Any:
        if call["target"]:
            name = next(name for name in "ab" if sha(name) == call["target"])
            return [op("StepRun", name, data=name, opts={"parallelMode": "race"})]
        if not call["steps"]:
            return [raced("a"), raced("b")]
        return [op("Sleep", "nap", name="1h")] if sha("nap") not in call["steps"] else complete()

    async with Server() as server:
        await start(server, go=go)
        [record] = await server.run({"name": "go"})
    plain = [call for call in record.calls if call.step == "step"]
    assert len(plain) == 4


async def test_a_step_that_fails_in_a_group_lets_the_others_end_first() -> None:
    def go(call: Any) -> Any:
        if call["target"] == sha("a"):
            return Answer([failed("a", "StepFailed")], headers={"x-inngest-no-retry": "true"})
        if call["target"]:
            return [run("b")]
        return [op("StepPlanned", "a"), op("StepPlanned", "b")] if not call["steps"] else {"ended": sorted(call["steps"])}

    async with Server() as server:
        await start(server, go=go)
        [record] = await server.run({"name": "go"})
    assert record.output == {"ended": sorted([sha("a"), sha("b")])}
    assert len(record.calls) == 4
