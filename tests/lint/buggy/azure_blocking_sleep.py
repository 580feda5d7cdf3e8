"""An async activity sleeps without awaiting: fourteen at once take fourteen times as long.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-python/issues/256
Found by: IGN701
"""

import time

import inngest_gen as ig

app = ig.App("azure-blocking-sleep")


async def activity(name: str) -> str:
    time.sleep(0.01)  # wrong
    return f"Hello {name}"


@app.function("hello", trigger="hello/wanted")
async def hello(ctx: ig.Context) -> ig.Flow:
    yield ctx.group.parallel(*[ctx.step.run(f"activity-{number}", activity, str(number)) for number in range(14)])
