"""The code of `order-v1.json`, a recording of format version 1. Never change a line of it: the recording must replay identically for ever."""

import inngest_gen as ig

app = ig.App("kept")


@app.deferred("tell")
async def tell(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


async def load(number: int) -> dict[str, int]:
    return {"amount": number}


async def pack(ctx: ig.Context) -> str:
    ctx.defer("packed", tell, {"by": "a body"}).submit()
    return "box"


def refuse(reason: str) -> None:
    raise ValueError(reason)


async def quote(ctx: ig.Context, order: dict[str, int]) -> ig.Flow:
    rate = yield ctx.step.run("rate", load, 3)
    yield ig.Done(rate["amount"] * order["amount"])


async def slow(ctx: ig.Context) -> ig.Flow:
    try:
        yield ctx.step.sleep("long", "30d")
        yield ctx.step.run("never", load, 0)
    finally:
        yield ctx.step.run("clean up", load, 9)


@app.function("order", trigger="order/placed", retries=1, backoff=0)
async def order(ctx: ig.Context) -> ig.Flow:
    orders = []
    for number in range(3):
        found = yield ctx.step.run("load", load, number)
        orders.append(found)
    yield ctx.defer("told", tell, {"n": 1})
    taken_back = yield ctx.defer("taken back", tell, {})
    price, box = yield ctx.group.parallel(quote(ctx, orders[2]), ctx.step.run("pack", pack, ctx))
    yield taken_back.abort()
    first = yield ctx.group.race(slow=slow(ctx), quick=ctx.step.run("quick", load, 5))
    refused = None
    try:
        yield ctx.step.run("refuse", refuse, "no")
    except ig.StepError as error:
        refused = error.message
    yield ctx.step.sleep("nap", "1h")
    paid = yield ctx.step.wait_for_event("paid", "payment/received", timeout="1h")
    lucky = ctx.random.choice(["red", "green", "blue"])
    yield ctx.step.run(f"paint {lucky}", load, 1)
    try:
        yield ig.Done(
            {"price": price, "box": box, "won": first.key, "refused": refused, "paid": paid, "lucky": lucky, "id": str(ctx.uuid())}
        )
    finally:
        yield ctx.step.run("file", load, 2)
