"""A replay held against its record: a different sequence blocks a run of the same code, and is matched by id where the code has changed."""

from collections.abc import Callable
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.driver.turn import Diverged, Planned, Returned
from inngest_gen.ids import step_hash
from tests.driver.shell import Record, Shell

Handler = Callable[[ig.Context], Any]


async def echo(value: object = None) -> object:
    return value


async def recorded(handler: Handler, **options: Any) -> Record:
    shell = Shell(handler, **options)
    await shell.run()
    return shell.record


async def diverged(handler: Handler, record: Record) -> ig.NonDeterminismError:
    shell = Shell(handler, record=record)
    end = await shell.run()
    assert end.kind == "diverged", end
    assert isinstance(shell.ended, Diverged)
    return shell.ended.error


def at(handler: Handler, offset: int) -> str:
    return f"{__file__}:{handler.__code__.co_firstlineno + offset}"


async def abc(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("a", echo)
    yield ctx.step.run("b", echo)
    yield ctx.step.run("c", echo)
    yield ig.Done("abc")


async def test_the_same_sequence_passes() -> None:
    shell = Shell(abc, record=await recorded(abc))
    assert (await shell.replay()).value == "abc"


async def test_another_step_is_told_with_both_places_and_the_likely_cause() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ctx.step.run("x", echo)

    error = await diverged(other, await recorded(abc))
    assert (error.position, error.recorded, error.yielded) == (1, "step.run 'b'", "step.run 'x'")
    assert (error.recorded_at, error.yielded_at) == (at(abc, 2), at(other, 2))
    assert "a set's order" in error.cause
    assert "at position 1 the record holds step.run 'b'" in str(error)


async def test_a_changed_order_is_told() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ctx.step.run("c", echo)
        yield ctx.step.run("b", echo)

    error = await diverged(other, await recorded(abc))
    assert (error.position, error.recorded, error.yielded) == (1, "step.run 'b'", "step.run 'c'")
    assert "recorded at position 2: the order of the yields changed" in error.cause
    assert error.yielded_at == at(other, 2)


async def test_a_changed_order_of_branches_is_told() -> None:
    async def one(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(ctx.step.run("a", echo), ctx.step.run("b", echo))

    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(ctx.step.run("b", echo), ctx.step.run("a", echo))

    error = await diverged(other, await recorded(one))
    assert error.position in {0, 1}
    assert "the order of the yields changed" in error.cause


async def test_a_changed_kind_is_told() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ctx.step.sleep("b", 1)

    error = await diverged(other, await recorded(abc))
    assert (error.position, error.recorded, error.yielded) == (1, "step.run 'b'", "step.sleep 'b'")
    assert error.recorded_at == at(abc, 2)
    assert "another kind of step" in error.cause


async def test_a_step_left_out_is_told() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("b", echo)

    error = await diverged(other, await recorded(abc))
    assert (error.position, error.recorded, error.yielded) == (0, "step.run 'a'", "step.run 'b'")


async def test_a_step_put_in_is_told() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ctx.step.run("new", echo)
        yield ctx.step.run("b", echo)
        yield ctx.step.run("c", echo)

    error = await diverged(other, await recorded(abc))
    assert (error.position, error.recorded, error.yielded) == (1, "step.run 'b'", "step.run 'new'")


async def test_an_early_end_is_told() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ig.Done("early")

    error = await diverged(other, await recorded(abc))
    assert (error.position, error.recorded, error.yielded) == (1, "step.run 'b'", None)
    assert "ended where it went on before" in error.cause
    assert "yielded nothing more" in str(error)


async def test_an_early_end_before_a_planned_step_is_told() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)

    record = await recorded(other)
    record.planned[1] = Planned(step_hash("b"), "step.run", "b", "file.py:1")
    error = await diverged(other, record)
    assert (error.position, error.recorded, error.recorded_at) == (1, "step.run 'b'", "file.py:1")


async def test_another_step_than_the_planned_one_is_told() -> None:
    record = await recorded(abc)
    for unfinished, planned in (("b", None), ("c", None)):
        entry = record.steps.pop(step_hash(unfinished))
        record.planned[entry.position] = planned or Planned(entry.hash, entry.kind, entry.label, entry.at)

    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ctx.step.run("c", echo)

    error = await diverged(other, record)
    assert (error.position, error.recorded, error.yielded) == (1, "step.run 'b'", "step.run 'c'")


async def test_an_error_before_the_recorded_steps_is_an_attempt_that_failed() -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        raise OSError("no network")

    shell = Shell(other, record=await recorded(abc))
    end = await shell.run()
    assert (end.error, end.final) == ("OSError: no network", False)


async def test_a_record_without_positions_is_matched_by_id_even_so() -> None:
    shell = Shell(abc)
    await shell.run()
    for entry in shell.record.steps.values():
        entry.position, entry.kind = None, None  # type: ignore[assignment]

    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("c", echo)
        yield ctx.step.run("a", echo)

    execution = Shell(other, record=shell.record).begin()
    turn = await execution.turn()
    assert isinstance(turn.ended, Returned)


async def test_a_diverged_handler_is_dropped_without_running() -> None:
    ran: list[str] = []

    async def other(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("x", echo)
        except BaseException:
            ran.append("except")
        finally:
            ran.append("finally")

    await diverged(other, await recorded(abc))
    assert not ran


class TestChangedCode:
    """The code has changed: steps are matched by id."""

    async def go_on(self, handler: Handler, record: Record) -> tuple[Shell, list[str]]:
        shell = Shell(handler, record=record, strict=False)
        record.planned.clear()
        await shell.run()
        execution = shell.begin()
        turn = await execution.turn()
        assert turn.ended is not None
        unused = [record.steps[hash].label for hash in execution.unused()]
        await execution.let_go()
        return shell, unused

    async def test_new_steps_run_and_old_ones_do_not(self) -> None:
        async def other(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("new", echo)
            c = yield ctx.step.run("c", echo, 1)
            a = yield ctx.step.run("a", echo, 1)
            yield ig.Done([a, c])

        shell, unused = await self.go_on(other, await recorded(abc))
        assert isinstance(shell.ended, Returned)
        assert shell.ended.value == [None, None]
        assert shell.calls == ["new"]
        assert unused == ["b"]

    async def test_a_step_of_another_kind_takes_the_recorded_result(self) -> None:
        async def one(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", echo, "kept")

        async def other(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.wait_for_signal("a", "s", timeout=1)))

        shell, unused = await self.go_on(other, await recorded(one))
        assert isinstance(shell.ended, Returned)
        assert shell.ended.value == "kept"
        assert not unused

    async def test_results_nobody_asks_for_do_not_hold_up_those_that_are(self) -> None:
        async def one(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(*[ctx.step.run(f"s{n}", echo, n) for n in range(6)])

        async def other(ctx: ig.Context) -> ig.Flow:
            results = yield ctx.group.parallel(ctx.step.run("s5", echo), ctx.step.run("x", echo, "x"), ctx.step.run("s1", echo))
            late = yield ctx.step.run("s0", echo)
            yield ig.Done([*results, late])

        shell, unused = await self.go_on(other, await recorded(one))
        assert isinstance(shell.ended, Returned)
        assert shell.ended.value == [5, "x", 1, 0]
        assert unused == ["s2", "s3", "s4"]

    async def test_a_loser_was_asked_for(self) -> None:
        async def one(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(ctx.step.run("a", echo), ctx.step.run("b", echo))
            yield ctx.step.run("c", echo)

        _, unused = await self.go_on(one, await recorded(one, late_losers=True))
        assert not unused


@pytest.mark.parametrize("turns", [1, 3])
async def test_divergence_ends_the_turn_it_is_found_in(turns: int) -> None:
    async def other(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        yield ctx.step.run("x", echo)

    shell = Shell(other, record=await recorded(abc), budget=turns)
    assert (await shell.run()).kind == "diverged"
