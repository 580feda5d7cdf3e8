"""A failing function, and the handler that runs when it has failed.

After https://github.com/inngest/inngest-py/blob/2c5cab801d838e642cdea3f1115772c95aec3d52/examples/functions/on_failure.py
"""

import inngest_gen as ig

app = ig.App("inngest-failure")


def tell(message: str) -> None:
    print("on_failure called", message)


async def failed(ctx: ig.Context) -> ig.Flow:
    assert ctx.error is not None
    yield ctx.step.run("tell", tell, ctx.error.message)


@app.function("on-failure", trigger="app/on_failure", on_failure=failed, retries=0)
async def function(ctx: ig.Context) -> None:
    raise RuntimeError(f"intentional error in {ctx.run_id}")
