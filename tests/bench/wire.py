"""A call of an Inngest server, from the bytes of the request to the bytes of the reply, through the ASGI application.

Against the floor for replay with its parsing, and for what verifying and making signatures costs, against the same calls unsigned.
"""

from __future__ import annotations

import gc
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import anyio
import orjson

import inngest_gen as ig
from tests.bench import floor
from tests.bench.figure import Figure, of_samples, ratios
from tests.bench.replay import call_body, plain_body

SIZES = (100, 1_000, 10_000)
KEY = "signkey-test-0123456789abcdef"
_SAMPLE_STEPS = 5_000
_GROWTH = 1.1


def app(**settings: Any) -> ig.App:
    """An app with the function that is called."""
    app = ig.App("wire", checkpointing=False, **settings)

    @app.function("plain")
    async def plain(ctx: ig.Context) -> ig.Flow:
        for place in range(ctx.data["count"]):
            yield ctx.step.run(f"step-{place}", plain_body)
        yield ig.Done(ctx.data["count"])

    return app


Call = Callable[[bytes], Awaitable[bytes]]


def caller(served: Any, function: str, *, sign: bool = False) -> Call:
    """Give what calls an ASGI application with a body, as a server does, and gives the body of its answer."""
    query = f"fnId={function}&stepId=step".encode()

    async def call(body: bytes) -> bytes:
        headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if sign:
            now = str(int(time.time()))
            mac = hmac.new(KEY.removeprefix("signkey-test-").encode(), body + now.encode(), hashlib.sha256).hexdigest()
            headers.append((b"x-inngest-signature", f"t={now}&s={mac}".encode()))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/api/inngest",
            "raw_path": b"/api/inngest", "query_string": query, "headers": headers, "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }  # fmt: skip
        answer = bytearray()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] in {200, 206}, message
            answer.extend(message.get("body", b""))

        await served(scope, receive, send)
        return bytes(answer)

    return call


async def _floor(body: bytes) -> bytes:
    return await floor.replay(orjson.loads(body))


async def _sample(call: Call, body: bytes, count: int) -> float:
    times = -(-_SAMPLE_STEPS // count)
    gc.collect()
    expected = str(count).encode()
    started = time.perf_counter()
    for _ in range(times):
        assert await call(body) == expected
    return (time.perf_counter() - started) / times / count


async def _interleaved(sides: Sequence[Call], count: int, rounds: int) -> list[list[float]]:
    body = call_body(count)
    samples: list[list[float]] = [[] for _ in sides]
    for turn in range(rounds + 1):
        for side, taken in zip(sides, samples, strict=True):
            seconds = await _sample(side, body, count)
            if turn:
                taken.append(seconds)
    return samples


def _us(samples: Sequence[float]) -> str:
    return f"{sorted(samples)[len(samples) // 2] * 1e6:.2f} us"


def measure(loops: Sequence[str], sizes: Sequence[int] = SIZES, rounds: int = 40) -> Iterator[Figure]:
    """Measure at each size under the first loop, at 1,000 under every one, and what signatures add."""
    ours = caller(ig.serve(app(dev=True)), "wire-plain")
    at: dict[int, float] = {}
    for count in sizes:
        for loop in loops if count == 1_000 else loops[:1]:
            theirs, taken = anyio.run(_interleaved, (_floor, ours), count, max(3, min(rounds, rounds * 20_000 // count)), backend=loop)
            figure = of_samples(
                ratios(taken, theirs),
                name=f"wire-{count}-{loop}",
                what=f"bytes to bytes with {count:,} memoized steps, of the floor's time with its parsing",
                loop=loop,
                unit="x",
                better="less",
                limit=3 if count == 1_000 else None,
                aim=2 if count == 1_000 else None,
                detail=f"{_us(taken)} a step, floor {_us(theirs)}",
            )
            yield figure
            if loop == loops[0]:
                at[count] = figure.value
    if 1_000 in at:
        yield Figure(
            name="wire-growth",
            what=f"that ratio at {max(at):,}, of that at 1,000",
            value=at[max(at)] / at[1_000],
            unit="x",
            better="less",
            limit=_GROWTH,
            detail="not to grow; a tenth is left for noise",
        )
    signed = caller(ig.serve(app(dev=False, signing_key=KEY)), "wire-plain", sign=True)
    bare, with_key = anyio.run(_interleaved, (ours, signed), 1_000, rounds, backend=loops[0])
    yield of_samples(
        [(one - other) * 1e6 for one, other in zip(with_key, bare, strict=True)],
        name="wire-signing",
        what="signed, more a memoized step (the sender's own signing included)",
        unit="us",
        better="less",
        limit=1.5,
        detail=f"{_us(with_key)} a step, unsigned {_us(bare)}",
    )
