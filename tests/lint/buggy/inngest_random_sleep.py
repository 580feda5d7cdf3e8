"""A random sleep in a loop, and a line that comes again and again.

Seen with: Inngest
Seen in: https://github.com/inngest/inngest/issues/3069
Found by: IGN102 IGN107
"""

import random

import inngest_gen as ig

app = ig.App("inngest-random-sleep")


@app.function("many-steps", trigger="test/many-steps")
async def many_steps(ctx: ig.Context) -> ig.Flow:
    for index in range(3):
        pause = random.randrange(200)  # wrong
        print(f"index {index}, pause {pause}")  # wrong
        yield ctx.step.sleep("wait", pause)
        yield ctx.step.run(f"plop {index}", str, index)
