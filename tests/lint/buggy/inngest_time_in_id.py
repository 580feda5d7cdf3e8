"""The time is added to an id to make it unique, which makes it new in every replay.

Seen with: Inngest
Seen in: https://github.com/inngest/agent-kit/pull/290
Found by: IGN301
"""

import time

import inngest_gen as ig

app = ig.App("inngest-time-in-id")


@app.function("network", trigger="network/started")
async def network(ctx: ig.Context) -> ig.Flow:
    for counter in range(3):
        yield ctx.step.run(f"generate-agent-ids-{counter}-{time.time_ns()}", str, counter)  # wrong
        yield ctx.step.sleep("think", "1m")
