"""Parallel and race: results, failures, losers and their clean-up, nesting, the order in which branches settle."""

from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.calls.memo import Memo
from tests.driver.shell import Shell, by_name, last, run, shuffled


async def echo(value: Any = None) -> Any:
    return value


async def broken(message: str = "broken") -> None:
    raise ValueError(message)


async def flow(ctx: ig.Context, *ids: str) -> ig.Flow:
    for id in ids:
        yield ctx.step.run(id, echo, id)
    yield ig.Done("+".join(ids))


async def cleaning(ctx: ig.Context, name: str, log: list[str] | None = None, steps: int = 2) -> ig.Flow:
    try:
        yield ctx.step.run(name, echo, name)
        yield ctx.step.run(f"{name} again", echo, name)
        yield ig.Done(name)
    finally:
        if log is not None:
            log.append(f"{name} ends")
        for _ in range(steps):
            yield ctx.step.run(f"clean {name}", echo, name)
        if log is not None:
            log.append(f"{name} ended")


class TestParallel:
    @pytest.mark.parametrize("seed", range(5))
    async def test_results_stand_in_the_order_of_the_branches(self, seed: int) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            results = yield ctx.group.parallel(ctx.step.run("a", echo, 1), flow(ctx, "b", "c"), ctx.step.sleep("s", 1))
            assert isinstance(results, tuple)
            yield ig.Done(list(results))

        assert (await run(handler, order=shuffled(seed))).value == [1, "b+c", None]

    async def test_named_branches_give_a_dict(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            results = yield ctx.group.parallel(x=ctx.step.run("a", echo, 1), y=flow(ctx, "b"))
            yield ig.Done([list(results), results])

        assert (await run(handler, order=last)).value == [["x", "y"], {"x": 1, "y": "b"}]

    async def test_no_branches_give_nothing(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            nothing = yield ctx.group.parallel()
            inner = yield ctx.group.parallel(ctx.group.parallel(), flow(ctx))
            yield ig.Done([list(nothing), [list(inner[0]), inner[1]]])

        assert (await run(handler)).value == [[], [[], ""]]

    async def test_all_settle_before_failures_are_raised_in_the_order_of_the_branches(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.group.parallel(
                    ctx.step.run("a", broken, "one"), flow(ctx, "b", "c"), ctx.step.run("d", broken, "two"), ctx.step.run("e", echo, 1)
                )
            except ExceptionGroup as group:
                yield ig.Done([group.message, [str(error) for error in group.exceptions]])

        shell = Shell(handler, order=by_name("d", "a"))
        end = await shell.run()
        assert end.value == ["2 of 4 branches of group.parallel failed", ["step 'a': ValueError: one", "step 'd': ValueError: two"]]
        assert shell.record.ids() == ["d", "a", "b", "e", "c"]
        await run(handler, order=last)

    async def test_return_exceptions_puts_failures_into_the_result(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            results = yield ctx.group.parallel(ctx.step.run("a", broken), ctx.step.run("b", echo, 1), return_exceptions=True)
            yield ig.Done([type(results[0]).__name__, results[1]])

        assert (await run(handler)).value == ["StepError", 1]

    async def test_a_branchs_own_error_stands_beside_a_memoized_one(self) -> None:
        async def bad(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("x", echo, 1)
            raise LookupError("mine")

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(bad(ctx), ctx.step.run("a", broken))

        end = await run(handler)
        assert end.error == "2 of 2 branches of group.parallel failed[LookupError: mine, StepError: step 'a': ValueError: broken]"
        assert end.final is False

    async def test_a_group_of_memoized_errors_that_leaves_the_handler_is_final(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(ctx.group.parallel(ctx.step.run("a", broken)), ctx.step.run("b", broken))

        assert (await run(handler)).final is True

    async def test_a_branch_that_exits_the_interpreter_is_a_failure_of_the_branch(self) -> None:
        async def bad(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("x", echo, 1)
            raise SystemExit(3)

        async def handler(ctx: ig.Context) -> ig.Flow:
            error: BaseException = ValueError()
            try:
                yield ctx.group.parallel(bad(ctx), ctx.step.run("y", echo, 1))
            except* RuntimeError as group:
                error = group.exceptions[0]
            yield ig.Done([str(error), repr(error.__cause__)])

        assert (await run(handler)).value == ["SystemExit left a branch", "SystemExit(3)"]

    async def test_groups_nest(self) -> None:
        async def inner(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(flow(ctx, "r1", "r2"), ctx.group.parallel(ctx.step.run("p", echo, 1), flow(ctx, "q")))
            yield ig.Done([winner.key, winner.value])

        async def handler(ctx: ig.Context) -> ig.Flow:
            results = yield ctx.group.parallel(
                inner(ctx), ctx.group.race(a=flow(ctx, "x", "y"), b=flow(ctx, "z")), c := ctx.step.run("c", echo, 0)
            )
            yield ig.Done([results[0], results[1].key, results[2], c.result])

        assert (await run(handler)).value == [[1, [1, "q"]], "b", 0, 0]
        assert (await run(handler, order=by_name("r1", "r2", "x", "y"))).value == [[0, "r1+r2"], "a", 0, 0]
        for seed in range(10):
            await run(handler, order=shuffled(seed), late_losers=bool(seed % 2))


class TestRace:
    async def test_the_first_to_settle_wins_in_recorded_order(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(ctx.step.run("a", echo, 1), ctx.step.run("b", echo, 2))
            assert isinstance(winner, ig.Winner)
            yield ig.Done(list(winner))

        assert (await run(handler)).value == [0, 1]
        assert (await run(handler, order=last)).value == [1, 2]

    async def test_results_that_came_together_count_in_recorded_order(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(flow(ctx, "a", "a2"), ctx.step.run("b", echo, 2), ctx.step.run("c", echo, 3))
            last = yield ctx.step.run("last", echo, 9)
            yield ig.Done([*winner, last])

        for order, expected in ((by_name("b"), [1, 2, 9]), (by_name("a", "c"), [2, 3, 9]), (by_name("c", "b", "a"), [2, 3, 9])):
            shell = Shell(handler, order=order, at_once=3)
            assert (await shell.run()).value == expected
            assert (await shell.replay()).value == expected

    async def test_a_named_race_names_its_winner(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(paid=ctx.step.wait_for_event("w", "paid", timeout=9), late=ctx.step.sleep("s", 5))
            yield ig.Done(winner.key)

        assert (await run(handler, order=last)).value == "late"

    async def test_a_failure_that_settles_first_is_raised(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(ctx.step.run("a", echo, 1), ctx.step.run("b", broken))

        end = await run(handler, order=last)
        assert (end.error, end.final) == ("StepError: step 'b': ValueError: broken", True)

    async def test_unfinished_steps_of_losers_are_dropped(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(ctx.step.run("a", echo, 1), ctx.step.run("b", echo, 2), flow(ctx, "c"))

        shell = Shell(handler)
        execution = shell.begin()
        turn = await execution.turn()
        execution.resolve(turn.new[0].hash, Memo(1))
        ended = await execution.turn()
        assert [op.step.id for op in ended.dropped] == ["b", "c"]
        assert ended.ended is not None
        await execution.let_go()

    async def test_a_losers_late_result_changes_nothing(self) -> None:
        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(ctx.step.run("a", echo, 1), ctx.step.run("b", echo, 2))
            yield ctx.step.run("c", echo, 3)
            yield ctx.step.run("d", echo, 4)
            yield ig.Done("end")

        shell = Shell(handler, late_losers=True, order=by_name("a", "b"))
        assert (await shell.run()).value == "end"
        assert shell.record.ids() == ["a", "b", "c", "d"]
        assert shell.execution is not None
        assert (await shell.replay()).value == "end"
        execution = Shell(handler).begin()
        a, b = (await execution.turn()).new
        execution.resolve(a.hash, Memo(1))
        await execution.turn()
        execution.resolve(b.hash, Memo(2))
        assert execution.unused() == []

    async def test_losers_are_ended_in_order_each_with_its_clean_up_before_the_race_goes_on(self) -> None:
        log: list[str] = []

        async def handler(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(cleaning(ctx, "a", log), ctx.step.run("w", echo, 1), cleaning(ctx, "b", log))
            log.append("resumed")
            yield ig.Done([*winner])

        shell = Shell(handler, order=by_name("w"))
        assert (await shell.run()).value == [1, 1]
        assert log == ["a ends", "a ended", "b ends", "b ended", "resumed"]
        assert shell.record.ids() == ["w", "clean a", "clean a", "clean b", "clean b"]
        await run(handler, order=by_name("w"))
        await run(handler, order=by_name("w"), late_losers=True)

    async def test_a_losers_sub_flows_end_before_it(self) -> None:
        log: list[str] = []

        async def outer(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.group.parallel(cleaning(ctx, "x", log, 1), cleaning(ctx, "y", log, 1))
            finally:
                log.append("outer ends")
                yield ctx.step.run("clean outer", echo, 1)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(outer(ctx), ctx.step.run("w", echo, 1))
            log.append("resumed")

        shell = Shell(handler, order=by_name("w"))
        await shell.run()
        assert log == ["x ends", "x ended", "y ends", "y ended", "outer ends", "resumed"]
        await run(handler, order=by_name("w"))

    async def test_a_loser_that_fails_while_it_is_ended_is_told_with_the_winners_outcome(self) -> None:
        async def bad(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("a", echo, 1)
            finally:
                yield ctx.step.run("clean", broken, "unclean")

        async def handler(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.group.race(bad(ctx), ctx.step.run("w", echo, 1))
            except ExceptionGroup as group:
                yield ig.Done([group.message, [str(error) for error in group.exceptions]])

        end = await run(handler, order=by_name("w"))
        assert end.value == ["branches that lost group.race failed while they were ended", ["step 'clean': ValueError: unclean"]]

        async def losing(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(bad(ctx), ctx.step.run("w", broken, "first"))

        end = await run(losing, order=by_name("w"))
        assert end.error == (
            "branches that lost group.race failed while they were ended"
            "[StepError: step 'w': ValueError: first, StepError: step 'clean': ValueError: unclean]"
        )
        assert end.final is True

    async def test_clean_up_failures_belong_to_their_own_race(self) -> None:
        async def bad(ctx: ig.Context, name: str) -> ig.Flow:
            try:
                yield ctx.step.run(name, echo, 1)
            finally:
                yield ctx.step.run(f"clean {name}", broken, name)

        async def good(ctx: ig.Context, name: str) -> ig.Flow:
            try:
                yield ctx.step.run(name, echo, 1)
            finally:
                yield ctx.step.run(f"clean {name}", echo, name)

        async def one(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(bad(ctx, "x"), ctx.step.run("w1", echo, 1))

        async def two(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(good(ctx, "y"), ctx.step.run("w2", echo, 1))

        async def handler(ctx: ig.Context) -> ig.Flow:
            results = yield ctx.group.parallel(one(ctx), two(ctx), return_exceptions=True)
            yield ig.Done([type(result).__name__ for result in results])

        for order in (by_name("w1", "w2", "clean x", "clean y"), by_name("w1", "w2", "clean y", "clean x"), by_name("w2", "w1", "clean x")):
            assert (await run(handler, order=order)).value == ["ExceptionGroup", "NoneType"]

    async def test_a_loser_that_is_cleaning_up_already_finishes_its_clean_up(self) -> None:
        log: list[str] = []

        async def inner(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(cleaning(ctx, "a", log), ctx.step.run("w1", echo, 1))
            log.append("inner resumed")

        async def handler(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(inner(ctx), ctx.step.run("w2", echo, 2))
            log.append("resumed")
            yield ig.Done([*winner])

        # w1 ends "a", which waits for its clean-up when w2 wins the outer race.
        shell = Shell(handler, order=by_name("w1", "w2"))
        assert (await shell.run()).value == [1, 2]
        assert log == ["a ends", "a ended", "resumed"]
        await run(handler, order=by_name("w1", "w2"))

    async def test_a_flow_whose_sub_flow_is_cleaning_up_is_ended_once(self) -> None:
        log: list[str] = []

        async def parent(ctx: ig.Context) -> ig.Flow:
            try:
                yield cleaning(ctx, "a", log)
                log.append("not reached")
            finally:
                log.append("parent ends")
                yield ctx.step.run("clean parent", echo, 1)

        async def handler(ctx: ig.Context) -> ig.Flow:
            inner = ctx.group.race(parent(ctx), ctx.step.run("w1", echo, 1))
            winner = yield ctx.group.race(inner, ctx.step.run("w2", echo, 2))
            log.append("resumed")
            yield ig.Done([*winner])

        shell = Shell(handler, order=by_name("w1", "w2"))
        assert (await shell.run()).value == [1, 2]
        assert log == ["a ends", "a ended", "parent ends", "resumed"]
        await run(handler, order=by_name("w1", "w2"))
        await run(handler, order=by_name("w1", "clean a", "w2"))

    async def test_done_of_a_loser_that_cleans_up_does_not_count(self) -> None:
        async def quick(ctx: ig.Context) -> ig.Flow:
            try:
                yield ig.Done("quick")
            finally:
                yield ctx.step.run("slow clean", echo, 1)

        async def handler(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(quick(ctx), ctx.step.run("w", echo, 2))
            yield ig.Done([*winner])

        shell = Shell(handler, order=by_name("w"))
        assert (await shell.run()).value == [1, 2]
        assert shell.record.ids() == ["w", "slow clean"]
        assert (await run(handler, order=by_name("slow clean"))).value == [0, "quick"]

    async def test_a_branch_that_ends_at_once_wins_and_later_branches_do_not_start(self) -> None:
        started: list[str] = []

        async def late(ctx: ig.Context) -> ig.Flow:
            started.append("late")
            yield ctx.step.run("late", echo, 1)

        async def handler(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(
                flow(ctx), late(ctx), ctx.step.run("x", echo, 1), ctx.group.parallel(ctx.step.run("y", echo, 1), late(ctx))
            )
            again = yield ctx.group.race(cleaning(ctx, "a"), flow(ctx), late(ctx))
            yield ig.Done([*winner, *again])

        shell = Shell(handler)
        assert (await shell.run()).value == [0, "", 1, ""]
        assert not started
        assert shell.record.ids() == ["clean a", "clean a"]
        await run(handler)

    async def test_a_race_within_a_losing_branch_ends_with_it(self) -> None:
        log: list[str] = []

        async def handler(ctx: ig.Context) -> ig.Flow:
            inner = ctx.group.race(cleaning(ctx, "a", log, 0), cleaning(ctx, "b", log, 0))
            winner = yield ctx.group.race(inner, ctx.step.run("w", echo, 1))
            yield ig.Done(winner.key)

        assert (await Shell(handler, order=by_name("w")).run()).value == 1
        assert log == ["a ends", "a ended", "b ends", "b ended"]
        await run(handler, order=by_name("w"))


class TestSize:
    async def test_thousands_of_branches(self) -> None:
        count = 3_000

        async def handler(ctx: ig.Context) -> ig.Flow:
            everything = yield ctx.group.parallel(*[ctx.step.run("a", echo, n) for n in range(count)], return_exceptions=True)
            flows = yield ctx.group.parallel(*[flow(ctx, "b") for _ in range(count)])
            errors = 0
            try:
                yield ctx.group.parallel(*[ctx.step.run("c", broken, str(n)) for n in range(count)])
            except ExceptionGroup as group:
                errors = len(group.exceptions)
            winner = yield ctx.group.race(
                *[ctx.step.run("d", echo, n) for n in range(count)], *[cleaning(ctx, "e", steps=0) for _ in range(count)]
            )
            yield ig.Done([sum(everything), len(flows), errors, winner.key])

        shell = Shell(handler, at_once=count)
        assert (await shell.run()).value == [sum(range(count)), count, count, 0]
        assert (await shell.replay()).value == [sum(range(count)), count, count, 0]

    async def test_flows_and_races_many_levels_deep(self) -> None:
        async def deep(ctx: ig.Context, depth: int) -> ig.Flow:
            try:
                if depth == 0:
                    yield ctx.step.run("bottom", echo)
                elif depth % 100 == 0:
                    yield ctx.group.race(deep(ctx, depth - 1), ctx.step.sleep("s", 1))
                else:
                    yield deep(ctx, depth - 1)
            finally:
                ended.append(depth)

        async def handler(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.group.race(deep(ctx, 3_000), ctx.step.run("w", echo))).key)

        for order, expected in ((by_name("w"), 1), (by_name("bottom"), 0)):
            ended: list[int] = []
            shell = Shell(handler, order=order)
            assert (await shell.run()).value == expected
            assert ended == list(range(3_001))

    async def test_a_deep_run_is_dropped(self) -> None:
        async def deep(ctx: ig.Context, depth: int) -> ig.Flow:
            yield deep(ctx, depth - 1) if depth else ctx.step.run("bottom", echo)

        execution = Shell(lambda ctx: deep(ctx, 3_000)).begin()
        await execution.turn()
        await execution.let_go()
