"""A step's function leaves a value in a variable of the handler, where a later one looks for it.

Seen with: Inngest
Seen in: https://github.com/mastra-ai/mastra/issues/23671
Found by: IGN602
"""

from typing import Any

import inngest_gen as ig

app = ig.App("inngest-state")


@app.function("processors", trigger="message/received")
async def processors(ctx: ig.Context) -> ig.Flow:
    state: dict[str, Any] = {}

    def process_input() -> str:
        state["user"] = ctx.data["user"]  # wrong
        return "processed"

    yield ctx.step.run("input", process_input)
    yield ctx.step.sleep("think", "1m")
    yield ctx.step.run("step", str, state["user"])
