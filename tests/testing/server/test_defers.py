"""Defers on the test server (sections B and L of the behaviours)."""

from typing import Any

import pytest

from inngest_gen.testing import Server
from tests.testing.server.scripted import DEFERRED, Answer, abort, complete, defer, error, failed, op, run, sha, start


def later(call: Any) -> Any:
    return call["event"]


async def outcome(*answers: Any, retries: int = 2) -> tuple[Any, list[Any]]:
    """The run of a function that gives these answers, one a call, and the deferred runs."""
    left = list(answers)
    async with Server() as server:
        await start(server, triggers=DEFERRED, retries=retries, go=lambda call: left.pop(0), later=later)
        record, *others = await server.run({"name": "go"})
    assert not left
    return record, others


async def test_a_deferred_run_starts_when_its_parent_has_ended() -> None:
    record, [child] = await outcome([defer("foo", given={"k": 1}), complete("p")])
    assert record.output == "p"
    data = child.event["data"]
    assert data["k"] == 1
    own = data["_inngest"]
    assert {key: own[key] for key in ("fn_slug", "parent_fn_slug", "parent_run_id")} == {
        "fn_slug": "app-later",
        "parent_fn_slug": "app-go",
        "parent_run_id": record.id,
    }
    assert child.parent_id == record.id
    assert record.defers[sha("foo")].run_id == child.id
    assert child.created_at >= record.ended_at


@pytest.mark.parametrize("last", [error(400, no_retry=True), "done"])
async def test_it_starts_whatever_the_parent_s_end(last: Any) -> None:
    _, children = await outcome([run("a"), defer("foo")], last)
    assert len(children) == 1


async def test_it_starts_when_the_parent_is_cancelled() -> None:
    async with Server() as server:
        await start(server, triggers=DEFERRED, go=lambda call: [op("Sleep", "nap", name="1d"), defer("foo")], later=later)
        await server.send({"name": "go"})
        await server.settle()
        [record] = server.runs
        await server.cancel(record.id)
        await server.finish()
        assert [one.function for one in server.runs] == ["app-go", "app-later"]
    assert record.status == "cancelled"


async def test_a_call_tells_which_defers_are_known() -> None:
    record, _ = await outcome([run("a"), defer("foo"), defer("bar")], [run("b"), abort("bar")], "done")
    told = [call.json["defers"] for call in record.calls]
    assert told == [
        {},
        {sha("foo"): {"abortable": True}, sha("bar"): {"abortable": True}},
        {sha("foo"): {"abortable": True}, sha("bar"): {"abortable": False}},
    ]


async def test_the_first_input_wins_and_an_abort_is_for_good() -> None:
    record, children = await outcome(
        [run("a"), defer("foo", given={"n": 1}), defer("bar")],
        [run("b"), defer("foo", given={"n": 2}), abort("bar")],
        [defer("bar"), complete()],
    )
    assert [child.event["data"]["n"] for child in children] == [1]
    assert {entry.id: entry.status for entry in record.defers.values()} == {"foo": "after_run", "bar": "aborted"}


async def test_an_abort_of_nothing_is_only_noted() -> None:
    record, children = await outcome([abort("foo"), complete()])
    assert (record.status, children) == ("completed", [])
    assert "nothing to abort" in record.notes[0]


async def test_a_defer_after_run_complete_in_one_answer_is_kept() -> None:
    _, children = await outcome([complete(), defer("foo")])
    assert len(children) == 1


async def test_defers_alone_let_the_function_be_asked_again_with_no_attempt_used() -> None:
    record, children = await outcome([defer("foo")], error(), "done")
    assert [call.attempt for call in record.calls] == [0, 0, 1]
    assert len(children) == 1


async def test_each_of_several_defers_alone_asks_for_a_call_of_its_own() -> None:
    record, _ = await outcome([defer("foo"), defer("bar")], [op("Sleep", "nap", name="1h")], [], "done")
    assert len(record.calls) == 4


async def test_a_defer_beside_a_step_is_no_parallel_step() -> None:
    record, _ = await outcome([run("a"), defer("foo")], "done")
    assert record.calls[1].json["ctx"]["disable_immediate_execution"] is False


