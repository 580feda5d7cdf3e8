"""A web shop in FastAPI: a request sends an event, an Inngest server has the functions called, and the route tells what became of an order.

The same application has the shop's own routes and the endpoint that the server calls, so it is deployed as it was. The settings come from
INNGEST_* variables; with a dev server at its usual place (`npx inngest-cli@latest dev`), run it, let the server know it, and order something:

    INNGEST_DEV=1 uvicorn examples.fastapi_app:api
    curl -X PUT http://127.0.0.1:8000/api/inngest
    curl -X POST http://127.0.0.1:8000/orders -H 'Content-Type: application/json' -d '{"item": "tea", "email": "ada@example.org"}'

The functions need no server to be tried:

    inngest-gen run examples/fastapi_app.py:app order/placed '{"id": "o1", "item": "tea", "email": "ada@example.org"}' --fast-forward
"""

from typing import Literal
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from starlette.routing import Route

import inngest_gen as ig

app = ig.App("web-shop")


class Wish(BaseModel):
    """What a customer asks for."""

    item: str
    email: str


class Order(Wish):
    id: str


class Mail(BaseModel):
    to: str
    body: str


order_placed = ig.EventType("order/placed", Order)  # calling it makes an event, checked

SHIPPED: dict[str, str] = {}
"""A database in real life: the server may call any of your processes."""


def pack(order: Order) -> str:
    return f"parcel with {order.item}"


def ship(order: Order, parcel: str) -> None:
    SHIPPED[order.id] = parcel


async def deliver(mail: Mail) -> str:
    return f"to {mail.to}: {mail.body}"


@app.deferred("send-mail", schema=Mail, retries=8)
async def send_mail(ctx: ig.DeferContext[Mail]) -> ig.Flow:
    sent = ctx.step.run("smtp", deliver, ctx.data)
    yield sent
    yield ig.Done(sent.result)


@app.function("ship-order", trigger=order_placed)
async def ship_order(ctx: ig.Context[Order]) -> ig.Flow:
    order = ctx.data
    packed = ctx.step.run("pack", pack, order)
    yield packed
    yield ctx.step.sleep("cool-off", "1h")
    yield ctx.step.run("ship", ship, order, packed.result)
    # The mail is sent by a run of its own, after this one: a mail server that is down holds up no order.
    yield ctx.defer("tell", send_mail, Mail(to=order.email, body=f"Your {packed.result} is on its way."))
    yield ig.Done(packed.result)


api = FastAPI()
api.router.routes.append(Route("/api/inngest", ig.serve(app)))


class Accepted(BaseModel):
    id: str


class Status(BaseModel):
    status: Literal["shipped"] = "shipped"
    parcel: str


@api.post("/orders", status_code=202)
async def place(wish: Wish) -> Accepted:
    order = Order(id=uuid4().hex, item=wish.item, email=wish.email)
    await app.send(order_placed(order, id=order.id))  # with an id the event starts a run once, however often it is sent
    return Accepted(id=order.id)


@api.get("/orders/{order_id}")
async def look(order_id: str) -> Status:
    if order_id not in SHIPPED:
        raise HTTPException(404, "not shipped yet")
    return Status(parcel=SHIPPED[order_id])
