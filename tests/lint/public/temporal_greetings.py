"""Collects greetings that are sent in, until it is told to stop.

After https://github.com/temporalio/samples-python/blob/main/hello/hello_signal.py
"""

import inngest_gen as ig

app = ig.App("temporal-greetings")


@app.function("collect", trigger="collection/opened")
async def collect(ctx: ig.Context) -> ig.Flow:
    greetings: list[str] = []
    while True:
        next_ = ctx.step.wait_for_event("next", "greeting/submitted", match="data.collection", timeout="7d")
        closed = ctx.step.wait_for_event("closed", "collection/closed", match="data.collection", timeout="7d")
        first: ig.Winner[ig.Event | None] = yield ctx.group.race(next=next_, closed=closed)
        if first.key == "closed" or first.value is None:
            yield ig.Done(greetings)
        else:
            greetings.append(f"Good day, {first.value.data['name']}")
