"""The example of the design document, as written there, with what it takes for granted added at the top."""

from pydantic import BaseModel

import inngest_gen as ig


class Order(BaseModel):
    email: str
    total: float


class Receipt(BaseModel):
    to: str
    body: str


def deliver(receipt: Receipt) -> None: ...


async def load_order(order_id: str) -> Order:
    return Order(email=order_id, total=1)


def check_stock(order: Order) -> bool:
    return order.total > 0


async def fetch_rate() -> float:
    return 1.1


app = ig.App("shop")


@app.deferred("send-receipt", schema=Receipt, retries=3)
async def send_receipt(ctx: ig.DeferContext[Receipt]) -> ig.Flow:
    yield ctx.step.run("smtp", deliver, ctx.data)


@app.function("order-placed", trigger="order/placed")
async def order_placed(ctx: ig.Context) -> ig.Flow:
    load = ctx.step.run("load", load_order, ctx.event.data["order_id"])
    yield load
    order = load.result
    yield ctx.defer("receipt", send_receipt, Receipt(to=order.email, body="Thanks"))
    yield ctx.step.sleep("cool-off", "1h")
    paid = yield ctx.step.wait_for_event("paid", "payment/received", match="data.order_id", timeout="3d")
    stock, price = yield ctx.group.parallel(ctx.step.run("stock", check_stock, order), quote(ctx, order))
    yield ig.Done({"paid": paid is not None, "stock": stock, "price": price})


async def quote(ctx: ig.Context, order: Order) -> ig.Flow:
    rate = yield ctx.step.run("rate", fetch_rate)
    yield ig.Done(rate * order.total)
