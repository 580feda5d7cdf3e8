"""The id under which a child is started is random, so a replay asks for another child.

Seen with: Temporal
Seen in: https://github.com/TracecatHQ/tracecat/pull/971
Found by: IGN301
"""

from uuid import uuid4

import inngest_gen as ig

app = ig.App("temporal-child-id")


@app.function("child")
async def child(ctx: ig.Context) -> str:
    return str(ctx.data["part"])


@app.function("parent", trigger="parts/found")
async def parent(ctx: ig.Context) -> ig.Flow:
    for part in ctx.data["parts"]:
        yield ctx.step.invoke(f"exec-{uuid4()}", child, {"part": part})  # wrong
    yield ctx.step.sleep("rest", "1h")
