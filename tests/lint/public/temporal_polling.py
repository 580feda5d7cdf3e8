"""Asks a flaky service until it answers, with a rest between.

After https://github.com/temporalio/samples-python/blob/main/polling/periodic_sequence/workflows.py
"""

import httpx

import inngest_gen as ig

app = ig.App("temporal-polling", retries=0)
SERVICE = httpx.Client(base_url="http://service.example")


def ask(name: str) -> str:
    return SERVICE.get(f"/greet/{name}").raise_for_status().text


@app.function("poll", trigger="poll/wanted")
async def poll(ctx: ig.Context) -> ig.Flow:
    for _ in range(10):
        try:
            answer = yield ctx.step.run("ask", ask, ctx.data["name"])
        except ig.StepError as error:
            ctx.logger.error("no answer: %s", error.message)
            yield ctx.step.sleep("rest", 1)
        else:
            yield ig.Done(answer)
    raise ig.NonRetriableError("the service never answered")
