"""The code of `server-v1.json`, which RecordingMiddleware wrote of a run on Inngest's dev server. Never change a line of it: see `order.py`."""

from typing import Any

import inngest_gen as ig

app = ig.App("shopd")
TRIED: dict[str, int] = {}


def price(n: int) -> int:
    return n * 2


def flaky(what: str) -> str:
    TRIED[what] = TRIED.get(what, 0) + 1
    if TRIED[what] < 3:
        raise ConnectionError(f"{what} is away {TRIED[what]}")
    return what


def dead() -> None:
    raise ig.NonRetriableError("out of stock")


@app.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done(ctx.data["n"])


@app.function("order", trigger="order/placed", retries=3)
async def order(ctx: ig.Context) -> ig.Flow:
    for n in range(2):
        yield ctx.step.run("price", price, n)
    yield ctx.step.run("flaky", flaky, "tea")
    yield ctx.defer("early", note, {"n": 1})
    gone: ig.DeferHandle = yield ctx.defer("gone", note, {"n": 2})
    try:
        yield ctx.step.run(ig.Id("stock", name="Look at stock"), dead)
    except ig.StepError:
        pass
    yield gone.abort()
    got: Any = yield ctx.group.parallel(ctx.step.run("left", price, 10), ctx.step.sleep("nap", 2), ctx.step.run("right", flaky, "r"))
    paid = yield ctx.step.wait_for_event("paid", "order/paid", match="data.id", timeout="3d")
    yield ig.Done([got, paid])
