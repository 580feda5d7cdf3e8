"""A checkout: reserve, wait for the payment, and give back what was reserved if it does not come.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/widget-store/widget_store/main.py
"""

import sqlite3
from contextlib import closing

import inngest_gen as ig

app = ig.App("dbos-checkout")
DATABASE = "shop.db"


def create_order() -> int:
    with closing(sqlite3.connect(DATABASE)) as db, db:
        return db.execute("insert into orders (status) values ('pending')").lastrowid or 0


def reserve() -> bool:
    with closing(sqlite3.connect(DATABASE)) as db, db:
        return db.execute("update products set inventory = inventory - 1 where inventory > 0").rowcount > 0


def undo_reserve() -> None:
    with closing(sqlite3.connect(DATABASE)) as db, db:
        db.execute("update products set inventory = inventory + 1")


def set_status(order_id: int, status: str) -> None:
    with closing(sqlite3.connect(DATABASE)) as db, db:
        db.execute("update orders set status = ? where id = ?", (status, order_id))


@app.deferred("dispatch")
async def dispatch(ctx: ig.DeferContext) -> ig.Flow:
    for _ in range(10):
        yield ctx.step.sleep("a second", 1)
        yield ctx.step.run("progress", set_status, ctx.data["order_id"], "on its way")


@app.function("checkout", trigger="checkout/started")
async def checkout(ctx: ig.Context) -> ig.Flow:
    order_id = yield ctx.step.run("create order", create_order)
    if not (yield ctx.step.run("reserve", reserve)):
        ctx.logger.error("nothing left for order %s", order_id)
        yield ctx.step.run("cancel", set_status, order_id, "cancelled")
        return
    paid = yield ctx.step.wait_for_event("payment", "payment/done", match="data.checkout_id", timeout="1h")
    if paid is not None and paid.data["status"] == "paid":
        yield ctx.step.run("paid", set_status, order_id, "paid")
        yield ctx.defer("dispatch", dispatch, {"order_id": order_id})
    else:
        yield ctx.step.run("undo reserve", undo_reserve)
        yield ctx.step.run("cancel", set_status, order_id, "cancelled")
    yield ctx.step.send_event("tell", ig.Event("checkout/ended", {"order_id": order_id}))
