"""All are started under one id, so only the first one is.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-js/issues/54
Found by: IGN302
"""

import inngest_gen as ig

app = ig.App("azure-same-id")


@app.deferred("sub")
async def sub(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("work", str, ctx.data["number"])


@app.function("main", trigger="work/found")
async def main(ctx: ig.Context) -> ig.Flow:
    for number in range(3):
        yield ctx.defer("sub", sub, {"number": number})  # wrong
