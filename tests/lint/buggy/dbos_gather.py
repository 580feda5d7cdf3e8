"""Steps go to `asyncio.gather`, whose order is nobody's and which cannot run them.

Seen with: DBOS
Seen in: https://github.com/dbos-inc/dbos-transact-py/issues/688
Found by: IGN202
"""

import asyncio

import inngest_gen as ig

app = ig.App("dbos-gather")


@app.function("three", trigger="three/wanted")
async def three(ctx: ig.Context) -> ig.Flow:
    await asyncio.gather(ctx.step.run("a", str, 1), ctx.step.run("b", str, 2))  # wrong
    yield ig.Done("done")
