"""A run that an Inngest server has under way becomes a recording, and replays as it went."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.debugger.fetching import fetch
from inngest_gen.debugger.session import Session
from inngest_gen.ids import step_hash
from inngest_gen.net.api import Api
from inngest_gen.recording.format import dumps, loads
from inngest_gen.recording.recording import Recording
from inngest_gen.testing import Server
from tests.debugger.stock import RAN, dead, price

KEY, EVENT_KEY = "signkey-test-0123456789abcdef", "events"


def shop(server: Server, **options: Any) -> ig.App:
    app = ig.App("shop", **server.settings(), **options)

    @app.deferred("note")
    async def note(ctx: ig.DeferContext[Any]) -> ig.Flow:
        yield ctx.step.run("price", price, ctx.data["n"])
        yield ctx.step.sleep("nap", "1d")

    async def told(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "1d")
        yield ig.Done(str(ctx.error))

    @app.function("child")
    async def child(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "1d" if ctx.data.get("long") else 1)
        yield ig.Done(ctx.data["n"])

    @app.function("order", trigger="order/placed")
    async def order(ctx: ig.Context) -> ig.Flow:
        total, said = 0, ""
        for n in range(ctx.data["n"]):
            total += yield ctx.step.run("price", price, n)
        try:
            yield ctx.step.run(ig.Id("stock", name="Look at the stock"), dead)
        except ig.StepError as error:
            said = error.message
        rung = yield ctx.step.wait_for_signal("bell", "bell", timeout="1h")
        both = yield ctx.group.parallel(ctx.step.run("left", price, 10), ctx.step.invoke("right", "child", {"n": 20}))
        paid = yield ctx.step.wait_for_event("paid", "order/paid", match="data.id", timeout="3d")
        yield ig.Done([total, said, rung, both, paid])

    @app.function("parent", trigger="go")
    async def parent(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("n", note, {"n": 3})
        yield ctx.step.invoke("call", "child", {"n": 1, "long": True}, timeout="1s")

    @app.function("fails", trigger="fails", on_failure=told, retries=0)
    async def fails(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("dead", dead)

    return app


@asynccontextmanager
async def served(*, signed: bool = False, **options: Any) -> AsyncIterator[tuple[Server, ig.App, Api]]:
    async with Server(signing_key=KEY if signed else None, event_key=EVENT_KEY if signed else None, seed=1) as server:
        app = shop(server, **options)
        await server.register(ig.serve(app))
        yield server, app, app.api


async def waiting(server: Server, function: str) -> str:
    """Give the one run of a function that is under way."""
    [found] = [run.id for run in server.runs if run.function == f"shop-{function}" and not run.ended]
    return found


def told(recording: Recording) -> list[tuple[str, str | None, str, Any]]:
    return [(step.id, step.kind, step.status, step.result if step.error is None else str(step.error)) for step in recording.steps]


@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize("signed", [False, True])
async def test_its_steps_are_named_and_have_their_results(signed: bool, checkpointing: bool) -> None:
    async with served(signed=signed, checkpointing=checkpointing) as (server, app, api):
        await server.send(ig.Event("order/placed", {"n": 2, "id": 7}, meta={"sessions": {"org": "acme"}}))
        await server.settle()
        run_id = await waiting(server, "order")
        assert await api.send_signal("bell", {"by": "ada"})
        await server.advance("2s")
        RAN.clear()
        recording = await fetch(api, app, run_id)
        assert (recording.run_id, recording.function, recording.app) == (run_id, "shop-order", "shop")
        assert (recording.kind, recording.status, recording.code) == ("event", "running", None)
        assert recording.events[0].data == {"n": 2, "id": 7}
        assert recording.sessions == {"org": "acme"}
        assert told(recording) == [
            ("price", "step.run", "completed", 0),
            ("price", "step.run", "completed", 2),
            ("stock", "step.run", "failed", "NonRetriableError: out of stock"),
            ("bell", "step.wait_for_signal", "completed", {"by": "ada"}),
            ("left", "step.run", "completed", 20),
            ("right", "step.invoke", "completed", 20),
            ("paid", "step.wait_for_event", "running", None),
        ]
        assert [step.index for step in recording.steps] == [0, 1, 0, 0, 0, 0, 0]
        assert [step.position for step in recording.steps] == list(range(7))
        assert recording.steps[2].name == "Look at the stock"
        assert recording.steps[4].path == "parallel[0]"
        assert recording.steps[6].options == {"event": "order/paid", "match": "data.id", "timeout_s": 259200.0}
        assert [note.text.partition(":")[0] for note in recording.notes] == [
            "the server does not tell in which order steps ended that were under way at once",
            "the server shows no trace of the run",
            "the server does not tell which defers it has",
        ]
        assert loads(dumps(recording)) == recording

        async with Session(loads(dumps(recording)), app) as session:
            stop = await session.finish()
            assert (stop.state, stop.intent and stop.intent.id) == ("frontier", "paid")
            assert session.evaluate("both").text == "(20, 20)"
            assert (await session.check()).compatible
            assert (await session.back(3)).intent is not None
        assert RAN == []


def span(hash: str, started: int, ended: int | None, status: str = "COMPLETED") -> dict[str, Any]:
    def at(second: int) -> str:
        return f"2026-11-29T12:00:{second:02}Z"

    return {
        "id": f"{hash}{started}",
        "stepId": hash,
        "status": status,
        "startedAt": at(started),
        "endedAt": None if ended is None else at(ended),
    }


@pytest.mark.parametrize("whole", [True, False], ids=["every end is known", "one is not"])
async def test_a_trace_tells_attempts_times_and_the_order_of_ends(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as (server, app, api):
        await server.send(ig.Event("order/placed", {"n": 0, "id": 7}))
        await server.settle()
        run_id = await waiting(server, "order")
        assert await api.send_signal("bell", {"by": "ada"})
        await server.advance("2s")
        hashes = {id: step_hash(id) for id in ("stock", "bell", "left", "right", "paid")}
        failed = {**span(hashes["stock"], 1, 2, "FAILED"), "output": {"name": "NonRetriableError", "message": "out of stock"}}
        spans = [failed, span(hashes["bell"], 3, 4), span(hashes["left"], 5, 9 if whole else None), span(hashes["right"], 6, 8)]

        async def trace(_: str) -> Any:
            return {"name": "Run", "children": [*spans, span(hashes["paid"], 10, None, "WAITING")]}

        async def defers(_: str) -> Any:
            return [
                {"hashedDeferID": step_hash("d"), "userlandDeferID": "d", "fnSlug": "shop-note", "status": "SCHEDULED", "runID": None},
                5,
            ]

        monkeypatch.setattr(api, "trace", trace)
        monkeypatch.setattr(api, "defers", defers)
        recording = await fetch(api, app, run_id)
        steps = {step.id: step for step in recording.steps}
        assert [(one.number, str(one.error)) for one in steps["stock"].attempts] == [(0, "NonRetriableError: out of stock")]
        assert {id: step.attempt for id, step in steps.items()} == {
            "stock": 0, "bell": None, "left": 0 if whole else None, "right": None, "paid": None,
        }  # fmt: skip
        assert steps["paid"].status == "waiting"
        assert [str(step.ended)[17:19] for step in recording.steps] == ["02", "04", "09" if whole else "", "08", ""]
        # Of those that were under way at once the one that ended first is delivered first, where it is known.
        assert {id: step.rank for id, step in steps.items()} == {
            "stock": 1, "bell": 2, "left": 4 if whole else 3, "right": 3 if whole else 4, "paid": None,
        }  # fmt: skip
        assert ["in which order" in note.text for note in recording.notes] == ([] if whole else [True])
        assert [(defer.id, defer.status, defer.data) for defer in recording.defers] == [("d", "after_run", None)]
        async with Session(recording, app) as session:
            assert (await session.finish()).state == "frontier"


async def test_deferred_runs_invoked_ones_and_failure_handlers_know_what_they_are_of() -> None:
    async with served() as (server, app, api):
        await server.send(ig.Event("go"), ig.Event("fails"))
        await server.advance("1h")
        parent = next(run.id for run in server.runs if run.function == "shop-parent")
        deferred = await fetch(api, app, await waiting(server, "note"))
        assert (deferred.kind, deferred.parent_run_id) == ("defer", parent)
        assert deferred.events[0].data == {"n": 3}
        assert told(deferred) == [("price", "step.run", "completed", 6), ("nap", "step.sleep", "running", None)]
        invoked = await fetch(api, app, await waiting(server, "child"))
        assert (invoked.kind, invoked.parent_run_id) == ("invoke", parent)
        failure = await fetch(api, app, await waiting(server, "fails-failure"))
        assert failure.kind == "failure"
        assert failure.failure is not None
        assert failure.failure.message == "out of stock"
        async with Session(failure, app) as session:
            assert (await session.finish()).state == "frontier"


async def test_what_middleware_encrypted_stays_so_and_replays() -> None:
    encryption = ig.EncryptionMiddleware(ig.EncryptionMiddleware.generate_key())
    async with served(middleware=[encryption]) as (server, app, api):
        await server.send(ig.Event("order/placed", {"n": 1, "id": 7}))
        await server.settle()
        recording = await fetch(api, app, await waiting(server, "order"))
        assert list(recording.steps[0].result) == ["__encrypted__"]
        async with Session(recording, app) as session:
            await session.finish()
            assert session.evaluate("total").text == "0"


async def test_steps_that_the_code_asks_for_no_more_are_kept_by_their_hash() -> None:
    async with served() as (server, _, api):
        await server.send(ig.Event("order/placed", {"n": 1, "id": 7}))
        await server.settle()
        changed = ig.App("shop", **server.settings())

        @changed.function("order", trigger="order/placed")
        async def order(ctx: ig.Context) -> ig.Flow:
            print("printed by nobody")  # noqa: IGN107
            yield ctx.step.run("other", price, 1)

        recording = await fetch(api, changed, await waiting(server, "order"))
        assert [(step.kind, step.status) for step in recording.steps] == [("step.run", "running"), (None, "completed"), (None, "failed")]
        assert {step.id for step in recording.steps[1:]} == {step.hash for step in recording.steps[1:]}


async def test_a_run_that_has_ended_or_never_was_and_another_apps_are_errors_that_say_what_to_do() -> None:
    async with served() as (server, app, api):
        [ended, *_] = await server.run(ig.Event("fails"))
        with pytest.raises(ig.RecordingError, match=rf"run {ended.id} has ended \(failed, .*RecordingMiddleware"):
            await fetch(api, app, ended.id)
        unknown = f"{ended.id[:-4]}0000"
        with pytest.raises(ig.RecordingError, match=f"knows no run {unknown}"):
            await fetch(api, app, unknown)
        with pytest.raises(ig.ApiError, match="400: Invalid run ID: x"):
            await fetch(api, app, "x")
        await server.send(ig.Event("order/placed", {"n": 1, "id": 7}))
        await server.settle()
        run_id = await waiting(server, "order")
        with pytest.raises(ig.RecordingError, match="is of no function that app 'other' has registered"):
            await fetch(api, ig.App("other", **server.settings()), run_id)
        with pytest.raises(ig.RecordingError, match="is of function 'shop-order', which this app 'shop' has not"):
            await fetch(api, ig.App("shop", **server.settings()), run_id)


async def test_a_run_that_ends_while_it_is_read_is_told_as_ended() -> None:
    async with served() as (server, app, api):
        await server.send(ig.Event("order/placed", {"n": 1, "id": 7}))
        await server.settle()
        run_id = await waiting(server, "order")
        server.fault("actions", 410)
        with pytest.raises(ig.RecordingError, match=f"run {run_id} has ended: the server lets go"):
            await fetch(api, app, run_id)


async def test_without_the_key_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(signed=True) as (server, app, _):
        await server.send(ig.Event("order/placed", {"n": 1, "id": 7}))
        await server.settle()
        other = ig.App("shop", dev=False, base_url=server.url, signing_key="signkey-test-00ff00ff")
        with pytest.raises(ig.ApiError, match=r"401.*check the signing key \(INNGEST_SIGNING_KEY\)") as caught:
            await fetch(other.api, app, await waiting(server, "order"))
        assert "00ff00ff" not in str(caught.value) + caplog.text
