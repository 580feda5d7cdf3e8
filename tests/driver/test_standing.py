"""Where an execution stands between turns of a small budget; and that it may be moved by other tasks then."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest

import inngest_gen as ig
from inngest_gen.driver.execution import Execution
from inngest_gen.driver.flow import GroupNode
from inngest_gen.driver.turn import Diverged, Returned
from inngest_gen.intents.group import Group
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Step
from tests.driver.corpus import echo, note, quote
from tests.driver.shell import Shell


async def handler(ctx: ig.Context) -> ig.Flow:
    a = yield ctx.step.run("a", echo, 1)
    yield ctx.defer("d", note, {})
    yield ctx.group.parallel(ctx.step.run("b", echo), quote(ctx, 0), ctx.group.race(ctx.step.run("c", echo)))
    yield 7  # type: ignore[misc]
    yield ig.Done(a)


async def caught(ctx: ig.Context) -> ig.Flow:
    try:
        yield handler(ctx)
    except ig.MisuseError:
        yield ig.Done("caught")


def named(intent: object) -> str:
    return describe(intent) if isinstance(intent, (Step, Group)) else type(intent).__name__


async def stepped(execution: Execution) -> list[tuple[Any, ...]]:
    """Every place where a budget of one leaves it: the flow's number, the intent, whether it paused."""
    found = []
    while True:
        turn = await execution.turn(1)
        standing = execution.standing()
        if turn.ended is not None or not turn.yielded:
            return found
        flow = standing.flow
        assert flow is not None
        found.append((flow.number, named(standing.intent), turn.paused))


async def replayed(function: Any) -> Execution:
    shell = Shell(function)
    await shell.run()
    return shell.begin()


async def test_each_place_tells_the_flow_and_its_intent() -> None:
    found = await stepped(await replayed(caught))
    assert [one[:2] for one in found] == [
        (0, "async_generator"), (1, "step.run 'a'"), (1, "Defer"), (1, "group.parallel"), (1, "step.run 'b'"), (2, "step.run 'rate'"),
        (1, "group.race"), (1, "step.run 'c'"), (2, "Done"), (1, "int"), (0, "Done"),
    ]  # fmt: skip


async def test_what_a_flow_is_resumed_with_is_told_where_it_is_known() -> None:
    execution = await replayed(caught)
    resumed = {}
    while True:
        turn = await execution.turn(1)
        if turn.ended is not None:
            break
        standing = execution.standing()
        resumed[named(standing.intent)] = standing.resume
    assert resumed["step.run 'a'"] is None
    kinds = {name: (type(one[0]), type(one[1])) for name, one in resumed.items() if one is not None}
    nothing = type(None)
    assert kinds == {"Defer": (nothing, ig.DeferHandle), "int": (ig.MisuseError, nothing), "Done": (GeneratorExit, nothing)}


async def test_branches_that_are_yet_to_be_started_are_told() -> None:
    execution = await replayed(handler)
    await execution.turn(3)
    standing = execution.standing()
    assert standing.root is not None
    group = standing.root.waiting
    assert isinstance(group, GroupNode)
    assert [standing.is_unstarted(group, slot) for slot in range(3)] == [True, True, True]
    await execution.turn(1)
    assert [execution.standing().is_unstarted(group, slot) for slot in range(3)] == [False, True, True]


@pytest.mark.parametrize("budget", range(1, 16))
async def test_so_many_intents_as_the_budget_says_and_the_same_place_as_by_ones(budget: int) -> None:
    one = await replayed(caught)
    for _ in range(budget):
        await one.turn(1)
    at_once = await replayed(caught)
    turn = await at_once.turn(budget)
    assert turn.yielded == min(budget, 11)
    assert one.position == at_once.position
    if turn.paused:
        assert named(one.standing().intent) == named(at_once.standing().intent)
        assert list(one.pending) == list(at_once.pending)


async def test_the_intents_of_a_turn_that_left_the_record_are_counted() -> None:
    async def changing(ctx: ig.Context) -> ig.Flow:
        for n in range(5):
            yield ctx.step.run(f"{prefix if n == 3 else ''}{n}", echo)

    prefix = ""
    shell = Shell(changing)
    await shell.run()
    prefix = "other "
    execution = shell.begin()
    turn = await execution.turn(100)
    assert isinstance(turn.ended, Diverged)
    assert turn.yielded == 4
    by_ones = shell.begin()
    while (turn := await by_ones.turn(1)).ended is None:
        pass
    assert named(by_ones.standing().intent) == "step.run 'other 3'"


async def test_after_a_pause_another_task_may_go_on() -> None:
    execution = await replayed(handler)
    turns = []

    async def move() -> None:
        with anyio.CancelScope():
            turns.append(await execution.turn(1))

    while not turns or turns[-1].ended is None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(move)
    assert len(turns) > 5


async def test_a_pause_inside_a_scope_of_the_handlers_own_is_told() -> None:
    async def scoped(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        with anyio.CancelScope():
            yield ctx.defer("d", note, {})
        yield ctx.step.run("b", echo)

    execution = await replayed(scoped)
    told = []
    while (await execution.turn(1)).ended is None:
        told.append(execution.in_scope)
    assert told == [False, True, False]
    assert isinstance(execution.ended, Returned)


async def test_without_a_budget_nothing_is_kept_of_the_last_intent() -> None:
    execution = await replayed(handler)
    await execution.turn()
    assert execution.standing().intent is None


async def test_what_the_record_holds_and_was_not_asked_for_is_told() -> None:
    shell = Shell(handler)
    await shell.run()
    execution = shell.begin()
    hashes = list(shell.record.steps)
    assert all(execution.is_unused(hash) for hash in hashes)
    await execution.turn(2)
    assert [execution.is_unused(hash) for hash in hashes[:2]] == [False, True]
    assert not execution.is_unused("nothing")
