"""The handlers whose traffic was recorded (tests/captures/README.md), as async generators."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

import inngest_gen as ig


class To(BaseModel):
    to: str


def make(id: str, **settings: Any) -> ig.App:
    """Make the app `id` ("js-ckpt" or "js-nockpt")."""
    app = ig.App(id, retries=2, **settings)

    def on(name: str) -> Any:
        return app.function(name, trigger=f"{id}/{name}")

    @app.deferred("send", schema=To)
    async def send(ctx: ig.DeferContext[To]) -> ig.Flow:
        yield ctx.step.run("deliver", lambda: f"sent to {ctx.data.to}")
        yield ig.Done({"got": event(ctx.event), "parents": parents(ctx)})

    @app.deferred("noschema", retries=1)
    async def noschema(ctx: ig.DeferContext[Any]) -> ig.Flow:
        yield ig.Done({"event": event(ctx.event), "events": [event(one) for one in ctx.events], "parents": parents(ctx)})

    @on("plain")
    async def plain(ctx: ig.Context) -> ig.Flow:
        yield ig.Done({"hello": ctx.event.data})

    @on("steps")
    async def steps(ctx: ig.Context) -> ig.Flow:
        a = yield ctx.step.run("a", lambda: {"v": 1})
        b = yield ctx.step.run("b", lambda: "bee")
        u = yield ctx.step.run("undef", lambda: None)
        n = yield ctx.step.run("null", lambda: None)
        again = yield ctx.step.run("a", lambda: "dup id")
        yield ig.Done({"a": a, "b": b, "u": u, "n": n, "again": again})

    @on("parallel")
    async def parallel(ctx: ig.Context) -> ig.Flow:
        x, y, z = yield ctx.group.parallel(*(ctx.step.run(f"p{n}", lambda n=n: n) for n in (1, 2, 3)))
        after = yield ctx.step.run("after", lambda: x + y + z)
        yield ig.Done({"x": x, "y": y, "z": z, "after": after})

    @on("sleep")
    async def sleep(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("before", lambda: 1)
        yield ctx.step.sleep("nap", "1s")
        yield ctx.step.sleep_until("until", ctx.started_at + timedelta(seconds=2))
        yield ig.Done((yield ctx.step.run("after", lambda: "woke")))

    @on("steperror")
    async def steperror(ctx: ig.Context) -> ig.Flow:
        def flaky() -> str:
            if ctx.attempt == 0:
                raise ig.RetryAfterError("flaky boom", 1)
            return f"ok@{ctx.attempt}"

        yield ig.Done((yield ctx.step.run("flaky", flaky)))

    @on("stepfail")
    async def stepfail(ctx: ig.Context) -> ig.Flow:
        def dead() -> None:
            raise ig.NonRetriableError("dead") from RuntimeError("root")

        try:
            yield ctx.step.run("dead", dead)
        except ig.StepError as error:
            yield ig.Done({"caught": error.name, "msg": error.message, "cause": error.cause and error.cause.message})

    @on("fnerror")
    async def fnerror(ctx: ig.Context) -> ig.Flow:
        if ctx.attempt == 0:
            raise ig.RetryAfterError("fn boom", 1)
        yield ig.Done(f"recovered@{ctx.attempt}")

    @app.function("child")
    async def child(ctx: ig.Context) -> ig.Flow:
        yield ig.Done({"child": ctx.event.data})

    @on("invoke")
    async def invoke(ctx: ig.Context) -> ig.Flow:
        yield ig.Done({"r": (yield ctx.step.invoke("call", child, {"x": 1}))})

    @on("deferonly")
    async def deferonly(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("send", noschema, {"k": 1, "nested": {"a": [1, 2]}})
        yield ig.Done("p")

    @on("defertop")
    async def defertop(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("work", lambda: "done")
        yield ctx.defer("send", send, To(to="a@b.c"))
        yield ig.Done("parent")

    @on("defertopfirst")
    async def defertopfirst(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("send", send, To(to="first@b.c"))
        yield ctx.step.run("work", lambda: "done")
        yield ctx.step.sleep("nap", "1s")
        yield ctx.step.run("work2", lambda: "done2")
        yield ig.Done("parent")

    @on("deferinstep")
    async def deferinstep(ctx: ig.Context) -> ig.Flow:
        def work() -> str:
            ctx.defer("instep", send, To(to="in@step")).submit()
            return "w"

        yield ctx.step.run("work", work)
        yield ctx.step.sleep("nap", "1s")
        yield ctx.step.run("w2", lambda: "w2")
        yield ig.Done("parent")

    @on("deferretry")
    async def deferretry(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("foo", noschema, {"t": ctx.attempt})
        if ctx.attempt == 0:
            raise ig.RetryAfterError("retry me", 1)
        yield ig.Done("ok")

    @on("abortafterstep")
    async def abortafterstep(ctx: ig.Context) -> ig.Flow:
        handle = yield ctx.defer("foo", noschema, {"a": 1})
        yield ctx.step.run("between", lambda: 1)
        yield handle.abort()
        yield ig.Done("x")

    return app


def event(one: ig.Event) -> dict[str, Any]:
    return {"name": one.name, "data": dict(one.data), "id": one.id, "ts": one.ts}


def parents(ctx: ig.DeferContext[Any]) -> list[dict[str, str]]:
    return [{"fnSlug": one.fn_slug, "runId": one.run_id} for one in ctx.parents]
