"""Five greetings at once, sorted.

After https://github.com/temporalio/samples-python/blob/main/hello/hello_parallel_activity.py
"""

import inngest_gen as ig

app = ig.App("temporal-parallel")


def greet(name: str) -> str:
    return f"Good day, {name}"


@app.function("greet-all", trigger="greetings/wanted")
async def greet_all(ctx: ig.Context) -> ig.Flow:
    greetings: tuple[str, ...] = yield ctx.group.parallel(*(ctx.step.run(f"greet-{name}", greet, name) for name in ctx.data["names"]))
    yield ig.Done(sorted(greetings))
