"""Two inner functions as steps, at once.

After https://github.com/inngest/inngest-py/blob/2c5cab801d838e642cdea3f1115772c95aec3d52/examples/functions/parallel_steps.py
"""

import anyio

import inngest_gen as ig

app = ig.App("inngest-parallel")


@app.function("parallel-steps", trigger="app/parallel_steps")
async def parallel_steps(ctx: ig.Context) -> ig.Flow:
    async def step_1a() -> int:
        await anyio.sleep(2)
        return 1

    async def step_1b() -> int:
        await anyio.sleep(2)
        return 2

    results = yield ctx.group.parallel(ctx.step.run("1a", step_1a), ctx.step.run("1b", step_1b))
    yield ig.Done(list(results))
