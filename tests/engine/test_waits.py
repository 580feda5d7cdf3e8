"""Steps that wait: sleeps, events, signals, invoked functions; and the steps that end others' waits."""

import pathlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from tests.engine.rig import START, all_of, engine, eventually, of, outcome, run, run_one, step


def sleeper(*durations: Any) -> ig.App:
    app = ig.App("shop")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        for duration in durations:
            if isinstance(duration, datetime):
                yield ctx.step.sleep_until("until", duration)
            else:
                yield ctx.step.sleep("for", duration)
        yield ig.Done("awake")

    return app


class TestSleep:
    @pytest.mark.parametrize(
        ("duration", "seconds"),
        [("1h30m", 5400), ("2d", 172800), ("250ms", 0.25), (90, 90), (0.5, 0.5), (timedelta(minutes=5), 300), (0, 0)],
    )
    async def test_a_sleep_lasts_as_long_as_it_says(self, path: pathlib.Path, duration: Any, seconds: float) -> None:
        clock = ig.VirtualClock(START, jumps=True)
        one = await run_one(path, sleeper(duration), clock=clock)
        assert one.output == "awake"
        assert clock.now() == pytest.approx(START + seconds)

    async def test_sleep_until_a_moment(self, path: pathlib.Path) -> None:
        clock = ig.VirtualClock(START, jumps=True)
        when = datetime.fromtimestamp(START + 3600, timezone(timedelta(hours=2)))
        assert (await run_one(path, sleeper(when), clock=clock)).output == "awake"
        assert clock.now() == START + 3600

    async def test_a_moment_in_the_past_passes_at_once(self, path: pathlib.Path) -> None:
        clock = ig.VirtualClock(START, jumps=True)
        assert (await run_one(path, sleeper(datetime(1999, 1, 1, tzinfo=UTC)), clock=clock)).output == "awake"
        assert clock.now() == START

    async def test_a_sleep_of_more_than_1000_years_is_an_error_in_the_handler(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=0)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("for ever", 1e18)

        assert outcome(await run_one(path, app)) == (
            "ValueError",
            "a duration of 1e+18 seconds is too long; the longest is 1,000 years",
        )

    async def test_runs_that_end_after_the_year_9999_can_be_looked_at(self, path: pathlib.Path) -> None:
        millennia = ["365250d"] * 8
        async with engine(path, sleeper(*millennia)) as its_engine:
            [one] = await its_engine.run(ig.Event("go"), timeout=30)
            assert one.output == "awake"
            assert [(found.id, found.ended.year) for found in await its_engine.runs() if found.ended] == [(one.id, 9999)]
            await its_engine.recording(one.id)

    async def test_a_naive_moment_is_an_error_in_the_handler(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=0)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep_until("until", datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "ValueError"
        assert "naive" in one.error.message or "timezone" in one.error.message

    async def test_sleeping_takes_no_attempt_and_holds_nothing_in_memory(self, path: pathlib.Path) -> None:
        clock = ig.VirtualClock(START)
        async with engine(path, sleeper("1h", "1h"), clock=clock) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: its_engine._timers and not its_engine._live)
            [one] = await its_engine.runs()
            assert (one.status, one.attempt) == ("running", 0)
            assert step(one, "for").status == "waiting"
            assert step(one, "for").due.timestamp() == START + 3600
            clock.advance_to(START + 3599)
            assert (await its_engine.get(one.id)).status == "running"
            clock.advance_to(START + 3600)
            await eventually(lambda: len(its_engine._timers) == 1 and its_engine._timers[0][0] == START + 7200)
            clock.advance_to(START + 7300)
            assert (await its_engine.wait(one.id)).output == "awake"

    async def test_many_sleeps_wake_in_the_order_of_their_times(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        woken = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", ctx.data["s"])
            yield ctx.step.run("note", lambda: woken.append(ctx.data["s"]))

        async with engine(path, app) as its_engine:
            order = [7, 3, 9, 1, 5, 2, 8]
            await its_engine.send(*(ig.Event("go", {"s": s}) for s in order))
            await eventually(lambda: len(woken) == len(order))
        assert woken == sorted(order)

    async def test_time_does_not_jump_to_what_ended_before_its_time(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(ctx.step.wait_for_event("wait", "ping", timeout="30d"), ctx.step.send_event("send", ig.Event("ping")))
            yield ctx.group.race(ctx.step.sleep("short", 5), ctx.step.sleep("long", "10d"))

        clock = ig.VirtualClock(START, jumps=True)
        async with engine(path, app, clock=clock) as its_engine:
            for n in range(1, 4):
                await its_engine.run(ig.Event("go"), timeout=20)
                await eventually(lambda: its_engine._idle() and not its_engine._timers)
                assert clock.now() == START + 5 * n

    async def test_the_systems_clock_works_as_well(self, path: pathlib.Path) -> None:
        assert (await run_one(path, sleeper("20ms"), clock=None)).output == "awake"


def waiter(*, match: str | None = None, timeout: Any = "1d") -> tuple[ig.App, list[Any]]:
    app = ig.App("shop")
    got: list[Any] = []

    @app.function("f", trigger="order")
    async def f(ctx: ig.Context) -> ig.Flow:
        event = yield ctx.step.wait_for_event("paid", "payment", match=match, timeout=timeout)
        got.append(event)
        yield ig.Done(None if event is None else event.data)

    return app, got


class TestWaitForEvent:
    async def wait(self, its_engine: ig.Engine, count: int = 1) -> None:
        """Until as many runs wait, and none is in memory."""
        await eventually(lambda: len(its_engine._timers) >= count and its_engine._idle())

    async def test_a_matching_event_is_the_result_and_others_are_ignored(self, path: pathlib.Path) -> None:
        app, got = waiter(match="data.id")
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("order", {"id": 7}))
            await self.wait(its_engine)
            await its_engine.send(ig.Event("payment", {"id": 8}), ig.Event("other", {"id": 7}), ig.Event("payment", {"nothing": 7}))
            await self.wait(its_engine)
            [one] = await its_engine.runs()
            assert one.status == "running"
            await its_engine.send(ig.Event("payment", {"id": 7, "by": "card"}, id="p1", ts=1_700_000_000_000, meta={"k": "v"}))
            assert (await its_engine.wait(one.id)).output == {"id": 7, "by": "card"}
        [event] = got
        assert event == ig.Event("payment", {"id": 7, "by": "card"}, id="p1", ts=1_700_000_000_000, meta={"k": "v"})

    async def test_without_match_the_first_event_of_that_name_will_do(self, path: pathlib.Path) -> None:
        app, _ = waiter()
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("order"))
            await self.wait(its_engine)
            await its_engine.send(ig.Event("payment", {"n": 1}), ig.Event("payment", {"n": 2}))
            [one] = await its_engine.runs()
            assert (await its_engine.wait(one.id)).output == {"n": 1}

    @pytest.mark.parametrize(
        ("match", "ours", "theirs", "matches"),
        [
            ("data.id", {"id": 1}, {"id": 1}, True),
            ("data.id", {"id": 1}, {"id": "1"}, False),
            ("data.id", {"id": 1.0}, {"id": 1}, True),
            ("data.id", {"id": True}, {"id": 1}, False),
            ("data.id", {"id": None}, {"id": None}, True),
            ("data.id", {"id": None}, {}, False),
            ("data.id", {}, {}, False),
            ("data.a.b", {"a": {"b": "x"}}, {"a": {"b": "x", "c": 1}}, True),
            ("data.a", {"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}, True),
            ("data.list.1", {"list": [0, 5]}, {"list": [9, 5]}, True),
            ("event.data.id", {"id": "e"}, {"id": "e"}, True),
            ("name", {}, {}, False),
        ],
    )
    async def test_match(self, path: pathlib.Path, match: str, ours: Any, theirs: Any, matches: bool) -> None:
        app, _ = waiter(match=match)
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("order", ours))
            await self.wait(its_engine)
            await its_engine.send(ig.Event("payment", theirs))
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert one.status == ("completed" if matches else "running")

    async def test_one_event_wakes_every_run_it_matches(self, path: pathlib.Path) -> None:
        app, _ = waiter(match="data.shop")
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(*(ig.Event("order", {"shop": shop}) for shop in "aab"))
            await self.wait(its_engine, 3)
            await its_engine.send(ig.Event("payment", {"shop": "a"}))
            await eventually(its_engine._idle)
            assert sorted(one.status for one in await its_engine.runs()) == ["completed", "completed", "running"]

    async def test_a_timeout_gives_none_and_a_late_event_is_ignored(self, path: pathlib.Path) -> None:
        app, got = waiter(timeout="1h")
        clock = ig.VirtualClock(START)
        async with engine(path, app, clock=clock) as its_engine:
            await its_engine.send(ig.Event("order"))
            await self.wait(its_engine)
            clock.advance_to(START + 3600)
            [one] = await its_engine.runs()
            assert (await its_engine.wait(one.id)).status == "completed"
            await its_engine.send(ig.Event("payment", {"late": True}))
            assert [one.id for one in await its_engine.runs()] == [one.id]
        assert got == [None]

    async def test_an_event_from_before_the_wait_does_not_end_it(self, path: pathlib.Path) -> None:
        app, got = waiter(timeout="1h")
        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("payment", {"early": True}))
            await its_engine.run(ig.Event("order"), timeout=20)
        assert got == [None]

    @pytest.mark.parametrize("wait_first", [True, False])
    async def test_an_event_sent_in_parallel_with_the_wait_is_received(self, path: pathlib.Path, wait_first: bool) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            wait = ctx.step.wait_for_event("wait", "ping", timeout="1h")
            send = ctx.step.send_event("send", ig.Event("ping", {"n": 1}))
            both = (wait, send) if wait_first else (send, wait)
            yield ctx.group.parallel(*both)
            yield ig.Done(wait.result and wait.result.data)

        assert (await run_one(path, app)).output == {"n": 1}

    async def test_an_event_sent_by_a_body_beside_the_wait_is_received(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            ids, event = yield ctx.group.parallel(
                ctx.step.run("send", app.send, ig.Event("ping", {"n": 1})), ctx.step.wait_for_event("wait", "ping", timeout="1h")
            )
            yield ig.Done([event and event.id] == ids)

        assert (await run_one(path, app)).output is True

    async def test_a_run_can_start_by_the_event_another_waits_for(self, path: pathlib.Path) -> None:
        app, got = waiter()

        @app.function("g", trigger="payment")
        async def g(ctx: ig.Context) -> ig.Flow:
            yield ig.Done("started")

        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("order"))
            await self.wait(its_engine)
            runs = await its_engine.run(ig.Event("payment", {"n": 1}), timeout=20)
            assert [one.output for one in runs] == ["started"]
            await eventually(lambda: got)

    async def test_a_wait_survives_a_restart(self, path: pathlib.Path) -> None:
        app, got = waiter(match="data.id")
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("order", {"id": 1}), ig.Event("order", {"id": 2}))
            await self.wait(its_engine, 2)
        async with engine(path, app, clock=ig.VirtualClock(START + 60)) as its_engine:
            await its_engine.send(ig.Event("payment", {"id": 2}))
            await eventually(lambda: got and its_engine._idle())
            assert [one.status for one in await its_engine.runs()] == ["completed", "running"]

    async def test_an_expression_is_refused_until_it_is_honoured(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.wait_for_event("wait", "ping", timeout="1h", if_="event.data.x == async.data.x")

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == "UnsupportedOption"
        assert "if_" in one.error.message


class TestSendEvent:
    async def test_the_result_is_the_ids_and_the_runs_it_starts_belong_to_the_same_cause(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            ids = yield ctx.step.send_event("send", ig.Event("child", {"n": 1}, id="mine"), ig.Event("child", {"n": 2}))
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(ids)

        @app.function("child", trigger="child")
        async def child(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "1d")
            yield ig.Done(ctx.event.id)

        runs = await run(path, app)
        ids = of(runs, "f").output
        assert ids[0] == "mine"
        assert [one.output for one in all_of(runs, "child")] == ids

    async def test_events_are_sent_once_however_often_the_handler_is_replayed(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=2, backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.send_event("send", ig.Event("child"))
            yield ctx.step.sleep("nap", 1)
            if ctx.attempt == 0:
                raise ValueError("once more")

        @app.function("child", trigger="child")
        async def child(ctx: ig.Context) -> ig.Flow:
            yield ig.Done()

        assert len(all_of(await run(path, app), "child")) == 1

    @pytest.mark.parametrize(
        ("event", "name", "words"),
        [
            (lambda: ig.Event("inngest/mine"), "EngineError", "reserved"),
            (lambda: ig.Event("big", {"text": "x" * 4 * 1024 * 1024}), "TooLarge", "limit is 4,194,304"),
            (lambda: ig.Event("nan", {"x": float("nan")}), "NotJSON", "JSON has no nan"),
        ],
    )
    async def test_a_bad_event_fails_the_step(self, path: pathlib.Path, event: Callable[[], ig.Event], name: str, words: str) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.send_event("send", event())

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == name
        assert words in one.error.message

    async def test_what_a_step_sends_to_its_own_run_settles_in_the_order_of_the_record(self, path: pathlib.Path) -> None:
        # The wait's result is recorded before that of the step which ends it: live the race must go as in a replay.
        app = ig.App("shop")
        winners = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            wait = ctx.step.wait_for_event("wait", "ping", timeout="1d")
            winners.append((yield ctx.group.race(wait, ctx.step.send_event("send", ig.Event("ping")))).key)
            signal = ctx.step.wait_for_signal("signal", "s", timeout="1d")
            winners.append((yield ctx.group.race(ctx.step.send_signal("sends", "s"), signal)).key)
            yield ctx.step.sleep("nap", "1h")
            yield ig.Done(winners)

        one = await run_one(path, app)
        assert one.output == [0, 1, 0, 1]


class TestSignals:
    async def test_a_signal_brings_its_data_to_the_run_that_waits(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("waits", trigger="go")
        async def waits(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.wait_for_signal("wait", "approved", timeout="1d")))

        @app.function("sends", trigger="go")
        async def sends(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "1h")
            first = yield ctx.step.send_signal("send", "approved", {"by": "ann"})
            yield ctx.step.sleep("nap", "1h")
            second = yield ctx.step.send_signal("again", "approved")
            yield ig.Done([first, second])

        runs = await run(path, app)
        assert of(runs, "waits").output == {"by": "ann"}
        assert of(runs, "sends").output == [True, False]

    @pytest.mark.parametrize("wait_first", [True, False])
    async def test_a_run_can_signal_itself(self, path: pathlib.Path, wait_first: bool) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            wait = ctx.step.wait_for_signal("wait", "s", timeout="1d")
            send = ctx.step.send_signal("send", "s", 5)
            yield ctx.group.parallel(*((wait, send) if wait_first else (send, wait)))
            yield ig.Done([wait.result, send.result])

        assert (await run_one(path, app)).output == [5, True]

    async def test_a_timeout_gives_none_and_frees_the_signal(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            first = yield ctx.step.wait_for_signal("wait", "s", timeout="1h")
            second = yield ctx.step.wait_for_signal("again", "s", timeout="1h")
            yield ig.Done([first, second])

        assert (await run_one(path, app)).output == [None, None]

    async def test_a_conflict_fails_the_second_wait(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", ctx.data["after"])
            got = yield ctx.step.wait_for_signal("wait", "s", timeout="1d")
            yield ig.Done(got)

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go", {"after": 1}, id="first"), ig.Event("go", {"after": 2}, id="second"))
            await eventually(its_engine._idle)
            second, first = await its_engine.runs()
            assert outcome(await its_engine.wait(second.id)) == ("SignalConflict", "another step waits for the signal 's' already")
            assert (await its_engine.wait(first.id)).output is None

    async def test_replace_takes_the_wait_over(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", ctx.data["after"])
            yield ig.Done((yield ctx.step.wait_for_signal("wait", "s", timeout="1d", on_conflict="replace")))

        @app.function("sends", trigger="send")
        async def sends(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 3)
            yield ig.Done((yield ctx.step.send_signal("send", "s", "data")))

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go", {"after": 1}), ig.Event("go", {"after": 2}), ig.Event("send"))
            await eventually(its_engine._idle)
            third, second, first = await its_engine.runs()
            assert outcome(await its_engine.wait(first.id))[0] == "SignalReplaced"
            assert (await its_engine.wait(second.id)).output == "data"
            assert (await its_engine.wait(third.id)).output is True

    @pytest.mark.parametrize("asleep", [True, False])
    async def test_a_lost_race_frees_its_signal(self, path: pathlib.Path, asleep: bool) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            other = ctx.step.sleep("nap", "1m") if asleep else ctx.step.run("quick", lambda: None)
            yield ctx.group.race(ctx.step.wait_for_signal("lost", "s", timeout="30d"), other)
            yield ctx.step.sleep("later", "1h")
            yield ig.Done((yield ctx.step.wait_for_signal("wait", "s", timeout="30d")))

        @app.function("sends", trigger="go")
        async def sends(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", "30m")
            early = yield ctx.step.send_signal("early", "s", "early")
            yield ctx.step.sleep("nap", "1h")
            late = yield ctx.step.send_signal("late", "s", "late")
            yield ig.Done([early, late])

        runs = await run(path, app)
        assert of(runs, "f").output == "late"
        assert of(runs, "sends").output == [False, True]
        assert step(of(runs, "f"), "lost").status == "abandoned"

    async def test_a_cancelled_run_frees_its_signal(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("waits", trigger="go")
        async def waits(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.wait_for_signal("wait", "s", timeout="1d")

        @app.function("sends", trigger="send")
        async def sends(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.send_signal("send", "s")))

        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            assert [one.output for one in await its_engine.run(ig.Event("send"), timeout=20)] == [False]


def invoking(**options: Any) -> ig.App:
    """An app of which `f` invokes what the event names; `ok`, `bad`, `slow` and `plain` are there to be invoked."""
    app = ig.App("shop")

    @app.function("f", trigger="go", retries=0)
    async def f(ctx: ig.Context) -> ig.Flow:
        try:
            got = yield ctx.step.invoke("call", ctx.data["function"], ctx.data.get("data"), **options)
        except ig.StepError as error:
            got = {"name": error.name, "message": error.message, "stack": error.stack, "step": error.step_id}
        yield ig.Done(got)

    @app.function("ok", retries=0)
    async def ok(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "1h")
        yield ig.Done({"got": dict(ctx.data), "event": ctx.event.name, "meta": ctx.event.meta})

    @app.function("bad", retries=0)
    async def bad(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "1h")
        raise KeyError("oh no")

    @app.function("slow", retries=0)
    async def slow(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "2d")
        yield ig.Done("late")

    return app


class TestInvoke:
    @pytest.mark.parametrize("name", ["ok", "shop-ok"])
    async def test_the_result_of_the_function_is_the_steps(self, path: pathlib.Path, name: str) -> None:
        runs = await run(path, invoking(meta={"k": 1}), "go", {"function": name, "data": {"n": 3}})
        assert of(runs, "f").output == {"got": {"n": 3}, "event": "inngest/function.invoked", "meta": {"k": 1}}
        assert of(runs, "ok").parent_run_id == of(runs, "f").id
        assert of(runs, "ok").kind == "invoke"

    async def test_a_function_object_can_be_invoked_and_needs_no_data(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("g")
        async def g(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(dict(ctx.data))

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.invoke("call", g)))

        assert of(await run(path, app), "f").output == {}

    async def test_a_failure_carries_the_name_message_and_stack_of_the_invoked_functions_error(self, path: pathlib.Path) -> None:
        got = of(await run(path, invoking(), "go", {"function": "bad"}), "f").output
        assert (got["name"], got["message"], got["step"]) == ("KeyError", "'oh no'", "call")
        assert got["stack"].startswith("Traceback")
        assert 'raise KeyError("oh no")' in got["stack"]

    async def test_a_timeout_fails_the_step_and_the_invoked_run_goes_on(self, path: pathlib.Path) -> None:
        runs = await run(path, invoking(timeout="1d"), "go", {"function": "slow"})
        got = of(runs, "f").output
        assert (got["name"], got["message"]) == ("InngestInvokeTimeoutError", "Timed out waiting for invoked function to complete")
        assert of(runs, "slow").output == "late"

    async def test_an_unknown_function_fails_the_step(self, path: pathlib.Path) -> None:
        got = (await run_one(path, invoking(), "go", {"function": "nope"})).output
        assert (got["name"], got["message"]) == ("Error", "could not find function with ID: nope")

    async def test_a_cancelled_function_fails_the_step_by_a_name_of_its_own(self, path: pathlib.Path) -> None:
        async with engine(path, invoking(), clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go", {"function": "slow"}))
            await eventually(lambda: its_engine._timers and its_engine._idle())
            runs = await its_engine.runs()
            await its_engine.cancel(of(runs, "slow").id)
            assert (await its_engine.wait(of(runs, "f").id)).output["name"] == "InvokedRunCancelled"

    @pytest.mark.parametrize(("data", "name"), [([1], "TypeError"), ("text", "TypeError"), ({"x": "y" * 4 * 1024 * 1024}, "TooLarge")])
    async def test_data_that_is_no_object_or_too_large_fails_the_step(self, path: pathlib.Path, data: Any, name: str) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go", retries=0)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.invoke("call", "f", data)

        one = await run_one(path, app)
        assert one.error is not None
        assert one.error.name == name

    async def test_many_invokes_in_parallel_settle(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("g")
        async def g(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 20 - ctx.data["n"])
            yield ig.Done(ctx.data["n"])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.group.parallel(*(ctx.step.invoke("call", g, {"n": n}) for n in range(20)))))

        assert of(await run(path, app), "f").output == list(range(20))

    async def test_recursion_ends(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("fact", trigger="go")
        async def fact(ctx: ig.Context) -> ig.Flow:
            n = ctx.data["n"]
            yield ig.Done(1 if n == 0 else n * (yield ctx.step.invoke("less", "fact", {"n": n - 1})))

        runs = await run(path, app, "go", {"n": 10})
        assert runs[0].output == 3628800
        assert len(runs) == 11


async def test_two_loops_of_the_same_process_do_not_share_anything(path: pathlib.Path, anyio_backend_name: str) -> None:
    app = sleeper("1h")
    results = []

    async def other() -> None:
        results.append((await run_one(path.with_name("other.db"), sleeper("1h"))).output)

    await anyio.to_thread.run_sync(lambda: anyio.run(other, backend=anyio_backend_name))
    results.append((await run_one(path, app)).output)
    assert results == ["awake", "awake"]
