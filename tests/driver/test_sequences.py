"""A handler by itself: steps in sequence, ids, results, Done, `finally`, sub-flows, turns with a budget."""

import dataclasses
from datetime import datetime
from typing import Any

import anyio.lowlevel
import pytest

import inngest_gen as ig
from inngest_gen.calls.memo import Memo
from inngest_gen.calls.request import CallRequest
from inngest_gen.driver.turn import Returned
from inngest_gen.ids import step_hash
from tests.driver.shell import RUN_ID, Shell, run


async def one() -> int:
    return 1


async def echo(value: Any) -> Any:
    return value


def add(a: int, b: int) -> int:
    return a + b


async def quote(ctx: ig.Context, amount: int) -> ig.Flow:
    rate = yield ctx.step.run("rate", echo, 2)
    yield ig.Done(rate * amount)


async def test_a_sequence_of_steps_gives_its_results() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        a = yield ctx.step.run("a", one)
        step = ctx.step.run("b", add, a, b=2)
        yield step
        yield ig.Done([a, step.result])

    assert (await run(handler)).value == [1, 3]


async def test_a_handler_without_steps_ends_in_its_first_turn() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ig.Done("here")

    shell = Shell(handler)
    assert (await shell.run()).value == "here"
    assert not shell.record.steps


