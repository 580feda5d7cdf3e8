"""Sessions on the embedded engine: as on an Inngest server (A60 to A65, B31 to B33, I26)."""

import pathlib
from typing import Any

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
