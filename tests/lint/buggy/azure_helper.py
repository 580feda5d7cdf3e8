"""Common steps were moved into a generator, which is called and not yielded: nothing of it runs.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-python/issues/487
Found by: IGN201
"""

import inngest_gen as ig

app = ig.App("azure-helper")


async def hello(ctx: ig.Context, name: str) -> ig.Flow:
    answer = yield ctx.step.run("hello", str, name)
    ctx.logger.info("%s", answer)
    yield ig.Done(answer)


@app.function("orchestrator", trigger="hello/wanted")
async def orchestrator(ctx: ig.Context) -> ig.Flow:
    first = yield ctx.step.run("first", str, "a")
    second = hello(ctx, "b")  # wrong
    ctx.logger.info("%s", first)
    yield ig.Done(first)
