"""A timeout of the event loop is put around steps; the run may sleep for days inside it.

Seen with: Temporal
Seen in: https://github.com/pydantic/pydantic-ai/pull/6892
Found by: IGN402
"""

import asyncio

import inngest_gen as ig

app = ig.App("temporal-timeout")


async def ask(question: str) -> str:
    return f"an answer to {question}"


@app.function("agent", trigger="question/asked")
async def agent(ctx: ig.Context) -> ig.Flow:
    async with asyncio.timeout(30):  # wrong
        answer = yield ctx.step.run("ask", ask, ctx.data["question"])
    yield ig.Done(answer)
