"""Replay of memoized steps by the driver, against the floor: from the parsed call to the decision that the handler has ended.

The call is what an Inngest server sends; both sides get it parsed, and each sample a fresh one. Results decoded into a dataclass or a model are
measured against the same replay with plain results.
"""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import orjson
from pydantic import BaseModel

import inngest_gen as ig
from inngest_gen import jsonvalue
from inngest_gen.app.function import Function
from inngest_gen.calls.memo import Memo
from inngest_gen.calls.request import CallRequest
from inngest_gen.driver.turn import Returned
from tests.bench import floor
from tests.bench.figure import Figure, of_samples, ratios

SIZES = (100, 1_000, 10_000, 100_000)
_RUN_ID = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
_SAMPLE_STEPS = 5_000
"""A sample replays at least so many steps: shorter ones are lost in the clock's noise."""
_GROWTH = 1.1
"""How much the ratio may differ from that at the smallest size and still count as not grown: what is left of noise in medians."""

app = ig.App("replay")


@dataclass
class Point:
    i: int
    ok: bool


class PointModel(BaseModel):
    i: int
    ok: bool


async def plain_body() -> Any:
    raise AssertionError("a memoized step's body does not run")


async def dataclass_body() -> Point:
    raise AssertionError("a memoized step's body does not run")


async def model_body() -> PointModel:
    raise AssertionError("a memoized step's body does not run")


@app.function("plain")
async def plain(ctx: ig.Context) -> ig.Flow:
    for place in range(ctx.data["count"]):
        yield ctx.step.run(f"step-{place}", plain_body)
    yield ig.Done(ctx.data["count"])


@app.function("to-dataclass")
async def to_dataclass(ctx: ig.Context) -> ig.Flow:
    for place in range(ctx.data["count"]):
        yield ctx.step.run(f"step-{place}", dataclass_body)
    yield ig.Done(ctx.data["count"])


@app.function("to-model")
async def to_model(ctx: ig.Context) -> ig.Flow:
    for place in range(ctx.data["count"]):
        yield ctx.step.run(f"step-{place}", model_body)
    yield ig.Done(ctx.data["count"])


def call_body(count: int) -> bytes:
    """A call with `count` memoized steps, as an Inngest server sends it."""
    hashes = [hashlib.sha1(f"step-{place}".encode()).hexdigest() for place in range(count)]
    event = {"id": _RUN_ID, "name": "bench/replay", "data": {"count": count}, "ts": 1_700_000_000_000, "user": {}}
    return orjson.dumps(
        {
            "event": event,
            "events": [event],
            "steps": {hash: {"type": "data", "data": {"i": place, "ok": True}} for place, hash in enumerate(hashes)},
            "ctx": {
                "run_id": _RUN_ID,
                "fn_id": "00000000-0000-4000-8000-000000000000",
                "attempt": 0,
                "max_attempts": 4,
                "qi_id": "",
                "stack": {"stack": hashes, "current": count},
                "disable_immediate_execution": False,
                "use_api": False,
            },
            "version": 1,
            "use_api": False,
        }
    )


async def replay(function: Function, call: dict[str, Any]) -> bytes:
    """Replay a parsed call with our driver; gives the handler's result as JSON."""
    event = call["event"]
    execution = function.begin(
        CallRequest(
            run_id=call["ctx"]["run_id"],
            events=(ig.Event(event["name"], event["data"], id=event["id"], ts=event["ts"]),),
            attempt=call["ctx"]["attempt"],
            max_attempts=call["ctx"]["max_attempts"],
        ),
        memos={hash: Memo(step["data"]) for hash, step in call["steps"].items()},
        data=event["data"],
    )
    turn = await execution.turn()
    await execution.let_go()
    assert isinstance(turn.ended, Returned), turn.ended
    return jsonvalue.encode(turn.ended.value, "the result")


Replay = Callable[[dict[str, Any]], Awaitable[bytes]]


async def _sample(replay: Replay, body: bytes, count: int) -> float:
    calls = [orjson.loads(body) for _ in range(-(-_SAMPLE_STEPS // count))]
    if count >= _SAMPLE_STEPS:
        gc.collect()  # else it would be chance which side pays for the garbage of all
    expected = str(count).encode()
    started = time.perf_counter()
    for call in calls:
        assert await replay(call) == expected
    return (time.perf_counter() - started) / len(calls) / count


async def _interleaved(sides: Sequence[Replay], count: int, rounds: int) -> list[list[float]]:
    """Sample each side in turn; gives each side's seconds a step."""
    body = call_body(count)
    samples: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds + 1):
        for side, taken in zip(sides, samples, strict=True):
            seconds = await _sample(side, body, count)
            if turn:  # the first warms up
                taken.append(seconds)
    return samples


def _rounds(count: int, rounds: int) -> int:
    return max(3, min(rounds, rounds * 20_000 // count))


def _us(samples: Sequence[float]) -> str:
    return f"{sorted(samples)[len(samples) // 2] * 1e6:.2f} us"


def measure(loops: Sequence[str], sizes: Sequence[int] = SIZES, rounds: int = 40) -> Iterator[Figure]:
    """Measure replay at each size under the first loop, at 1,000 under every one, and what decoding adds."""
    first: float | None = None
    worst = 0.0
    for count in sizes:
        for loop in loops if count == 1_000 else loops[:1]:
            theirs, ours = anyio.run(
                _interleaved, (floor.replay, lambda call: replay(plain, call)), count, _rounds(count, rounds), backend=loop
            )
            figure = of_samples(
                ratios(ours, theirs),
                name=f"replay-{count}-{loop}",
                what=f"replay of {count:,} memoized steps, of the floor's time",
                loop=loop,
                unit="x",
                better="less",
                limit=3 if count == 1_000 else None,
                aim=2.2 if count == 1_000 else None,
                detail=f"{_us(ours)} a step, floor {_us(theirs)}",
            )
            yield figure
            if loop == loops[0]:
                first = first or figure.value
                worst = max(worst, figure.value)
    if first is not None:
        yield Figure(
            name="replay-growth",
            what=f"that ratio at its greatest, of that at {sizes[0]:,}",
            value=worst / first,
            unit="x",
            better="less",
            limit=_GROWTH,
            detail="not to grow; a tenth is left for noise",
        )
    count = 1_000
    kinds = {"dataclass": to_dataclass, "pydantic model": to_model}
    sides: list[Replay] = [lambda call, function=function: replay(function, call) for function in (plain, *kinds.values())]  # type: ignore[misc]
    bare, *decoded = anyio.run(_interleaved, sides, count, rounds, backend=loops[0])
    for kind, samples in zip(kinds, decoded, strict=True):
        yield of_samples(
            [(one - other) * 1e6 for one, other in zip(samples, bare, strict=True)],
            name=f"replay-{kind.split()[-1]}",
            what=f"the result decoded into a {kind}, more a step",
            unit="us",
            better="less",
            limit=2,
            detail=f"{_us(samples)} a step, plain {_us(bare)}",
        )
