"""Runs on the test server: steps, retries, sleeps, parallel steps, ends."""

import itertools
from typing import Any

import pytest

from inngest_gen.errors import RunStuck
from inngest_gen.testing import Server
from tests.testing.server.scripted import Answer, complete, defer, error, failed, op, run, sha, start


def calls(record: Any) -> list[tuple[str, int]]:
    return [(call.step, call.attempt) for call in record.calls if call.direction == "app"]


async def test_a_function_that_returns_is_called_once() -> None:
    async with Server() as server:
        await start(server, go=lambda call: {"got": call["event"]["data"]})
        [record] = await server.run({"name": "go", "data": {"n": 1}})
    assert (record.status, record.output) == ("completed", {"got": {"n": 1}})
    assert calls(record) == [("step", 0)]


async def test_steps_are_memoized_in_the_order_in_which_they_ended() -> None:
    def go(call: Any) -> Any:
        return {0: [run("a", 1)], 1: [run("b", None)]}.get(len(call["steps"]), call["ctx"]["stack"])

    async with Server() as server:
        await start(server, go=go)
        [record] = await server.run({"name": "go"})
    assert record.output == {"stack": [sha("a"), sha("b")], "current": 2}
    assert [(step.id, step.value) for step in record.steps.values()] == [("a", {"data": 1}), ("b", {"data": None})]


async def test_a_run_shows_itself_in_one_line_and_names_the_steps_that_it_has() -> None:
    async with Server() as server:
        await start(server, go=lambda call: [run("a", 1)] if not call["steps"] else "x" * 500)
        [record] = await server.run({"name": "go"})
    assert repr(record) == f'<run {record.id} of app-go: completed, "{"x" * 199}>'
    with pytest.raises(KeyError, match="no memoized step 'b': there are a"):
        record.step("b")


async def test_a_sleep_takes_no_time_but_the_server_s() -> None:
    async with Server() as server:
        await start(server, go=lambda call: [op("Sleep", "nap", name="3d")] if not call["steps"] else call["steps"])
        before = server.clock.now()
        [record] = await server.run({"name": "go"})
    assert record.output == {sha("nap"): None}
    assert server.clock.now() - before == pytest.approx(3 * 86_400)


async def test_a_handler_error_is_retried_until_the_attempts_are_used_up() -> None:
    async with Server() as server:
        await start(server, go=lambda call: error(), retries=2)
        [record] = await server.run({"name": "go"})
    assert calls(record) == [("step", 0), ("step", 1), ("step", 2)]
    assert record.status == "failed"
    assert record.error == {"error": "invalid status code: 500", "name": "Boom", "message": "boom", "stack": "at boom"}
    waits = [later.at - earlier.at for earlier, later in zip(record.calls, record.calls[1:], strict=False)]
    assert 15 <= waits[0] <= 45
    assert 30 <= waits[1] <= 60


async def test_no_retry_ends_the_run_at_once() -> None:
    async with Server() as server:
        await start(server, go=lambda call: error(400, no_retry=True))
        [record] = await server.run({"name": "go"})
    assert calls(record) == [("step", 0)]
    assert record.error is not None
    assert record.error["error"] == "NonRetriableError"


async def test_a_400_without_headers_is_retried() -> None:
    async with Server() as server:
        await start(server, go=lambda call: Answer({"message": "no"}, 400), retries=1)
        [record] = await server.run({"name": "go"})
    assert calls(record) == [("step", 0), ("step", 1)]


async def test_retry_after_takes_the_place_of_the_usual_delay() -> None:
    async with Server() as server:
        await start(server, go=lambda call: error(after="600") if call["ctx"]["attempt"] == 0 else "ok")
        [record] = await server.run({"name": "go"})
    assert 599 <= record.calls[1].at - record.calls[0].at <= 600


async def test_a_failed_step_that_is_caught_lets_the_run_complete() -> None:
    async with Server() as server:
        await start(
            server,
            go=lambda call: call["steps"] or Answer([failed("a", "StepFailed")], headers={"x-inngest-no-retry": "true"}),
        )
        [record] = await server.run({"name": "go"})
    assert record.output == {sha("a"): {"error": {"name": "Boom", "message": "boom"}}}
    assert calls(record) == [("step", 0), ("step", 0)]


async def test_a_step_error_is_retried_and_memoized_in_the_end() -> None:
    async with Server() as server:
        await start(server, go=lambda call: call["steps"] or [failed("a")], retries=1)
        [record] = await server.run({"name": "go"})
    assert calls(record) == [("step", 0), ("step", 1), ("step", 0)]
    assert record.output == {sha("a"): {"error": {"name": "Boom", "message": "boom"}}}


async def test_parallel_steps_are_planned_run_and_waited_for() -> None:
    def go(call: Any) -> Any:
        if call["target"]:
            return [op("StepRun", name, data=name) for name in "abc" if sha(name) == call["target"]]
        if not call["steps"]:
            return [op("StepPlanned", name) for name in "abc"]
        return {"flag": call["ctx"]["disable_immediate_execution"], "count": len(call["steps"])}

    async with Server() as server:
        await start(server, go=go)
        [record] = await server.run({"name": "go"})
    assert record.output == {"flag": False, "count": 3}
    planned = [call.json for call in record.calls[1:4]]
    assert {call["ctx"]["disable_immediate_execution"] for call in planned} == {True}
    assert len(record.calls) == 5


