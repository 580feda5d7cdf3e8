"""Waits two seconds for an event, and prints what came.

After https://github.com/inngest/inngest-py/blob/2c5cab801d838e642cdea3f1115772c95aec3d52/examples/functions/wait_for_event.py
"""

import inngest_gen as ig

app = ig.App("inngest-wait")


@app.function("wait-for-event", trigger="app/wait_for_event")
async def wait_for_event(ctx: ig.Context) -> ig.Flow:
    found = yield ctx.step.wait_for_event("wait", "app/wait_for_event.fulfill", timeout=2)
    yield ctx.step.run("print-result", lambda: print(found))
