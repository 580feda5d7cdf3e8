"""Defers in the engine: each deferred function starts once when its parent has ended, however that ended and whatever happened on the way."""

import dataclasses
import logging
import pathlib
import threading
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pydantic
import pytest

import inngest_gen as ig
from tests.engine.rig import START, Gate, all_of, engine, eventually, of, outcome, run, run_one


def shop(**options: Any) -> tuple[ig.App, Any]:
    """An app with a deferred function that gives what it was told and who told it."""
    app = ig.App("shop", **options)

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)
        yield ig.Done({"data": dict(ctx.data), "parent": ctx.parents[0].run_id, "slug": ctx.parents[0].fn_slug})

    return app, note


def notes(runs: list[ig.Run]) -> list[Any]:
    return [one.output["data"] for one in all_of(runs, "note")]


def statuses(one: ig.Run) -> list[tuple[str, str]]:
    return [(defer.id, defer.status) for defer in one.defers]


class TestScheduling:
    async def test_a_deferred_function_runs_after_its_parent_and_knows_it(self, path: pathlib.Path) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"n": 1})
            yield ctx.step.sleep("nap", "1h")
            yield ig.Done("end")

        runs = await run(path, app)
        parent, child = of(runs, "f"), of(runs, "note")
        assert child.output == {"data": {"n": 1}, "parent": parent.id, "slug": "shop-f"}
        assert child.parent_run_id == parent.id
        assert child.kind == "defer"
        assert parent.ended is not None
        assert child.created >= parent.ended
        [defer] = parent.defers
        assert (defer.status, defer.run_id, defer.data, defer.function_id) == ("scheduled", child.id, {"n": 1}, "shop-note")

    @pytest.mark.parametrize("end", ["completed", "failed", "failed step", "cancelled"])
    async def test_however_the_parent_ends(self, path: pathlib.Path, end: str) -> None:
        app, note = shop(backoff=1)

        def broken() -> None:
            raise ValueError("broken")

        @app.function("f", trigger="go", retries=2)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})
            if end == "failed":
                raise ValueError("broken")
            if end == "failed step":
                yield ctx.step.run("broken", broken)
            yield ctx.step.sleep("nap", "1d")

        async with engine(path, app, clock=ig.VirtualClock(START, jumps=end != "cancelled")) as its_engine:
            await its_engine.send(ig.Event("go"))
            if end == "cancelled":
                await eventually(lambda: its_engine._timers and its_engine._idle())
                [one] = await its_engine.runs()
                await its_engine.cancel(one.id)
                its_engine._clock.jumps = True  # type: ignore[attr-defined]
                its_engine._look_idle()
            with anyio.fail_after(20):
                [parent] = await its_engine.runs(function="f")
                parent = await its_engine.wait(parent.id)
                [child] = await its_engine.runs(function="note")
                assert (await its_engine.wait(child.id)).status == "completed"
        assert parent.status == end.split()[0]
        assert statuses(parent) == [("d", "scheduled")]

    async def test_a_handler_without_steps_and_a_plain_one(self, path: pathlib.Path) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"from": "f"})

        @app.function("g", trigger="go")
        async def g(ctx: ig.Context) -> None:
            ctx.defer("d", note, {"from": "g"}).submit()

        assert sorted(notes(await run(path, app)), key=str) == [{"from": "f"}, {"from": "g"}]

    async def test_they_are_scheduled_in_the_order_of_their_calls(self, path: pathlib.Path) -> None:
        app, note = shop()

        def body(ctx: ig.Context, n: int) -> None:
            ctx.defer(f"b{n}", note, {"n": n}).submit()

        async def leg(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("leg", note, {"n": 3})
            yield ctx.step.run("in leg", body, ctx, 4)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("first", note, {"n": 1})
            yield ctx.step.run("body", body, ctx, 2)
            yield leg(ctx)
            yield ctx.step.sleep("nap", 1)
            yield ctx.defer("last", note, {"n": 5})

        runs = await run(path, app)
        assert notes(runs) == [{"n": n} for n in range(1, 6)]
        assert [defer.id for defer in of(runs, "f").defers] == ["first", "b2", "leg", "b4", "last"]

    async def test_everywhere_a_body_may_defer(self, path: pathlib.Path) -> None:
        app, note = shop()

        def sync(ctx: ig.Context) -> None:
            ctx.defer("sync", note, {"at": "sync"}).submit()
            ig.defer("sync by contextvar", note, {"at": "contextvar"}).submit()

        async def async_(ctx: ig.Context) -> None:
            ctx.defer("async", note, {"at": "async"}).submit()

        async def generator(ctx: ig.Context) -> AsyncGenerator[Any, Any]:
            handle = yield ctx.defer("generator", note, {"at": "generator"})
            assert handle.id == "generator"
            gone = yield ig.defer("gone", note, {})
            yield gone.abort()
            yield ig.Done("done")

        async def branch(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("branch", note, {"at": "branch"})
            yield ctx.step.sleep("nap", 1)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("sync", sync, ctx)
            yield ctx.step.run("async", async_, ctx)
            assert (yield ctx.step.run("generator", generator, ctx)) == "done"
            yield ctx.group.parallel(branch(ctx))
            try:
                yield ctx.step.sleep("nap", 1)
            finally:
                yield ctx.defer("finally", note, {"at": "finally"})

        runs = await run(path, app)
        assert of(runs, "f").status == "completed"
        assert [data["at"] for data in notes(runs)] == ["sync", "contextvar", "async", "generator", "branch", "finally"]

    async def test_defers_of_failed_attempts_are_kept_once(self, path: pathlib.Path) -> None:
        app, note = shop(backoff=1)
        calls = []

        def body(ctx: ig.Context) -> None:
            calls.append(ctx.attempt)
            ctx.defer("always", note, {"at": "body"}).submit()
            ctx.defer(f"attempt {ctx.attempt}", note, {"at": ctx.attempt}).submit()
            if ctx.attempt < 2:
                raise ValueError("again")

        entered = []

        @app.function("f", trigger="go", retries=3)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("handler", note, {"at": "handler"})
            yield ctx.step.run("body", body, ctx)
            entered.append(1)
            yield ctx.defer(f"entered {len(entered)}", note, {"at": "entered"})
            if len(entered) < 3:
                raise ValueError("again")

        runs = await run(path, app)
        parent = of(runs, "f")
        assert parent.status == "completed"
        expected = ["handler", "always", "attempt 0", "attempt 1", "attempt 2", "entered 1", "entered 2", "entered 3"]
        assert [id for id, _ in statuses(parent)] == expected
        assert len(all_of(runs, "note")) == len(expected)
        assert calls == [0, 1, 2]

    async def test_a_deferred_function_may_defer_again(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.deferred("count")
        async def count(ctx: ig.DeferContext) -> ig.Flow:
            if ctx.data["n"]:
                yield ctx.defer("less", count, {"n": ctx.data["n"] - 1})
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(ctx.data["n"])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", count, {"n": 3})

        assert [one.output for one in all_of(await run(path, app), "count")] == [3, 2, 1, 0]

    async def test_a_failing_deferred_run_has_a_failure_handler(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        seen = []

        async def failed(ctx: ig.Context) -> None:
            seen.append(str(ctx.error))

        @app.deferred("bad", retries=0, on_failure=failed)
        async def bad(ctx: ig.DeferContext) -> None:
            raise ValueError("bad")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", bad, {})

        runs = await run(path, app)
        assert of(runs, "f").status == "completed"
        assert seen == ["ValueError: bad"]

    async def test_meta_and_experiment_are_carried(self, path: pathlib.Path) -> None:
        app = ig.App("shop")

        @app.deferred("note")
        async def note(ctx: ig.DeferContext) -> ig.Flow:
            yield ig.Done([ctx.event.meta, ctx.parents[0].experiment, dict(ctx.data), dict(ctx.event.data)])

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"n": 1}, meta={"k": "v"}, experiment={"arm": "b"})

        runs = await run(path, app)
        assert of(runs, "note").output == [{"k": "v"}, {"arm": "b"}, {"n": 1}, {"n": 1}]
        [defer] = of(runs, "f").defers
        assert (defer.meta, defer.experiment) == ({"k": "v"}, {"arm": "b"})

    async def test_a_later_run_of_the_same_function_defers_by_itself(self, path: pathlib.Path) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"run": ctx.run_id})

        async with engine(path, app) as its_engine:
            for _ in range(3):
                runs = await its_engine.run(ig.Event("go"), timeout=20)
                assert notes(runs) == [{"run": of(runs, "f").id}]

    async def test_the_deferred_event_id_is_the_servers(self, path: pathlib.Path) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("foo", note, {})

        child = of(await run(path, app), "note")
        assert child.event.name == "inngest/deferred.schedule"
        assert child.event.id is not None
        assert child.parent_run_id is not None
        assert child.event.id[:10] == child.parent_run_id[:10]  # B26: the parent's timestamp


