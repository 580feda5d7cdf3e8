"""What the tests of pages share: reads a page's values as its program does, and makes runs to show."""

import pathlib
import re
import tempfile
from typing import Any

import orjson

import inngest_gen as ig
from inngest_gen.recording.recording import Recording
from tests.engine import rig


def values(document: dict[str, Any]) -> Any:
    """The values of a document (`document_of`), as decode.js has them."""
    entries, shapes = document["entries"], document["shapes"]

    def get(number: int) -> Any:
        entry = entries[number]
        if not isinstance(entry, list):
            return entry
        head, *numbers = entry
        found = [get(one) for one in numbers]
        if head == 0:
            return found
        return [one for piece in found for one in piece] if head == -1 else dict(zip(shapes[head - 1], found, strict=True))

    return get(document["root"])


def embedded_in(page: str) -> Any:
    """The values of a page."""
    [text] = re.findall(r'<script type="application/json" id="recording">(.*?)</script>', page, re.DOTALL)
    return values(orjson.loads(text))


EVIL = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'><!--<script>\u202e"
"""What must stay text."""

app = ig.App("shop", backoff=["1m", "2m"])
failing: list[str] = []


def load(order_id: str) -> dict[str, Any]:
    return {"lines": ["tea", "tea", "cup"], "note": EVIL}


def price_of(item: str) -> int:
    return {"tea": 4, "cup": 9}[item]


def charge(amount: int) -> str:
    failing.append("charge")
    if len(failing) < 3:
        raise ConnectionError(f"attempt {len(failing)}: {EVIL}")
    return f"paid {amount}"


def refuse() -> None:
    raise ig.NonRetriableError("refused")


@app.deferred("mail", retries=0)
async def mail(ctx: ig.DeferContext[dict[str, Any]]) -> ig.Flow:
    sent = yield ctx.step.run("send", len, ctx.data["to"])
    yield ig.Done(sent)


async def total(ctx: ig.Context, order: dict[str, Any]) -> ig.Flow:
    amount = 0
    lines = order["lines"]
    while lines:
        item = lines.pop()
        amount += yield ctx.step.run("price", price_of, item)
    yield ig.Done(amount)


@app.function("order", trigger="order/placed", retries=2)
async def order(ctx: ig.Context) -> ig.Flow:
    order = yield ctx.step.run("load", load, ctx.data["order_id"])
    print("loaded", EVIL)  # noqa: IGN107 - to be shown
    yield ctx.defer("mail", mail, {"to": "ada"})
    yield ctx.step.sleep("cool-off", "5m")
    amount = yield total(ctx, order)
    paid = yield ctx.step.run("charge", charge, amount)
    ctx.logger.info("paid: %s", paid)
    stock, other = yield ctx.group.parallel(ctx.step.run("stock", price_of, "tea"), total(ctx, {"lines": ["cup"]}))
    refused = ""
    try:
        yield ctx.step.run("refuse", refuse)
    except ig.StepError as error:
        refused = error.message
    yield ig.Done({"paid": paid, "stock": stock, "other": other, "refused": refused})


async def order_run() -> list[Recording]:
    """A run of the shop's order, and the run that it deferred."""
    failing.clear()
    with tempfile.TemporaryDirectory() as directory:
        async with rig.engine(pathlib.Path(directory) / "run.db", app) as engine:
            runs = await engine.run(ig.Event("order/placed", {"order_id": "o1", "evil": EVIL}), timeout=rig.PATIENCE_S)
            runs.sort(key=lambda run: run.parent_run_id is not None)
            return [await engine.recording(run.id) for run in runs]
