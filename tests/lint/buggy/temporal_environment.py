"""A switch in the environment decides which steps there are; the next deploy may set it otherwise.

Seen with: Temporal
Seen in: https://github.com/ssdavidai/alfred/issues/312
Found by: IGN104
"""

import os

import inngest_gen as ig

app = ig.App("temporal-environment")


@app.function("promote", trigger="chore/done")
async def promote(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("reflect", str, ctx.data["chore"])
    if os.environ.get("PROMOTION_AUTO_PR") == "1":  # wrong
        yield ctx.step.run("open a pull request", str, ctx.data["chore"])
    yield ctx.step.sleep("rest", "1h")
