"""A program with an engine, for tests that interrupt it: `python interrupted.py MODE LOOP DATABASE`.

Says what it comes by, a line each. It ends by Ctrl-C ("interrupted"), by SIGTERM ("terminated"), or by itself ("ended").
"""

import signal
import sys
import threading
import time
from pathlib import Path

import anyio
import anyio.to_thread

import inngest_gen as ig

mode, loop, database = sys.argv[1:]
app = ig.App("program", backoff=0.01)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def effect(text: str) -> None:
    with Path(f"{database}.effects").open("a") as file:
        file.write(f"{text}\n")


async def short(ctx: ig.Context, n: int) -> None:
    effect(f"{ctx.run_id} {n}")


async def takes_a_while() -> str:
    say("in body")
    await anyio.sleep(0.3)
    effect("async finished")
    return "async"


def takes_a_while_in_a_thread() -> str:
    say("in body")
    time.sleep(0.3)
    effect("sync finished")
    return "sync"


async def never_returns() -> None:
    say("in body")
    await anyio.sleep_forever()


def never_returns_in_a_thread() -> None:
    say("in body")
    threading.Event().wait()


@app.function("busy", trigger="busy")
async def busy(ctx: ig.Context) -> ig.Flow:
    for n in range(400):
        yield ctx.step.run("s", short, ctx, n)


@app.function("finishing", trigger="finishing")
async def finishing(ctx: ig.Context) -> ig.Flow:
    yield ctx.group.parallel(ctx.step.run("async", takes_a_while), ctx.step.run("sync", takes_a_while_in_a_thread))


@app.function("forever", trigger="forever")
async def forever(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("s", never_returns)


@app.function("stuck", trigger="stuck")
async def stuck(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("s", never_returns_in_a_thread)


async def serve() -> None:
    grace = {"stuck": 0.2, "forever": 60, "twice": 60}.get(mode, 10)
    event = {"sigterm": "finishing", "twice": "forever"}.get(mode, mode)
    async with ig.Engine(database, apps=[app], grace=grace, durability="process") as engine:
        for _ in range(20 if mode == "busy" else 1):
            await engine.send(ig.Event(event))
        say("ready")
        await anyio.sleep_forever()


async def main() -> None:
    if mode != "sigterm":
        await serve()
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                tasks.cancel_scope.cancel()
                break
    say("terminated")


try:
    anyio.run(main, backend=loop)
except KeyboardInterrupt:
    say("interrupted")
except BaseExceptionGroup as group:
    say(f"group {group!r}")
else:
    say("ended")
