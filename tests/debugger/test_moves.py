"""Moves: forwards and backwards lead over the same stops, whatever the handler does, under both loops; no step body runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest

import inngest_gen as ig
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Stop
from inngest_gen.errors import MisuseError
from tests.debugger import rig
from tests.debugger.rig import executed, session_of, walk
from tests.driver import corpus
from tests.driver.corpus import echo, fails, numbers, quote

__all__ = ["executed"]


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[Session]:
    async with Session(rig.of_corpus()[name], rig.CORPUS) as session:
        yield session


@pytest.mark.parametrize("name", rig.NAMES)
async def test_forward_to_the_end_and_back_to_the_start_visits_the_same_stops(name: str, executed: list[str]) -> None:
    async with opened(name) as session:
        forward = await walk(session)
        backward = [session.stop]
        while session.stop.number:
            backward.append(await session.back())
    assert backward[::-1] == forward
    assert [stop.number for stop in forward] == list(range(len(forward)))
    assert [stop.unstable for stop in backward if stop.unstable] == []
    assert executed == []


@pytest.mark.parametrize("name", rig.NAMES)
async def test_to_go_to_a_stop_equals_as_many_steps(name: str, executed: list[str]) -> None:
    async with opened(name) as session:
        stops = await walk(session)
        for number in [*range(len(stops) + 3), *reversed(range(len(stops)))]:
            assert await session.goto(number) == stops[min(number, len(stops) - 1)]
        for number in range(len(stops)):
            await session.start()
            assert await session.step(number) == stops[number]
            assert await session.finish() == stops[-1]
            assert await session.back(len(stops) - 1 - number) == stops[number]
    assert executed == []


@pytest.mark.parametrize("name", rig.NAMES)
async def test_the_last_stop_is_how_the_run_ended(name: str) -> None:
    recording = rig.of_corpus()[name]
    async with opened(name) as session:
        stop = await session.finish()
    assert (stop.state, stop.reason, stop.notes) == ("ended", "end", ())
    assert stop.end is not None
    assert stop.end.as_recorded is True
    assert (stop.end.how, recording.status) in {("returned", "completed"), ("raised", "failed")}


@pytest.mark.parametrize("name", rig.NAMES)
async def test_the_trail_is_every_stop_in_a_line(name: str) -> None:
    async with opened(name) as session:
        stops = await walk(session)
        marks = await session.trail()
    assert [mark.number for mark in marks] == [stop.number for stop in stops]
    assert [mark.state for mark in marks] == [stop.state for stop in stops]
    for mark, stop in zip(marks, stops, strict=True):
        if stop.intent is None or stop.at is None:
            continue
        assert (mark.kind, mark.id, mark.hash, mark.path) == (stop.intent.kind, stop.intent.id, stop.intent.hash, stop.intent.path)
        assert mark.at == f"{stop.at.file}:{stop.at.line}"
        assert mark.flow == stop.frames[0].id
        assert mark.memoized == (stop.intent.memo is not None)


@pytest.mark.parametrize("name", rig.NAMES)
async def test_every_recorded_step_is_a_stop_and_so_is_every_prefix_of_the_record(name: str, executed: list[str]) -> None:
    recording = rig.of_corpus()[name]
    async with opened(name) as session:
        marks = await session.trail()
    assert sorted(mark.hash or "" for mark in marks if mark.memoized) == sorted(step.hash for step in recording.finished())
    # A record that ends earlier, as that of a run under way: the replay stops at the same stops and then at the frontier.
    total = len(recording.finished())
    for known in range(0, total, max(1, total // 5)):
        kept = {step.hash for step in recording.finished()[:known]}
        shorter = replace(
            recording,
            status="running",
            output=None,
            error=None,
            steps=tuple(
                step if step.hash in kept else replace(step, status="running", rank=None, data=None, error=None) for step in recording.steps
            ),
        )
        async with Session(shorter, rig.CORPUS) as session:
            stops = await walk(session)
            assert stops[-1].state == "frontier"
            assert [session_stop.divergence for session_stop in stops if session_stop.divergence] == []
            assert len(stops) <= len(marks)
            back = [stops[-1]]
            while session.stop.number:
                back.append(await session.back())
            assert back[::-1] == stops
            assert await session.finish() == stops[-1]
            assert await session.goto(len(stops) - 1) == stops[-1]
    assert executed == []


async def test_the_guard_of_these_tests_sees_a_body_that_runs(executed: list[str]) -> None:
    recording = rig.of_corpus()["linear"]
    nothing = replace(recording, steps=(), status="running", output=None)
    async with Session(nothing, rig.CORPUS, live=True) as session:
        await session.finish()
        assert executed == []
        await session.run_live()
    assert executed == ["echo"]


# Over, in, out.


async def inner(ctx: ig.Context, name: str) -> ig.Flow:
    yield ctx.step.run(f"{name} 1", echo, 1)
    deep = yield deepest(ctx, name)
    yield ig.Done(deep)


async def deepest(ctx: ig.Context, name: str) -> ig.Flow:
    yield ctx.step.run(f"{name} deep", echo, 1)
    yield ig.Done(name)


async def flows(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("before", echo)
    yield inner(ctx, "a")
    yield ctx.step.run("between", echo)
    yield ctx.group.parallel(inner(ctx, "b"), ctx.step.run("lone", echo), inner(ctx, "c"))
    yield ctx.step.run("after", echo)


def told(stop: Stop) -> str:
    return stop.state if stop.intent is None else stop.intent.id or stop.intent.kind


async def names(session: Session, move: str, count: int) -> list[str]:
    return [told(await getattr(session, move)()) for _ in range(count)]


async def test_steps_go_into_everything() -> None:
    session = await session_of(flows)
    found = [told(stop) for stop in (await walk(session))[1:]]
    assert found[:12] == [
        "before",
        "inner",
        "a 1",
        "deepest",
        "a deep",
        "ig.Done",
        "ig.Done",
        "between",
        "group.parallel",
        "b 1",
        "lone",
        "c 1",
    ]
    # Then as the branches' steps were completed.
    assert sorted(found[12:-2]) == ["b deep", "c deep", "deepest", "deepest", "ig.Done", "ig.Done", "ig.Done", "ig.Done"]
    assert found[-2:] == ["after", "ended"]


async def test_step_over_stays_in_its_flow() -> None:
    session = await session_of(flows)
    assert await names(session, "step_over", 7) == ["before", "inner", "between", "group.parallel", "lone", "after", "ended"]


async def test_step_in_goes_into_sub_flows_but_not_to_other_branches() -> None:
    session = await session_of(flows)
    await session.run_to("b 1")
    assert await names(session, "step_in", 5) == ["deepest", "b deep", "ig.Done", "ig.Done", "after"]


async def test_step_over_in_a_branch_goes_to_the_branchs_own_next_stop() -> None:
    session = await session_of(flows)
    await session.run_to("c 1")
    assert await names(session, "step_over", 3) == ["deepest", "ig.Done", "after"]


async def test_step_out_goes_to_the_flow_that_waits() -> None:
    session = await session_of(flows)
    await session.run_to("a deep")
    assert await names(session, "step_out", 3) == ["ig.Done", "between", "ended"]
    await session.run_to("a deep", backwards=True)
    assert session.stop.frames[0].function == "deepest"
    assert [frame.function for frame in session.stop.frames] == ["deepest", "inner", "flows"]


# Odd handlers.


async def test_a_handler_without_yields_has_two_stops() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        for _ in ():
            yield ctx.step.run("never", echo)

    session = await session_of(handler)
    assert [stop.state for stop in await walk(session)] == ["start", "ended"]
    assert (await session.goto(7)).number == 1


async def test_a_handler_that_awaits_is_awaited_under_the_sessions_loop() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        for n in range(3):
            await anyio.lowlevel.checkpoint()
            yield ctx.step.run("a", echo, n)

    session = await session_of(handler)
    stops = await walk(session)
    assert await session.goto(2) == stops[2]


async def test_generators_inside_a_handler_are_made_anew_with_each_replay() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        async for n in numbers(3):
            yield ctx.step.run("n", echo, n)

    session = await session_of(handler)
    stops = await walk(session)
    for number in (3, 1, 2):
        assert await session.goto(number) == stops[number]


async def test_inside_a_scope_of_the_handlers_own_there_is_no_stop() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.lowlevel.checkpoint)
            yield ctx.defer("d", corpus.note, {})
        yield ctx.step.run("b", echo)

    app = rig.app_of(handler)
    recording = await rig.recorded(app, None, corpus.APP)
    async with Session(recording, app) as session:
        stops = await walk(session)
        assert [stop.number for stop in stops] == [0, 1, 3, 4]
        assert [told(stop) for stop in stops] == ["start", "a", "b", "ended"]
        assert (await session.goto(2)).number == 3
        assert (await session.back()).number == 1
        assert [told(stop) for stop in [await session.finish(), await session.back(), await session.back(), await session.back()]] == [
            "ended", "b", "a", "start",
        ]  # fmt: skip
        assert [mark.number for mark in await session.trail()] == [0, 1, 3, 4]
        assert (await session.run_to("b")).number == 3
        assert (await session.run_to("a", backwards=True)).number == 1


async def test_a_long_group_is_stepped_through() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*[quote(ctx, 1) for _ in range(40)])

    session = await session_of(handler)
    stops = await walk(session)
    assert len(stops) == 1 + 1 + 40 * 5 + 1
    assert await session.goto(100) == stops[100]


# How moves are made.


async def handler_with_error(ctx: ig.Context) -> ig.Flow:
    for n in range(10):
        yield ctx.step.run("a", echo, n)
    try:
        yield ctx.step.run("f", fails, "x")
    except ig.StepError:
        yield ctx.step.run("z", echo)


async def test_each_move_may_come_from_another_task_and_scope() -> None:
    session = await session_of(handler_with_error)
    expected = [stop.number for stop in await walk(session)]
    await session.start()
    found = [0]

    async def one() -> None:
        with anyio.move_on_after(30):
            found.append((await session.step()).number)

    for _ in expected[1:]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
    assert found == expected
    with anyio.CancelScope():
        await session.back(3)
    assert (await session.step()).number == expected[-1] - 2


async def test_one_move_at_a_time() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        await anyio.sleep(0.01)  # noqa: IGN106 - a move that takes its time
        yield ctx.step.run("a", echo)

    session = await session_of(handler)
    refused: list[str] = []

    async def move() -> None:
        try:
            await session.step()
        except MisuseError as error:
            refused.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(move)
        tasks.start_soon(move)
    assert refused == ["a move is under way: await it before the next"]
    assert session.stop.number == 1


async def test_after_a_move_that_was_cut_short_the_session_goes_on() -> None:
    hanging = True

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)
        if hanging and ctx.data.get("debugged"):
            await anyio.sleep_forever()  # noqa: IGN106 - a move that hangs
        yield ctx.step.run("b", echo)

    app = rig.app_of(handler)
    recording = await rig.recorded(app)
    events = (ig.Event("go", {"debugged": True}),)
    session = Session(replace(recording, events=events), app)
    await session.start()
    await session.step()
    with anyio.move_on_after(0.02) as scope:
        await session.step()
    assert scope.cancelled_caught
    assert session.stop.number == 1
    hanging = False
    assert told(await session.step()) == "b"
    session.close()


def test_each_move_may_have_a_loop_of_its_own() -> None:
    recording = rig.of_corpus()["branches"]
    session = Session(recording, rig.CORPUS)
    loops = ["asyncio", "trio"]
    count = len(anyio.run(session.trail))
    found = [anyio.run(session.step, backend=loops[n % 2]).number for n in range(count - 1)]
    assert found == list(range(1, count))
    assert anyio.run(session.back, backend="trio").number == count - 2


async def test_before_the_first_move_there_is_no_stop() -> None:
    session = Session(rig.of_corpus()["linear"], rig.CORPUS)
    with pytest.raises(MisuseError, match="session has not begun"):
        _ = session.stop
    assert (await session.step()).number == 1


async def test_an_app_without_the_function_is_refused() -> None:
    with pytest.raises(MisuseError, match="app 'corpus' has no function 'recorded-linear', .* there are: corpus-note, corpus-checked"):
        Session(rig.of_corpus()["linear"], corpus.APP)


async def test_a_function_may_be_given_itself() -> None:
    async with Session(rig.of_corpus()["linear"], rig.CORPUS.functions["linear"]) as session:
        assert (await session.finish()).state == "ended"


async def test_data_that_the_schema_refuses_ends_the_replay_at_its_start() -> None:
    app = ig.App("test")

    @app.function("f", trigger=ig.EventType("go", dict[str, int]))
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo)

    recording = replace(await rig.recorded(app, {"n": 1}), events=(ig.Event("go", {"n": "x"}),))
    async with Session(recording, app) as session:
        stop = session.stop
        assert (stop.number, stop.state) == (0, "ended")
        assert stop.end is not None
        assert stop.end.error is not None
        assert stop.end.error["name"] == "SchemaError"
        assert (await session.step()).number == 0
        assert [mark.state for mark in await session.trail()] == ["ended"]
        assert (await session.run_to("a")).number == 0
