"""A cache of the process decides whether a step is asked for: a fresh process asks for one that a warm one did not.

Seen with: Temporal
Seen in: https://github.com/pydantic/pydantic-ai/issues/5875
Found by: IGN110
"""

from typing import Any

import inngest_gen as ig

app = ig.App("temporal-process-cache")
TOOLS: dict[str, Any] = {}


def tools_of(server: str) -> list[str]:
    return [f"{server}.search"]


@app.function("agent", trigger="question/asked")
async def agent(ctx: ig.Context) -> ig.Flow:
    server = ctx.data["server"]
    if server not in TOOLS:  # wrong
        TOOLS[server] = yield ctx.step.run("tools", tools_of, server)
    yield ctx.step.sleep("think", "1m")
    yield ctx.step.run("ask", str, TOOLS[server])
