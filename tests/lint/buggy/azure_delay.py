"""A delay of the event loop where a durable one is meant.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/durabletask/issues/1056
Found by: IGN106
"""

import anyio

import inngest_gen as ig

app = ig.App("azure-delay")


def status(task: str) -> str:
    return "succeeded" if task else "running"


@app.function("wait-for-task", trigger="task/started")
async def wait_for_task(ctx: ig.Context) -> ig.Flow:
    state = ""
    while state != "succeeded":
        state = yield ctx.step.run("status", status, ctx.data["task"])
        if state != "succeeded":
            await anyio.sleep(3)  # wrong
