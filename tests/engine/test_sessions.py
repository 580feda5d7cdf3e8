"""Sessions on the embedded engine: as on an Inngest server (A60 to A65, B31 to B33, I26)."""

import pathlib
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from tests.engine.rig import engine

BOTH = {"org": "acme", "team": "core"}


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
        def body() -> None:
            ctx.defer("in body", note, {}).submit()

        yield ctx.defer("plain", note, {})
        yield ctx.defer("own", note, {}, meta={"sessions": {"org": "other", "team": None}})
        yield ctx.defer("none", note, {}, meta={"sessions": None})
        yield ctx.step.run("body", body)
        yield ctx.step.invoke("call", child, {})
        yield ctx.step.send_event("send", ig.Event("told"), ig.Event("told", meta={"sessions": {"org": "third"}}))
        yield ctx.step.sleep("nap", 1)
        yield ig.Done(["f", dict(ctx.sessions)])

    return app


@pytest.mark.parametrize("propagation", [True, False])
async def test_they_go_from_events_to_handlers_and_to_what_they_start(path: pathlib.Path, propagation: bool) -> None:
    async with engine(path, app_of(session_propagation=propagation)) as its_engine:
        runs = await its_engine.run(ig.Event("go", meta={"sessions": BOTH}), timeout=30)
    inherited = BOTH if propagation else {}
    expected = [
        ["f", BOTH], ["note", inherited], ["note", inherited], ["note", {"org": "other"}], ["note", {}], ["child", inherited],
        ["told", inherited], ["told", {**inherited, "org": "third"}],
    ]  # fmt: skip
    assert sorted((run.output for run in runs), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("propagation", [True, False])
async def test_what_a_run_sends_with_app_send_inherits_them_from_its_own_app_alone(path: pathlib.Path, propagation: bool) -> None:
    app, other = ig.App("shop", session_propagation=propagation), ig.App("other")
    told: dict[str, Any] = {}

    @app.function("told", trigger="told")
    @other.function("told", trigger="told-by-other")
    async def told_(ctx: ig.Context) -> None:
        told[ctx.data["how"]] = dict(ctx.sessions)

    async def send() -> None:
        await app.send(ig.Event("told", {"how": "async"}), ig.Event("told", {"how": "cut"}, meta={"sessions": {"org": None}}))
        await other.send(ig.Event("told-by-other", {"how": "other"}))

    def send_sync() -> None:
        app.send_sync(ig.Event("told", {"how": "sync"}))

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("send", send)
        yield ctx.step.run("send-sync", send_sync)

    async with engine(path, app, other) as its_engine:
        await app.send(ig.Event("told", {"how": "outside"}))
        await its_engine.run(ig.Event("go", meta={"sessions": BOTH}), timeout=30)
        with anyio.fail_after(30):
            for one in await its_engine.runs():
                await its_engine.wait(one.id)
    inherited = BOTH if propagation else {}
    assert told == {
        "async": inherited, "cut": {"team": "core"} if propagation else {}, "other": {}, "sync": inherited, "outside": {},
    }  # fmt: skip
