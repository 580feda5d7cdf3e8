"""The view without a terminal: steered by the names of its keys, drawn as text, on either loop."""

import contextlib
import functools
import pathlib
import queue
import tempfile
import time
from collections.abc import Callable, Iterator

import anyio
from anyio.from_thread import start_blocking_portal

import inngest_gen as ig
from inngest_gen.cli.debug.terminal import layout, signs
from inngest_gen.cli.debug.terminal.cells import text_of
from inngest_gen.cli.debug.terminal.shown import Shown
from inngest_gen.cli.debug.terminal.steering import Steering
from inngest_gen.debugger import Recording, Session
from tests.engine import rig as engines

PATIENCE_S = 20.0

app = ig.App("shop", retries=1, backoff=0)


def load(order_id: str) -> dict[str, list[str]]:
    return {"lines": ["tea", "tea", "cup"]}


def price_of(item: str) -> int:
    return {"tea": 4, "cup": 9}[item]


def ship(lines: list[str]) -> str:
    return f"a parcel with {len(lines)} things"


async def total(ctx: ig.Context, order: dict[str, list[str]]) -> ig.Flow:
    amount = 0
    lines = order["lines"]
    while lines:
        item = lines.pop()
        amount += yield ctx.step.run("price", price_of, item)
    yield ig.Done(amount)


@app.function("order", trigger="order/placed")
async def order(ctx: ig.Context) -> ig.Flow:
    print("an order:", ctx.data["order_id"])  # noqa: IGN107 - a test looks for it
    order = yield ctx.step.run("load", load, ctx.data["order_id"])
    amount = yield total(ctx, order)
    parcel = yield ctx.step.run("ship", ship, order["lines"])
    yield ig.Done({"amount": amount, "parcel": parcel})


@app.deferred("receipt")
async def receipt(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("mail", str, ctx.data["to"])


async def once_flaky(ctx: ig.Context) -> int:
    if ctx.attempt == 0:
        raise ConnectionError("down")
    return 7


def boom() -> None:
    raise ValueError("no such thing")


async def quote(ctx: ig.Context, rate: int) -> ig.Flow:
    found = yield ctx.step.run("rate", int, "3")
    yield ig.Done(found * rate)


@app.function("fork", trigger="fork")
async def fork(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("receipt", receipt, {"to": "ada"})
    charge = yield ctx.step.run("charge", once_flaky, ctx)
    told = ""
    try:
        yield ctx.step.run("find", boom)
    except ig.StepError as error:
        told = str(error)
    yield ctx.step.sleep("nap", 0)
    stock, price = yield ctx.group.parallel(ctx.step.run("stock", int, "5"), quote(ctx, 2))
    yield ig.Done([charge, told, stock, price])


@app.function("long", trigger="long")
async def long(ctx: ig.Context) -> ig.Flow:
    for n in range(ctx.data["n"]):
        yield ctx.step.run("count", int, n)
        SLOW()


def _quick() -> None:
    pass


SLOW: Callable[[], None] = _quick
"""What `long` does between its yields; tests put something slow here."""


@functools.cache
def recorded(event: str, n: int = 0) -> Recording:
    async def record() -> Recording:

        with tempfile.TemporaryDirectory() as directory:
            async with engines.engine(pathlib.Path(directory) / "run.db", app) as engine:
                runs = await engine.run(ig.Event(event, {"order_id": "o1", "n": n}), timeout=engines.PATIENCE_S)
                return await engine.recording(next(run.id for run in runs if run.parent_run_id is None))

    return anyio.run(record)


class Desk:
    """A view that nobody sees. What other threads post is done while it is waited for."""

    def __init__(self, session: Session, portal: "anyio.from_thread.BlockingPortal") -> None:
        self.session = session
        self.left: list[int] = []
        self._posted: queue.Queue[Callable[[], None]] = queue.Queue()
        self.steering = Steering(session, portal, signs.UNICODE, self._posted.put, self.left.append, lambda: ["beside"])

    @property
    def shown(self) -> Shown:
        return self.steering.shown

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline
            with contextlib.suppress(queue.Empty):
                self._posted.get(timeout=0.01)()

    def rest(self) -> None:
        """Wait until nothing is under way."""
        self.until(lambda: self.steering._errand is None)

    def press(self, *actions: str) -> "Desk":
        for action in actions:
            self.steering.press(action)
            self.rest()
        return self

    def type(self, action: str, text: str) -> "Desk":
        """Press a key that asks for something, and answer."""
        self.press(action)
        assert self.shown.prompt is not None
        self.steering.answered(text)
        self.rest()
        return self

    def page(self) -> tuple[str, ...]:
        """The lines of the text over the whole screen."""
        assert self.shown.pager is not None
        return self.shown.pager.lines

    def screen(self, width: int = 80, height: int = 24) -> str:
        lines = [text_of(line) for line in layout.draw(self.shown, width, height)]
        assert len(lines) == height
        return "\n".join(line.rstrip() for line in lines)


@contextlib.contextmanager
def desk(loop: str, event: str = "order/placed", n: int = 0, *, live: bool = False, recording: Recording | None = None) -> Iterator[Desk]:
    with on(Session(recording or recorded(event, n), app, live=live), loop) as made:
        yield made


@contextlib.contextmanager
def on(session: Session, loop: str) -> Iterator[Desk]:
    """The view of a session, when it has looked at every stop."""
    with start_blocking_portal(backend=loop) as portal:
        portal.call(session.start)
        made = Desk(session, portal)
        try:
            made.rest()
            yield made
        finally:
            assert made.steering.close(5)
            session.close()
