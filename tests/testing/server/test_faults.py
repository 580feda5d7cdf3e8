"""Faults that a test injects, time that it moves, and what it is told when runs are stuck."""

from typing import Any

import anyio
import httpx
import pytest

from inngest_gen.clock import SystemClock, VirtualClock
from inngest_gen.errors import RunStuck, ServerError
from inngest_gen.event import Event
from inngest_gen.testing import Server
from tests.testing.server.scripted import Answer, App, error, never, op, post, run, sha, start


async def test_a_status_is_answered_so_many_times() -> None:
    async with Server() as server:
        fault = server.fault("events", 503, times=2)
        answers = [await post(f"{server.url}/e/k", {"name": "a"}) for _ in range(3)]
        assert [one.status_code for one in answers] == [503, 503, 200]
        assert (len(server.events), fault.happened) == (1, 2)


async def test_a_fault_that_is_removed_happens_no_more() -> None:
    async with Server() as server:
        fault = server.fault("events", 503, times=None)
        assert (await post(f"{server.url}/e/k", {"name": "a"})).status_code == 503
        fault.remove()
        assert (await post(f"{server.url}/e/k", {"name": "a"})).status_code == 200


async def test_a_refused_request_is_not_done_and_a_lost_one_is() -> None:
    async with Server() as server:
        for kind, done in (("refuse", 0), ("lose", 1)):
            server.fault("events", kind)  # type: ignore[arg-type]
            with pytest.raises(httpx.RemoteProtocolError):
                await post(f"{server.url}/e/k", {"name": "a"})
            assert len(server.events) == done


async def test_an_answer_may_be_no_json_or_never_come() -> None:
    async with Server() as server:
        server.fault(lambda request: request.json["name"] == "odd", "garble")
        assert (await post(f"{server.url}/e/k", {"name": "odd"})).text == "<html>no JSON</html>"
        server.fault("events", "hang")
        with anyio.move_on_after(0.05) as scope:
            await post(f"{server.url}/e/k", {"name": "a"})
        assert scope.cancelled_caught
        assert server.events == []


async def test_a_route_that_does_not_exist_has_no_faults() -> None:
    async with Server() as server:
        with pytest.raises(ValueError, match=r"no route 'checkpoints'; its routes are events, .*checkpoint"):
            server.fault("checkpoints", 500)


async def test_a_faulty_checkpoint_is_in_the_run_s_calls() -> None:
    statuses: list[int] = []
    async with Server() as server:

        async def go(call: Any) -> Any:
            statuses.append((await app.checkpoint(call, run("a"))).status_code)
            return "ok"

        app = await start(server, go=go)
        server.fault("checkpoint", 401)
        [record] = await server.run({"name": "go"})
    assert statuses == [401]
    assert [(call.direction, call.status, call.error) for call in record.calls] == [
        ("app", 200, None),
        ("server", 401, "injected fault: 401"),
    ]
    assert record.steps == {}


async def test_a_lost_answer_is_an_attempt_that_failed() -> None:
    async with Server() as server:
        await start(server, go=lambda call: call["ctx"]["attempt"])
        server.fault_call("lose")
        [record] = await server.run({"name": "go"})
    assert (record.output, [call.error for call in record.calls]) == (1, ["injected fault: lose", None])
    assert record.calls[0].reply_json == 0


async def test_an_app_that_is_out_of_reach_for_a_while_is_called_again() -> None:
    calls: list[Any] = []
    async with Server() as server:
        await start(server, go=lambda call: calls.append(call))
        server.fault_call("refuse", times=2)
        [record] = await server.run({"name": "go"})
    assert (record.status, len(calls), len(record.calls)) == ("completed", 1, 3)


async def test_a_call_that_is_delivered_twice_counts_once() -> None:
    bodies: list[str] = []

    def go(call: Any) -> Any:
        if call["steps"]:
            return "done"
        bodies.append("a")
        return [run("a", len(bodies))]

    async with Server() as server:
        await start(server, go=go)
        server.fault_call("twice", when=lambda call: not call.json["steps"])
        [record] = await server.run({"name": "go"})
    assert (record.output, len(bodies), len(record.calls)) == ("done", 2, 3)
    assert record.stack == [sha("a")]


async def test_a_call_that_is_not_answered_in_time_has_failed() -> None:
    async with Server(call_timeout=0.02) as server:
        await start(server, retries=1, go=never)
        [record] = await server.run({"name": "go"})
    assert (record.status, [call.error for call in record.calls]) == ("failed", ["the answer did not come in time"] * 2)


