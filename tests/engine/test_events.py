"""Events in, and the events that the ends of runs make: triggers, wildcards, ids that count once, limits, failure handlers."""

import dataclasses
import pathlib
import sqlite3
from typing import Any

import anyio
import anyio.to_thread
import pytest

import inngest_gen as ig
from tests.engine.rig import START, all_of, engine, eventually, of, outcome, run, run_one, step


def echo(app: ig.App, id: str, *triggers: Any) -> None:
    """A function that gives the name and id of the event that started it."""

    @app.function(id, trigger=list(triggers))
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ig.Done([ctx.event.name, ctx.event.id])


class TestTriggers:
    async def test_one_event_starts_every_function_it_is_for_once(self, path: pathlib.Path) -> None:
        app, other = ig.App("shop"), ig.App("office")
        echo(app, "exact", "order/placed")
        echo(app, "wild", "order/*")
        echo(app, "both", "order/placed", "order/*", "*")
        echo(other, "elsewhere", ig.EventTrigger("order/placed"))
        echo(app, "not", "order")
        echo(app, "neither", "orders/*")
        async with engine(path, app, other) as its_engine:
            runs = await its_engine.run(ig.Event("order/placed"), timeout=20)
        assert sorted(one.function_id for one in runs) == ["office-elsewhere", "shop-both", "shop-exact", "shop-wild"]

    @pytest.mark.parametrize(
        ("pattern", "name", "matches"),
        [
            ("*", "anything", True),
            ("user/*", "user/created", True),
            ("user/*", "user/", True),
            ("user/*", "user/a/b", True),
            ("user/*", "user", False),
            ("user/*.done", "user/x.done", True),
            ("user/*.done", "user/xdone", False),
            ("*/created", "user/created", True),
            ("a.b", "axb", False),
            ("user/*", "user/line\nbreak", True),
        ],
    )
    async def test_wildcards(self, path: pathlib.Path, pattern: str, name: str, matches: bool) -> None:
        app = ig.App("shop")
        echo(app, "f", pattern)
        assert len(await run(path, app, name)) == matches

    async def test_a_typed_trigger_types_the_data_and_data_that_does_not_fit_fails_the_run(self, path: pathlib.Path) -> None:
        @dataclasses.dataclass
        class Order:
            id: str
            lines: list[int]

        placed = ig.EventType("order/placed", Order)
        app = ig.App("shop")

        @app.function("f", trigger=placed)
        async def f(ctx: ig.Context[Order]) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)
            yield ig.Done([type(ctx.data).__name__, ctx.data.lines, dict(ctx.event.data)])

        good = await run_one(path, app, placed(Order("o1", [1, 2])))
        assert good.output == ["Order", [1, 2], {"id": "o1", "lines": [1, 2]}]
        bad = await run_one(path, app, ig.Event("order/placed", {"id": "o2"}))
        assert bad.status == "failed"
        assert bad.error is not None
        assert bad.error.name == "SchemaError"
        assert "lines" in bad.error.message

    async def test_a_function_without_triggers_is_only_invoked(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done()

        assert await run(path, app, "f") == []


class TestEvents:
    async def test_what_a_handler_sees_of_its_event(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)
            event = ctx.event
            assert ctx.events == (event,)
            yield ig.Done([event.name, event.data, event.id, event.ts, event.meta, ctx.data])

        data = {"a": [1, 2.5, None], "b": {"c": "\u2603"}}
        one = await run_one(path, app, ig.Event("go", data, id="e1", ts=1_700_000_000_123, meta={"m": 1}))
        assert one.output == ["go", data, "e1", 1_700_000_000_123, {"m": 1}, data]
        assert one.event == ig.Event("go", data, id="e1", ts=1_700_000_000_123, meta={"m": 1})

    async def test_ids_and_times_are_filled_in(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "f", "go")
        async with engine(path, app) as its_engine:
            ids = await its_engine.send(ig.Event("go"), ig.Event("go"), ig.Event("go", id="mine"))
            assert len(set(ids)) == 3
            assert ids[2] == "mine"
            await eventually(its_engine._idle)
            assert [one.output[1] for one in reversed(await its_engine.runs())] == ids
            assert {one.event.ts for one in await its_engine.runs()} == {int(START * 1000)}
            assert await its_engine.send() == []

    async def test_the_same_id_starts_a_function_once_also_after_a_restart(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "f", "go")
        for _ in range(2):
            async with engine(path, app) as its_engine:
                assert await its_engine.send(ig.Event("go", {"n": 1}, id="e"), ig.Event("go", {"n": 2}, id="e")) == ["e", "e"]
                [one] = await its_engine.run(ig.Event("go", {"n": 3}, id="e"), timeout=20)
                assert one.event.data == {"n": 1}
                assert len(await its_engine.runs()) == 1

    async def test_the_same_id_does_not_end_a_wait_again(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            first = yield ctx.step.wait_for_event("first", "ping", timeout="1d")
            second = yield ctx.step.wait_for_event("second", "ping", timeout="1d")
            yield ig.Done([first and first.data["n"], second and second.data["n"]])

        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go"))
            for n in (1, 2):
                await eventually(lambda: its_engine._timers and its_engine._idle())
                await its_engine.send(ig.Event("ping", {"n": n}, id="same"), ig.Event("ping", {"n": n * 10}, id=f"other {n}"))
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert one.output in ([1, 10], [1, 20])

    async def test_a_run_id_sorts_by_creation(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "f", "go")
        async with engine(path, app) as its_engine:
            await its_engine.send(*(ig.Event("go", {"n": n}) for n in range(30)))
            runs = await its_engine.runs()
        assert [one.event.data["n"] for one in sorted(runs, key=lambda one: one.id)] == list(range(30))

    @pytest.mark.parametrize("name", ["inngest/mine", "Inngest/function.finished", "INNGEST/"])
    async def test_reserved_names_are_refused(self, path: pathlib.Path, name: str) -> None:
        app = ig.App("shop")
        async with engine(path, app) as its_engine:
            with pytest.raises(ig.EngineError, match="reserved"):
                await its_engine.send(ig.Event("fine"), ig.Event(name))
            with pytest.raises(ig.EngineError, match="reserved"):
                await its_engine.run(ig.Event(name))
        assert events(path) == []  # all or none

    async def test_the_engines_own_key_is_taken_out(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done([ctx.data, ctx.event.data])

        assert (await run_one(path, app, "go", {"_inngest": {"fn_slug": "x"}, "n": 1})).output == [{"n": 1}, {"n": 1}]

    @pytest.mark.parametrize("ts", [0, -1, 315_531_999_999, 4_102_444_800_000, 1_700_000_000])
    async def test_a_time_outside_1980_to_2100_is_refused(self, path: pathlib.Path, ts: int) -> None:
        async with engine(path, ig.App("shop")) as its_engine:
            with pytest.raises(ig.EngineError, match="epoch milliseconds"):
                await its_engine.send(ig.Event("go", ts=ts))

    async def test_an_event_may_have_4_mib_of_data_and_no_more(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(len(ctx.data["t"]))

        room = 4 * 1024 * 1024 - len('{"t":""}')
        assert (await run_one(path, app, "go", {"t": "x" * room})).output == room
        async with engine(path, app) as its_engine:
            with pytest.raises(ig.TooLarge, match=r"event 'go' has 4,194,305 bytes; the limit is 4,194,304"):
                await its_engine.send(ig.Event("go", {"t": "x" * (room + 1)}))

    async def test_a_result_may_have_4_mib_and_no_more(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        room = 4 * 1024 * 1024 - 2

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            fits = yield ctx.step.run("fits", lambda: "x" * room)
            try:
                yield ctx.step.run("too large", lambda: "x" * (room + 1))
            except ig.StepError as error:
                yield ig.Done([len(fits), error.name, error.message])

        one = await run_one(path, app)
        assert one.output == [room, "TooLarge", "the result of step.run 'too large' has 4,194,305 bytes; the limit is 4,194,304"]
        assert len(step(one, "too large").attempts) == 1

    async def test_a_functions_result_has_the_same_limit(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> str:
            return "x" * 5_000_000

        one = await run_one(path, app)
        assert outcome(one) == ("TooLarge", "the result of function 'f' has 5,000,002 bytes; the limit is 4,194,304")

    @pytest.mark.parametrize(
        "event", [ig.Event("nan", {"x": float("nan")}), ig.Event("set", {"x": {1}}), ig.Event("meta", meta={"x": {1}})]
    )
    async def test_what_is_no_json_is_refused(self, path: pathlib.Path, event: ig.Event) -> None:
        async with engine(path, ig.App("shop")) as its_engine:
            with pytest.raises(ig.NotJSON, match=event.name):
                await its_engine.send(event)

    @pytest.mark.parametrize("event", [ig.Event("x\ud800"), ig.Event("x", id="\udfff")])
    async def test_text_that_utf8_cannot_hold_is_refused(self, path: pathlib.Path, event: ig.Event) -> None:
        async with engine(path, ig.App("shop")) as its_engine:
            with pytest.raises(ig.EngineError, match="surrogate"):
                await its_engine.send(event)

    async def test_what_is_no_event_is_refused(self, path: pathlib.Path) -> None:
        async with engine(path, ig.App("shop")) as its_engine:
            with pytest.raises(TypeError, match="send takes ig.Event values, not str"):
                await its_engine.send("go")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="send takes ig.Event values, not dict"):
                await its_engine.run({"name": "go"})  # type: ignore[arg-type]

    async def test_many_events_in_one_call_are_one_commit(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "f", "go")
        async with engine(path, app) as its_engine:
            before = its_engine._writer.commits
            ids = await its_engine.send(*(ig.Event("other") for _ in range(500)))
            assert its_engine._writer.commits == before + 1
            assert len(set(ids)) == 500


def events(path: pathlib.Path) -> list[str]:
    """The names of the stored events."""
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM events ORDER BY seq")]
    connection.close()
    return names


class TestSending:
    async def test_app_send_goes_to_the_engine_of_this_process(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "f", "go")
        with pytest.raises(ig.ConfigError, match="no engine runs app 'shop'"):
            await app.send(ig.Event("go"))
        async with engine(path, app) as its_engine:
            [id] = await app.send(ig.Event("go"))
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert one.output == ["go", id]
        with pytest.raises(ig.ConfigError, match="no engine runs app 'shop'"):
            await app.send(ig.Event("go"))

    async def test_send_sync_from_a_thread(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "f", "go")
        async with engine(path, app) as its_engine:
            [id] = await anyio.to_thread.run_sync(app.send_sync, ig.Event("go"))
            await eventually(its_engine._idle)
            [one] = await its_engine.runs()
            assert one.output == ["go", id]
            with pytest.raises(ig.EngineError, match="reserved"):
                await anyio.to_thread.run_sync(app.send_sync, ig.Event("inngest/x"))
            with pytest.raises(TypeError, match="ig.Event"):
                await anyio.to_thread.run_sync(app.send_sync, "go")  # type: ignore[arg-type]

    async def test_send_sync_in_a_loop_is_a_mistake(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        async with engine(path, app):
            with pytest.raises(ig.MisuseError, match="await app.send"):
                app.send_sync(ig.Event("go"))

    async def test_bodies_send_sync_and_async(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "child", "child")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            a = yield ctx.step.run("sync", lambda: app.send_sync(ig.Event("child")))
            b = yield ctx.step.run("async", app.send, ig.Event("child"))
            yield ig.Done([*a, *b])

        async with engine(path, app) as its_engine:
            [one] = await its_engine.run(ig.Event("go"), timeout=20)
            await eventually(its_engine._idle)
            assert [child.output[1] for child in reversed(await its_engine.runs(function="child"))] == one.output


def shop() -> tuple[ig.App, list[Any]]:
    """An app with functions that end in each way, and one that listens to every event of an end."""
    app = ig.App("shop")
    heard: list[Any] = []

    @app.function("ok", trigger="ok", retries=0)
    async def ok(ctx: ig.Context) -> ig.Flow:
        yield ig.Done({"fine": True})

    @app.function("bad", trigger="bad", retries=0)
    async def bad(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", lambda: None)
        raise ValueError("oh no")

    @app.function("long", trigger="long")
    async def long(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", "30d")

    @app.function("listens", trigger=["inngest/function.finished", "inngest/function.failed", "inngest/function.cancelled"], retries=0)
    async def listens(ctx: ig.Context) -> ig.Flow:
        heard.append((ctx.event.name.removeprefix("inngest/function."), ctx.event))
        yield ctx.step.run("a", lambda: None)
        raise ValueError("a listener that fails")

    return app, heard


class TestFinishEvents:
    async def test_a_completed_run(self, path: pathlib.Path) -> None:
        app, heard = shop()
        runs = await run(path, app, ig.Event("ok", {"n": 1}, id="e", meta={"k": 1}))
        [(kind, event)] = heard
        ended = of(runs, "ok")
        assert kind == "finished"
        assert event.data["function_id"] == "shop-ok"
        assert event.data["run_id"] == ended.id
        assert event.data["result"] == {"fine": True}
        assert "error" not in event.data
        assert event.data["_inngest"] == {"status": "Completed"}
        assert event.data["event"] == event.data["events"][0]
        assert {key: event.data["event"][key] for key in ("name", "data", "id")} == {"name": "ok", "data": {"n": 1}, "id": "e"}
        assert event.meta == {"k": 1}

    async def test_a_failed_run(self, path: pathlib.Path) -> None:
        app, heard = shop()
        runs = await run(path, app, "bad")
        assert sorted(kind for kind, _ in heard) == ["failed", "finished"]
        for kind, event in heard:
            error = event.data["error"]
            assert (error["error"], error["name"], error["message"]) == ("ValueError: oh no", "ValueError", "oh no")
            assert error["stack"].startswith("Traceback")
            if kind == "failed":
                assert event.id == of(runs, "bad").id

    async def test_a_cancelled_run(self, path: pathlib.Path) -> None:
        app, heard = shop()
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("long"))
            await eventually(lambda: its_engine._timers and its_engine._idle())
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            await eventually(its_engine._idle)
        # Runs that function.cancelled started tell of their own ends (I42); those of finished and failed don't.
        assert sorted(kind for kind, _ in heard) == ["cancelled", "failed", "finished", "finished"]
        assert [event.data["_inngest"]["status"] for kind, event in heard if kind == "cancelled"] == ["Cancelled"]

    async def test_failing_listeners_do_not_go_on_for_ever(self, path: pathlib.Path) -> None:
        app, heard = shop()
        runs = await run(path, app, "ok")
        assert len(heard) == 1
        assert of(runs, "listens").status == "failed"

    async def test_nothing_is_stored_where_nobody_listens(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "f", "go")
        await run(path, app)
        assert events(path) == ["go"]

    async def test_a_step_can_wait_for_the_end_of_a_function(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        echo(app, "other", "other")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            _, ended = yield ctx.group.parallel(
                ctx.step.send_event("send", ig.Event("other")),
                ctx.step.wait_for_event("wait", "inngest/function.finished", timeout="1d"),
            )
            yield ig.Done(ended and ended.data["function_id"])

        assert of(await run(path, app), "f").output == "shop-other"


class TestOnFailure:
    def app(self, seen: list[Any], **options: Any) -> ig.App:
        app = ig.App("shop")

        async def failed(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)
            assert ctx.error is not None
            seen.append(ctx)
            yield ig.Done([ctx.error.name, ctx.error.message, ctx.event.data["event"]["data"], ctx.event.data["run_id"]])

        @app.function("f", trigger="go", retries=0, on_failure=failed, **options)
        async def f(ctx: ig.Context) -> ig.Flow:
            how = ctx.data.get("how", "fail")
            if how == "fail":
                raise ValueError("oh no")
            if how == "parallel":
                yield ctx.group.parallel(ctx.step.run("a", lambda: 1 / 0), ctx.step.run("b", lambda: 1 / 0))
            yield ctx.step.sleep("nap", "30d")

        return app

    async def test_it_runs_once_when_a_run_has_failed(self, path: pathlib.Path) -> None:
        seen: list[Any] = []
        runs = await run(path, self.app(seen), "go", {"n": 1})
        failed, handler = of(runs, "f"), of(runs, "f-failure")
        assert handler.output == ["ValueError", "oh no", {"n": 1}, failed.id]
        assert handler.parent_run_id == failed.id
        assert handler.kind == "failure"
        assert handler.event.name == "inngest/function.failed"
        assert seen[0].error.stack.startswith("Traceback")

    async def test_two_failing_branches_are_one_failure(self, path: pathlib.Path) -> None:
        runs = await run(path, self.app([]), "go", {"how": "parallel"})
        assert of(runs, "f-failure").output[0] == "ExceptionGroup"

    async def test_it_does_not_run_for_a_cancelled_or_a_completed_run(self, path: pathlib.Path) -> None:
        app = self.app([])
        async with engine(path, app, clock=ig.VirtualClock(START)) as its_engine:
            await its_engine.send(ig.Event("go", {"how": "sleep"}))
            await eventually(lambda: its_engine._timers and its_engine._idle())
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            await eventually(its_engine._idle)
            assert [run.status for run in await its_engine.runs()] == ["cancelled"]
        assert len(await run(path.with_name("2.db"), app, "go", {"how": "complete"})) == 1

    async def test_a_failing_failure_handler_has_one_attempt_and_no_handler_of_its_own(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        attempts = []

        async def failed(ctx: ig.Context) -> None:
            attempts.append(ctx.attempt)
            raise RuntimeError("worse")

        @app.function("f", trigger="go", retries=0, backoff=1, on_failure=failed)
        async def f(ctx: ig.Context) -> None:
            raise ValueError("oh no")

        runs = await run(path, app)
        assert attempts == [0]
        assert len(runs) == 2
        assert outcome(of(runs, "f-failure")) == ("RuntimeError", "worse")

    async def test_other_functions_hear_of_the_failure_as_well(self, path: pathlib.Path) -> None:
        seen: list[Any] = []
        app = self.app(seen)
        echo(app, "alarm", "inngest/function.failed")
        runs = await run(path, app)
        assert len(all_of(runs, "alarm")) == len(all_of(runs, "f-failure")) == 1

    async def test_a_typed_function_and_an_invoked_one_have_failure_handlers(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        seen = []

        async def failed(ctx: ig.Context) -> None:
            seen.append((ctx.error and ctx.error.message, ctx.event.data["event"]["name"]))

        @app.function("callee", retries=0, on_failure=failed)
        async def callee(ctx: ig.Context) -> None:
            raise ValueError("called")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.invoke("call", callee)
            except ig.StepError as error:
                yield ig.Done(error.message)

        runs = await run(path, app)
        assert of(runs, "f").output == "called"
        assert seen == [("called", "inngest/function.invoked")]
