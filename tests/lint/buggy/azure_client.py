"""A client is asked between the steps, again in every replay.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-python/issues/471
Found by: IGN105
"""

import httpx

import inngest_gen as ig

app = ig.App("azure-client")
drive = httpx.AsyncClient(base_url="http://drive.example")


@app.function("sync", trigger="sync/wanted")
async def sync(ctx: ig.Context) -> ig.Flow:
    drives = (await drive.get("/drives")).json()  # wrong
    yield ctx.group.parallel(*[ctx.step.run(f"files {one}", str, one) for one in drives])