async def test_a_run_that_takes_too_long_is_told() -> None:
    async with Server() as server:
        await start(server, go=never)
        with pytest.raises(
            RunStuck, match=r"(?s)it took longer than 0.3 s\n\nrun .* of app-go: running\n  call of step, attempt 0: no answer yet"
        ):
            await server.run({"name": "go"}, timeout=0.3)


async def test_an_app_that_ends_without_an_answer_has_failed_the_call() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        pass

    async with Server() as server:
        with pytest.raises(ServerError, match="cannot be reached: AssertionError"):
            await server.register(silent)
        app = await start(server, retries=0, go=lambda call: None)
        app._answer = silent  # type: ignore[assignment, method-assign]
        [record] = await server.run({"name": "go"})
    assert record.status == "failed"


@pytest.mark.parametrize("body", [b"1e999", b"1" * 400, b'"\\ud800"', b'{"\\uD800": 1}', b"\xff", b"[" * 5000])
async def test_what_cannot_be_written_again_does_not_go_on(body: bytes) -> None:
    triggers = {"after": [{"event": "inngest/function.finished", "expression": "event.data.function_id == 'app-go'"}]}
    async with Server() as server:
        await start(server, triggers=triggers, go=lambda call: Answer(body, 200), after=lambda call: call["event"]["data"]["result"])
        first, second = await server.run({"name": "go"})
        assert second.output == first.output


async def test_an_event_of_the_test_s_own_must_be_json() -> None:
    async with Server() as server:
        with pytest.raises(ValueError, match="set"):
            await server.send({"name": "go", "data": {"x": {1}}})
        data = {"x": [1]}
        await server.send({"name": "go", "data": data})
        data["x"].append(2)
        assert server.events[0]["data"] == {"x": [1]}


async def test_a_port_that_is_taken_is_told() -> None:
    async with Server() as server:
        with pytest.raises(ServerError, match="cannot listen on 127.0.0.1"):
            async with Server(port=int(server.url.rpartition(":")[2])):
                pass


async def test_a_function_that_never_ends_is_stopped() -> None:
    async with Server(max_calls=5) as server:
        await start(server, go=lambda call: [])
        with pytest.raises(RunStuck, match="the app was called 5 times for this run; the server calls it no more"):
            await server.run({"name": "go"})


async def test_an_empty_list_of_ops_lets_the_function_be_asked_again() -> None:
    async with Server() as server:
        answers: list[Any] = [[], [], "done"]
        await start(server, go=lambda call: answers.pop(0))
        [record] = await server.run({"name": "go"})
    assert (record.output, len(record.calls)) == ("done", 3)


async def test_time_passes_only_where_it_is_let() -> None:
    async with Server(clock=VirtualClock(1_790_000_000.0)) as server:
        await start(server, go=lambda call: [op("Sleep", "nap", name="1h")] if not call["steps"] else "woke")
        await server.send({"name": "go"})
        await server.settle()
        [record] = server.runs
        assert (record.status, server.clock.now()) == ("running", 1_790_000_000.0)
        await server.advance("59m")
        assert (record.status, server.clock.now()) == ("running", 1_790_000_000.0 + 59 * 60)
        await server.advance("1m")
        assert (record.status, record.ended_at) == ("completed", 1_790_003_600.0)


async def test_a_clock_that_jumps_lets_time_pass_whenever_nothing_else_happens() -> None:
    async with Server(clock=VirtualClock(1_790_000_000.0, jumps=True)) as server:
        await start(server, go=lambda call: [op("Sleep", "nap", name="1h")] if not call["steps"] else "woke")
        await server.send({"name": "go"})
        await server.settle()
        assert server.runs[0].output == "woke"


async def test_a_clock_may_be_moved_by_hand() -> None:
    clock = VirtualClock(1_790_000_000.0)
    async with Server(clock=clock) as server:
        await start(server, go=lambda call: [op("Sleep", "nap", name="1h")] if not call["steps"] else "woke")
        await server.send({"name": "go"})
        await server.settle()
        clock.advance_to(1_790_003_600.0)
        await server.settle()
        assert server.runs[0].output == "woke"


