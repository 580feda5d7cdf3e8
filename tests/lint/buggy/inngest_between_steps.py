"""A page of results is fetched between the steps of a loop, again in each replay.

Seen with: Inngest
Seen in: https://github.com/inngest/website/pull/809
Found by: IGN105
"""

import urllib.request

import inngest_gen as ig

app = ig.App("inngest-between-steps")


def fetch(cursor: int) -> bytes:
    with urllib.request.urlopen(f"http://products.example/?cursor={cursor}") as answer:
        page: bytes = answer.read()
        return page


@app.function("import-products", trigger="shop/products.wanted")
async def import_products(ctx: ig.Context) -> ig.Flow:
    for cursor in range(3):
        page = fetch(cursor)  # wrong
        yield ctx.step.run(f"save-{cursor}", len, page)
