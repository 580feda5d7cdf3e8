"""One call of a one-step function, in process over ASGI, against inngest-py behind FastAPI: the same body, the same reply, turn about."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import orjson

import inngest_gen as ig
from tests.bench.figure import Figure, number, of_samples, ratios
from tests.bench.replay import call_body
from tests.bench.wire import Call, caller

_CALLS = 300
_WARM = 20


async def body() -> int:
    return 1


def ours() -> Any:
    """Our side."""
    app = ig.App("wire", dev=True, checkpointing=False)

    @app.function("one")
    async def one(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.run("step", body)))

    return ig.serve(app)


def theirs() -> Any:
    """inngest-py's, as its documentation has it."""
    import fastapi
    import inngest
    import inngest.fast_api

    client = inngest.Inngest(app_id="wire", is_production=False, logger=logging.getLogger("inngest-py"))

    @client.create_function(fn_id="one", trigger=inngest.TriggerEvent(event="go"))
    async def one(ctx: inngest.Context) -> int:
        result: int = await ctx.step.run("step", body)
        return result

    api = fastapi.FastAPI()
    inngest.fast_api.serve(api, client, [one])
    return api


async def _sample(call: Call, sent: bytes) -> float:
    gc.collect()
    for _ in range(_WARM):  # the other side, and the collection, have taken the processor's caches
        await call(sent)
    started = time.perf_counter()
    for _ in range(_CALLS):
        [op] = orjson.loads(await call(sent))
        assert (op["op"], op["data"] if not isinstance(op["data"], dict) else op["data"].get("data")) == ("StepRun", 1), op
    return _CALLS / (time.perf_counter() - started)


async def _interleaved(sides: Sequence[Call], rounds: int) -> list[list[float]]:
    sent = call_body(0)
    rates: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds + 1):
        for side, taken in zip(sides, rates, strict=True):
            rate = await _sample(side, sent)
            if turn:
                taken.append(rate)
    return rates


def measure(rounds: int = 30) -> Iterator[Figure]:
    """Measure, under asyncio, which is all that inngest-py knows."""
    logging.getLogger("inngest-py").setLevel(logging.ERROR)
    mine, other = anyio.run(_interleaved, (caller(ours(), "wire-one"), caller(theirs(), "wire-one")), rounds)
    yield of_samples(
        ratios(mine, other),
        name="peers-wire",
        what="calls of a one-step function a second, of inngest-py's rate",
        loop="asyncio",
        unit="x",
        limit=4,
        detail=f"{number(sorted(mine)[len(mine) // 2])} against {number(sorted(other)[len(other) // 2])} calls/s",
    )
