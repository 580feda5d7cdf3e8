"""Work, and two defers that run when it has ended.

After https://github.com/inngest/inngest-js/blob/main/examples/bun/inngest/testDefer.ts
"""

import inngest_gen as ig

app = ig.App("inngest-defer")


@app.deferred("send-analytics")
async def send_analytics(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("log-analytics", lambda: print("analytics for", ctx.parents[0].run_id, ctx.data))
    yield ig.Done("analytics done")


@app.deferred("clean-up")
async def clean_up(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("clean-temp", lambda: print("removing temporary data"))


@app.function("test-defer", trigger="test/defer")
async def test_defer(ctx: ig.Context) -> ig.Flow:
    def main_work() -> dict[str, object]:
        print("main work for", ctx.data.get("message"))
        return {"processed": True, "input": ctx.data.get("message")}

    result = yield ctx.step.run("main-work", main_work)
    yield ctx.defer("send-analytics", send_analytics, {"result": result})
    yield ctx.defer("cleanup", clean_up, {})
    extra = yield ctx.step.run("extra-work", lambda: "extra done")
    result["extra"] = extra
    yield ig.Done(result)
