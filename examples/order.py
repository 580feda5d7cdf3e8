"""An order: steps, a sleep, and two deferred mails of which one is taken back.

The apology is deferred before the card is charged and aborted once the charge went through. A defer starts when the run has ended,
however it ended: if the charge fails for good, the customer still hears about it.

Run it, and then the order whose card is declined:

    inngest-gen run examples/order.py:app order/placed '{"order_id": "o1"}' --fast-forward
    inngest-gen run examples/order.py:app order/placed '{"order_id": "declined"}' --fast-forward
"""

from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("shop")


@dataclass(frozen=True)
class OrderPlaced:
    order_id: str


@dataclass(frozen=True)
class Order:
    id: str
    email: str
    total: float


@dataclass(frozen=True)
class Mail:
    to: str
    body: str


# What touches the world is a step's body. A sync one runs in a worker thread.


def load_order(order_id: str) -> Order:
    return Order(id=order_id, email=f"{order_id}@example.org", total=19.5)


async def charge(order: Order) -> str:
    if order.id == "declined":
        raise ig.NonRetriableError("the card was declined")
    return f"payment-for-{order.id}"


def ship(order: Order) -> str:
    return f"parcel-for-{order.id}"


def deliver(mail: Mail) -> str:
    return f"to {mail.to}: {mail.body}"


@app.deferred("send-mail", schema=Mail, retries=8)
async def send_mail(ctx: ig.DeferContext[Mail]) -> ig.Flow:
    smtp = ctx.step.run("smtp", deliver, ctx.data)
    yield smtp
    yield ig.Done(smtp.result)


@app.function("order-placed", trigger=ig.EventType("order/placed", OrderPlaced))
async def order_placed(ctx: ig.Context[OrderPlaced]) -> ig.Flow:
    load = ctx.step.run("load", load_order, ctx.data.order_id)
    yield load
    order = load.result  # an Order, to the type checker and in every replay

    apology: ig.DeferHandle = yield ctx.defer("apology", send_mail, Mail(to=order.email, body="Sorry, your order did not go through."))
    payment = ctx.step.run("charge", charge, order)
    yield payment
    yield apology.abort()
    yield ctx.defer("receipt", send_mail, Mail(to=order.email, body=f"Thanks! You paid {order.total}: {payment.result}."))

    yield ctx.step.sleep("cool-off", "1h")
    parcel = ctx.step.run("ship", ship, order)
    yield parcel
    yield ig.Done({"payment": payment.result, "parcel": parcel.result})
