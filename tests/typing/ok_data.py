"""`ctx.data` is what the trigger's or the deferred function's schema says; without one it is Any."""

from dataclasses import dataclass
from typing import Any, TypedDict, assert_type

import attrs
import msgspec
import pydantic

import inngest_gen as ig

app = ig.App("shop")


@dataclass
class Placed:
    order_id: str


class Receipt(pydantic.BaseModel):
    to: str


class Typed(TypedDict):
    to: str


class Struct(msgspec.Struct):
    to: str


@attrs.define
class Attrs:
    to: str


@app.deferred("receipt", schema=Receipt, retries=3, concurrency=5)
async def receipt(ctx: ig.DeferContext[Receipt]) -> ig.Flow:
    assert_type(ctx.data, Receipt)
    assert_type(ctx.parents[0].run_id, str)
    yield ig.Done()


@app.deferred("typed", schema=Typed)
async def typed(ctx: ig.DeferContext[Typed]) -> ig.Flow:
    assert_type(ctx.data, Typed)
    yield ig.Done()


@app.deferred("struct", schema=Struct)
async def struct(ctx: ig.DeferContext[Struct]) -> ig.Flow:
    assert_type(ctx.data, Struct)
    yield ig.Done()


@app.deferred("attrs", schema=Attrs)
async def attrs_(ctx: ig.DeferContext[Attrs]) -> ig.Flow:
    assert_type(ctx.data, Attrs)
    yield ig.Done()


@app.deferred("anything")
async def anything(ctx: ig.DeferContext) -> ig.Flow:
    assert_type(ctx.data, Any)
    yield ig.Done()


def even(data: Any) -> dict[str, int]:
    return {"number": data["number"] // 2 * 2}


@app.deferred("checked", schema=even)
async def checked(ctx: ig.DeferContext) -> None:
    assert_type(ctx.data, Any)


placed = ig.EventType("order/placed", Placed)
assert_type(placed, ig.EventType[Placed])
assert_type(placed(Placed("o1")), ig.Event)
assert_type(placed({"order_id": "o1"}, id="e1"), ig.Event)


@app.function("order-placed", trigger=placed, retries=2)
async def order_placed(ctx: ig.Context[Placed]) -> ig.Flow:
    assert_type(ctx.data, Placed)
    assert_type(ctx.event, ig.Event)
    assert_type(ctx.error, ig.StepError | None)
    handle: ig.DeferHandle = yield ctx.defer("receipt", receipt, Receipt(to="a"))
    yield handle.abort()
    yield ctx.defer("typed", typed, Typed(to="a"))
    yield ctx.defer("struct", struct, Struct(to="a"), meta={"sessions": {"a": "b"}})
    yield ctx.defer("attrs", attrs_, Attrs(to="a"))
    yield ctx.defer(ig.Id("anything", name="Anything"), anything, {"any": "thing"})
    yield order_placed(ctx)


@app.function("plain", trigger=["order/placed", ig.EventTrigger("order/*")])
async def plain(ctx: ig.Context) -> int:
    assert_type(ctx.data, Any)
    assert_type(ctx.defer("receipt", receipt, Receipt(to="a")).submit(), ig.DeferHandle)
    return 1


@app.function("race", trigger="race")
async def race(ctx: ig.Context) -> ig.Flow:
    winner: ig.Winner[Placed] = yield ctx.group.race(ctx.step.run("a", Placed, "o1"), b=ctx.step.run("b", Placed, "o2"))
    assert_type(winner.value, Placed)
    assert_type(winner.key, int | str)
    _, value = winner
    assert_type(value, Placed)


async def main() -> None:
    async with ig.Engine("shop.db", apps=[app]) as engine:
        assert_type(await engine.send(placed(Placed("o1"))), list[str])
        assert_type(await engine.run(ig.Event("order/placed", {"order_id": "o1"})), list[ig.Run])
