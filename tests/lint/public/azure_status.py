"""A chain that tells how far it is.

After https://github.com/Azure/azure-functions-durable-python/blob/dev/samples/function_chaining_custom_status/DurableOrchestration/__init__.py
"""

import inngest_gen as ig

app = ig.App("azure-status")


def add_one(number: int) -> int:
    return number + 1


async def tell(status: str) -> None:
    await app.send(ig.Event("chain/status", {"status": status}))


@app.function("chain", trigger="chain/started")
async def chain(ctx: ig.Context) -> ig.Flow:
    value = 0
    status = ""
    for number in range(3):
        value = yield ctx.step.run("add", add_one, value)
        status = f"{status}{value} -> "
        yield ctx.step.run(f"tell-{number}", tell, status)
    yield ig.Done(value)