class TestAborts:
    @pytest.mark.parametrize("between", ["nothing", "step", "sleep", "body"])
    async def test_an_aborted_defer_never_runs(self, path: pathlib.Path, between: str) -> None:
        app, note = shop()

        def abort(handle: Any) -> None:
            handle.abort().submit()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("d", note, {})
            if between == "step":
                yield ctx.step.run("between", lambda: None)
            elif between == "sleep":
                yield ctx.step.sleep("between", "1h")
            if between == "body":
                yield ctx.step.run("abort", abort, handle)
            else:
                yield handle.abort()
            yield ctx.step.sleep("nap", "1h")

        runs = await run(path, app)
        assert [one.function_id for one in runs] == ["shop-f"]
        assert runs[0].status == "completed"
        assert statuses(runs[0]) == ([] if between == "nothing" else [("d", "aborted")])

    async def test_an_abort_is_final(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("d", note, {})
            yield ctx.step.sleep("nap", 1)
            yield handle.abort()
            yield handle.abort()
            yield ctx.step.sleep("nap", 1)
            yield ctx.defer("d", note, {"again": True})

        runs = await run(path, app)
        assert len(runs) == 1
        assert statuses(runs[0]) == [("d", "aborted")]
        assert runs[0].defers[0].data is None

    async def test_an_abort_in_a_failed_attempt_holds(self, path: pathlib.Path) -> None:
        app, note = shop(backoff=1)

        def body(ctx: ig.Context, handle: Any) -> None:
            if ctx.attempt == 0:
                handle.abort().submit()
                raise ValueError("again")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("d", note, {})
            yield ctx.step.run("body", body, ctx, handle)

        assert len(await run(path, app)) == 1


class TestMisuse:
    async def test_the_same_id_twice_starts_one_run_with_the_first_data(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"n": 0})
            yield ctx.step.sleep("nap", "1h")
            yield ctx.defer("d", note, {"n": 1})

        runs = await run(path, app)
        assert notes(runs) == [{"n": 0}]
        warned = [record for record in caplog.records if record.message == "defer skipped: duplicate ID within run"]
        assert {record.id for record in warned} == {"d"}  # type: ignore[attr-defined]
        assert {record.run_id for record in warned} == {of(runs, "f").id}  # type: ignore[attr-defined]

    async def test_misuse_is_logged_skipped_and_kept_in_the_record(self, path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
        app, note = shop()

        @app.function("g")
        async def g(ctx: ig.Context) -> None:
            pass

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("not deferred", g, {})  # type: ignore[arg-type]
            yield ctx.defer("no object", note, [1])
            yield ctx.defer("nan", note, {"x": float("nan")})
            yield ctx.defer("meta", note, {}, meta={"sessions": {"a": {}}})
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("fine")

        one = await run_one(path, app)
        assert one.output == "fine"
        assert statuses(one) == [(id, "rejected") for id in ("not deferred", "no object", "nan", "meta")]
        assert all(defer.reason for defer in one.defers)
        assert sum("skipped" in record.message for record in caplog.records) == 4  # once each, not in the replay again

    async def test_its_handle_is_the_same_in_a_replay(self, path: pathlib.Path) -> None:
        """What was skipped as it was made is not active; what is found out later, or refused by the engine, was active when it was made."""
        app, note = shop()
        elsewhere = ig.App("elsewhere")

        @elsewhere.deferred("far")
        async def far(ctx: ig.DeferContext) -> None:
            pass

        async def slow_check(data: Any) -> Any:
            raise ValueError("never right")

        @app.deferred("picky", schema=slow_check)
        async def picky(ctx: ig.DeferContext) -> None:
            pass

        seen: list[list[bool]] = []

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            good = yield ctx.defer("good", note, {})
            again = yield ctx.defer("good", note, {})
            bad = yield ctx.defer("no object", note, [1])
            quiet = ctx.defer("quiet", note, [1]).submit()
            asked = yield ctx.defer("asked", picky, {})
            later = ctx.defer("later", picky, {}).submit()
            gone = yield ctx.defer("gone", note, {})
            unserved = yield ctx.defer("unserved", far, {})
            seen.append([handle.active for handle in (good, again, bad, quiet, asked, later, gone, unserved)])
            yield ctx.step.sleep("nap", 1)
            yield gone.abort()
            yield ctx.step.sleep("another nap", 1)

        one = of(await run(path, app), "f")
        assert one.status == "completed"
        assert seen == [[True, False, False, False, False, True, True, True]] * len(seen)
        assert len(seen) == 3  # live, and in two replays
        assert dict(statuses(one)) == {
            "good": "scheduled", "no object": "rejected", "quiet": "rejected", "asked": "rejected", "later": "rejected", "gone": "aborted",
            "unserved": "rejected",
        }  # fmt: skip

    async def test_raised_where_the_app_says_so(self, path: pathlib.Path) -> None:
        app, note = shop(defer_errors="raise")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.defer("d", note, [1])
            except ig.DeferError as error:
                yield ctx.step.sleep("nap", 1)
                yield ig.Done(error.defer_id)

        assert (await run_one(path, app)).output == "d"

    async def test_where_it_is_raised_a_replay_raises_at_the_21st_as_well(self, path: pathlib.Path) -> None:
        app, note = shop(defer_errors="raise")

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            raised = []
            for n in range(22):
                try:
                    yield ctx.defer(f"d{n}", note, {})
                except ig.DeferError as error:
                    raised.append(str(error))
            yield ctx.step.run(f"after {len(raised)}", str)
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(raised)

        one = of(await run(path, app), "f")
        assert one.output == [f"defer 'd{n}' skipped: a run has at most 20 defers" for n in (20, 21)]
        assert [status for _, status in statuses(one)] == ["scheduled"] * 20 + ["rejected"] * 2

    async def test_a_function_of_an_app_that_is_not_served_here_is_rejected(self, path: pathlib.Path) -> None:
        _, note = shop()
        other = ig.App("other")

        @other.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})

        one = await run_one(path, other)
        assert one.status == "completed"
        assert [(defer.status, defer.reason) for defer in one.defers] == [("rejected", "no function 'shop-note' is served here")]

    async def test_a_function_of_another_app_of_the_engine_runs(self, path: pathlib.Path) -> None:
        app, note = shop()
        other = ig.App("other")

        @other.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"n": 1})

        async with engine(path, app, other) as its_engine:
            assert notes(await its_engine.run(ig.Event("go"), timeout=20)) == [{"n": 1}]

    @pytest.mark.parametrize("misuse", ["log", "raise"])
    @pytest.mark.parametrize("fails", [False, True], ids=["suspended", "failed attempt"])
    async def test_one_that_was_taken_back_before_it_was_sent_does_not_count_in_a_replay(
        self, path: pathlib.Path, misuse: Any, fails: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        app, note = shop(defer_errors=misuse)
        attempts: list[int] = []

        @app.function("f", trigger="go", backoff=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            first = yield ctx.defer("first", note, {})
            yield first.abort()
            for number in range(20):
                yield ctx.defer(f"d{number}", note, {"n": number})
            attempts.append(ctx.attempt)
            if fails and len(attempts) == 1:
                raise OSError("once")
            yield ctx.step.sleep("nap", 1)

        runs = await run(path, app)
        one = of(runs, "f")
        assert one.status == "completed", one.error
        assert statuses(one) == [(f"d{number}", "scheduled") for number in range(20)]
        assert len(all_of(runs, "note")) == 20
        assert "skipped" not in caplog.text

    @pytest.mark.parametrize("side_by_side", [False, True])
    async def test_at_most_20_a_run(self, path: pathlib.Path, side_by_side: bool, caplog: pytest.LogCaptureFixture) -> None:
        app, note = shop()
        together = threading.Barrier(3)

        def body(ctx: ig.Context, start: int) -> None:
            for n in range(start, start + 8):
                ctx.defer(f"d{n}", note, {"n": n}).submit()
            if side_by_side:
                together.wait(20)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            steps = [ctx.step.run(f"body {start}", body, ctx, start) for start in (0, 8, 16)]
            if side_by_side:
                yield ctx.group.parallel(*steps)
            else:
                for one in steps:
                    yield one
            yield ctx.step.sleep("nap", 1)
            yield ig.Done("fine")

        runs = await run(path, app)
        assert of(runs, "f").output == "fine"
        assert len(all_of(runs, "note")) == 20
        rejected = [defer for defer in of(runs, "f").defers if defer.status == "rejected"]
        assert [defer.reason for defer in rejected] == ["a run has at most 20 defers"] * 4
        assert "a run has at most 20 defers" in caplog.text

    @pytest.mark.parametrize("side_by_side", [False, True])
    async def test_at_most_4_mib_in_all(self, path: pathlib.Path, side_by_side: bool) -> None:
        app, note = shop()
        together = threading.Barrier(3)

        def body(ctx: ig.Context, n: int) -> None:
            ctx.defer(f"d{n}", note, {"text": "x" * 2_000_000}).submit()
            if side_by_side:
                together.wait(20)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            steps = [ctx.step.run(f"body {n}", body, ctx, n) for n in range(3)]
            if side_by_side:
                yield ctx.group.parallel(*steps)
            else:
                for one in steps:
                    yield one

        runs = await run(path, app)
        assert len(all_of(runs, "note")) == 2
        assert sorted(status for _, status in statuses(of(runs, "f"))) == ["rejected", "scheduled", "scheduled"]

    async def test_one_input_of_more_than_4_mib_is_rejected(self, path: pathlib.Path) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("big", note, {"text": "x" * 4 * 1024 * 1024})
            yield ctx.defer("small", note, {"text": "x"})

        runs = await run(path, app)
        assert statuses(of(runs, "f")) == [("big", "rejected"), ("small", "scheduled")]


class Receipt(pydantic.BaseModel):
    to: str
    lines: list[int] = []


@dataclasses.dataclass
class Letter:
    to: str


async def checked(data: Any) -> dict[str, Any]:
    await anyio.sleep(0)
    if "to" not in data:
        raise ValueError("nobody to send it to")
    return {**data, "checked": True}


class TestSchemas:
    @pytest.mark.parametrize(
        ("schema", "data", "seen"),
        [
            (Receipt, Receipt(to="ann"), "Receipt(to='ann', lines=[])"),
            (Receipt, {"to": "ann", "lines": ["1"]}, "Receipt(to='ann', lines=[1])"),
            (Letter, Letter("ann"), "Letter(to='ann')"),
            (checked, {"to": "ann"}, "{'to': 'ann', 'checked': True}"),
        ],
    )
    async def test_data_is_checked_where_it_is_deferred_and_typed_on_the_other_side(
        self, path: pathlib.Path, schema: Any, data: Any, seen: str
    ) -> None:
        app = ig.App("shop")

        @app.deferred("typed", schema=schema)
        async def typed(ctx: ig.DeferContext[Any]) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(repr(ctx.data).replace("Receipt(", "Receipt(").split(".")[-1])

        def body(ctx: ig.Context) -> None:
            ctx.defer("in body", typed, data).submit()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("yielded", typed, data)
            yield ctx.step.run("body", body, ctx)

        assert [one.output for one in all_of(await run(path, app), "typed")] == [seen, seen]

    @pytest.mark.parametrize(("schema", "data"), [(Receipt, {"lines": []}), (checked, {}), (Letter, {"too": "x"})])
    async def test_data_that_does_not_fit_is_skipped(self, path: pathlib.Path, schema: Any, data: Any) -> None:
        app = ig.App("shop")

        @app.deferred("typed", schema=schema)
        async def typed(ctx: ig.DeferContext[Any]) -> ig.Flow:
            yield ig.Done()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", typed, data)
            yield ig.Done("fine")

        one = await run_one(path, app)
        assert one.output == "fine"
        assert statuses(one) == [("d", "rejected")]

    async def test_data_that_no_longer_fits_fails_the_deferred_run_without_retries(self, path: pathlib.Path) -> None:
        app = ig.App("shop")
        calls = []

        def picky(data: Any) -> Any:
            calls.append(1)
            if len(calls) > 1:
                raise ValueError("changed my mind")
            return data

        @app.deferred("typed", schema=picky)
        async def typed(ctx: ig.DeferContext[Any]) -> ig.Flow:
            raise AssertionError("not reached")
            yield

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", typed, {})

        child = of(await run(path, app), "typed")
        assert child.status == "failed"
        assert "changed my mind" in outcome(child)[1]
        assert len(calls) == 2

    def test_a_schema_that_is_no_object_is_refused_where_it_is_declared(self) -> None:
        app = ig.App("shop")
        with pytest.raises((TypeError, ig.ConfigError)):
            app.deferred("d", schema=int)


class TestCancellation:
    async def test_defers_that_were_kept_are_scheduled_and_those_in_flight_are_logged_as_dropped(
        self, path: pathlib.Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        app, note = shop()
        gate = Gate()

        async def body(ctx: ig.Context) -> None:
            ctx.defer("in flight", note, {}).submit()
            await gate.passed()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("kept", note, {"n": 1})
            yield ctx.step.run("quick", lambda: None)
            yield ctx.defer("unsent", note, {})
            yield ctx.step.run("body", body, ctx)

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await gate.reached.wait()
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            with anyio.fail_after(20):
                runs = [await its_engine.wait(run.id) for run in await its_engine.runs()]
        assert of(runs, "f").status == "cancelled"
        assert notes(runs) == [{"n": 1}]
        for id in ("in flight", "unsent"):
            assert f"defer {id!r} of run {one.id} is dropped" in caplog.text

    async def test_defers_of_a_blocking_thread_that_ends_after_the_cancel_go_nowhere(self, path: pathlib.Path) -> None:
        app, note = shop()
        entered, free, left = threading.Event(), threading.Event(), threading.Event()

        def body(ctx: ig.Context) -> None:
            entered.set()
            free.wait(20)
            ctx.defer("late", note, {}).submit()
            left.set()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("body", body, ctx)

        async with engine(path, app) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(entered.is_set)
            [one] = await its_engine.runs()
            await its_engine.cancel(one.id)
            await eventually(its_engine._idle)
            free.set()
            await eventually(left.is_set)
            assert [run.status for run in await its_engine.runs()] == ["cancelled"]


class TestRestarts:
    async def test_a_defer_is_kept_with_the_next_commit_and_not_made_again(self, path: pathlib.Path) -> None:
        app, note = shop()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("before", note, {"n": 1})
            yield ctx.step.sleep("nap", "1h")
            yield ctx.defer("after", note, {"n": 2})
            yield ctx.step.sleep("nap", "1h")

        for hours in range(3):
            async with engine(path, app, clock=ig.VirtualClock(START + hours * 3600 + 60)) as its_engine:
                if hours == 0:
                    await its_engine.send(ig.Event("go"))
                await eventually(lambda: its_engine._timers and its_engine._idle())
                [one] = await its_engine.runs(function="f")
                if hours < 2:
                    assert [id for id, _ in statuses(one)] == ["before", "after"][: hours + 1]
                    assert not await its_engine.runs(function="note")
        async with engine(path, app) as its_engine:
            await eventually(lambda: its_engine._idle() and not its_engine._timers)
            runs = sorted(await its_engine.runs(), key=lambda one: one.created)
        assert sorted(data["n"] for data in notes(runs)) == [1, 2]

    async def test_defers_of_an_attempt_that_shutdown_cut_short_are_made_again_once(self, path: pathlib.Path) -> None:
        app, note = shop()
        reached = []

        async def body(ctx: ig.Context) -> None:
            ctx.defer("d", note, {"n": 1}).submit()
            reached.append(1)
            if len(reached) == 1:
                await anyio.sleep_forever()

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("body", body, ctx)

        async with engine(path, app, grace=0) as its_engine:
            await its_engine.send(ig.Event("go"))
            await eventually(lambda: reached)
        async with engine(path, app) as its_engine:
            await eventually(lambda: its_engine._idle() and not its_engine._timers)
            assert notes(await its_engine.runs()) == [{"n": 1}]
        assert reached == [1, 1]
