"""An id is made between the steps: after a replay the second step uses another one than the first.

Seen with: Temporal
Seen in: https://github.com/temporalio/samples-go/issues/70
Found by: IGN103
"""

import uuid

import inngest_gen as ig

app = ig.App("temporal-uuid")


@app.function("track", trigger="parcel/sent")
async def track(ctx: ig.Context) -> ig.Flow:
    tracking = uuid.uuid4().hex  # wrong
    yield ctx.step.run("label", str, tracking)
    yield ctx.step.sleep("on its way", "1d")
    yield ctx.step.run("ask", str, tracking)
