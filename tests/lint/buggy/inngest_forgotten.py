"""The invoke is made and nothing waits for it.

Seen with: Inngest
Seen in: https://github.com/inngest/website/pull/890
Found by: IGN201
"""

import inngest_gen as ig

app = ig.App("inngest-forgotten")


@app.function("other")
async def other(ctx: ig.Context) -> int:
    return 1


@app.function("caller", trigger="caller/called")
async def caller(ctx: ig.Context) -> ig.Flow:
    ctx.step.invoke("other", other)  # wrong
    yield ctx.step.run("after", str, "done")
