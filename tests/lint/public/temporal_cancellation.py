"""Long work, and a clean-up that comes whatever became of it.

After https://github.com/temporalio/samples-python/blob/main/hello/hello_cancellation.py
"""

import time

import inngest_gen as ig

app = ig.App("temporal-cancellation")


def work(parts: int) -> int:
    for _ in range(parts):
        time.sleep(0.1)
    return parts


def clean_up() -> str:
    print("cleaning up")
    return "clean"


@app.deferred("clean-up")
async def clean_up_later(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("clean", clean_up)


@app.function("long", trigger="long/started")
async def long(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("after a cancellation, too", clean_up_later, {})
    try:
        yield ctx.step.run("work", work, ctx.data["parts"]).timeout("15m")
    finally:
        yield ctx.step.run("clean up", clean_up)
