"""A scope for measuring is opened by every replay and closed whenever Python drops the handler.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/durabletask/issues/1225
Found by: IGN401
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import inngest_gen as ig

app = ig.App("azure-disposable")


@contextmanager
def measured(name: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        print(name, time.monotonic() - started)


@app.function("two-activities", trigger="work/found")
async def two_activities(ctx: ig.Context) -> ig.Flow:
    with measured("both"):  # wrong
        yield ctx.step.run("first", str, 1)
        yield ctx.step.sleep("rest", "1h")
        yield ctx.step.run("second", str, 2)
