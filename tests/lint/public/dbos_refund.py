"""Small refunds at once, large ones after a person has looked.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/reliable-refunds-langchain/reliable_refunds/main.py
"""

import time
from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("dbos-refund")
PATIENCE = "7d"


@dataclass(frozen=True)
class Purchase:
    order_id: int
    price: float


def find(order_id: int) -> Purchase | None:
    return Purchase(order_id, 12.5) if order_id else None


def set_status(order_id: int, status: str) -> None:
    print(order_id, status)


def mail_reviewer(purchase: Purchase, run_id: str) -> None:
    print(f"{time.strftime('%Y-%m-%d')}: please look at {purchase}, answer for {run_id}")


@app.deferred("approve", schema=Purchase)
async def approve(ctx: ig.DeferContext[Purchase]) -> ig.Flow:
    yield ctx.step.run("mail", mail_reviewer, ctx.data, ctx.run_id)
    decision = yield ctx.step.wait_for_event("decision", "refund/decided", match="data.order_id", timeout=PATIENCE)
    if decision is not None and decision.data["decision"] == "approve":
        ctx.logger.info("approved")
        yield ctx.step.run("refunded", set_status, ctx.data.order_id, "refunded")
        yield ig.Done("Approved")
    else:
        ctx.logger.info("rejected")
        yield ctx.step.run("rejected", set_status, ctx.data.order_id, "rejected")
        yield ig.Done("Rejected")


@app.function("refund", trigger="refund/asked")
async def refund(ctx: ig.Context) -> ig.Flow:
    order_id = ctx.data["order_id"]
    purchase: Purchase | None = yield ctx.step.run("find", find, order_id)
    if purchase is None:
        yield ig.Done(f"there is no order {order_id}")
        return
    if purchase.price > 1000:
        yield ctx.step.run("pending", set_status, order_id, "pending")
        yield ctx.defer("review", approve, purchase)
        yield ig.Done("somebody will look at it")
    else:
        yield ctx.step.run("refunded", set_status, order_id, "refunded")
        yield ig.Done("refunded")
