"""One step or another for each thing on a list.

After https://github.com/temporalio/samples-python/blob/main/hello/hello_activity_choice.py
"""

from collections.abc import Callable
from enum import StrEnum

import inngest_gen as ig

app = ig.App("temporal-fruits")


class Fruit(StrEnum):
    APPLE = "apple"
    CHERRY = "cherry"


def order_apples(amount: int) -> str:
    return f"{amount} apples"


def order_cherries(amount: int) -> str:
    return f"{amount} cherries"


ORDERS: dict[Fruit, Callable[[int], str]] = {Fruit.APPLE: order_apples, Fruit.CHERRY: order_cherries}


@app.function("purchase", trigger="list/written")
async def purchase(ctx: ig.Context) -> ig.Flow:
    ordered = []
    for number, item in enumerate(ctx.data["items"]):
        try:
            order = ORDERS[Fruit(item["fruit"])]
        except ValueError as error:
            raise ig.NonRetriableError(f"nobody sells {item['fruit']}") from error
        ordered.append((yield ctx.step.run(f"order-{number}", order, item["amount"])))
    yield ig.Done(", ".join(ordered))
