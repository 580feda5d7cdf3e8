"""A defer takes the data of its function's schema, and a handler the data of its own."""

from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("shop")


@dataclass
class Receipt:
    to: str


@dataclass
class Other:
    number: int


@app.deferred("receipt", schema=Receipt)
async def receipt(ctx: ig.DeferContext[Receipt]) -> ig.Flow:
    ctx.data.number  # error
    yield ig.Done()


@app.deferred("mistaken", schema=Receipt)  # error
async def mistaken(ctx: ig.DeferContext[Other]) -> ig.Flow:
    yield ig.Done()


@app.function("not-deferred", trigger=ig.EventType("other", Other))
async def not_deferred(ctx: ig.Context[Other]) -> ig.Flow:
    ctx.data.to  # error
    yield ig.Done()


@app.function("mistaken-too", trigger=ig.EventType("receipt", Receipt))  # error
async def mistaken_too(ctx: ig.Context[Other]) -> ig.Flow:
    yield ig.Done()


@app.function("no-handler", trigger="other")  # error
def no_handler(ctx: ig.Context) -> int:
    return 1


@app.function("no-such-trigger", trigger=1)  # error
async def no_such_trigger(ctx: ig.Context) -> int:
    return 1


async def handler(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("data", receipt, Other(1))  # error
    yield ctx.defer("a dict", receipt, {"to": "a"})  # error
    yield ctx.defer("no data", receipt)  # error
    yield ctx.defer("function", not_deferred, {})  # error
    yield ctx.defer("meta", receipt, Receipt("a"), meta="a")  # error
    yield ctx.defer("handle", receipt, Receipt("a")).abort()  # error
    ig.EventType("receipt", Receipt)(Other(1))  # error
    ig.Event("receipt", "a")  # error
