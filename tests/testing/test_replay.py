"""What only a replay shows fails in the first test that touches it, and the line is named; what is sound passes."""

import contextlib
import datetime as dt
import itertools
import random
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing

app = ig.App("replayed", retries=1, backoff="1s")
counter = itertools.count()


@app.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


async def echo(value: Any = None) -> Any:
    return value


async def random_id(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run(f"charge-{uuid.uuid4()}", echo)  # here


async def random_path(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("first", echo)
    if next(counter) % 2:
        yield ctx.step.run("odd", echo)  # here
    else:
        yield ctx.step.run("even", echo)  # here


async def wall_clock_argument(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("stamp", echo, str(time.time_ns()))  # here


async def wall_clock_sleep(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.sleep_until("nap", dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))  # here


async def random_duration(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.sleep("nap", random.random())  # here


async def random_match(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.wait_for_event("paid", f"paid/{uuid.uuid4()}", timeout="1h")  # here


async def closed_over(ctx: ig.Context) -> ig.Flow:
    price = random.random()
    yield ctx.step.run("charge", lambda: price)  # here


async def body_appends(ctx: ig.Context) -> ig.Flow:
    rows: list[int] = []

    async def load() -> None:
        rows.append(1)

    yield ctx.step.run("load", load)
    yield ctx.step.run("save", echo, list(rows))  # here


async def body_counts(ctx: ig.Context) -> ig.Flow:
    total = 0

    async def add() -> None:
        nonlocal total
        total += 5

    yield ctx.step.run("add", add)
    yield ig.Done(total)


async def changed_result(ctx: ig.Context) -> ig.Flow:
    async def enrich(order: dict[str, Any]) -> None:
        order["total"] = 7

    order = yield ctx.step.run("load", echo, {"id": 1})
    yield ctx.step.run("enrich", enrich, order)
    yield ctx.step.run("charge", echo, order)  # here


async def changed_event(ctx: ig.Context) -> ig.Flow:
    async def mark() -> None:
        ctx.data["seen"] = True

    yield ctx.step.run("mark", mark)
    if "seen" in ctx.data:
        yield ctx.step.run("seen", echo)  # here


async def random_result(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("a", echo)
    yield ig.Done(str(uuid.uuid4()))


async def sometimes_raises(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("a", echo)
    if next(counter) % 2:
        raise ig.NonRetriableError("odd")
    raise ig.MisuseError("even")


async def defer_of_random_id(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer(f"note-{uuid.uuid4()}", note, {})
    yield ctx.step.run("a", echo)


async def defer_of_random_data(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("note", note, {"n": random.random()})
    yield ctx.step.run("a", echo)


async def defer_made_once(ctx: ig.Context) -> ig.Flow:
    if not SENT:
        SENT.append(ctx.run_id)
        yield ctx.defer("note", note, {})
    yield ctx.step.run("a", echo)


async def set_order(ctx: ig.Context) -> ig.Flow:
    class Thing:
        def __init__(self, name: str) -> None:
            self.name = name

    made = [Thing(name) for name in "abcdefgh"]
    kept.append(made)  # so that the next ones are elsewhere in memory
    for thing in set(made):
        yield ctx.step.run(thing.name, echo)  # here


class Cart:
    def __init__(self) -> None:
        self.items: list[int] = []

    def total(self) -> int:
        return sum(self.items)


async def bodies_share_an_object(ctx: ig.Context) -> ig.Flow:
    cart = Cart()
    yield ctx.step.run("add", lambda: cart.items.append(3))
    yield ctx.step.run("total", cart.total)  # here


async def bodies_share_an_iterator(ctx: ig.Context) -> ig.Flow:
    pages = iter(["a", "b"])
    yield ctx.step.run("first", lambda: next(pages))
    yield ctx.step.run("second", lambda: next(pages))  # here


async def bodies_share_a_generator(ctx: ig.Context) -> ig.Flow:
    pages = (page for page in "abc")
    yield ctx.step.run("first", next, pages)
    yield ctx.step.sleep("a while", "1h")
    yield ctx.step.run("second", next, pages)  # here


async def a_failed_attempt_uses_an_iterator_up(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("sum", total, (n for n in [1, 2]))  # here


def total(numbers: Iterable[int]) -> int:
    found = sum(numbers)
    if not SENT:
        SENT.append("tried")
        raise ConnectionError("once")
    return found


kept: list[Any] = []
SENT: list[str] = []

DIFFERS: dict[Any, str] = {
    random_id: "the handler does something else",
    random_path: "the handler does something else",
    wall_clock_argument: r"step.run 'stamp' .* another arguments",
    wall_clock_sleep: r"step.sleep_until 'nap' .* another until",
    random_duration: r"step.sleep 'nap' .* another duration",
    random_match: r"step.wait_for_event 'paid' .* another event",
    closed_over: r"(?s)step.run 'charge' .* another function.*variable 'price'",
    body_appends: r"(?s)step.run 'save' .* another arguments.*\[0\]: \[1\] first, then \[\]",
    body_counts: r"(?s)another result.*5 first, then 0",
    changed_result: r"(?s)step.run 'charge' .* another arguments.*'total'",
    bodies_share_an_object: r"(?s)step.run 'total' .* another function.*items: \[3\] first, then \[\]",
    bodies_share_an_iterator: r"(?s)step.run 'second' .* another function.*variable 'pages': list_iterator with 1 left first, then with 2",
    bodies_share_a_generator: r"(?s)step.run 'second' .* another arguments.*\[0\]: generator .* at line \d+ first, then at its beginning",
    a_failed_attempt_uses_an_iterator_up: r"(?s)step.run 'sum' .* another arguments.* at its end first, then at its beginning",
    changed_event: "the handler does something else",
    random_result: "another result",
    sometimes_raises: r"(?s)it has raised .*: \w+.*rebuilt, it has raised",
    defer_of_random_id: "defer 'note-.*' is not made when the handler is rebuilt",
    defer_of_random_data: "(?s)defer 'note' has other data.*first, then",
    defer_made_once: "defer 'note' is not made when the handler is rebuilt",
}


def lines_of(handler: Any) -> set[int]:
    """The lines of a handler that are marked."""
    import inspect

    source, first = inspect.getsourcelines(handler)
    return {first + n for n, line in enumerate(source) if "# here" in line}


@pytest.fixture(autouse=True)
def _forget() -> None:
    SENT.clear()
    kept.clear()


@pytest.mark.parametrize("handler", DIFFERS, ids=lambda handler: handler.__name__)
async def test_what_a_replay_would_do_otherwise_fails_with_its_line(handler: Any) -> None:
    with pytest.raises(testing.ReplayMismatch, match=DIFFERS[handler]) as caught:
        await testing.run(handler, app=app)
    marked = lines_of(handler)
    if marked:
        assert caught.value.where is not None
        file, _, line = caught.value.where.rpartition(":")
        assert file == __file__
        assert int(line) in marked


async def test_it_passes_where_replaying_is_off() -> None:
    for handler in (random_id, body_counts, wall_clock_argument):
        assert (await testing.run(handler, app=app, always_replay=False)).status == "completed"


# What Python closes.


@contextlib.contextmanager
def transaction() -> Iterator[None]:
    try:
        yield
    finally:
        kept.clear()


async def held_generator(ctx: ig.Context) -> ig.Flow:
    with transaction():
        yield ctx.step.run("a", echo)  # here


async def held_file(ctx: ig.Context) -> ig.Flow:
    with tempfile.TemporaryFile():
        yield ctx.step.sleep("nap", "1h")  # here


async def held_loop(ctx: ig.Context) -> ig.Flow:
    def rows() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            kept.clear()

    for n in rows():
        yield ctx.step.run(f"row-{n}", echo)  # here


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # the file, which Python closes
@pytest.mark.parametrize("handler", [held_generator, held_file, held_loop], ids=lambda handler: handler.__name__)
async def test_what_python_closes_on_suspension_is_an_error_with_its_line(handler: Any) -> None:
    with pytest.raises(testing.HeldOverYield, match="is held over the yield") as caught:
        await testing.run(handler)
    assert caught.value.where is not None
    assert int(caught.value.where.rpartition(":")[2]) in lines_of(handler)


# What is sound.


@contextlib.asynccontextmanager
async def async_manager() -> AsyncIterator[str]:
    try:
        yield "x"
    finally:
        await echo()


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    async def open(self, day: int) -> str:
        return f"{self.name} {day}"


async def sound(ctx: ig.Context) -> ig.Flow:
    shop = Shop("corner")
    async with async_manager():
        opened = yield ctx.step.run("open", shop.open, 3)
    ids = [str(ctx.uuid()), ctx.random.random(), ctx.started_at.isoformat()]
    nan = yield ctx.step.run("nan", lambda value: str(value), float("nan"))
    pages = iter("ab")
    yield ctx.step.run(next(pages), lambda rest: list(rest), pages)
    client = object()
    yield ctx.step.run("client", lambda _: 1, client)
    yield ctx.defer("note", note, {"ids": ids})
    first, second = yield ctx.group.parallel(ctx.step.run("p", echo, {"a": [1]}), ctx.step.run("q", echo, (1, 2)))
    yield ig.Done([opened, ids, nan, first, second])


async def tries_again(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("a", echo)
    if ctx.attempt == 0:
        raise ConnectionError("once")
    yield ctx.step.run("b", echo, ctx.attempt)


async def cleans_up(ctx: ig.Context) -> ig.Flow:
    try:
        winner = yield ctx.group.race(ctx.step.sleep("long", "1d"), ctx.step.run("quick", echo, 1))
        yield ctx.step.run("fail", lambda: 1 / 0)
        yield ig.Done(winner.key)
    except ig.StepError:
        yield ig.Done("caught")
    finally:
        yield ctx.step.run("undo", echo)


async def plain(ctx: ig.Context) -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("handler", [sound, tries_again, cleans_up, plain], ids=lambda handler: handler.__name__)
async def test_sound_handlers_pass(handler: Any) -> None:
    result = await testing.run(handler, app=app)
    assert result.status == "completed"


async def test_a_transient_failure_of_the_handlers_own_is_no_difference() -> None:
    tries = itertools.count()

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        if next(tries) == 0:
            raise ConnectionError("the network was away")
        yield ig.Done("there")

    result = await testing.run(handler, app=app)
    assert result.output == "there"


async def test_defers_of_bodies_and_of_the_handler_are_told_apart() -> None:
    async def body() -> ig.Flow:
        yield ig.defer("from-body", note, {"n": next(counter)})

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("first", note, {"n": 1})
        taken: ig.DeferHandle = yield ctx.defer("taken", note, {"n": 2})
        yield ctx.step.run("body", body)
        yield taken.abort()
        yield ctx.defer("from-body", note, {"n": 3})  # the body has it: skipped, live and replayed
        yield ctx.step.run("end", echo)

    result = await testing.run(handler, app=app)
    assert {defer.id: defer.status for defer in result.defers} == {"first": "scheduled", "taken": "aborted", "from-body": "scheduled"}


async def test_a_set_of_objects_is_found_where_its_order_changes() -> None:
    # Objects of the two runs of the handler lie elsewhere in memory, so their order in a set differs sooner or later.
    kept.clear()
    with pytest.raises(testing.ReplayMismatch):
        for _ in range(50):
            await testing.run(set_order)


async def test_a_defer_that_is_made_and_never_yielded_fails_the_test_with_its_line() -> None:
    home = ig.App("home")

    @home.deferred("mail")
    async def mail(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    async def in_the_handler(ctx: ig.Context) -> ig.Flow:
        _ = ctx.defer("receipt", mail, {"n": 1})  # noqa: IGN201 - here
        yield ctx.step.run("pay", lambda: 1)

    def body() -> None:
        _ = ig.defer("receipt", mail, {"n": 1})  # noqa: IGN201 - here

    async def in_a_body(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("pay", body)

    for handler in (in_the_handler, in_a_body):
        function = home.function(handler.__name__)(handler)
        with pytest.raises(
            testing.CheckFailed, match=r"defer 'receipt' was made .*neither yielded nor submitted.*, at .*test_replay.py:\d+$"
        ) as told:
            await testing.run(function)
        path, _, line = str(told.value.where).rpartition(":")
        assert Path(path).read_text().splitlines()[int(line) - 1].endswith("# noqa: IGN201 - here")
        assert (await testing.run(function, always_replay=False)).status == "completed"
