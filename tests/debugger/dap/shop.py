"""What the tests of the Debug Adapter Protocol debug: sub-flows, branches, a defer, an error, a long list. Lines are found by their comments."""

import pathlib
from typing import Any

import inngest_gen as ig

app = ig.App("shop")
FILE = str(pathlib.Path(__file__).resolve())


def load(order_id: str) -> dict[str, Any]:
    return {"lines": ["tea", "tea", "cup"], "notes": [f"note {n}" for n in range(1_500)], "by": {f"k{n}": n for n in range(150)}}


def price_of(item: str) -> int:
    return {"tea": 4, "cup": 9}[item]


def pay(amount: int) -> str:
    raise ValueError(f"no money for {amount}")


@app.deferred("receipt")
async def receipt(ctx: ig.DeferContext[Any]) -> ig.Flow:
    yield ctx.step.run("mail", len, "x")


async def total(ctx: ig.Context, lines: list[str]) -> ig.Flow:
    amount = 0
    for item in lines:
        print("pricing", item)  # noqa: IGN107 - it is to be seen with its stop
        amount += yield ctx.step.run("price", price_of, item)  # price
    yield ig.Done(amount)  # total


@app.function("order", trigger="go", retries=0)
async def order_placed(ctx: ig.Context) -> ig.Flow:
    order = yield ctx.step.run("load", load, ctx.data["order_id"])  # load
    amount = yield total(ctx, order["lines"])  # sub-flow
    yield ctx.defer("receipt", receipt, {"amount": amount})  # defer
    both = yield ctx.group.parallel(first=total(ctx, ["tea", "cup"]), stock=ctx.step.run("stock", len, "abc"))  # parallel
    try:
        yield ctx.step.run("pay", pay, amount)  # pay
    except ig.StepError as error:
        amount = str(error)
    yield ig.Done({"amount": amount, "both": both})  # done


def line(comment: str) -> int:
    """The line that ends with a comment."""
    lines = pathlib.Path(FILE).read_text().splitlines()
    return next(n for n, text in enumerate(lines, 1) if text.endswith(f"# {comment}"))
