"""A semaphore of the process is held while the run waits elsewhere.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-extension/issues/596
Found by: IGN401
"""

import asyncio

import inngest_gen as ig

app = ig.App("azure-semaphore")
gate = asyncio.Semaphore(2)


async def limited(ctx: ig.Context, number: int) -> ig.Flow:
    async with gate:  # wrong
        yield ctx.step.run(f"work-{number}", str, number)


@app.function("throttled", trigger="work/found")
async def throttled(ctx: ig.Context) -> ig.Flow:
    yield ctx.group.parallel(*[limited(ctx, number) for number in range(9)])
