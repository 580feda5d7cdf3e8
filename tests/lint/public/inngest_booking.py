"""A trip: search, reserve, pay, confirm; each part tells how far it is.

After https://github.com/inngest/inngest-js/blob/main/examples/durable-endpoints-trip-booker/express-api/src/routes/bookings.ts
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("inngest-booking")
LISTENERS: dict[str, Callable[[str], None]] = {}


@dataclass
class Reservation:
    number: str
    price: int
    seat: str


def progress(booking: str, text: str) -> None:
    listener = LISTENERS.get(booking)
    if listener is not None:
        listener(f"{time.time()} {text}")


def search(booking: str, origin: str, destination: str) -> list[int]:
    progress(booking, f"asking for flights from {origin} to {destination}")
    return sorted(random.randint(100, 400) for _ in range(3))


def reserve(ctx: ig.Context, booking: str, price: int) -> Reservation:
    if ctx.attempt == 0:
        progress(booking, "the seat could not be locked")
        raise TimeoutError("seat lock")
    return Reservation(f"RES-{time.time_ns()}", price, "14A")


def pay(booking: str, price: int) -> str:
    progress(booking, f"charging {price}")
    return f"PAY-{random.getrandbits(32):x}"


@app.function("book", trigger="trip/requested")
async def book(ctx: ig.Context) -> ig.Flow:
    booking = ctx.data.get("booking_id")
    if not booking:
        raise ig.NonRetriableError("booking_id is needed")
    date = ctx.data.get("date") or f"{ctx.started_at:%Y-%m-%d}"
    prices = yield ctx.step.run("search", search, booking, ctx.data.get("origin", "NYC"), ctx.data.get("destination", "LAX"))
    reservation = ctx.step.run("reserve", reserve, ctx, booking, min(prices))
    yield reservation
    payment = yield ctx.step.run("pay", pay, booking, reservation.result.price)
    confirmation = yield ctx.step.run("confirm", lambda: f"{reservation.result.number[:2]}{random.randrange(10**6)}")
    yield ig.Done({"booking": booking, "date": date, "payment": payment, "confirmation": confirmation})
