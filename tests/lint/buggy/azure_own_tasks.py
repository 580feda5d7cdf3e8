"""Branches are started as tasks of the loop, which cannot run steps.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-extension/issues/56
Found by: IGN202
"""

import asyncio

import inngest_gen as ig

app = ig.App("azure-own-tasks")


async def branch(ctx: ig.Context, name: str) -> ig.Flow:
    yield ctx.step.run(name, str, name)


@app.function("dependencies", trigger="work/found")
async def dependencies(ctx: ig.Context) -> ig.Flow:
    task = asyncio.create_task(branch(ctx, "c"))  # wrong
    yield branch(ctx, "a")
    await task
