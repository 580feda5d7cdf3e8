"""A function runs to its end in memory: time moves by itself, and everything happens as on the embedded engine, in one and the same order."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing

app = ig.App("shop", backoff=["10s", "1m"], retries=2)


@dataclass(frozen=True)
class Order:
    id: str
    total: float


@dataclass(frozen=True)
class Mail:
    to: str


def load(order_id: str) -> Order:
    return Order(order_id, 2.0)


async def charge(order: Order) -> str:
    return f"paid {order.total}"


def send(to: str) -> str:
    return f"mailed {to}"


@app.deferred("mail", schema=Mail)
async def mail(ctx: ig.DeferContext[Mail]) -> ig.Flow:
    sent = yield ctx.step.run("send", send, ctx.data.to)
    yield ig.Done({"sent": sent, "parent": ctx.parents[0].run_id})


@app.function("order", trigger=ig.EventType("order/placed", Order))
async def order(ctx: ig.Context[Order]) -> ig.Flow:
    loaded = ctx.step.run("load", load, ctx.data.id)
    yield loaded
    yield ctx.defer("receipt", mail, Mail("a@b"))
    yield ctx.step.sleep("wait", "2h")
    paid = yield ctx.step.run("charge", charge, loaded.result)
    yield ig.Done({"paid": paid, "id": loaded.result.id})


async def test_steps_sleeps_and_defers_happen_in_order_in_the_tests_time() -> None:
    result = await testing.run(order, Order("o1", 1))
    assert result.output == {"paid": "paid 2.0", "id": "o1"}
    assert result.steps == ["load", "wait", "charge"]
    assert result.seconds == 7200
    assert result.steps["wait"].seconds == 7200
    assert result.steps["load"].args == ("o1",)
    assert result.steps["charge"].args == (Order("o1", 2.0),)
    assert result.steps["charge"].started == testing.START + timedelta(hours=2)
    assert [(defer.id, defer.status, defer.data["to"]) for defer in result.defers] == [("receipt", "scheduled", "a@b")]
    deferred = result.defers["receipt"].run
    assert deferred is not None
    assert deferred.output == {"sent": "mailed a@b", "parent": result.run_id}
    assert result.runs == [deferred]
    assert result.of(mail) == [deferred]


async def test_two_runs_of_a_test_are_alike_down_to_the_ids() -> None:
    first, second = await testing.run(order, {"id": "o1", "total": 1}), await testing.run(order, {"id": "o1", "total": 1})
    assert first.run_id == second.run_id
    assert first.timeline() == second.timeline()
    other = await testing.run(order, {"id": "o1", "total": 1}, start="2030-01-31T09:00:00Z")
    assert other.created == datetime(2030, 1, 31, 9, tzinfo=UTC)
    assert other.timeline() == first.timeline().replace(first.run_id, other.run_id)


async def test_a_deferred_function_is_started_with_its_data() -> None:
    result = await testing.run(mail, Mail("x@y"))
    assert result.output["sent"] == "mailed x@y"
    assert result.kind == "defer"


async def test_a_scorer_scores_its_parent_and_can_be_tested_alone() -> None:
    own = ig.App("scored")

    @own.scorer("quality")
    async def quality(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done(ig.Score("quality", (yield ctx.step.run("judge", lambda: 0.5))))

    @own.function("answer", trigger="asked")
    async def answer(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("quality", quality, {})

    alone = await testing.run(quality, {}, steps={"judge": 0.25})
    assert (alone.output["value"], alone.steps.ids) == (0.25, ["judge", "score"])
    result = await testing.run(answer)
    assert [note.text for note in result.notes if "score 'quality': 0.5" in note.text]


async def test_a_handler_of_no_app_runs_too() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.run("double", lambda: ctx.data["n"] * 2)))

    assert (await testing.run(handler, {"n": 4})).output == 8
    assert (await testing.run(handler, ig.Event("any/name", {"n": 5}))).output == 10


async def test_a_plain_handler_runs_once() -> None:
    calls = []

    async def handler(ctx: ig.Context) -> str:
        calls.append(ctx.run_id)
        ctx.defer("later", mail, Mail("p@q")).submit()
        return "plain"

    result = await testing.run(handler, app=app)
    assert result.output == "plain"
    assert len(calls) == 1
    assert result.defers["later"].status == "scheduled"


# Values.


async def test_values_pass_through_json_as_in_production() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        pair = yield ctx.step.run("pair", lambda: (1.0, "x"))
        yield ig.Done({"kind": type(pair).__name__, "first": pair[0], "exact": type(pair[0]).__name__})

    assert (await testing.run(handler)).output == {"kind": "list", "first": 1, "exact": "int"}


async def test_what_is_no_json_fails_its_step_and_names_the_place() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("bad", lambda: {"a": [float("nan")]})

    result = await testing.run(handler)
    assert result.status == "failed"
    assert result.error is not None
    assert "a[0]" in str(result.error)
    assert result.steps["bad"].attempts == 1


# Retries.


async def test_retries_come_after_their_backoff_and_are_told() -> None:
    attempts = []

    @ig.App("flaky", backoff=["10s", "1m"]).function("body")
    async def flaky(ctx: ig.Context) -> ig.Flow:
        def body() -> str:
            attempts.append(ctx.attempt)
            if len(attempts) < 3:
                raise ConnectionError(f"try {len(attempts)}")
            return "up"

        yield ig.Done((yield ctx.step.run("call", body)))

    result = await testing.run(flaky)
    assert attempts == [0, 1, 2]
    assert result.output == "up"
    step = result.steps["call"]
    assert (step.attempts, [str(one.error) for one in step.failures]) == (3, ["ConnectionError: try 1", "ConnectionError: try 2"])
    assert step.seconds == 70
    assert [one.retry_at for one in step.failures] == [testing.START + timedelta(seconds=10), testing.START + timedelta(seconds=70)]


async def test_a_step_that_fails_for_good_is_raised_at_its_yield() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        def body() -> None:
            raise ig.NonRetriableError("no")

        try:
            yield ctx.step.run("call", body)
        except ig.StepError as error:
            yield ig.Done([error.name, error.message])

    result = await testing.run(handler)
    assert result.output == ["NonRetriableError", "no"]
    assert (result.steps["call"].status, result.steps["call"].attempts) == ("failed", 1)


async def test_retry_after_says_when_the_next_attempt_comes() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        def body() -> int:
            if ctx.attempt == 0:
                raise ig.RetryAfterError("busy", "3h")
            return ctx.attempt

        yield ig.Done((yield ctx.step.run("call", body)))

    result = await testing.run(handler)
    assert (result.output, result.seconds) == (1, 10_800)


async def test_the_handlers_own_failures_are_tried_again() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("once", lambda: None)
        if ctx.attempt < 2:
            raise LookupError("not yet")
        yield ig.Done(ctx.attempt)

    result = await testing.run(handler)
    assert result.output == 2
    assert result.steps["once"].attempts == 1
    assert [note.kind for note in result.notes] == ["handler", "handler"]


async def test_the_failure_handler_runs() -> None:
    async def sorry(ctx: ig.Context) -> ig.Flow:
        assert ctx.error is not None
        yield ig.Done((yield ctx.step.run("tell", lambda: f"{ctx.error.name} in {ctx.event.data['function_id']}")))

    own = ig.App("own", retries=0)

    @own.function("doomed", on_failure=sorry)
    async def doomed(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("boom", lambda: 1 / 0)

    result = await testing.run(doomed)
    assert result.status == "failed"
    [handled] = result.of("doomed-failure")
    assert handled.output == "ZeroDivisionError in own-doomed"
    alone = await testing.run(own.functions["doomed-failure"], ValueError("given"))
    assert alone.output == "ValueError in own-doomed"


# Waits.


@app.function("wait", trigger="wait")
async def waiting(ctx: ig.Context) -> ig.Flow:
    paid = yield ctx.step.wait_for_event("paid", "order/paid", match="data.id", timeout="3d")
    yield ig.Done(None if paid is None else paid.data["how"])


async def test_a_wait_times_out_by_itself() -> None:
    result = await testing.run(waiting, {"id": 1})
    assert (result.output, result.seconds) == (None, 3 * 86400)


async def test_a_given_event_comes_when_a_step_waits_for_it() -> None:
    result = await testing.run(waiting, {"id": 1}, events=[ig.Event("order/paid", {"id": 1, "how": "card"})])
    assert (result.output, result.seconds) == ("card", 0)


async def test_events_at_a_time_come_then_and_only_those_that_match() -> None:
    events = [
        testing.at("1h", ig.Event("order/paid", {"id": 2, "how": "wrong"})),
        testing.at("2h", ig.Event("order/paid", {"id": 1, "how": "card"})),
    ]
    result = await testing.run(waiting, {"id": 1}, events=events)
    assert (result.output, result.seconds) == ("card", 7200)
    late = await testing.run(waiting, {"id": 1}, events=[testing.at("4d", ig.Event("order/paid", {"id": 1, "how": "late"}))])
    assert late.output is None


async def test_signals_are_waited_for_and_sent() -> None:
    own = ig.App("signals")

    @own.function("waits", trigger="go")
    async def waits(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.wait_for_signal("s", "ready", timeout="1h")))

    @own.function("sends", trigger="signal")
    async def sends(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("a while", "10m")
        yield ig.Done((yield ctx.step.send_signal("send", "ready", {"n": 1})))

    async with testing.MemoryEngine(own) as engine:
        await engine.send(ig.Event("go"), ig.Event("signal"))
        await engine.settle()
        outputs = {one.function_id: one.output for one in engine.results().values()}
    assert outputs == {"signals-waits": {"n": 1}, "signals-sends": True}


# Several functions.


async def test_invoked_functions_run_and_their_failures_are_raised() -> None:
    own = ig.App("invoking", retries=0)

    @own.function("square")
    async def square(ctx: ig.Context) -> ig.Flow:
        if ctx.data["n"] < 0:
            raise ig.NonRetriableError("negative")
        yield ig.Done(ctx.data["n"] ** 2)

    @own.function("main", trigger="go")
    async def main(ctx: ig.Context) -> ig.Flow:
        good = yield ctx.step.invoke("good", square, {"n": 3})
        try:
            yield ctx.step.invoke("bad", "square", {"n": -1})
        except ig.StepError as error:
            yield ig.Done([good, error.message])

    result = await testing.run(main)
    assert result.output == [9, "negative"]
    assert [run.kind for run in result.of(square)] == ["invoke", "invoke"]
    assert result.steps["good"].args == ({"n": 3},)


async def test_events_that_are_sent_start_functions_and_are_told() -> None:
    own = ig.App("flowing")

    @own.function("first", trigger="go")
    async def first(ctx: ig.Context) -> ig.Flow:
        async def body() -> str:
            [id] = await own.send(ig.Event("from/body", {"n": 2}))
            return id

        def sync_body() -> None:
            own.send_sync(ig.Event("from/thread", {"n": 3}))

        ids = yield ctx.step.send_event("tell", ig.Event("from/step", {"n": 1}))
        other = yield ctx.step.run("body", body)
        yield ctx.step.run("thread", sync_body)
        yield ig.Done([ids[0], other])

    @own.function("second", trigger="from/*")
    async def second(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(ctx.data["n"])

    result = await testing.run(first)
    assert [event.name for event in result.events] == ["from/step", "from/body", "from/thread"]
    assert [result.events[0].id, result.events[1].id] == result.output
    assert [run.output for run in result.of(second)] == [1, 2, 3]


async def test_a_run_that_its_own_body_cancels_stops_there() -> None:
    own = ig.App("cancelling")

    @own.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        async def body() -> None:
            await engine.cancel(ctx.run_id)

        yield ctx.defer("d", mail, Mail("x"))
        yield ctx.step.run("cancel", body)
        yield ctx.step.run("never", lambda: None)

    async with testing.MemoryEngine(own, app) as engine:
        result = await engine.play(f).finish()
    assert result.status == "cancelled"
    assert [step.status for step in result.steps] == []
    assert [defer.status for defer in result.defers] == ["dropped"]


async def test_defers_are_told_whatever_became_of_them(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        kept: ig.DeferHandle = yield ctx.defer("kept", mail, Mail("a"))
        yield ctx.defer("kept", mail, Mail("b"))
        taken: ig.DeferHandle = yield ctx.defer("taken back", mail, Mail("c"))
        yield ctx.step.run("between", lambda: None)
        yield taken.abort()
        wrong: Any = {"no": "mail"}
        yield ctx.defer("refused", mail, wrong)
        assert kept.active

    result = await testing.run(handler, app=app)
    assert [(defer.id, defer.status) for defer in result.defers] == [
        ("kept", "scheduled"),
        ("taken back", "aborted"),
        ("refused", "rejected"),
    ]
    assert result.duplicates == ["kept"]
    assert result.defers["kept"].data["to"] == "a"
    assert "to" in (result.defers["refused"].reason or "")


async def test_lines_of_the_runs_logger_are_there_once() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        ctx.logger.info("begun")
        yield ctx.step.run("a", lambda: ctx.logger.info("in the body"))
        ctx.logger.info("between")
        yield ctx.step.run("b", lambda: None)
        ctx.logger.info("the end")

    result = await testing.run(handler)
    assert [record.getMessage() for record in result.logs] == ["begun", "in the body", "between", "the end"]


# Groups.


async def test_branches_end_in_the_order_of_the_tests_time() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        async def late() -> ig.Flow:
            yield ctx.step.sleep("long", "1h")
            yield ig.Done("late")

        winner = yield ctx.group.race(slow=late(), quick=ctx.step.sleep("short", "1m"))
        both = yield ctx.group.parallel(ctx.step.run("a", lambda: 1), ctx.step.run("b", lambda: 2))
        yield ig.Done([winner.key, list(both)])

    result = await testing.run(handler)
    assert (result.output, result.seconds) == (["quick", [1, 2]], 60)
    assert result.steps["long"].status == "abandoned"


async def test_using_gives_the_same_resource_to_a_rebuilt_handler() -> None:
    entered: list[str] = []

    class Resource:
        async def __aenter__(self) -> "Resource":
            entered.append("in")
            return self

        async def __aexit__(self, *_: object) -> None:
            entered.append("out")

    async def handler(ctx: ig.Context) -> ig.Flow:
        resource = yield ctx.using(Resource())
        assert isinstance(resource, Resource)
        yield ctx.step.run("a", lambda: None)
        yield ctx.step.sleep("s", "1h")
        yield ctx.step.run("b", lambda: None)

    result = await testing.run(handler)
    assert result.status == "completed"
    assert entered == ["in", "out"]


# What goes wrong.


async def test_the_output_of_a_failed_run_raises_its_error_and_shows_what_happened() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("fine", lambda: 1)
        yield ctx.step.run("boom", lambda: [].pop())

    result = await testing.run(handler, steps={"boom": ig.NonRetriableError("no stock")})
    assert str(result.error) == "NonRetriableError: no stock"
    with pytest.raises(testing.RunFailed, match=r"(?s)no stock.*step.run fine: 1.*step.run boom: failed"):
        _ = result.output


async def test_a_run_that_waits_for_ever_is_told() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("origin", lambda: None)

    with pytest.raises(testing.Stuck, match="it waits for step.run .origin."):
        await testing.run(handler, steps={"origin": testing.NEVER})


async def test_a_function_that_goes_on_for_ever_is_stopped() -> None:
    own = ig.App("forever")

    @own.function("again", trigger="again")
    async def again(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("a day", "1d")
        yield ctx.step.send_event("again", ig.Event("again"))

    async with testing.MemoryEngine(own, max_happenings=200) as engine:
        await engine.send(ig.Event("again"))
        with pytest.raises(testing.CheckFailed, match="after 200 happenings it still goes on"):
            await engine.settle()
        assert len(engine.results()) > 10


async def test_settling_until_a_time_leaves_what_comes_later() -> None:
    async with testing.MemoryEngine(app) as engine:
        playing = engine.play(order, Order("o1", 1))
        await engine.settle(until="1h")
        assert engine.time == testing.START + timedelta(hours=1)
        assert playing.result.status == "running"
        await engine.settle()
        assert playing.result.status == "completed"


async def test_an_engine_must_not_share_an_app_with_another() -> None:
    async with testing.MemoryEngine(app):
        with pytest.raises(ig.EngineError, match="another engine"):
            await testing.run(order, Order("o1", 1))
    assert app.engine is None
    assert app.logger.handlers == []


@pytest.mark.parametrize("propagates", [True, False])
async def test_sessions_go_on_to_what_a_run_starts_as_in_production(*, propagates: bool) -> None:
    own = ig.App("sessions", dev=True, session_propagation=propagates)

    async def tells(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(dict(ctx.sessions))

    deferred = own.deferred("deferred")(tells)
    invoked = own.function("invoked")(tells)
    triggered = own.function("triggered", trigger="told")(tells)

    @own.function("first", trigger="go")
    async def first(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("defer", deferred, {})
        yield ctx.step.send_event("tell", ig.Event("told"))
        yield ctx.step.run("body", lambda: ctx.defer("from body", deferred, {}).submit() and None)
        yield ctx.step.invoke("invoke", invoked)

    result = await testing.run(first, ig.Event("go", meta={"sessions": {"user": "7"}}))
    assert [run.output for function in (deferred, invoked, triggered) for run in result.of(function)] == [
        {"user": "7"} if propagates else {}
    ] * 4
