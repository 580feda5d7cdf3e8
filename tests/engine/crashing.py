"""The program that the crash test kills: `python crashing.py LOOP DIRECTORY`.

Takes numbers on its input, a line each, sends an event for each and says "ack NUMBER" once it is acknowledged; many are under way at a time.
At the end of its input it lets all runs come to their end and says "done". Every body writes a line to a file, and to the disk, as it begins.
"""

import os
import pathlib
import sys
import threading
import time

import anyio
import anyio.from_thread
import anyio.to_thread

import inngest_gen as ig

loop, directory = sys.argv[1], pathlib.Path(sys.argv[2])
app = ig.App("crash", backoff=0.005)
effects = os.open(directory / "effects", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
life = f"{os.getpid()}-{time.time_ns()}"


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def effect(ctx: ig.Context, step: str) -> str:
    # A kill may tear a write in two where it crosses a page: a line begins with its newline, and is whole with its last word.
    os.write(effects, f"\n{life} {ctx.run_id} {step} {ctx.attempt} begun".encode())
    os.fdatasync(effects)
    return step


async def async_effect(ctx: ig.Context, step: str) -> str:
    await anyio.sleep(0)
    return effect(ctx, step)


def flaky(ctx: ig.Context) -> str:
    effect(ctx, "main/3")
    if ctx.attempt < 2:
        raise ValueError("again")
    return "flaky"


def deferring(ctx: ig.Context) -> None:
    ctx.defer("in body", note, {"n": ctx.data["n"], "from": "body"}).submit()
    effect(ctx, "main/2")


@app.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("note", effect, ctx, "main/1")
    yield ig.Done([ctx.data["n"], ctx.data["from"]])


@app.function("audit", trigger="packed")
async def audit(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("audit", effect, ctx, "main/1")
    yield ig.Done(ctx.data["n"])


@app.function("callee")
async def callee(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("a", async_effect, ctx, "main/1")
    yield ctx.step.sleep("nap", 0.01)
    yield ig.Done((yield ctx.step.run("b", effect, ctx, "main/2")))


async def leg(ctx: ig.Context, name: str, nap: float) -> ig.Flow:
    yield ctx.step.run(f"{name}1", async_effect, ctx, f"{name}/1")
    yield ctx.step.sleep(f"{name} nap", nap)
    yield ctx.step.run(f"{name}2", effect, ctx, f"{name}/2")
    yield ig.Done((yield ctx.step.run(f"{name}3", async_effect, ctx, f"{name}/3")))


@app.function("order", trigger="order")
async def order(ctx: ig.Context) -> ig.Flow:
    n = ctx.data["n"]
    yield ctx.defer("first", note, {"n": n, "from": "handler"})
    gone = yield ctx.defer("gone", note, {"n": n, "from": "nowhere"})
    yield ctx.step.run("a", async_effect, ctx, "main/1")
    yield ctx.step.run("defers", deferring, ctx)
    yield gone.abort()
    legs = yield ctx.group.parallel(leg(ctx, "x", 0.01), leg(ctx, "y", 0.03))
    got = yield ctx.step.run("flaky", flaky, ctx)
    _, event = yield ctx.group.parallel(
        ctx.step.send_event("send", ig.Event("packed", {"n": n}, id=f"packed {n}")),
        ctx.step.wait_for_event("wait", "packed", match="data.n", timeout="1h"),
    )
    called = yield ctx.step.invoke("call", callee)
    winner = yield ctx.group.race(ctx.step.sleep("never", "1h"), leg(ctx, "z", 0.01))
    try:
        yield ig.Done([n, *legs, got, event.data["n"], called, winner.key])
    finally:
        yield ctx.step.run("last", effect, ctx, "main/4")


async def main() -> None:
    async with ig.Engine(directory / "crash.db", apps=[app], grace=0) as engine, anyio.create_task_group() as tasks:
        say("ready")

        async def send(n: int) -> None:
            await engine.send(ig.Event("order", {"n": n}, id=f"order {n}"))
            say(f"ack {n}")

        lines, told = anyio.create_memory_object_stream[int](100), threading.Event()

        def read() -> None:
            for line in sys.stdin:
                anyio.from_thread.run(lines[0].send, int(line))
            anyio.from_thread.run(lines[0].aclose)
            told.set()

        tasks.start_soon(anyio.to_thread.run_sync, read)
        async with lines[1]:
            async for n in lines[1]:
                tasks.start_soon(send, n)
        while unfinished := [one for one in await engine.runs(limit=100_000) if not one.has_ended]:
            await engine.wait(unfinished[0].id)
        say("done")


anyio.run(main, backend=loop)
