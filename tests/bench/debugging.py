"""The debugger's moves against the length of the run: open, step, back, goto, and a look at every stop.

A recording with N steps is made here; its bodies never run. Open is from the file's bytes to the first stop. Back is a replay of the prefix that is left, and costs
as much. All is CPU time: nothing here waits for a disk, and other programs' share of the processor is not ours.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import anyio
import orjson

import inngest_gen as ig
from inngest_gen.debugger.session import Session
from inngest_gen.driver.fingerprint import fingerprint
from inngest_gen.ids import step_hash
from inngest_gen.recording.format import dumps, loads
from inngest_gen.recording.recording import RecordedStep, Recording
from tests.bench.figure import Figure, of_samples

SIZES = (100, 1_000, 10_000)

app = ig.App("bench")


async def never() -> dict[str, int]:
    raise AssertionError("a debugger runs no step body")


@app.function("long")
async def long(ctx: ig.Context) -> ig.Flow:
    total = 0
    for place in range(ctx.data["count"]):
        point = yield ctx.step.run(f"step-{place}", never)
        total += point["i"]
    yield ig.Done(total)


def recording(count: int) -> Recording:
    """A completed run of `long` with so many steps."""
    return Recording(
        run_id="01GQ3HTEZ01M7R8Z9PR1DMHDN1",
        function=long.slug,
        status="completed",
        code=fingerprint(long),
        events=(ig.Event("bench/long", {"count": count}),),
        output=orjson.dumps(sum(range(count))),
        steps=tuple(
            RecordedStep(
                id=f"step-{place}",
                hash=step_hash(f"step-{place}"),
                kind="step.run",
                position=place,
                rank=place + 1,
                at="long.py:1",
                data=orjson.dumps({"i": place, "ok": True}),
            )
            for place in range(count)
        ),
    )


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    started = time.process_time()
    await call()
    return (time.process_time() - started) * 1_000


async def _samples(count: int, rounds: int) -> dict[str, list[float]]:
    data = dumps(recording(count))
    taken: dict[str, list[float]] = {name: [] for name in ("open", "step", "back", "far back", "goto", "run to", "trail")}
    for turn in range(rounds + 1):
        session = Session(loads(data), app)
        first = await _timed(lambda: Session(loads(data), app).start())
        await session.goto(count // 2)
        half = session.stop.number
        moves = {
            "open": first,
            "step": await _timed(session.step),
            "back": await _timed(session.back),
            "goto": await _timed(lambda session=session: session.goto(count)),  # type: ignore[misc]
            "far back": await _timed(lambda session=session: session.back(min(1_000, count))),  # type: ignore[misc]
        }
        await session.goto(1)
        moves["run to"] = await _timed(lambda session=session: session.run_to(f"step-{half}"))  # type: ignore[misc]
        moves["trail"] = await _timed(session.trail)
        session.close()
        if turn:  # the first warms up
            for name, value in moves.items():
                taken[name].append(value)
    return taken


_LIMITS = {("open", 10_000): 1_000.0, ("far back", 1_000): 50.0}


def measure(loops: Sequence[str], sizes: Sequence[int] = SIZES, rounds: int = 9) -> Iterator[Figure]:
    """Measure each move at each size, under the first loop."""
    told = {
        "open": "open a recording of {n:,} steps, to the first stop",
        "step": "one step forward, at half of {n:,}",
        "back": "one step back, at half of {n:,}",
        "far back": "{m:,} stops back from the end of {n:,}",
        "goto": "goto from half to the end of {n:,}",
        "run to": "from the start to a step's id at half of {n:,}",
        "trail": "every stop of {n:,} in a line",
    }
    for count in sizes:
        samples = anyio.run(_samples, count, rounds, backend=loops[0])
        for name, values in samples.items():
            yield of_samples(
                values,
                name=f"debug-{name.replace(' ', '-')}-{count}",
                what=told[name].format(n=count, m=min(1_000, count)),
                loop=loops[0],
                unit="ms",
                better="less",
                limit=_LIMITS.get((name, count)),
            )
