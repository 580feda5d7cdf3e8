"""The steps come in the order of a set, which is another one in every process.

Seen with: Temporal
Seen in: https://github.com/temporalio/temporal/pull/7619
Found by: IGN108
"""

import inngest_gen as ig

app = ig.App("temporal-map-order")


@app.function("notify", trigger="list/changed")
async def notify(ctx: ig.Context) -> ig.Flow:
    added = set(ctx.data["after"]) - set(ctx.data["before"])
    for reader in added:  # wrong
        yield ctx.step.run(f"mail {reader}", str, reader)
    yield ctx.step.sleep("rest", "1h")
