"""A program whose disk is full after a while: `python filling.py LOOP DATABASE BYTES`. Files may have that many bytes, until the test says otherwise.

Says "sent ID" for each event that was acknowledged, "refused ERROR" at the first that was not, and "stuck" when a step's result waits for room.
Told to go on (a line of input), it sends one event more, lets all runs end, and says "done".
"""

import logging
import resource
import sys

import anyio
import anyio.to_thread

import inngest_gen as ig
from inngest_gen.engine.store import database

loop, path, limit = sys.argv[1:]
app = ig.App("program")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Told(logging.Handler):
    """Says when the engine tells that it waits for room."""

    def emit(self, record: logging.LogRecord) -> None:
        if "trying again" in record.getMessage():
            say("stuck")


@app.function("f", trigger="go")
async def f(ctx: ig.Context) -> ig.Flow:
    text = yield ctx.step.run("copy", lambda: ctx.data["text"])
    yield ig.Done(len(text))


async def main() -> None:
    async with ig.Engine(path, apps=[app]) as engine:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
        for number in range(1000):
            try:
                [id] = await engine.send(ig.Event("go", {"text": "x" * 300_000}, id=f"e{number}"))
            except ig.StoreError as error:
                say(f"refused {error}")
                break
            say(f"sent {id}")
        await anyio.to_thread.run_sync(sys.stdin.readline)
        sent = False
        while not sent:
            try:
                [id] = await engine.send(ig.Event("go", {"text": "last"}))
            except ig.StoreError:  # as long as a result that waits for room has not looked again
                await anyio.sleep(0.05)
            else:
                sent = True
                say(f"sent {id}")
        while unfinished := [one for one in await engine.runs(limit=1000) if not one.has_ended]:
            await engine.wait(unfinished[0].id)
        say("done")


database.BUSY_MS = 100
logging.getLogger("inngest_gen.engine").addHandler(Told())
anyio.run(main, backend=loop)
