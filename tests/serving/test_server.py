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


async def test_a_record_too_large_for_a_request_is_fetched() -> None:  # C07, C09, C94
    def app_of(**settings: Any) -> ig.App:
        app = ig.App("shop", checkpointing=False, **settings)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            total = 0
            for n in range(4):
                total += len((yield ctx.step.run("large", lambda n=n: str(n) * 2_000_000)))
            yield ig.Done([total, ctx.data["x"]])

        return app

    async with serving(app_of, signed=True) as server:
        [one] = await server.run({"name": "go", "data": {"x": "y"}})
    assert (one.status, one.output) == ("completed", [8_000_000, "y"])
    assert [call.json["use_api"] for call in one.calls][-1] is True


async def test_sessions_go_from_events_to_handlers_and_to_what_they_start() -> None:  # A60 to A65, I26
    def app_of(**settings: Any) -> ig.App:
        app = ig.App("shop", **settings)

        @app.deferred("note")
        async def note(ctx: ig.DeferContext[Any]) -> ig.Flow:
            yield ig.Done(["note", dict(ctx.sessions)])

        @app.function("child")
        async def child(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(["child", dict(ctx.sessions)])

        @app.function("told", trigger="told")
        async def told(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(["told", dict(ctx.sessions)])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("plain", note, {})
            yield ctx.defer("own", note, {}, meta={"sessions": {"org": "other", "team": None}})
            yield ctx.step.invoke("call", child, {})
            yield ctx.step.send_event("send", ig.Event("told"))
            yield ctx.step.run("bare", app.send, ig.Event("told"))
            yield ig.Done(["f", dict(ctx.sessions)])

        return app

    event = {"name": "go", "data": {}, "meta": {"sessions": {"org": "acme", "team": "core"}}}
    both = {"org": "acme", "team": "core"}
    async with serving(app_of) as server:
        outputs = [run.output for run in await server.run(event)]
    assert sorted(outputs, key=str) == sorted(
        [["f", both], ["note", both], ["note", {"org": "other"}], ["child", both], ["told", both], ["told", both]], key=str
    )
    async with serving(lambda **settings: app_of(session_propagation=False, **settings)) as server:
        outputs = [run.output for run in await server.run(event)]
    assert sorted(outputs, key=str) == sorted(
        [["f", both], ["note", {}], ["note", {"org": "other"}], ["child", {}], ["told", {}], ["told", {}]], key=str
    )


async def test_a_score_is_written_on_the_parent() -> None:
    def app_of(**settings: Any) -> ig.App:
        app = ig.App("shop", **settings)

        @app.scorer("quality")
        async def quality(ctx: ig.DeferContext[Any]) -> ig.Flow:
            yield ig.Done(ig.Score("quality", 0.5))

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("q", quality, {})
            yield ig.Done(1)

        return app

    async with serving(app_of) as server:
        runs = await server.run({"name": "go", "data": {}})
    assert run_of(runs, "f").metadata
    assert {run.status for run in runs} == {"completed"}


@pytest.mark.parametrize("cancelled", ["by name", "by event"])
async def test_a_cancelled_run_still_starts_what_it_had_deferred(cancelled: str) -> None:
    def app_of(**settings: Any) -> ig.App:
        app = ig.App("shop", **settings)

        @app.deferred("note")
        async def note(ctx: ig.DeferContext[Any]) -> ig.Flow:
            yield ig.Done("noted")

        @app.function("f", trigger="go", cancel_on=[ig.CancelOn("stop", match="data.x")])
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})
            yield ctx.step.wait_for_event("w", "never", timeout="30d")

        return app

    async with serving(app_of) as server:
        await server.send({"name": "go", "data": {"x": 1}})
        await server.settle()
        [one] = server.runs
        if cancelled == "by name":
            await server.cancel(one.id)
        else:
            await server.send({"name": "stop", "data": {"x": 1}})
        await server.finish()
        assert [(run.function, run.status) for run in server.runs] == [("shop-f", "cancelled"), ("shop-note", "completed")]


@pytest.mark.parametrize("scenario", ["steps", "deferinstep", "defertopfirst", "abortafterstep", "sleep"])
async def test_a_call_that_the_server_has_made_anew_changes_nothing(scenario: str) -> None:  # F13
    async with serving(lambda **settings: scenarios.make("shop", **settings)) as server:
        server.fault_call("overtake", times=1)
        runs = await server.run({"name": f"shop/{scenario}", "data": {"hello": "world"}})
        one = run_of(runs, scenario)
        assert (one.status, one.output) == ("completed", OUTPUTS[scenario]), one.log()
        deferred = [run for run in runs if run.event["name"] == "inngest/deferred.schedule"]
        assert [(run.function.removeprefix("shop-"), given(run)) for run in deferred] == DEFERRED.get(scenario, [])
