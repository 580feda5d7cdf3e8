"""A jitter is drawn between the steps: each replay draws another.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-js/issues/224
Found by: IGN102
"""

import random

import inngest_gen as ig

app = ig.App("azure-random-delay")


@app.function("defer-a-bit", trigger="work/found")
async def defer_a_bit(ctx: ig.Context) -> ig.Flow:
    for number in range(3):
        yield ctx.step.sleep(f"pause-{number}", 5 + random.random())  # wrong
        yield ctx.step.run(f"work-{number}", str, number)
