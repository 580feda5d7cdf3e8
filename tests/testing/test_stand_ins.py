"""Steps and functions are replaced in a test: by values, errors, functions, one for each attempt, after a while; what is misspelt is told."""

from dataclasses import dataclass
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing


@dataclass(frozen=True)
class Order:
    id: str
    total: float


def load(order_id: str, *, fresh: bool = False) -> Order:
    raise AssertionError("the real body ran")


async def charge(order: Order) -> str:
    raise AssertionError("the real body ran")


app = ig.App("shop", retries=2, backoff="10s")


@app.function("order", trigger="order/placed")
async def order(ctx: ig.Context) -> ig.Flow:
    loaded = ctx.step.run("load", load, ctx.data["id"], fresh=True)
    yield loaded
    paid = yield ctx.step.run("charge", charge, loaded.result)
    yield ig.Done([type(loaded.result).__name__, loaded.result.total, paid])


EVENT = {"id": "o1"}


async def test_a_value_is_decoded_into_the_declared_type_whether_typed_or_json() -> None:
    for value in (Order("o1", 2.5), {"id": "o1", "total": 2.5}):
        result = await testing.run(order, EVENT, steps={"load": value, "charge": "paid"})
        assert result.output == ["Order", 2.5, "paid"]


async def test_a_value_that_does_not_fit_the_declared_type_fails_the_step() -> None:
    result = await testing.run(order, EVENT, steps={"load": {"id": "o1"}, "charge": "paid"}, allow_unused=True)
    assert result.error is not None
    assert "total" in str(result.error)
    assert result.steps == ["load"]


async def test_a_function_gets_the_steps_arguments() -> None:
    calls: list[Any] = []

    def fake_load(order_id: str, *, fresh: bool) -> Order:
        calls.append((order_id, fresh))
        return Order(order_id, 1)

    async def fake_charge(order: Order) -> str:
        return f"{order.id} paid"

    result = await testing.run(order, EVENT, steps={"load": fake_load, "charge": fake_charge})
    assert result.output == ["Order", 1.0, "o1 paid"]
    assert calls == [("o1", True)]


async def test_an_error_fails_every_attempt() -> None:
    result = await testing.run(order, EVENT, steps={"load": Order("o1", 1), "charge": ConnectionError("down")})
    assert str(result.error) == "ConnectionError: down"
    assert (result.steps["charge"].attempts, result.seconds) == (3, 20)
    result = await testing.run(order, EVENT, steps={"load": Order("o1", 1), "charge": KeyError})
    assert result.error is not None
    assert result.error.name == "KeyError"


async def test_each_attempt_has_its_own_and_the_last_stays() -> None:
    steps = {"load": testing.attempts(TimeoutError("slow"), lambda *_, **__: Order("x", 3)), "charge": testing.attempts("once")}
    result = await testing.run(order, EVENT, steps=steps)
    assert result.output == ["Order", 3.0, "once"]
    assert [str(one.error) for one in result.steps["load"].failures] == ["TimeoutError: slow"]
    result = await testing.run(order, EVENT, steps={"load": Order("x", 3), "charge": testing.attempts(OSError("a"), OSError("b"))})
    assert str(result.error) == "OSError: b"


async def test_patterns_stand_behind_ids_and_real_bodies_can_be_kept() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        first = yield ctx.step.run("load-a", lambda: "real")
        second = yield ctx.step.run("load-b", lambda: "real")
        yield ig.Done([first, second, (yield ctx.step.run("save", lambda: "real"))])

    assert (await testing.run(handler, steps={"load*": "pattern", "load-b": "own"})).output == ["pattern", "own", "real"]
    assert (await testing.run(handler, steps={"*": None, "save": testing.REAL})).output == [None, None, "real"]


async def test_repeats_of_an_id_are_told_apart() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        pages = yield ctx.group.parallel(*(ctx.step.run("page", int, n) for n in range(3)))
        yield ig.Done(pages)

    assert (await testing.run(handler, steps={"page:1": "second"})).output == [0, "second", 2]
    assert (await testing.run(handler, steps={"page": "all", "page:2": "third"})).output == ["all", "all", "third"]


async def test_a_step_of_one_function_is_told_from_that_of_another() -> None:
    own = ig.App("two")

    @own.function("inner")
    async def inner(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.run("work", lambda: "inner's")))

    @own.function("outer")
    async def outer(ctx: ig.Context) -> ig.Flow:
        mine = yield ctx.step.run("work", lambda: "outer's")
        yield ig.Done([mine, (yield ctx.step.invoke("inner", inner))])

    assert (await testing.run(outer, steps={(inner, "work"): "replaced"})).output == ["outer's", "replaced"]
    assert (await testing.run(outer, steps={("outer", "work"): "replaced"})).output == ["replaced", "inner's"]