async def test_run_complete_ends_the_run_with_its_data() -> None:
    async with Server() as server:
        await start(server, go=lambda call: [run("a", 1), complete({"data": 1})])
        [record] = await server.run({"name": "go"})
    assert record.output == {"data": 1}
    assert calls(record) == [("step", 0)]


async def test_a_run_that_cannot_go_on_is_told_with_its_last_calls() -> None:
    def go(call: Any) -> Any:
        return [op("Sleep", "nap", name="soon")]

    async with Server() as server:
        await start(server, go=go, retries=0)
        with pytest.raises(
            RunStuck, match=r"(?s)a run has not ended: nothing is left.*app-go: running.*206.*soon.*invalid duration 'soon'"
        ):
            await server.run({"name": "go"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty response"),
        (b"nonsense", "error reading generator opcode response"),
        (b"[null]", "opcode cannot be null"),
        (b'[{"op": "StepNotFound", "id": "x"}]', "StepNotFound does not belong to Opcode values"),
        (b'[{"op": "StepError", "id": "x"}]', "OpcodeStepError received without Error"),
    ],
)
async def test_ops_that_are_none_fail_the_attempt(body: bytes, reason: str) -> None:
    async with Server() as server:
        await start(server, go=lambda call: Answer(body, 206), retries=1)
        [record] = await server.run({"name": "go"})
    assert len(record.calls) == 2
    assert record.error is not None
    assert reason in record.error["message"]


async def test_an_answer_that_no_sdk_gave_fails_the_attempt() -> None:
    async with Server() as server:
        await start(server, go=lambda call: Answer({"hello": 1}, sdk=False), retries=0)
        [record] = await server.run({"name": "go"})
    assert record.error is not None
    assert "not_sdk" in record.error["error"]


def branching(*branches: list[str], then: tuple[str, ...] = ()) -> Any:
    """What an SDK does with branches of steps that run side by side, and steps after them; a step "invoke:x" invokes."""

    def planned(name: str) -> Any:
        if name.startswith("invoke:"):
            return op("InvokeFunction", name, opts={"function_id": f"app-{name[7:]}", "payload": {}})
        return op("StepPlanned", name)

    def body(call: Any) -> Any:
        done = set(call["steps"])
        if call["target"]:
            return [run(next(name for name in [*itertools.chain(*branches), *then] if sha(name) == call["target"]))]
        found = [next((name for name in branch if sha(name) not in done), None) for branch in branches]
        open_steps = [name for name in found if name is not None] or [name for name in then if sha(name) not in done][:1]
        if not open_steps:
            return {"done": len(done)}
        if len(open_steps) == 1 and not call["ctx"]["disable_immediate_execution"] and not open_steps[0].startswith("invoke:"):
            return [run(open_steps[0])]
        return [planned(name) for name in open_steps]

    return body


async def test_two_branches_of_two_steps_take_seven_calls() -> None:
    """As against the real server (C90): two plans, four steps, one for the end."""
    async with Server() as server:
        await start(server, go=branching(["a.1", "a.2"], ["b.1", "b.2"]))
        [record] = await server.run({"name": "go"})
    assert record.output == {"done": 4}
    assert len(record.calls) == 7
    assert {sha("a.1"), sha("b.1")} == set(record.stack[:2])


async def test_four_side_by_side_of_which_one_is_an_invoke_and_one_after_take_six_calls() -> None:
    """As against the real server (C92)."""
    async with Server() as server:
        functions = {"go": branching(["invoke:child"], ["1a"], ["1b"], ["send"], then=("after",)), "child": lambda call: "ok"}
        await start(server, triggers={"child": []}, **functions)
        record, _ = await server.run({"name": "go"})
    assert record.output == {"done": 5}
    assert len(record.calls) == 6


async def test_a_discovery_request_beside_defers_asks_for_one_call() -> None:
    answers: list[Any] = [[defer("a"), defer("b"), {"op": "DiscoveryRequest", "id": sha("discovery-request-1")}], "done"]
    async with Server() as server:
        await start(server, go=lambda call: answers.pop(0))
        record, *_ = await server.run({"name": "go"})
    assert (record.output, len(record.calls)) == ("done", 2)


async def test_a_run_that_has_a_thousand_steps_is_called_no_more() -> None:
    async with Server() as server:

        async def go(call: Any) -> Any:
            await app.checkpoint(call, *(run(f"s{n}") for n in range(1000)))
            return [op("Sleep", "nap", name="1s")]

        app = await start(server, go=go)
        [record] = await server.run({"name": "go"})
    assert (record.status, record.error) == (
        "failed",
        {
            "error": "function has too many steps",
            "name": "InngestErrFunctionOverflowed",
            "message": "The function run exceeded the step limit of 1000 steps.",
        },
    )
