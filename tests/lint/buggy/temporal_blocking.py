"""A synchronous client in an async step: nothing else runs while the database answers.

Seen with: Temporal
Seen in: https://github.com/PostHog/posthog/pull/39938
Found by: IGN701
"""

import requests

import inngest_gen as ig

app = ig.App("temporal-blocking")


async def query(sql: str) -> str:
    return requests.post("http://clickhouse.example", data=sql, timeout=600).text  # wrong


@app.function("report", trigger="month/ended")
async def report(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("query", query, "select 1")