async def test_a_stand_in_can_take_its_time_and_lose_its_race() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        winner = yield ctx.group.race(origin=ctx.step.run("origin", lambda: "o"), patience=ctx.step.sleep("patience", "5s"))
        yield ig.Done(winner.key)

    quick = await testing.run(handler, steps={"origin": testing.lasting("4s", "late")})
    assert (quick.output, quick.seconds) == ("origin", 4)
    real = await testing.run(handler, steps={"origin": testing.lasting("1s")})
    assert real.steps["origin"].result == "o"
    slow = await testing.run(handler, steps={"origin": testing.lasting("6s")})
    assert (slow.output, slow.seconds) == ("patience", 5)
    never = await testing.run(handler, steps={"origin": testing.NEVER})
    assert never.output == "patience"


async def test_a_step_that_takes_longer_than_its_timeout_fails_then() -> None:
    @ig.App("timeouts", retries=1, backoff="10s").function("f")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.run("slow", lambda: 1).timeout("1m")))

    result = await testing.run(f, steps={"slow": testing.lasting("2m", "x")})
    assert result.error is not None
    assert str(result.error) == "TimeoutError: step.run 'slow' did not finish within 60 s"
    assert result.seconds == 130
    assert (await testing.run(f, steps={"slow": testing.lasting("59s", "x")})).output == "x"


async def test_waits_and_invokes_and_sends_have_stand_ins_too() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        event = yield ctx.step.wait_for_event("event", "e", timeout="1d")
        none = yield ctx.step.wait_for_event("none", "e", timeout="1d")
        late = yield ctx.step.wait_for_event("late", "e", timeout="1d")
        signal = yield ctx.step.wait_for_signal("signal", "s", timeout="1d")
        invoked = yield ctx.step.invoke("invoked", "elsewhere-fn", {"n": 2})
        ids = yield ctx.step.send_event("send", ig.Event("never/sent"))
        yield ig.Done([event.data["n"], none, late, signal, invoked, ids])

    result = await testing.run(
        handler,
        steps={
            "event": ig.Event("e", {"n": 1}),
            "none": None,
            "late": testing.lasting("2d", ig.Event("e")),
            "signal": testing.lasting("1h", "ready"),
            "invoked": lambda data: data["n"] * 10,
            "send": ["id"],
        },
    )
    assert result.output == [1, None, None, "ready", 20, ["id"]]
    assert result.seconds == 2 * 86400 + 3600
    assert result.events == []


async def test_an_invoke_that_takes_longer_than_its_timeout_fails_as_on_the_server() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.invoke("slow", "elsewhere-fn", timeout="1h")

    result = await testing.run(handler, steps={"slow": testing.lasting("2h", 1)})
    assert result.error is not None
    assert (result.error.name, result.seconds) == ("InngestInvokeTimeoutError", 3600)


async def test_requests_are_answered() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        answer = yield ctx.step.fetch("page", "https://example.org/a", method="post", body={"n": 1})
        model = ig.Model.openai("m", "key")
        said = yield ctx.step.ai.infer("ask", model, {"messages": []})
        yield ig.Done([answer.status, answer.json(), said["choice"]])

    asked: list[Any] = []

    def page(request: Any) -> ig.Response:
        asked.append((request.method, request.url, request.body))
        return ig.Response(status=201, body='{"ok": true}')

    result = await testing.run(handler, steps={"page": page, "ask": {"choice": "a"}})
    assert result.output == [201, {"ok": True}, "a"]
    assert asked == [("POST", "https://example.org/a", '{"n":1}')]


async def test_a_stand_in_may_defer() -> None:
    @app.deferred("note-from-stand-in")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    async def body(*_: Any, **__: Any) -> ig.Flow:
        yield ig.defer("note", note, {})
        yield ig.Done({"id": "o", "total": 1})

    result = await testing.run(order, EVENT, steps={"load": body, "charge": "paid"})
    assert result.output == ["Order", 1.0, "paid"]
    assert result.defers["note"].status == "scheduled"
    del app.functions["note-from-stand-in"]


# Functions.

deferring = ig.App("deferring")


