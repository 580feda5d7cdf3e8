"""Defers: what ships and when, duplicates, aborts, limits, misuse, schemas. The facts (A10 and so on) are Inngest's."""

import dataclasses
import json
import logging
from typing import Any

import pydantic
import pytest

import inngest_gen as ig
from inngest_gen.app.context import defer
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected
from inngest_gen.driver import lazy
from inngest_gen.ids import step_hash
from tests.driver.shell import Record, Shell, by_name, run

app = ig.App("shop")


@app.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


@app.function("ordinary")
async def ordinary(ctx: ig.Context) -> ig.Flow:
    yield ig.Done()


async def echo(value: object = None) -> object:
    return value


def broken() -> None:
    raise ValueError("broken")


def adds(record: Record) -> list[tuple[str, Any]]:
    return [(op.id, json.loads(op.data)) for op in record.adds.values()]


class TestShipping:
    async def test_a_defer_leaves_with_the_end_of_a_handler_without_steps(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {"n": 1})
            yield ig.Done("end")

        shell = Shell(handler)
        assert (await shell.run()).value == "end"
        [[add]] = shell.record.messages
        assert add == DeferAdd(hash=step_hash("d"), id="d", name="d", function="shop-note", data=b'{"n":1}')

    async def test_defers_leave_with_the_next_message_in_the_order_of_their_calls(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d1", note, {})
            yield ctx.defer("d2", note, {})
            yield ctx.step.run("a", echo)
            yield ctx.defer("d3", note, {})

        shell = Shell(handler)
        await shell.run()
        assert [[op.id for op in message] for message in shell.record.messages] == [["d1", "d2"], ["d3"]]

    async def test_a_defer_before_a_failure_is_sent(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})
            raise ValueError("mine")

        shell = Shell(handler)
        assert (await shell.run()).error == "ValueError: mine"
        assert shell.record.scheduled() == ["d"]

    async def test_a_replay_skips_what_was_sent_in_silence(self, caplog: pytest.LogCaptureFixture) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})
            yield ctx.step.sleep("s", "1s")
            yield ctx.defer("e", note, {})

        await run(handler)
        assert not caplog.records

    async def test_defers_from_everywhere_are_sent(self) -> None:
        async def sub(ctx: ig.Context, name: str) -> ig.Flow:
            yield ctx.defer(f"{name} before", note, {})
            try:
                yield ctx.step.run(name, echo)
            finally:
                yield ctx.defer(f"{name} finally", note, {})

        async def body(ctx: ig.Context) -> int:
            ctx.defer("body", note, {}).submit()
            defer("body by contextvar", note, {}).submit()
            return 1

        async def yielding_body(ctx: ig.Context) -> ig.Flow:
            handle = yield defer("yielded in body", note, {})
            other = yield ctx.defer("aborted in body", note, {})
            yield other.abort()
            assert handle.active
            yield ig.Done(2)

        def failing_body(ctx: ig.Context) -> None:
            ctx.defer("failing body", note, {}).submit()
            raise ValueError("no")

        async def handler(ctx: ig.Context) -> ig.Flow:
            ctx.defer("submitted", note, {}).submit()
            defer("by contextvar", note, {}).submit()
            yield defer("yielded by contextvar", note, {})
            yield sub(ctx, "flow")
            yield ctx.group.race(sub(ctx, "loser"), sub(ctx, "winner"))
            results = yield ctx.group.parallel(ctx.step.run("b1", body, ctx), ctx.step.run("b2", yielding_body, ctx))
            try:
                yield ctx.step.run("b3", failing_body, ctx)
            except ig.StepError:
                yield ctx.defer("in except", note, {})
            yield ig.Done(list(results))

        order = by_name("winner")
        assert (await run(handler, order=order)).value == [1, 2]
        shell = Shell(handler, order=order)
        await shell.run()
        assert sorted(shell.record.scheduled()) == sorted(
            ["submitted", "by contextvar", "yielded by contextvar", "flow before", "flow finally", "loser before", "winner before",
             "loser finally", "winner finally", "body", "body by contextvar", "yielded in body", "failing body", "in except"]
        )  # fmt: skip

    async def test_a_plain_handler_submits(self) -> None:
        async def handler(ctx: ig.Context) -> str:
            handle = ctx.defer("a", note, {}).submit()
            handle.abort().submit()
            ctx.defer("b", note, {"n": 1}).submit()
            return "end"

        shell = Shell(handler)
        assert (await shell.run()).value == "end"
        assert shell.record.scheduled() == ["b"]

    async def test_meta_experiment_and_name_are_carried(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer(ig.Id("d", name="Shown"), note, {}, meta={"sessions": {"a": "x", "b": None, "c": 2}}, experiment={"v": 1})

        shell = Shell(handler)
        await shell.run()
        [add] = shell.record.adds.values()
        assert (add.id, add.name) == ("d", "Shown")
        assert add.meta == {"sessions": {"a": "x", "b": None, "c": "2"}}
        assert add.experiment == {"v": 1}


class TestDuplicates:
    @pytest.mark.parametrize("between", [False, True])
    async def test_the_first_counts_and_the_second_is_logged(self, between: bool, caplog: pytest.LogCaptureFixture) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("dupe", note, {"index": 0})
            if between:
                yield ctx.step.run("between", echo)
            handle = yield ctx.defer("dupe", note, {"index": 1})
            yield handle.abort()
            yield ctx.step.run("after", echo)

        for stop in (lambda point: False, lambda point: point == 4):
            caplog.clear()
            shell = Shell(handler)
            await shell.run(stop=stop)
            assert adds(shell.record) == [("dupe", {"index": 0})]
            assert shell.record.scheduled() == ["dupe"]
            warned = [record for record in caplog.records if record.getMessage() == "defer skipped: duplicate ID within run"]
            assert warned
            assert all((vars(record)["id"], vars(record)["run_id"]) == ("dupe", shell.begin().run_id) for record in warned)

    async def test_a_prior_defer_is_passed_once_in_silence_and_warned_of_then(self, caplog: pytest.LogCaptureFixture) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {})
            assert not caplog.records
            yield ctx.defer("d", note, {})
            assert len(caplog.records) == 1

        shell = Shell(handler)
        shell.record.defers[step_hash("d")] = "after_run"
        assert (await shell.run()).kind == "returned"
        assert not shell.record.messages


