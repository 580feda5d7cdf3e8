"""The functions whose execution is measured, and the gate at which some of them wait to be killed."""

from __future__ import annotations

import anyio

import inngest_gen as ig

app = ig.App("bench")


class Gate:
    """Where step bodies wait for ever while it is shut; `arrived` counts them."""

    def __init__(self) -> None:
        self.shut: bool = False
        self.arrived: int = 0


gate = Gate()


async def add_one(number: int) -> int:
    return number + 1


def add_one_in_thread(number: int) -> int:
    return number + 1


async def add_one_behind_gate(number: int) -> int:
    if gate.shut:
        gate.arrived += 1
        await anyio.sleep_forever()
    return number + 1


@app.function("steps", trigger="bench/steps")
async def steps(ctx: ig.Context) -> ig.Flow:
    for place in range(ctx.data["count"]):
        yield ctx.step.run(f"step-{place}", add_one, place)


@app.function("thread-steps", trigger="bench/thread-steps")
async def thread_steps(ctx: ig.Context) -> ig.Flow:
    for place in range(ctx.data["count"]):
        yield ctx.step.run(f"step-{place}", add_one_in_thread, place)


@app.function("gated", trigger="bench/gated")
async def gated(ctx: ig.Context) -> ig.Flow:
    first = yield ctx.step.run("first", add_one, 0)
    second = yield ctx.step.run("second", add_one_behind_gate, first)
    yield ctx.step.run("third", add_one, second)


@app.function("sleeper", trigger="bench/sleeper")
async def sleeper(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.sleep_until("until", ctx.data["until"])
