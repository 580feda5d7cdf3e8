"""What is declared on an app reaches an Inngest server that plays the real one: scores, events, options."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

import inngest_gen as ig
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.server import Server

KEY = "signkey-test-0123456789abcdef"


@asynccontextmanager
async def serving(declare: Any, *, signed: bool = False, **options: Any) -> AsyncIterator[tuple[Server, ig.App]]:
    """A server, and the app that `declare` fills, registered there."""
    async with Server(signing_key=KEY if signed else None, event_key="ek" if signed else None, seed=1) as server:
        where = {"base_url": server.url, "signing_key": KEY, "event_key": "ek"} if signed else {"dev": server.url}
        app = ig.App("shop", **where, **options)
        declare(app)
        await server.register(ig.serve(app))
        try:
            yield server, app
        finally:
            await app.api.aclose()


async def no_pause(seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


def run_of(runs: list[ServerRun], function: str) -> ServerRun:
    [one] = [run for run in runs if run.function == f"shop-{function}"]
    return one


def judged(scorer: Any, *, experiment: Any = None) -> Any:
    def declare(app: ig.App) -> None:
        judge = app.scorer("judge", retries=2)(scorer)

        @app.function("ask", trigger="ask")
        async def ask(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("judge", judge, {"text": "hello world"}, experiment=experiment)

    return declare


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("checkpointing", [True, False])
async def test_a_score_is_written_to_the_run_that_was_scored_and_to_its_experiment(signed: bool, checkpointing: bool) -> None:
    async def judge(ctx: ig.DeferContext[Any]) -> ig.Flow:
        words = yield ctx.step.run("count", lambda: len(ctx.data["text"].split()))
        yield ig.Done(ig.Score("verbosity", words))

    declare = judged(judge, experiment={"experimentName": "exp", "variant": "control"})
    async with serving(declare, signed=signed, checkpointing=checkpointing) as (server, _):
        runs = await server.run(ig.Event("ask"))
        asked, scored = run_of(runs, "ask"), run_of(runs, "judge")
        assert (asked.status, scored.status, scored.output) == ("completed", "completed", {"name": "verbosity", "value": 2})
        assert asked.metadata == [
            {"target": {"run_id": asked.id}, "kind": "inngest.experiment", "op": "merge", "values": {"name": "exp", "variant": "control"}},
            {"target": {"run_id": asked.id}, "kind": "inngest.score", "op": "merge", "values": {"verbosity": {"value": 2}}},
        ]
        assert scored.metadata == []


async def test_a_score_that_the_server_does_not_take_at_once_is_tried_again_as_a_step() -> None:
    async def judge(ctx: ig.DeferContext[Any]) -> ig.Score:
        return ig.Score("rizz", 1)

    async with serving(judged(judge)) as (server, app):
        app.api._clients._sleep = no_pause
        server.fault("metadata", 500, times=7)
        runs = await server.run(ig.Event("ask"))
        assert run_of(runs, "judge").status == "completed"
        assert len(run_of(runs, "ask").metadata) == 1


async def test_a_score_that_the_server_refuses_fails_the_scorer_at_once() -> None:
    async def judge(ctx: ig.DeferContext[Any]) -> ig.Score:
        return ig.Score("rizz", 1, run_id="nowhere")

    async with serving(judged(judge)) as (server, _):
        runs = await server.run(ig.Event("ask"))
        scored = run_of(runs, "judge")
        assert scored.status == "failed"
        assert "writing metadata of run nowhere" in str(scored.error)
        assert run_of(runs, "ask").status == "completed"


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("how", ["loop", "thread"])
async def test_an_event_that_the_app_sends_starts_runs(signed: bool, how: str) -> None:
    def declare(app: ig.App) -> None:
        @app.function("f", trigger="e")
        async def f(ctx: ig.Context) -> Any:
            return ctx.event.data

    async with serving(declare, signed=signed) as (server, app):
        events = [ig.Event("e", {"n": 1}), ig.Event("other"), ig.Event("e", {"n": 2})]
        ids = await app.send(*events) if how == "loop" else await anyio.to_thread.run_sync(lambda: app.send_sync(*events))
        await server.settle()
        assert len(set(ids)) == 3
        assert [run.output for run in server.runs] == [{"n": 1}, {"n": 2}]


async def test_an_event_whose_acknowledgement_was_lost_starts_one_run() -> None:
    def declare(app: ig.App) -> None:
        @app.function("f", trigger="e")
        async def f(ctx: ig.Context) -> None:
            pass

    async with serving(declare) as (server, app):
        app.api._clients._sleep = no_pause
        server.fault("events", "lose", times=4)
        await app.send(ig.Event("e"))
        await server.settle()
        assert len(server.runs) == 1


async def test_a_step_that_cannot_send_now_is_tried_again() -> None:
    def declare(app: ig.App) -> None:
        async def notify() -> list[str]:
            return await app.send(ig.Event("other"))

        @app.function("f", trigger="e", retries=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            ids = yield ctx.step.run("notify", notify)
            yield ig.Done(len(ids))

    async with serving(declare) as (server, app):
        app.api._clients._sleep = no_pause
        server.fault("events", 500, times=5)
        await server.run(ig.Event("e"))
        assert [(run.status, run.output) for run in server.runs] == [("completed", 1)]


async def test_every_option_is_registered() -> None:
    def declare(app: ig.App) -> None:
        @app.function(
            "all", trigger=["e", ig.Cron("TZ=Europe/Paris 0 9 * * 1", jitter="1m")], concurrency=[5, ig.Concurrency(2, "event.data.u", of="runs")],
            throttle=ig.Throttle(1, "1m"), rate_limit=ig.RateLimit(1, "1d"), debounce=ig.Debounce("7d"), priority="event.data.rank",
            singleton=ig.Singleton("event.data.u"), timeouts=ig.Timeouts("1m", "1h"), cancel_on=[ig.CancelOn("stop", match="data.id")],
        )  # fmt: skip
        async def all(ctx: ig.Context) -> None:
            pass

        @app.function("batch", trigger="e", batch=ig.Batch(2, "1d"))
        async def batch(ctx: ig.Context) -> None:
            pass

    async with serving(declare) as (server, _):
        assert set(server.functions) == {"shop-all", "shop-batch"}