async def test_a_handler_that_just_ends_has_result_none() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", one)

    async def returns(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", one)
        return

    for each in (handler, returns):
        end = await run(each)
        assert (end.kind, end.value) == ("returned", None)


async def test_a_plain_handler_returns_its_result() -> None:
    async def handler(ctx: ig.Context) -> int:
        return await one()

    assert (await run(handler)).value == 1


async def test_every_kind_of_step_is_yielded_and_gives_its_result(anyio_backend: str) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        slept = yield ctx.step.sleep("sleep", "1h")
        until = yield ctx.step.sleep_until("until", "2030-01-01T00:00:00Z")
        event = yield ctx.step.wait_for_event("event", "payment/received", match="data.id", timeout="3d")
        timeout = yield ctx.step.wait_for_event("no event", "payment/received", timeout=3)
        signal = yield ctx.step.wait_for_signal("signal", "approved", timeout="1h")
        sent = yield ctx.step.send_signal("send signal", "approved", {"by": "me"})
        ids = yield ctx.step.send_event("send", ig.Event("a/b"))
        invoked = yield ctx.step.invoke("invoke", "other", {"x": 1})
        yield ig.Done([slept, until, event.name, event.data, timeout, signal, sent, ids, invoked])

    event = {"name": "payment/received", "data": {"id": 7}, "id": "e", "ts": 5}
    answers = {"event": event, "signal": {"by": "me"}, "send signal": True, "send": ["e1"], "invoke": 42}
    end = await run(handler, answers=answers)
    assert end.value == [None, None, "payment/received", {"id": 7}, None, {"by": "me"}, True, ["e1"], 42]


async def test_a_result_has_the_declared_type_live_and_replayed() -> None:
    @dataclasses.dataclass
    class Order:
        id: int
        tags: tuple[str, ...]

    async def load() -> Order:
        return Order(1, ("a", "b"))

    async def untyped() -> Any:
        return (2.0, {"k": (1,)})

    seen: list[Any] = []

    async def handler(ctx: ig.Context) -> ig.Flow:
        order = yield ctx.step.run("order", load)
        other = yield ctx.step.run("other", untyped)
        typed = yield ctx.step.run("typed", echo, {"id": 2, "tags": ["c"]}).returns(Order)
        seen.append([order, other, typed])

    await run(handler)
    assert all(each == [Order(1, ("a", "b")), [2, {"k": [1]}], Order(2, ("c",))] for each in seen)
    assert len(seen) == 3  # live, by replays, and once more from the whole record
    assert all(type(each[1][0]) is int for each in seen)


async def test_a_result_that_no_longer_fits_its_type_is_raised_at_the_yield_naming_the_step() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("load", echo, "no date").returns(datetime)
        except Exception as error:
            yield ig.Done([*error.__notes__, (yield ctx.step.run("next", one))])

    shell = Shell(handler, answers={"load": "no date"})
    assert (await shell.run()).value == ["while decoding the result of step.run 'load'", 1]


async def test_a_result_asked_for_before_its_yield_is_an_error_with_the_line() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        step = ctx.step.run("a", one)
        step.result  # noqa: B018
        yield step

    end = await run(handler)
    assert end.final
    assert end.error is not None
    assert "step.run 'a' has no result yet" in end.error
    assert "test_sequences.py:" in end.error


class TestIds:
    async def test_hashes_are_those_of_the_server(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            for _ in range(3):
                yield ctx.step.run("my-step-id", one)

        shell = Shell(handler)
        await shell.run()
        assert list(shell.record.steps) == [
            "e7d8a2f140845095749d60246ff1110c9d01d76a",
            "f47c6228c581af870aa285200cf95ec3ac59bb6a",
            "5fdb32cd3e6e3d62fa480ac2ad526b79c2682845",
        ]

    async def test_repeats_are_numbered_and_keep_their_name(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            results = []
            for value in range(3):
                results.append((yield ctx.step.run("A", echo, value)))  # noqa: PERF401 - a comprehension cannot yield
            yield ig.Done(results)

        shell = Shell(handler)
        assert (await shell.run()).value == [0, 1, 2]
        assert list(shell.record.steps) == [step_hash(key) for key in ("A", "A:1", "A:2")]
        assert shell.record.ids() == ["A", "A", "A"]
        assert shell.calls == ["A", "A", "A"]

    async def test_repeats_in_branches_are_numbered_in_the_order_of_the_branches(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.group.parallel(*[ctx.step.run("A", echo, n) for n in range(3)])))

        shell = Shell(handler)
        execution = shell.begin()
        turn = await execution.turn()
        assert [(op.hash, op.index, op.step.args) for op in turn.new] == [
            (step_hash("A"), 0, (0,)),
            (step_hash("A:1"), 1, (1,)),
            (step_hash("A:2"), 2, (2,)),
        ]
        await execution.let_go()

    @pytest.mark.parametrize(
        ("ids", "keys"),
        [
            (["A:1", "A", "A", "A"], ["A:1", "A", "A:2", "A:3"]),
            (["A", "A", "A:1"], ["A", "A:1", "A:1:1"]),
            (["A", "A:1", "A", "A:1", "A"], ["A", "A:1", "A:2", "A:1:1", "A:3"]),
            (["A:1", "A:1", "A", "A"], ["A:1", "A:1:1", "A", "A:2"]),
            (["A", "A:2", "A", "A", "A"], ["A", "A:2", "A:1", "A:3", "A:4"]),
        ],
    )
    async def test_a_literal_id_that_looks_like_a_repeat_is_stepped_over(self, ids: list[str], keys: list[str]) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            values = []
            for place, id in enumerate(ids):
                values.append((yield ctx.step.run(id, echo, place)))
            yield ig.Done(values)

        end = await run(handler)
        assert end.value == list(range(len(ids)))
        shell = Shell(handler)
        await shell.run()
        assert list(shell.record.steps) == [step_hash(key) for key in keys]

    async def test_an_id_may_carry_a_name_to_show(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run(ig.Id("load", name="Load the order"), one)

        shell = Shell(handler)
        turn = await shell.begin().turn()
        [op] = turn.new
        assert (op.step.id, op.step.name, op.hash) == ("load", "Load the order", step_hash("load"))

    async def test_a_step_and_a_defer_may_share_an_id(self) -> None:
        app = ig.App("other")

        @app.deferred("d")
        async def deferred(ctx: ig.DeferContext) -> ig.Flow:
            yield ig.Done()

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("foo", deferred, {})
            yield ctx.step.run("foo", one)
            yield ctx.step.run("foo", one)

        shell = Shell(handler)
        await shell.run()
        assert list(shell.record.steps) == [step_hash("foo"), step_hash("foo:1")]
        assert list(shell.record.defers) == [step_hash("foo")]

    async def test_an_op_says_where_it_was_yielded(self) -> None:
        async def inner(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", one)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(inner(ctx), ctx.step.run("b", one), named(ctx))

        async def named(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(left=inner(ctx), right=ctx.step.run("c", one))

        shell = Shell(handler)
        execution = shell.begin()
        turn = await execution.turn()
        assert [(op.step.id, op.path, op.position) for op in turn.new] == [
            ("a", "parallel[0]/inner", 0),
            ("b", "parallel[1]", 1),
            ("a", "parallel[2]/named/race[left]/inner", 2),
            ("c", "parallel[2]/named/race[right]", 3),
        ]
        first = inner.__code__.co_firstlineno
        assert turn.new[0].at == f"{__file__}:{first + 1}"
        assert turn.new[1].at == f"{__file__}:{handler.__code__.co_firstlineno + 1}"
        await execution.let_go()


class TestDone:
    async def test_nothing_after_done_runs_but_finally(self) -> None:
        ran: list[str] = []

        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done("result")
                ran.append("after")
            except Exception:
                ran.append("except")
            else:
                ran.append("else")
            finally:
                ran.append("finally")
            ran.append("end")

        shell = Shell(handler)
        assert (await shell.run()).value == "result"
        assert ran == ["finally"]

    async def test_finally_may_yield_steps_after_done(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                a = yield ctx.step.run("a", one)
                yield ig.Done(a)
            finally:
                b = yield ctx.step.run("b", one)
                try:
                    yield ctx.group.parallel(quote(ctx, b), ctx.step.run("fails", broken))
                except ExceptionGroup:
                    yield ctx.step.run("caught", one)
                yield ctx.step.sleep("s", 1)

        shell = Shell(handler)
        assert (await shell.run(stop=lambda point: point % 4 == 0)).value == 1
        assert shell.record.ids() == ["a", "b", "rate", "fails", "caught", "s"]
        assert await shell.replay() == await run(handler)

    async def test_finally_runs_steps_after_a_handlers_own_error(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("a", one)
                raise ValueError("mine")
            finally:
                yield ctx.step.run("b", one)

        end = await run(handler)
        assert (end.error, end.final) == ("ValueError: mine", False)

    async def test_an_error_in_finally_after_done_is_the_handlers_end(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done(1)
            finally:
                yield ctx.step.run("fails", broken)

        end = await run(handler)
        assert (end.error, end.final) == ("StepError: step 'fails': ValueError: broken", True)

    async def test_done_in_finally_replaces_the_result_as_return_would(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done(1)
            finally:
                yield ig.Done(2)

        assert (await run(handler)).value == 2

    async def test_a_context_manager_around_done_sees_generator_exit(self) -> None:
        seen: list[object] = []

        class Manager:
            def __enter__(self) -> None: ...
            def __exit__(self, cls: object, error: object, traceback: object) -> None:
                seen.append(cls)

        async def handler(ctx: ig.Context) -> ig.Flow:
            with Manager():
                yield ig.Done(1)

        assert (await Shell(handler).run()).value == 1
        assert seen == [GeneratorExit]

    async def test_done_ends_loops_and_nested_blocks(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            for n in range(10):
                try:
                    try:
                        a = yield ctx.step.run("a", echo, n)
                        if a == 3:
                            yield ig.Done(a)
                    except ValueError:
                        pass
                finally:
                    yield ctx.step.run("clean", echo, n)

        shell = Shell(handler)
        assert (await shell.run()).value == 3
        assert shell.calls == ["a", "clean"] * 4


def broken() -> None:
    raise ValueError("broken")


class TestSubFlows:
    async def test_a_sub_flow_gives_what_it_is_done_with(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            price = yield quote(ctx, 21)
            nothing = yield empty(ctx)
            yield ig.Done([price, nothing])

        async def empty(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("x", one)

        assert (await run(handler)).value == [42, None]

    async def test_sub_flows_nest(self) -> None:
        async def nest(ctx: ig.Context, depth: int) -> ig.Flow:
            yield ctx.step.run("before", echo, depth)
            below = (yield nest(ctx, depth - 1)) if depth else 0
            yield ctx.step.run("after", echo, depth)
            yield ig.Done(below + depth)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield nest(ctx, 20)))

        assert (await run(handler)).value == sum(range(21))

    async def test_an_error_of_a_sub_flow_is_raised_at_its_yield(self) -> None:
        async def bad(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("x", one)
            raise LookupError("from below")

        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield bad(ctx)
            except LookupError as error:
                yield ig.Done([str(error), (yield ctx.step.run("y", one))])

        assert (await run(handler)).value == ["from below", 1]

    async def test_a_sub_flows_finally_runs_before_its_parent_goes_on(self) -> None:
        async def sub(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done("sub")
            finally:
                yield ctx.step.run("clean", one)

        async def handler(ctx: ig.Context) -> ig.Flow:
            result = yield sub(ctx)
            yield ctx.step.run("next", one)
            yield ig.Done(result)

        shell = Shell(handler)
        assert (await shell.run()).value == "sub"
        assert shell.record.ids() == ["clean", "next"]
        await run(handler)

    async def test_another_functions_handler_is_a_sub_flow(self) -> None:
        app = ig.App("other")

        @app.function("other")
        async def other(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("x", one)))

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield other(ctx)))

        assert (await run(handler)).value == 1


async def shop(ctx: ig.Context) -> ig.Flow:
    a = yield ctx.step.run("a", one)
    b, c = yield ctx.group.parallel(ctx.step.run("b", one), quote(ctx, a))
    winner = yield ctx.group.race(quote(ctx, b), ctx.step.run("slow", one))
    try:
        yield ctx.step.run("fails", broken)
    except ig.StepError:
        yield quote(ctx, c)
    try:
        yield ig.Done([a, b, c, winner.key, winner.value])
    finally:
        yield ctx.step.run("z", one)


class TestBudget:
    @pytest.mark.parametrize("budget", [1, 2, 3, 7, 200])
    async def test_turns_of_few_yields_end_alike(self, budget: int) -> None:
        whole = Shell(shop)
        end = await whole.run()
        shell = Shell(shop, budget=budget)
        assert await shell.run() == end
        assert {h: e.position for h, e in shell.record.steps.items()} == {h: e.position for h, e in whole.record.steps.items()}
        assert await shell.replay() == end

    async def test_a_budget_of_one_visits_every_yield_and_every_step_of_a_group(self) -> None:
        whole = Shell(shop)
        await whole.run()
        total = (await whole.begin().turn()).yielded
        record = whole.record
        shell = Shell(shop, budget=1, record=record)
        await shell.replay()
        assert [turn.yielded for turn in shell.turns if turn.paused] == [1] * total
        assert total == 15

    async def test_a_step_with_a_memo_is_a_stop_of_its_own(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            for n in range(3):
                yield ctx.step.run("a", echo, n)
            yield ig.Done("end")

        shell = Shell(handler)
        await shell.run()
        execution = shell.begin()
        positions = []
        while True:
            turn = await execution.turn(1)
            if turn.ended is not None:
                break
            positions.append((execution.position, turn.paused))
        assert positions == [(1, True), (2, True), (3, True), (3, True)]
        assert isinstance(turn.ended, Returned)


@pytest.mark.parametrize("flows", [1, 4])
async def test_a_long_replay_gives_way_to_the_loop(flows: int) -> None:
    count = 20_000
    ticks = 0

    async def flow(ctx: ig.Context, first: int) -> ig.Flow:
        for n in range(first, count, flows):
            yield ctx.step.run(str(n), one)

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*[flow(ctx, n) for n in range(flows)])
        yield ig.Done(ticks)

    async def ticker() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await anyio.lowlevel.checkpoint()

    shell = Shell(handler)
    memos = {step_hash(str(n)): Memo(1) for n in range(count)}
    call = CallRequest(run_id=RUN_ID, events=(ig.Event("x"),))
    execution = shell.function.begin(call, memos=memos, data={})
    async with anyio.create_task_group() as group:
        group.start_soon(ticker)
        turn = await execution.turn()
        group.cancel_scope.cancel()
    assert isinstance(turn.ended, Returned)
    assert turn.ended.value >= 3
    await execution.let_go()


async def test_stopping_at_any_point_ends_alike() -> None:
    whole = Shell(shop)
    end = await whole.run()
    for stopped_at in range(1, whole.points + 1):
        shell = Shell(shop)
        assert await shell.run(stop=stopped_at.__eq__) == end
        assert list(shell.record.steps) == list(whole.record.steps)
