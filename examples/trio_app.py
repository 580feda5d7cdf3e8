"""A trio program with durable functions: hypercorn, the functions and a task of the program's own run in one nursery, in one loop.

A step's body is trio code like any other: `probe_all` opens a nursery and gives each host two seconds. inngest_gen itself runs on either loop.
With a dev server at its usual place (`npx inngest-cli@latest dev`), run the program, and let the server know it; Ctrl-C ends it:

    INNGEST_DEV=1 python -m examples.trio_app
    curl -X PUT http://127.0.0.1:8000/api/inngest

Or without the program's own task, under hypercorn's command:

    INNGEST_DEV=1 hypercorn --worker-class trio examples.trio_app:web

The function needs no server to be tried:

    inngest-gen run examples/trio_app.py:app check/asked '{"hosts": ["127.0.0.1:1"]}' --loop trio --fast-forward
"""

import os
import signal
from dataclasses import dataclass
from functools import partial

import hypercorn
import hypercorn.trio
import trio
from hypercorn.typing import ASGIFramework

import inngest_gen as ig

app = ig.App("uptime")


@dataclass(frozen=True)
class Check:
    hosts: list[str]
    """As "host:port"."""


async def probe(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with trio.move_on_after(2):
        try:
            stream = await trio.open_tcp_stream(host, int(port))
        except OSError:
            return False
        await stream.aclose()
        return True
    return False


async def probe_all(addresses: list[str]) -> dict[str, bool]:
    up: dict[str, bool] = {}

    async def one(address: str) -> None:
        up[address] = await probe(address)

    async with trio.open_nursery() as nursery:
        for address in addresses:
            nursery.start_soon(one, address)
    return {address: up[address] for address in addresses}


@app.function("check", trigger=ig.EventType("check/asked", Check))
async def check(ctx: ig.Context[Check]) -> ig.Flow:
    first = ctx.step.run("probe", probe_all, ctx.data.hosts)
    yield first
    down = [host for host, up in first.result.items() if not up]
    if down:
        yield ctx.step.sleep("patience", "1m")  # takes no task, no memory and no connection meanwhile
        again = ctx.step.run("probe-again", probe_all, down)
        yield again
        down = [host for host, up in again.result.items() if not up]
    yield ig.Done({"down": down})


web: ASGIFramework = ig.serve(app)  # type: ignore[assignment]  # hypercorn's types know the keys of a scope, ours only that there are some


async def ask_regularly(hosts: list[str], *, every_s: float) -> None:
    """The program's own task: asks for a check now and then."""
    while hosts:
        try:
            await app.send(ig.Event("check/asked", {"hosts": hosts}))
        except ig.InngestGenError as error:  # the server is not there yet, or not now
            print(f"no check was asked for: {error}")
        await trio.sleep(every_s)


async def asked_to_stop() -> None:
    """Returns at Ctrl-C, or when the process is asked to end: hypercorn lets calls in flight end then."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await anext(signals)


async def main() -> None:
    config = hypercorn.Config()
    config.bind = [os.environ.get("BIND", "127.0.0.1:8000")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(ask_regularly, os.environ.get("HOSTS", "").split(), every_s=60))
        await hypercorn.trio.serve(web, config, shutdown_trigger=asked_to_stop)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
