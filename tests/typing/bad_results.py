"""A result is used as what it is."""

import inngest_gen as ig


def name(id: str) -> str:
    return id


async def total(id: str) -> float:
    return len(id)


async def quote(ctx: ig.Context, price: float) -> ig.Flow:
    yield ig.Done(price)


async def handler(ctx: ig.Context) -> ig.Flow:
    named = ctx.step.run("name", name, "a")
    yield named
    number: int = named.result  # error
    named.result.nothing  # error
    yield ctx.step.run("total", total, named.result + 1)  # error
    yield ctx.step.run("again", name, named)  # error
    yield ctx.step.run("decoded", name, "a").returns(int).result.upper()  # error
    yield quote(ctx, named.result)  # error
    paid = ctx.step.wait_for_event("paid", "payment/received", timeout="1d")
    yield paid
    event: ig.Event = paid.result  # error
    winner: ig.Winner[int] = yield ctx.group.race(ctx.step.run("name", name, "a"))
    winner.value.upper()  # error
    yield name("not an intent")  # error
    yield ctx.group.parallel(name("not a branch"))  # error
