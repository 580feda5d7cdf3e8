"""`.result` has the type that the step's function declares, whatever kind of callable it is."""

import functools
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, assert_type

import inngest_gen as ig


@dataclass
class Order:
    id: str
    total: float


def sync(id: str, total: float = 0) -> Order:
    return Order(id, total)


async def coroutine(id: str) -> Order:
    return Order(id, 0)


async def flow(id: str) -> ig.Flow:
    yield ig.Done(id)


async def generator(id: str) -> AsyncGenerator[ig.Intent, Any]:
    yield ig.Done(id)


class Shop:
    def load(self, id: str) -> Order:
        return Order(id, 0)

    async def fetch(self, id: str) -> list[Order]:
        return [Order(id, 0)]

    @classmethod
    def make(cls, name: str) -> "Shop":
        return cls()

    @staticmethod
    def count(at: int) -> bytes:
        return bytes(at)


class Loader:
    def __call__(self, id: int) -> str:
        return str(id)


async def handler(ctx: ig.Context) -> ig.Flow:
    assert_type(ctx.step.run("1", sync, "a").result, Order)
    assert_type(ctx.step.run("2", sync, "a", total=2).result, Order)
    assert_type(ctx.step.run("3", coroutine, "a").result, Order)
    assert_type(ctx.step.run("4", flow, "a").result, Any)
    assert_type(ctx.step.run("5", generator, "a").result, Any)
    assert_type(ctx.step.run("6", functools.partial(sync, "a"), total=2).result, Order)
    assert_type(ctx.step.run("7", Shop().load, "a").result, Order)
    assert_type(ctx.step.run("8", Shop().fetch, "a").result, list[Order])
    assert_type(ctx.step.run("9", Shop.make, "a").result, Shop)
    assert_type(ctx.step.run("10", Shop.count, 1).result, bytes)
    assert_type(ctx.step.run("11", Loader(), 1).result, str)
    assert_type(ctx.step.run("12", Order, "a", 1.5).result, Order)
    assert_type(ctx.step.run("13", lambda: 1).result, int)

    assert_type(ctx.step.run("14", sync, "a").timeout("10s").result, Order)
    assert_type(ctx.step.run("15", sync, "a").returns(dict[str, int]).result, dict[str, int])
    assert_type(ctx.step.run("16", sync, "a").returns(Shop).timeout(10).result, Shop)

    assert_type(ctx.step.sleep("17", "1h").result, None)
    assert_type(ctx.step.sleep_until("18", "2030-01-01T00:00:00Z").result, None)
    assert_type(ctx.step.wait_for_event("19", "paid", timeout="1d").result, ig.Event | None)
    assert_type(ctx.step.wait_for_signal("20", "go", timeout="1d").result, Any)
    assert_type(ctx.step.send_event("21", ig.Event("paid")).result, list[str])
    assert_type(ctx.step.send_signal("22", "go", {"a": 1}).result, bool)
    assert_type(ctx.step.invoke("23", "other", {"a": 1}).result, Any)

    yield flow("a")
    yield ctx.group.parallel(flow("a"), ctx.group.race(a=flow("a"), b=ctx.step.sleep("1", 1)))
    step: ig.Step[Order] = ctx.step.run(ig.Id("24", name="Load"), coroutine, id="a")
    order = yield step
    assert_type(order, Any)
    assert_type(step.result, Order)