class TestAborts:
    async def test_an_abort_of_what_was_never_sent_sends_neither(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("foo", note, {})
            yield handle.abort()
            yield handle.abort()
            yield ig.Done()

        shell = Shell(handler)
        await shell.run()
        assert not shell.record.messages
        assert await shell.replay()

    async def test_an_abort_of_what_was_sent_is_sent_once(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("foo", note, {})
            yield ctx.step.run("between", echo)
            yield handle.abort()
            yield handle.abort()
            yield ctx.step.run("later", echo)
            yield handle.abort()

        shell = Shell(handler)
        await shell.run()
        [[add], [abort]] = shell.record.messages
        assert isinstance(add, DeferAdd)
        assert abort == DeferAbort(hash=step_hash("foo"), id="foo", function="shop-note")
        assert shell.record.scheduled() == []
        await run(handler)

    async def test_a_new_defer_of_an_aborted_id_does_not_revive_it(self, caplog: pytest.LogCaptureFixture) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("foo", note, {})
            yield handle.abort()
            yield ctx.defer("foo", note, {})

        shell = Shell(handler)
        await shell.run()
        assert not shell.record.messages
        assert "duplicate" in caplog.text

    async def test_an_abort_of_a_skipped_defer_does_nothing(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("foo", ordinary, {})  # type: ignore[arg-type]
            assert not handle.active
            yield handle.abort()

        shell = Shell(handler)
        assert (await shell.run()).kind == "returned"
        [[rejected]] = shell.record.messages
        assert isinstance(rejected, DeferRejected)

    async def test_a_handle_can_be_aborted_in_a_step_body(self) -> None:
        def body(handle: ig.DeferHandle) -> None:
            handle.abort().submit()

        async def handler(ctx: ig.Context) -> ig.Flow:
            handle = yield ctx.defer("foo", note, {})
            yield ctx.step.run("a", body, handle)

        shell = Shell(handler)
        await shell.run()
        assert shell.record.defers == {step_hash("foo"): "aborted"}
        await run(handler)


class Receipt(pydantic.BaseModel):
    to: str
    copies: int = 1


@dataclasses.dataclass
class Label:
    text: str


async def check_async(data: Any) -> Any:
    if "bad" in data:
        raise ValueError("async says no")
    return {**data, "checked": True}


def check_sync(data: Any) -> Any:
    if "bad" in data:
        raise ValueError("sync says no")
    return {**data, "checked": True}


@app.deferred("receipt", schema=Receipt)
async def receipt(ctx: ig.DeferContext[Receipt]) -> ig.Flow:
    yield ig.Done()


@app.deferred("label", schema=Label)
async def label(ctx: ig.DeferContext[Label]) -> ig.Flow:
    yield ig.Done()


@app.deferred("slow", schema=check_async)
async def slow(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


@app.deferred("quick", schema=check_sync)
async def quick(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()


class TestSchemas:
    async def test_what_ships_is_what_the_schema_gives(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("a", receipt, Receipt(to="x"))
            yield ctx.defer("b", label, Label("y"))
            yield ctx.defer("c", quick, {"n": 1})
            yield ctx.defer("d", slow, {"n": 2})

        shell = Shell(handler)
        await shell.run()
        assert adds(shell.record) == [
            ("a", {"to": "x", "copies": 1}),
            ("b", {"text": "y"}),
            ("c", {"n": 1, "checked": True}),
            ("d", {"n": 2, "checked": True}),
        ]

    async def test_a_submitted_defer_with_an_async_schema_keeps_its_place(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            ctx.defer("a", slow, {}).submit()
            ctx.defer("b", note, {}).submit()
            gone = ctx.defer("c", slow, {}).submit()
            gone.abort().submit()
            ctx.defer("d", slow, {}).submit()
            yield ig.Done()

        shell = Shell(handler)
        await shell.run()
        assert shell.record.scheduled() == ["a", "b", "d"]

    @pytest.mark.parametrize(
        ("function", "data", "reason"),
        [
            (receipt, {"copies": 1}, "to"),
            (quick, {"bad": 1}, "sync says no"),
            (slow, {"bad": 1}, "async says no"),
            (note, [1], "its data must be a JSON object (a dict), not list"),
            (note, {"x": {1, 2}}, " at .x"),
            (note, {"x": float("nan")}, " at .x"),
            (ordinary, {}, "ordinary is no deferred function"),
            (echo, {}, "echo is no deferred function"),
            (None, {}, "None is no deferred function"),
        ],
    )
    @pytest.mark.parametrize("submit", [False, True])
    async def test_misuse_is_logged_with_the_run_and_skipped(
        self, function: Any, data: Any, reason: str, submit: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            if submit:
                ctx.defer("d", function, data).submit()
            else:
                handle = yield ctx.defer("d", function, data)
                assert not handle.active
            yield ig.Done("fine")

        shell = Shell(handler)
        assert (await shell.run()).value == "fine"
        [[rejected]] = shell.record.messages
        assert isinstance(rejected, DeferRejected)
        assert reason in rejected.reason
        [line] = caplog.records
        assert "defer 'd' skipped" in line.getMessage()
        assert shell.begin().run_id in line.getMessage()
        assert line.levelno >= logging.WARNING

    @pytest.mark.parametrize(("function", "data"), [(ordinary, {}), (receipt, {}), (slow, {"bad": 1}), (quick, {"bad": 1}), (note, 1)])
    async def test_misuse_is_raised_at_the_yield_where_the_app_says_so(self, function: Any, data: Any) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.defer("d", function, data)
            except ig.DeferError as error:
                yield ig.Done([error.defer_id, (yield ctx.step.run("a", echo, 1))])

        assert (await run(handler, defer_errors="raise")).value == ["d", 1]

    async def test_misuse_that_nobody_catches_fails_the_run_for_good(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", receipt, {})  # type: ignore[misc]

        async def submits(ctx: ig.Context) -> ig.Flow:
            ctx.defer("d", slow, {"bad": 1}).submit()
            yield ctx.step.run("a", echo)

        async def plain(ctx: ig.Context) -> None:
            ctx.defer("d", slow, {"bad": 1}).submit()

        for each in (handler, submits, plain):
            shell = Shell(each, defer_errors="raise")
            end = await shell.run()
            assert end.final
            assert end.error is not None
            assert end.error.startswith("DeferError: defer 'd' skipped")
            assert not shell.record.scheduled()

    async def test_raised_misuse_is_raised_again_in_a_replay_whatever_the_engine_kept(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.defer("d", quick, {"bad": 1})
            except ig.DeferError:
                yield ctx.step.run("instead", echo)
            yield ctx.step.run("next", echo)

        shell = Shell(handler, defer_errors="raise")
        await shell.run()
        shell.record.defers[step_hash("d")] = "aborted"  # as engines list what was rejected
        execution = shell.begin()
        turn = await execution.turn()
        assert isinstance(turn.ended, type(shell.ended))


class TestMeta:
    @pytest.mark.parametrize(
        "meta",
        [
            [1],
            3,
            "x",
            {"sessions": 1},
            {"sessions": {"a": {}}},
            {"sessions": {"a": True}},
            {"sessions": dict.fromkeys("abcdef", "x")},
            {"x": {1}},
            {"big": "x" * lazy.META_BYTES},
        ],
    )
    async def test_bad_meta_skips_the_defer(self, meta: Any) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {}, meta=meta)
            yield ig.Done("fine")

        shell = Shell(handler)
        assert (await shell.run()).value == "fine"
        assert shell.record.scheduled() == []
        assert "meta" in shell.record.rejected[0].reason

    async def test_an_experiment_that_is_no_json_skips_the_defer(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", note, {}, experiment={"x": {1}})
            yield ig.Done("fine")

        shell = Shell(handler)
        assert (await shell.run()).value == "fine"
        assert shell.record.scheduled() == []
        assert "experiment" in shell.record.rejected[0].reason


class TestLimits:
    async def test_the_21st_defer_of_a_run_is_skipped(self, caplog: pytest.LogCaptureFixture) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            for n in range(25):
                yield ctx.defer(f"d{n}", note, {"n": n})
                if n % 7 == 0:
                    yield ctx.step.run("a", echo)

        shell = Shell(handler)
        await shell.run(stop=lambda point: point % 4 == 0)
        assert shell.record.scheduled() == [f"d{n}" for n in range(20)]
        assert "a run has at most 20 defers" in caplog.text
        assert shell.begin().run_id in caplog.text

    async def test_an_aborted_defer_that_was_never_sent_does_not_count(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            for n in range(30):
                handle = yield ctx.defer(f"d{n}", note, {"n": n})
                if n < 10:
                    yield handle.abort()

        shell = Shell(handler)
        await shell.run()
        assert len(shell.record.scheduled()) == 20

    async def test_inputs_have_a_limit_each_and_together(self, caplog: pytest.LogCaptureFixture) -> None:
        limit = lazy.INPUT_BYTES
        overhead = len('{"x":""}')

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("over", note, {"x": "a" * (limit - overhead + 1)})
            first = yield ctx.defer("exact", note, {"x": "a" * (limit - overhead)})
            yield ctx.defer("one more", note, {})
            yield first.abort()
            yield ctx.defer("room again", note, {})

        shell = Shell(handler)
        await shell.run()
        assert shell.record.scheduled() == ["room again"]
        reasons = {op.id: op.reason for op in shell.record.rejected}
        assert "its data has 4,194,305 bytes, the limit is 4,194,304" in reasons["over"]
        assert "together" in reasons["one more"]

    async def test_limits_of_what_is_together_hold_in_a_replay_too_where_they_are_raised(self) -> None:
        big = "a" * (lazy.INPUT_BYTES - 100)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("big", note, {"x": big})
            yield ctx.step.run("a", echo)
            try:
                yield ctx.defer("too much", note, {"x": big})
            except ig.DeferError:
                yield ctx.step.run("instead", echo)
            yield ig.Done((yield ctx.step.run("b", echo, 1)))

        assert (await run(handler, defer_errors="raise")).value == 1


class TestForgotten:
    async def test_a_defer_that_is_never_yielded_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            _ = ctx.defer("d", note, {})
            yield ig.Done("fine")

        shell = Shell(handler)
        assert (await shell.run()).value == "fine"
        assert "defer 'd' was made and neither yielded nor submitted" in caplog.text

        raising = Shell(handler, defer_errors="raise")
        end = await raising.run()
        assert end.final
        assert end.error is not None
        assert "defer 'd' was made and neither yielded nor submitted" in end.error

    async def test_a_defer_is_yielded_or_submitted_once(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            one = ctx.defer("d", note, {})
            yield one
            yield one

        end = await Shell(handler).run()
        assert end.error is not None
        line = handler.__code__.co_firstlineno + 3
        assert end.error == f"MisuseError: defer 'd' was yielded or submitted twice: make one for each ({__file__}:{line})"

    def test_submitting_outside_a_run_is_an_error(self) -> None:
        with pytest.raises(ig.MisuseError, match="outside a run"):
            defer("d", note, {}).submit()