async def test_on_a_real_clock_sleeps_are_waited_for() -> None:
    async with Server(clock=SystemClock()) as server:
        await start(server, go=lambda call: [op("Sleep", "nap", name="50ms")] if not call["steps"] else "woke")
        began = anyio.current_time()
        [record] = await server.run({"name": "go"})
        assert record.output == "woke"
        assert anyio.current_time() - began >= 0.05
        await server.advance(0.01)


async def test_run_gives_all_that_came_of_the_events() -> None:
    async with Server() as server:
        await start(
            server, first=lambda call: "x", other=lambda call: "y", triggers={"first": [{"event": "go"}], "other": [{"event": "go"}]}
        )
        earlier = await server.run(Event("go"))
        assert [record.function for record in await server.run(Event("go", {"n": 1}, id="mine"))] == ["app-first", "app-other"]
        assert len(earlier) == 2
        assert await server.run(Event("nobody")) == []
        assert server.get(earlier[0].id) is earlier[0]


async def test_an_event_that_the_server_refuses_is_an_error() -> None:
    async with Server() as server:
        with pytest.raises(ValueError, match="reserved for internal use"):
            await server.send({"name": "inngest/x"})


async def test_an_error_of_the_test_s_own_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with Server() as server:
            await start(server, go=lambda call: None)
            raise KeyError("mine")


async def test_a_server_is_entered_once() -> None:
    server = Server()
    async with server:
        pass
    with pytest.raises(ServerError, match="entered once"):
        async with server:
            pass


async def test_all_requests_are_written_down_with_their_answers() -> None:
    async with Server() as server:
        await post(f"{server.url}/e/k", {"name": "a"}, x_inngest_env="test")
        await post(f"{server.url}/e/k", b"{")
        server.fault("events", "refuse")
        with pytest.raises(httpx.RemoteProtocolError):
            await post(f"{server.url}/e/k", {"name": "a"})
        told = [(one.url, one.headers.get("x-inngest-env"), one.status, one.error) for one in server.requests]
    assert told == [("/e/k", "test", 200, None), ("/e/k", None, 400, None), ("/e/k", None, None, "injected fault: refuse")]


async def test_a_port_may_be_given() -> None:
    async with Server() as server:
        port = int(server.url.rpartition(":")[2])
    async with Server(port=port) as server:
        assert server.url == f"http://127.0.0.1:{port}"


async def test_a_seed_makes_ids_the_same_each_time() -> None:
    async def ids() -> list[str]:
        async with Server(seed=7, clock=VirtualClock(1_790_000_000.0)) as server:
            await start(server, go=lambda call: None)
            [record] = await server.run({"name": "go"})
            return [record.id, record.event["id"], record.calls[0].headers["X-Request-Id"]]

    assert await ids() == await ids()


async def test_the_environment_and_the_settings_point_an_app_at_the_server() -> None:
    async with Server(signing_key="signkey-test-00", event_key="ek") as server:
        assert server.settings() == {"dev": False, "base_url": server.url, "signing_key": "signkey-test-00", "event_key": "ek"}
    async with Server() as server:
        assert server.settings() == {"dev": server.url}
        assert server.env() == {"INNGEST_DEV": server.url, "INNGEST_EVENT_KEY": "test"}


async def test_a_run_s_log_tells_what_happened() -> None:
    async with Server() as server:
        app: App = await start(server, go=lambda call: [run("a")] if not call["steps"] else error(400, no_retry=True))
        [record] = await server.run({"name": "go"})
    assert app.headers
    assert record.log().splitlines()[0] == f"run {record.id} of app-go: failed, Boom: boom"
    assert "call of step, attempt 0: 206" in record.log(last=2)
    assert record.step("a").value == {"data": None}
    with pytest.raises(KeyError):
        record.step("b")


async def test_an_answer_may_be_streamed() -> None:
    inner = {"status": 206, "headers": {"x-inngest-req-version": "2"}, "body": '[{"op":"RunComplete","id":"x","data":"streamed"}]'}
    async with Server() as server:
        await start(server, go=lambda call: Answer(inner, 201))
        [record] = await server.run({"name": "go"})
    assert record.output == "streamed"


async def test_a_run_has_at_most_a_thousand_steps() -> None:
    async with Server() as server:
        await start(server, go=lambda call: [run(f"s{n}") for n in range(1001)])
        [record] = await server.run({"name": "go"})
    assert record.error is not None
    assert record.error["message"] == "The function run exceeded the step limit of 1000 steps."
