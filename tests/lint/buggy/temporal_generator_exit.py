"""A catch-all takes the GeneratorExit that ends the flow for a failure of the work.

Seen with: Temporal
Seen in: https://github.com/temporalio/sdk-python/issues/325
Found by: IGN503
"""

import inngest_gen as ig

app = ig.App("temporal-generator-exit")


@app.function("import", trigger="file/uploaded")
async def load(ctx: ig.Context) -> ig.Flow:
    try:
        rows = yield ctx.step.run("load", len, ctx.data["rows"])
        yield ig.Done(rows)
    except BaseException:  # wrong
        yield ctx.step.run("undo", str, ctx.data["rows"])
        yield ig.Done(0)
