"""The context is used for a durable sleep inside a side effect.

Seen with: Restate
Seen in: https://github.com/restatedev/sdk-typescript/pull/227
Found by: IGN204
"""

import inngest_gen as ig

app = ig.App("restate-context-in-step")


@app.function("side-effect", trigger="effect/wanted")
async def side_effect(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("effect", lambda: ctx.step.sleep("inside", 1))  # wrong
