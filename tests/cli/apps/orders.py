"""Functions of every temper, for the command line's tests. Files named in an event's data say when something may go on."""

import pathlib
from typing import Any

import anyio

import inngest_gen as ig

app = ig.App("orders", backoff=0, retries=1)
other = 3


def load(order_id: str) -> dict[str, Any]:
    print("loading", order_id)
    return {"id": order_id}


async def hold(started: str, go: str) -> str:
    """Make the file `started`, then wait for the file `go`."""
    pathlib.Path(started).touch()
    while not pathlib.Path(go).exists():
        await anyio.sleep(0.01)
    return "held"


async def once_flaky(ctx: ig.Context[Any]) -> int:
    if ctx.attempt == 0:
        raise ConnectionError("the line is [bold]dead[/bold]")
    return 7


def boom() -> None:
    raise ValueError("no such order")


@app.deferred("receipt")
async def receipt(ctx: ig.DeferContext[Any]) -> ig.Flow:
    yield ctx.step.run("mail", str, ctx.data["to"])


@app.function("double")
async def double(ctx: ig.Context[Any]) -> ig.Flow:
    yield ig.Done(2 * ctx.data["number"])


async def quote(ctx: ig.Context[Any]) -> ig.Flow:
    rate = yield ctx.step.run("rate", int, "3")
    yield ig.Done(rate)


@app.function("placed", trigger="order/placed")
async def placed(ctx: ig.Context[Any]) -> ig.Flow:
    order = yield ctx.step.run("load", load, ctx.data["order_id"])
    yield ctx.defer("receipt", receipt, {"to": "ada"})
    survey = yield ctx.defer("survey", receipt, {"to": "bob"})
    yield survey.abort()
    yield ctx.step.sleep("cool-off", ctx.data.get("nap", 0))
    charge = yield ctx.step.run("charge", once_flaky, ctx)
    doubled = yield ctx.step.invoke("doubled", double, {"number": charge})
    stock, price = yield ctx.group.parallel(ctx.step.run("stock", int, "5"), quote(ctx))
    yield ig.Done({"order": order["id"], "doubled": doubled, "stock": stock, "price": price})


@app.function("fails", trigger="order/lost")
async def fails(ctx: ig.Context[Any]) -> ig.Flow:
    yield ctx.step.run("find", boom)


@app.function("waits", trigger="approval/asked")
async def waits(ctx: ig.Context[Any]) -> ig.Flow:
    given = yield ctx.step.wait_for_event("approval", "approval/given", match="data.id", timeout="30d")
    yield ig.Done("given" if given else "not given")


@app.function("holds", trigger="order/held")
async def holds(ctx: ig.Context[Any]) -> ig.Flow:
    yield ctx.step.run("first", int, "1")
    held = yield ctx.step.run("hold", hold, ctx.data["started"], ctx.data["go"])
    yield ig.Done(held)


@app.function("strays", trigger="order/strayed")
async def strays(ctx: ig.Context[Any]) -> ig.Flow:
    """Takes another way when a file is there: what a deterministic handler never does."""
    yield ctx.step.run("one" if not pathlib.Path(ctx.data["file"]).exists() else "other", int, "1")
    yield ctx.step.wait_for_event("news", "order/news", timeout="30d")
    yield ig.Done("home")
