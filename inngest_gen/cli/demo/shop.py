"""The shop of `inngest-gen demo`: a sleep, a flaky payment, parallel steps with a sub-flow, and two defers, one of which is taken back.

Every step body notes in a file of side effects that it runs; `wrap` kills the process the first time.
"""

from __future__ import annotations

import time
from typing import Any, TypedDict

import anyio

from inngest_gen.app.app import App
from inngest_gen.app.context import Context, DeferContext
from inngest_gen.cli.demo import ledger
from inngest_gen.intents.done import Done
from inngest_gen.intents.intent import Flow

app: App = App("shop", backoff=["400ms", "800ms"])


class Order(TypedDict):
    """What was ordered, and by whom."""

    order_id: str
    email: str
    amount: int


class Letter(TypedDict):
    """A mail to send."""

    to: str
    text: str


class PaymentDown(Exception):
    """The payment provider does not answer."""


def load(order_id: str) -> Order:
    """Look the order up. A sync body: it runs in a worker thread."""
    ledger.note("load")
    time.sleep(0.3)
    return {"order_id": order_id, "email": "ada@example.com", "amount": 42}


async def charge(ctx: Context[Any], order: Order) -> str:
    """Take the money; the provider answers at the third attempt."""
    ledger.note("charge", ctx.attempt)
    await anyio.sleep(0.2)
    if ctx.attempt < 2:
        raise PaymentDown("503 from the payment provider")
    return f"paid {order['amount']}"


async def reserve(order: Order) -> str:
    """Put the goods aside."""
    ledger.note("reserve")
    await anyio.sleep(0.4)
    return f"shelf for {order['order_id']}"


async def print_label(order: Order) -> str:
    """Print the label."""
    ledger.note("label")
    await anyio.sleep(0.7)
    return f"label for {order['email']}"


async def box() -> str:
    """Find a box."""
    ledger.note("box")
    await anyio.sleep(0.4)
    return "box"


async def wrap() -> str:
    """Wrap it; here the process is killed, the first time."""
    ledger.note("wrap")
    await anyio.sleep(0.8)
    ledger.kill_once()
    return "wrapped"


async def ship() -> str:
    """Hand the parcel over."""
    ledger.note("ship")
    await anyio.sleep(0.4)
    return "TRACK-1815"


async def deliver(letter: Letter) -> str:
    """Send a mail."""
    ledger.note("mail")
    await anyio.sleep(0.4)
    return f"told {letter['to']}"


@app.deferred("send-receipt", schema=Letter)
async def send_receipt(ctx: DeferContext[Letter]) -> Flow:
    """Runs once the order's run has ended."""
    yield ctx.step.run("mail", deliver, ctx.data)


@app.deferred("remind-to-pay", schema=Letter)
async def remind_to_pay(ctx: DeferContext[Letter]) -> Flow:
    """Would run once the order's run has ended, but it is taken back when the payment has come."""
    yield ctx.step.run("reminder", deliver, ctx.data)


async def pack(ctx: Context[Any]) -> Flow:
    """A sub-flow: two steps, one after the other."""
    yield ctx.step.run("box", box)
    wrapped = yield ctx.step.run("wrap", wrap)
    yield Done(wrapped)


@app.function("order-placed", trigger="order/placed")
async def order_placed(ctx: Context[Any]) -> Flow:
    """One order, from the payment to the parcel."""
    order = yield ctx.step.run("load", load, ctx.event.data["order_id"])
    reminder = yield ctx.defer("reminder", remind_to_pay, Letter(to=order["email"], text="Please pay"))
    yield ctx.step.sleep("cool-off", "1s")
    paid = yield ctx.step.run("charge", charge, ctx, order)
    yield reminder.abort()
    yield ctx.defer("receipt", send_receipt, Letter(to=order["email"], text=paid))
    yield ctx.group.parallel(
        ctx.step.run("reserve", reserve, order),
        ctx.step.run("label", print_label, order),
        pack(ctx),
    )
    parcel = yield ctx.step.run("ship", ship)
    yield Done({"order_id": order["order_id"], "parcel": parcel})
