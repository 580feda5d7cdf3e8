"""Another function is invoked from inside a step.

Seen with: DBOS
Seen in: https://github.com/dbos-inc/dbos-transact-ts/issues/750
Found by: IGN204
"""

import inngest_gen as ig

app = ig.App("dbos-workflow-in-step")


@app.function("inner")
async def inner(ctx: ig.Context) -> int:
    return 1


async def start_inner(ctx: ig.Context) -> object:
    return ctx.step.invoke("inner", inner)  # wrong


@app.function("outer", trigger="outer/called")
async def outer(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("start", start_inner, ctx)
