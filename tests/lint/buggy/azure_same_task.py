"""One step object is waited for twice; the first run of the handler says so.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-python/pull/391
Found by: replay
"""

import inngest_gen as ig

app = ig.App("azure-same-task")
EVENT = ig.Event("twice/wanted")


@app.function("twice", trigger="twice/wanted")
async def twice(ctx: ig.Context) -> ig.Flow:
    task = ctx.step.run("hello", str, "Tokyo")
    first = yield ctx.group.parallel(task)
    second = yield ctx.group.parallel(task)
    yield ig.Done([*first, *second])
