"""The first line of the handler is printed each time it is called, once for each step.

Seen with: Inngest
Seen in: https://github.com/inngest/agent-kit/issues/146
Found by: IGN107
"""

import inngest_gen as ig

app = ig.App("inngest-log-at-top")


@app.function("handler", trigger="handler/called")
async def handler(ctx: ig.Context) -> ig.Flow:
    print("handler called")  # wrong
    yield ctx.step.run("first", str, 1)
    yield ctx.step.wait_for_event("more", "handler/more", timeout="1h")
    yield ctx.step.run("second", str, 2)
