"""The same step id again and again: the repeats are counted.

After https://github.com/inngest/inngest-py/blob/2c5cab801d838e642cdea3f1115772c95aec3d52/examples/functions/duplicate_step_name.py
"""

import inngest_gen as ig

app = ig.App("inngest-loop")


@app.function("duplicate-step-name", trigger="app/duplicate_step_name")
async def duplicate_step_name(ctx: ig.Context) -> ig.Flow:
    for _ in range(3):
        yield ctx.step.run("foo", lambda: None)
    yield ig.Done("done")
