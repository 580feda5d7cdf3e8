"""A step is made inside another step's function.

Seen with: Inngest
Seen in: https://github.com/inngest/inngest-js/issues/77
Found by: IGN204
"""

import inngest_gen as ig

app = ig.App("inngest-nested")


@app.function("nested", trigger="nested/wanted")
async def nested(ctx: ig.Context) -> ig.Flow:
    async def outer() -> object:
        return ctx.step.run("inner", str, "inner")  # wrong

    yield ctx.step.run("outer", outer)
