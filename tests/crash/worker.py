"""The process that the crash test kills: sends orders one after the other and runs them, writing every effect of a step to a file.

`python worker.py DIRECTORY LOOP COUNT`. Says "ready" when its engine is open, and "done" and exits with 0 when all orders and what they deferred have
ended. Started again on the same directory it goes on: an order that was not acknowledged is sent again under the same event id.
"""

import os
import pathlib
import sys

import anyio

import inngest_gen as ig

here = pathlib.Path(sys.argv[1])
app = ig.App("crash", backoff=0.02, retries=10)


def effect(ctx: ig.Context, step: str) -> None:
    """Append a line in one write, and let it reach the disk: what happened, happened."""
    line = f"{ctx.run_id} {step} {os.getpid()} {ctx.attempt}\n".encode()
    file = os.open(here / "effects", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, line)
        os.fsync(file)
    finally:
        os.close(file)


@app.deferred("receipt")
async def receipt(ctx: ig.DeferContext) -> ig.Flow:
    """Runs once for each order."""
    yield ctx.step.run("print", effect, ctx, "print")
    yield ig.Done(ctx.data["order"])


@app.function("audit", trigger="order/packed")
async def audit(ctx: ig.Context) -> ig.Flow:
    """Is started by an event that a step sends."""
    yield ctx.step.run("audit", effect, ctx, "audit")


@app.function("order", trigger="order/placed")
async def order(ctx: ig.Context) -> ig.Flow:
    """Sequential steps, branches, a retry, a sleep, two defers of which one is aborted, an event."""

    def flaky() -> str:
        effect(ctx, "flaky")
        if ctx.attempt == 0:
            raise ConnectionError("try again")
        return "went"

    async def packed(item: int) -> int:
        effect(ctx, f"pack-{item}")
        return item

    async def parcel() -> ig.Flow:
        first = yield ctx.step.run("pack-1", packed, 1)
        second = yield ctx.step.run("pack-2", packed, 2)
        yield ig.Done(first + second)

    yield ctx.step.run("load", effect, ctx, "load")
    yield ctx.defer("receipt", receipt, {"order": ctx.data["number"]})
    unwanted = yield ctx.defer("unwanted", receipt, {"order": -1})
    yield ctx.step.run("check", effect, ctx, "check")
    total, _ = yield ctx.group.parallel(parcel(), ctx.step.sleep("cool", 0.03))
    yield unwanted.abort()
    went = yield ctx.step.run("flaky", flaky)
    yield ctx.step.send_event("tell", ig.Event("order/packed", {"order": ctx.data["number"]}))
    yield ctx.step.run("ship", effect, ctx, "ship")
    yield ig.Done([ctx.data["number"], total, went])


async def main() -> None:
    """Send what is not acknowledged, and wait for the end of everything."""
    count = int(sys.argv[3])
    async with ig.Engine(here / "crash.db", apps=[app], grace=0) as engine:
        print("ready", flush=True)
        acknowledged = here / "acknowledged"
        sent = len(acknowledged.read_text().split()) if acknowledged.exists() else 0
        while sent < count:
            await engine.send(ig.Event("order/placed", {"number": sent}, id=f"order-{sent}"))
            with acknowledged.open("a") as file:
                file.write(f"order-{sent}\n")
                file.flush()
                os.fsync(file.fileno())
            sent += 1
        for status in ("queued", "running"):
            for run in await engine.runs(status=status, limit=10_000):
                await engine.wait(run.id)
        # What the last of them caused may have begun since.
        while left := [*await engine.runs(status="queued"), *await engine.runs(status="running")]:
            await engine.wait(left[0].id)
    print("done", flush=True)


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[2])
