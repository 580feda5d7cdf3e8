"""A handler is rebuilt from every prefix of its history, run in every order of its branches, and rebuilt in another process."""

import sys
from typing import Any

import pytest
import sniffio

import inngest_gen as ig
from inngest_gen import testing

app = ig.App("determinism", retries=1, backoff="1s")
ran: list[str] = []


async def echo(value: Any = None) -> Any:
    ran.append(str(value))
    return value


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()
    CACHE.clear()


CACHE: dict[str, Any] = {}


@app.function("sound", trigger="go")
async def sound(ctx: ig.Context) -> ig.Flow:
    a = yield ctx.step.run("a", echo, 1)
    b, c = yield ctx.group.parallel(ctx.step.run("b", echo, a + 1), ctx.step.run("c", echo, a + 2))
    yield ctx.step.sleep("nap", "1h")
    yield ig.Done([a, b, c, (yield ctx.step.run("d", echo, b + c))])


@app.function("racing", trigger="go")
async def racing(ctx: ig.Context) -> ig.Flow:
    winner = yield ctx.group.race(ctx.step.run("x", echo, "x"), ctx.step.run("y", echo, "y"))
    yield ig.Done((yield ctx.step.run("use", echo, winner.value)))


@app.function("order-of-a-set")
async def order_of_a_set(ctx: ig.Context) -> ig.Flow:
    names = {f"word {n}" for n in range(20)}
    for name in names:  # noqa: IGN108
        yield ctx.step.run(name, echo, name)


@app.function("knows-its-loop")
async def knows_its_loop(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("echo", echo, sniffio.current_async_library())


@app.function("fills-a-cache")
async def fills_a_cache(ctx: ig.Context) -> ig.Flow:
    first = yield ctx.step.run("first", echo, 1)
    if "rate" not in CACHE:  # noqa: IGN110
        yield ctx.step.run("rate", echo, 2)
    yield ctx.step.run("last", echo, first)
    # Set at the end of the run: no replay in between can see it.
    if ctx.run_id:
        CACHE_LATER.append(("rate", 2))


CACHE_LATER: list[tuple[str, Any]] = []


@app.function("wrong-in-one-order")
async def wrong_in_one_order(ctx: ig.Context) -> ig.Flow:
    async def branch(name: str) -> ig.Flow:
        yield ctx.step.run(name, echo, name)
        done.append(name)

    done: list[str] = []
    yield ctx.group.parallel(branch("p"), branch("q"), branch("r"))
    if done == ["r", "q", "p"]:
        yield ctx.step.run(f"oops {id(ctx)}", echo)  # noqa: IGN301


async def test_a_sound_handler_passes_and_what_was_looked_at_is_told() -> None:
    report = await testing.check_determinism(sound)
    assert report.result.output == [1, 2, 3, 5]
    assert (report.prefixes, report.orders, report.complete) == (6, 2, True)
    assert report.results == (report.result,)
    other = "trio" if sniffio.current_async_library() == "asyncio" else "asyncio"
    assert report.elsewhere == f"in another process, under {other}, with another hash seed"


async def test_bodies_run_once_for_the_same_arguments() -> None:
    await testing.check_determinism(sound, elsewhere=False)
    assert sorted(ran) == ["1", "2", "3", "5"]
    ran.clear()
    report = await testing.check_determinism(racing, elsewhere=False)
    assert sorted(ran) == ["x", "x", "y", "y"]  # use is called with each
    assert report.orders == 2
    assert [one.output for one in report.results] == ["x", "y"]


async def test_more_orders_than_wanted_are_left_out_and_that_is_told() -> None:
    async def wide(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*(ctx.step.run(f"s{n}", echo, n) for n in range(5)))

    report = await testing.check_determinism(wide, max_orders=10)
    assert (report.orders, report.complete) == (10, False)
    report = await testing.check_determinism(wide, max_orders=1000)
    assert (report.orders, report.complete) == (120, True)


async def test_a_sleep_may_end_before_a_body_does() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        winner = yield ctx.group.race(body=ctx.step.run("body", echo, 1), sleep=ctx.step.sleep("sleep", "1h"))
        yield ig.Done(winner.key)

    report = await testing.check_determinism(handler)
    assert {one.output for one in report.results} == {"body", "sleep"}
    assert report.elsewhere.startswith("the handler cannot be imported by another process")


async def test_an_order_in_which_the_handler_goes_wrong_is_found() -> None:
    assert (await testing.run(wrong_in_one_order)).status == "completed"
    with pytest.raises(testing.ReplayMismatch, match="asked for step.run 'oops") as caught:
        await testing.check_determinism(wrong_in_one_order)
    assert "in an order of the branches in which the choices were" in caught.value.__notes__[0]


async def test_what_has_changed_by_the_end_of_the_run_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(dict[str, Any]):
        """Is filled only once the run is over."""

        def __contains__(self, key: object) -> bool:
            return len(CACHE_LATER) >= 2 or super().__contains__(key)

    CACHE_LATER.clear()
    monkeypatch.setattr(sys.modules[__name__], "CACHE", Later())
    with pytest.raises(
        testing.ReplayMismatch, match=r"(?s)rebuilt after its run, with 1 of its results.*step.run 'rate'.*and then for step.run 'last'"
    ):
        await testing.check_determinism(fills_a_cache)


async def test_the_order_of_a_set_is_found_with_another_hash_seed() -> None:
    assert (await testing.run(order_of_a_set)).status == "completed"
    with pytest.raises(testing.ReplayMismatch, match=r"(?s)in another process.*another hash seed, with \d+ of its results"):
        # Two hash seeds begin alike once in twenty times, and order all twenty words alike never.
        await testing.check_determinism(order_of_a_set)


async def test_what_depends_on_the_loop_is_found() -> None:
    with pytest.raises(testing.ReplayMismatch, match=r"is given another arguments: \[\"\w+\"\] first, then \[\"\w+\"\]"):
        await testing.check_determinism(knows_its_loop)


async def test_a_handler_that_must_be_importable_and_is_not_is_told() -> None:
    async def local(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)

    with pytest.raises(testing.CheckFailed, match="cannot be imported by another process"):
        await testing.check_determinism(local, elsewhere=True)


async def test_a_process_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import inngest_gen.testing.determinism as module

    monkeypatch.setattr(module, "place_of", lambda function: {"module": "no_such_module", "file": "", "name": "x", "function": "y"})
    with pytest.raises(testing.CheckFailed, match=r"(?s)could not be rebuilt in another process.*no_such_module"):
        await testing.check_determinism(sound)


@ig.App("typed").function("typed", trigger="go")
async def typed(ctx: ig.Context) -> ig.Flow:
    try:
        yield ctx.step.run("fails", fails)
    except ig.StepError as error:
        yield ctx.step.run("caught", echo, error.message)
    winner = yield ctx.group.race(ctx.step.sleep("long", "1d"), ctx.step.run("quick", echo, 1))
    yield ig.Done([winner.key, str(ctx.uuid())])


def fails() -> None:
    raise ig.NonRetriableError("no")


async def test_failures_races_and_identities_are_the_same_elsewhere() -> None:
    report = await testing.check_determinism(typed)
    assert report.elsewhere.startswith("in another process")
    assert report.prefixes == 4
