"""A saga: each booking that went through is undone if a later one fails, in a plain `finally`.

A step that has failed for good raises at its yield, the `finally` yields the steps that undo what is there, and the error goes on and
fails the run. A crash in the middle changes nothing: the `finally` goes on where it was. It does not run because the run slept,
the process stopped, or the code was deployed; nor when the run is cancelled, for a cancelled run's handler is not resumed:
what must happen then as well is a defer (see examples/order.py).

Run it, with a hotel and without one:

    inngest-gen run examples/saga.py:app trip/requested '{"city": "Oslo", "hotels": 1}' --fast-forward
    inngest-gen run examples/saga.py:app trip/requested '{"city": "Oslo", "hotels": 0}' --fast-forward
"""

from collections.abc import Callable
from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("travel", retries=2, backoff=["10s", "1m"])


@dataclass(frozen=True)
class Trip:
    city: str
    hotels: int


def book_flight(trip: Trip) -> str:
    return f"flight-{trip.city}"


def book_train(trip: Trip) -> str:
    return f"train-{trip.city}"


def book_hotel(trip: Trip) -> str:
    if not trip.hotels:
        raise LookupError(f"no hotel in {trip.city}")  # tried again twice, as `retries` says
    return f"hotel-{trip.city}"


def cancel(booking: str) -> str:
    return f"{booking} cancelled"


@app.function("book-trip", trigger=ig.EventType("trip/requested", Trip))
async def book_trip(ctx: ig.Context[Trip]) -> ig.Flow:
    plan: list[tuple[str, Callable[[Trip], str]]] = [("flight", book_flight), ("train", book_train), ("hotel", book_hotel)]
    undo: list[tuple[str, str]] = []
    try:
        for name, book in plan:
            booking = ctx.step.run(f"book-{name}", book, ctx.data)
            yield booking
            undo.append((name, booking.result))
        bookings = dict(undo)
        undo.clear()  # all are booked: nothing is left to undo
        yield ig.Done(bookings)
    finally:
        for name, booked in reversed(undo):
            yield ctx.step.run(f"cancel-{name}", cancel, booked)
