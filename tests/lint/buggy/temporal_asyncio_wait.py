"""`asyncio.wait` keeps what it waits for in a set, and cannot run steps at all.

Seen with: Temporal
Seen in: https://github.com/temporalio/sdk-python/issues/429
Found by: IGN202
"""

import asyncio

import inngest_gen as ig

app = ig.App("temporal-asyncio-wait")


@app.function("three", trigger="three/wanted")
async def three(ctx: ig.Context) -> ig.Flow:
    await asyncio.wait([ctx.step.run(f"part-{number}", str, number) for number in range(3)])  # wrong
    yield ig.Done("all done")
