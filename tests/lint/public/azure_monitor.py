"""Watches a repository for five minutes, and tells when it has too many open issues.

After https://github.com/Azure/azure-functions-durable-python/blob/dev/samples/monitor/E3_Monitor/__init__.py
"""

from datetime import timedelta

import httpx

import inngest_gen as ig

app = ig.App("azure-monitor")


async def too_many(repository: str) -> bool:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://issues.example/{repository}")
    return len(answer.json()) > 3


async def alert(phone: str) -> None:
    async with httpx.AsyncClient() as client:
        await client.post("http://sms.example", json={"to": phone})


@app.function("monitor", trigger="monitor/wanted")
async def monitor(ctx: ig.Context) -> ig.Flow:
    expires = ctx.started_at + timedelta(minutes=5)
    now = ctx.started_at
    while now < expires:
        if (yield ctx.step.run("count", too_many, ctx.data["repository"])):
            yield ctx.step.run("alert", alert, ctx.data["phone"])
            break
        ctx.logger.info("not too many, for now")
        yield ctx.step.sleep("a minute", "1m")
        now += timedelta(minutes=1)
    yield ig.Done("monitor completed")