async def test_planned_steps_do_not_wait_for_a_defer() -> None:
    def go(call: Any) -> Any:
        if call["target"]:
            return [run(next(name for name in "ab" if sha(name) == call["target"]))]
        return "done" if call["steps"] else [op("StepPlanned", "a"), op("StepPlanned", "b"), defer("foo")]

    async with Server() as server:
        await start(server, triggers=DEFERRED, go=go, later=later)
        record, _ = await server.run({"name": "go"})
    assert (record.status, len(record.calls)) == ("completed", 4)


async def test_retry_after_beside_a_defer_is_heeded_and_the_defer_kept() -> None:
    headers = {"retry-after": "1", "x-inngest-no-retry": "false"}
    record, children = await outcome(Answer([failed("a"), defer("foo")], headers=headers), [run("a"), complete()])
    assert record.calls[1].at - record.calls[0].at <= 1
    assert len(children) == 1


@pytest.mark.parametrize(
    ("opts", "reason"),
    [
        ({"input": None}, "invalid_input"),
        ({"input": "text"}, "invalid_input"),
        ({"input": [1]}, "invalid_input"),
        ({"input": {"x": "y" * (4 * 1024 * 1024)}}, "per_defer_size"),
        ({"fn_slug": ""}, "invalid_opts"),
        ({"meta": [1]}, "invalid_meta"),
        ({"meta": {"x": "y" * (32 * 1024)}}, "meta_size"),
    ],
)
async def test_what_is_beyond_the_limits_is_rejected_and_the_parent_goes_on(opts: dict[str, Any], reason: str) -> None:
    bad = defer("foo")
    record, children = await outcome([{**bad, "opts": {**bad["opts"], **opts}}, complete("p")])
    assert (record.status, record.output, children) == ("completed", "p", [])
    entry = record.defers[sha("foo")]
    assert (entry.status, entry.reason) == ("rejected", reason)


async def test_inputs_may_be_as_long_as_the_limit_and_share_one_budget() -> None:
    most = {"x": "y" * (4 * 1024 * 1024 - len('{"x":""}'))}
    async with Server() as server:
        app = await start(server, triggers=DEFERRED, go=lambda call: go(call), later=lambda call: None)

        async def go(call: Any) -> Any:
            await app.checkpoint(call, defer("foo", given=most))
            await app.checkpoint(call, defer("bar"), abort("foo"), defer("baz"))
            return None

        record, *children = await server.run({"name": "go"})
    assert {entry.id: (entry.status, entry.reason) for entry in record.defers.values()} == {
        "foo": ("aborted", None),
        "bar": ("rejected", "aggregate_size"),
        "baz": ("after_run", None),
    }
    assert len(children) == 1


async def test_a_run_keeps_twenty_defers() -> None:
    record, children = await outcome([*(defer(f"d{n}") for n in range(22)), complete()])
    assert (len(record.defers), len(children)) == (20, 20)
    assert sum("per_run_count" in note for note in record.notes) == 2


async def test_sessions_are_folded_onto_the_deferred_event() -> None:
    meta = {
        "sessions": {"org": "manual", "cut": None, "number": 1234567890123456789},
        "propagated_sessions": {"org": "x", "cut": "x", "a": "1", "b": "2", "c": "3", "d": "4"},
    }
    _, [child] = await outcome([defer("foo", meta=meta), complete()])
    assert child.event["meta"] == {"sessions": {"org": "manual", "number": "1234567890123456789", "a": "1", "b": "2", "c": "3"}}


async def test_too_many_sessions_drop_that_defer_alone() -> None:
    many = {"sessions": {f"k{n}": "v" for n in range(6)}}
    record, children = await outcome([defer("foo", meta=many), defer("bar"), complete()])
    assert len(children) == 1
    assert "failed validation" in record.notes[0]


async def test_a_deferred_event_starts_one_run_however_often_it_comes() -> None:
    async with Server() as server:
        await start(server, triggers=DEFERRED, go=lambda call: [defer("foo"), complete()], later=later)
        _, child = await server.run({"name": "go"})
        server._world.publish(dict(child.event))
        await server.settle()
        assert len(server.runs) == 2
