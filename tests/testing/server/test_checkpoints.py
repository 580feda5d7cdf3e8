"""Checkpoints on the test server (section F of the behaviours, L13)."""

from typing import Any

import anyio

from inngest_gen.testing import Server
from tests.testing.server.scripted import App, complete, defer, error, failed, never, op, run, sha, start


async def checkpointed(*ops: Any, **changes: Any) -> tuple[Any, Any]:
    """What a checkpoint of these ops is answered, and the run that made it."""
    answers = []
    async with Server() as server:

        async def go(call: Any) -> Any:
            answers.append(await app.checkpoint(call, *ops, **changes))
            return "done"

        app = await start(server, go=go)
        [record] = await server.run({"name": "go"})
    return answers[0], record


async def test_steps_and_defers_are_stored() -> None:
    answer, record = await checkpointed(run("a", 1), op("StepPlanned", "b"), defer("foo"))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", "application/json")
    assert [step.value for step in record.steps.values()] == [{"data": 1}]
    assert list(record.defers) == [sha("foo")]
    assert [call.direction for call in record.calls] == ["app", "server"]


async def test_a_step_that_is_stored_already_is_ignored() -> None:
    answer, record = await checkpointed(run("a", 1), run("a", 2))
    assert answer.status_code == 200
    assert record.steps[sha("a")].value == {"data": 1}


async def test_asynchronous_ops_are_refused_and_nothing_is_stored() -> None:
    answer, record = await checkpointed(run("a"), op("Sleep", "nap", name="1h"))
    assert (answer.status_code, answer.json()["error"]) == (400, "cannot checkpoint async steps")
    assert record.steps == {}


async def test_a_failed_step_cannot_be_checkpointed() -> None:
    answer, record = await checkpointed(failed("a", "StepFailed"), defer("foo"))
    assert (answer.status_code, answer.json()["error"]) == (400, "cannot checkpoint opcode: StepFailed")
    assert (record.steps, record.defers) == ({}, {})


async def test_a_result_that_is_too_large_is_refused() -> None:
    answer, _ = await checkpointed(run("a", "x" * 4 * 1024 * 1024))
    assert answer.status_code == 413
    assert "output size is greater than the limit" in answer.json()["error"]


async def test_a_run_has_a_limit_of_state() -> None:
    answers = []
    async with Server() as server:

        async def go(call: Any) -> Any:
            answers.extend([await app.checkpoint(call, run(f"s{n}", "x" * 4_000_000)) for n in range(9)])
            return "done"

        app = await start(server, go=go)
        await server.run({"name": "go"})
    assert [one.status_code for one in answers] == [200] * 8 + [413]


async def test_another_generation_is_stale() -> None:
    answer, record = await checkpointed(run("a"), generation_id=7)
    assert answer.status_code == 409
    assert answer.json() == {
        "error": "stale dispatch: dispatch generation 7 does not match queue item generation 1",
        "data": {"run_id": record.id},
        "status": 409,
    }
    assert record.steps == {}


async def test_a_body_that_is_none_and_an_unknown_op_are_refused() -> None:
    answer, _ = await checkpointed({"op": "Nonsense", "id": "x"})
    assert answer.status_code == 400
    answer, _ = await checkpointed(None)
    assert answer.status_code == 400


async def test_a_run_that_is_over_takes_no_checkpoint() -> None:
    calls: list[Any] = []
    async with Server() as server:
        app = await start(server, go=lambda call: calls.append(call))
        [record] = await server.run({"name": "go"})
        answer = await app.checkpoint(calls[0], run("a"))
        unknown = await app.checkpoint({"ctx": {**calls[0]["ctx"], "run_id": "01GQ3HTEZ01M7R8Z9PR1DMHDN1"}}, run("a"))
    assert (answer.status_code, unknown.status_code) == (400, 400)
    assert record.steps == {}


async def test_a_call_that_was_overtaken_is_stale_when_it_checkpoints() -> None:
    answers: dict[int, int] = {}
    second, first = anyio.Event(), anyio.Event()
    async with Server() as server:

        async def go(call: Any) -> Any:
            generation = call["ctx"]["generation_id"]
            if generation == 1:
                await second.wait()
            else:
                second.set()
                await first.wait()
            answers[generation] = (await app.checkpoint(call, run(f"g{generation}"))).status_code
            first.set()
            return [{"op": "None", "id": "stale"}] if generation == 1 else generation

        app = await start(server, go=go)
        server.fault_call("overtake")
        [record] = await server.run({"name": "go"})
    assert answers == {1: 409, 2: 200}
    assert record.output == 2
    assert [step.id for step in record.steps.values()] == ["g2"]


async def test_what_an_overtaken_call_answers_counts() -> None:
    """The real server's executor has lost the job but still does what it is told."""
    second = anyio.Event()
    async with Server() as server:

        async def go(call: Any) -> Any:
            if call["ctx"]["generation_id"] == 1:
                await second.wait()
                return error(400, no_retry=True)
            second.set()
            return await never(call)

        await start(server, go=go)
        server.fault_call("overtake")
        [record] = await server.run({"name": "go"})
    assert (record.status, [call.generation for call in record.calls]) == ("failed", [1, 2])


async def attempts(*, forget: bool) -> list[int]:
    """The attempts of a run whose second call checkpoints and then fails, or is forgotten."""

    async def go(call: Any) -> Any:
        generation = call["ctx"]["generation_id"]
        if generation == 2:
            await app.checkpoint(call, run("a"))
        return error() if generation < 3 else "done"

    async with Server() as server:
        app: App = await start(server, go=go, retries=3)
        if forget:
            server.fault_call("forget", when=lambda call: call.generation == 2)
        [record] = await server.run({"name": "go"})
    return [call.attempt for call in record.calls if call.direction == "app"]


async def test_a_checkpoint_gives_the_queue_its_attempts_back() -> None:
    assert await attempts(forget=True) == [0, 1, 0]


async def test_a_checkpoint_does_not_give_them_back_to_the_call_that_is_under_way() -> None:
    assert await attempts(forget=False) == [0, 1, 2]


async def test_ops_before_run_complete_are_memoized_too() -> None:
    async with Server() as server:
        app = await start(server, go=lambda call: [run("b"), complete(1)])
        [record] = await server.run({"name": "go"})
    assert [step.id for step in record.steps.values()] == ["b"]
    assert app.headers[0]["x-inngest-req-version"] == "-1"
