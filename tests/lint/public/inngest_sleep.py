"""Two steps whose second uses the first one's result, and a sleep until a moment.

After https://github.com/inngest/inngest-py/blob/2c5cab801d838e642cdea3f1115772c95aec3d52/examples/functions/two_steps_and_sleep.py
"""

from datetime import timedelta

import inngest_gen as ig

app = ig.App("inngest-sleep")


@app.function("two-steps-and-sleep", trigger="app/two_steps_and_sleep")
async def two_steps_and_sleep(ctx: ig.Context) -> ig.Flow:
    user_id = yield ctx.step.run("get-user-id", lambda: 1)
    yield ctx.step.run("print-user-id", lambda: f"user ID is {user_id}")
    yield ctx.step.sleep_until("until", ctx.started_at + timedelta(seconds=3))
    yield ig.Done("done")