@deferring.deferred("mail")
async def mail(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done("really sent")


@deferring.function("listens", trigger="main/*")
async def listens(ctx: ig.Context) -> ig.Flow:
    yield ig.Done("heard")


@deferring.function("main", trigger="go")
async def main(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("mail", mail, {"to": "a"})
    yield ctx.step.send_event("tell", ig.Event("main/done"))
    try:
        yield ig.Done((yield ctx.step.invoke("other", "other-service", {"n": 3}, timeout="1h")))
    except ig.StepError as error:
        yield ig.Done(f"{error.name}: {error.message}")


async def test_functions_run_unless_something_stands_in_for_them() -> None:
    result = await testing.run(main)
    assert result.output == "Error: could not find function with ID: other-service"
    assert [run.output for run in result.runs] == ["heard", "really sent"]


async def test_a_function_is_replaced_by_a_value_a_function_or_an_error() -> None:
    result = await testing.run(main, functions={"other-service": "value", mail: {"sent": False}, "listens": ValueError("deaf")})
    assert result.output == "value"
    assert [(run.function_id, run.status) for run in result.runs] == [
        ("deferring-listens", "failed"),
        ("other-service", "completed"),
        ("deferring-mail", "completed"),
    ]
    assert result.defers["mail"].run is not None
    assert result.defers["mail"].run.output == {"sent": False}
    result = await testing.run(main, functions={"other-*": testing.RECORD_ONLY, "other-service": lambda data: data["n"] + 1})
    assert result.output == 4
    result = await testing.run(main, functions={"other-service": OSError("away")})
    assert result.output == "OSError: away"


async def test_a_function_may_only_be_recorded() -> None:
    result = await testing.run(main, functions={"*": testing.RECORD_ONLY, "other-service": testing.RECORD_ONLY})
    assert result.output is None
    assert [(run.function_id, run.status) for run in result.runs] == [
        ("deferring-listens", "queued"),
        ("other-service", "completed"),
        ("deferring-mail", "queued"),
    ]


async def test_a_function_that_takes_its_time_is_waited_for_as_long_as_the_invoke_says() -> None:
    result = await testing.run(main, functions={"other-service": testing.lasting("30m", "slow")})
    assert result.output == "slow"
    result = await testing.run(main, functions={"other-service": testing.lasting("2h", "slow")})
    assert result.output == "InngestInvokeTimeoutError: Timed out waiting for invoked function to complete"


# What is given and not used.


async def test_a_misspelt_step_is_told() -> None:
    with pytest.raises(testing.NotUsed, match=r"no step 'chrage' was asked for.*asked for were: load, charge"):
        await testing.run(order, EVENT, steps={"load": Order("o", 1), "chrage": "paid", "cha*": "paid"})
    result = await testing.run(order, EVENT, steps={"load": Order("o", 1), "chrage": "paid", "cha*": "paid"}, allow_unused=True)
    assert result.output == ["Order", 1.0, "paid"]


async def test_an_event_that_nothing_waited_for_is_told() -> None:
    with pytest.raises(testing.NotUsed, match="the event 'order/payed' was given, and no step waited for it"):
        await testing.run(order, EVENT, steps={"*": Order("o", 1), "charge": "x"}, events=[ig.Event("order/payed")])


async def test_a_sleep_has_nothing_to_be_replaced() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "1h")

    assert (await testing.run(handler, steps={"*": 1})).seconds == 3600
    with pytest.raises(ig.ConfigError, match="step.sleep 'nap' has no result"):
        await testing.run(handler, steps={"nap": None})


@pytest.mark.parametrize("steps", [{1: "x"}, {("a", "b", "c"): 1}, {(1, "x"): 1}])
async def test_keys_of_another_kind_are_refused(steps: Any) -> None:
    with pytest.raises(ig.ConfigError, match="steps= is keyed by"):
        await testing.run(order, EVENT, steps=steps)


async def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ig.ConfigError, match="functions= is keyed by"):
        await testing.run(order, EVENT, functions={1: None})  # type: ignore[dict-item]
    with pytest.raises(ig.ConfigError, match="events= takes"):
        await testing.run(order, EVENT, events=["order/paid"])  # type: ignore[list-item]
    with pytest.raises(ig.ConfigError, match="testing.run takes a function"):
        await testing.run("order")
    with pytest.raises(ig.ConfigError, match="at least one stand-in"):
        testing.attempts()
    with pytest.raises(ig.ConfigError, match="testing.at takes an ig.Event"):
        testing.at("1h", "e")  # type: ignore[arg-type]


async def test_a_stand_in_for_a_function_that_nobody_has_fails_the_test() -> None:
    home = ig.App("home")

    @home.function("f")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.invoke("ask", "prices-quote", {})))

    assert (await testing.run(f, functions={"prices-quote": 1, f: 2, "home-f": 3, "f": 4, "none-*": 5})).output == 1
    with pytest.raises(testing.NotUsed, match=r"a stand-in for 'prices-qoute': no function of the apps has that id.*there are: home-f"):
        await testing.run(f, functions={"prices-qoute": 1, "prices-quote": 1})
    assert (await testing.run(f, functions={"prices-qoute": 1, "prices-quote": 1}, allow_unused=True)).output == 1
    with pytest.raises(ig.ConfigError, match="steps= is a dict of stand-ins, not list"):
        await testing.run(f, steps=["ask"])  # type: ignore[arg-type]
