"""Laws over drawn handlers, with records cut at any point: a stop is the same however it is come to, and no body runs."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inngest_gen as ig
from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.session import Session
from inngest_gen.recording.format import dumps, loads
from inngest_gen.recording.recording import RecordedDefer, RecordedStep, Recording
from tests.debugger.rig import walk
from tests.driver.corpus import HANDLERS, Handler, drawn, programs
from tests.driver.shell import RUN_ID, Shell, shuffled

handlers = st.one_of(st.sampled_from(HANDLERS), programs.map(drawn))
seeds = st.integers(0, 2**32)
cuts = st.none() | st.integers(0, 30)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(0, 5)),
        st.tuples(st.just("back"), st.integers(0, 5)),
        st.tuples(st.just("goto"), st.integers(0, 40)),
        st.tuples(st.sampled_from(["finish", "start", "step_over", "step_in", "step_out"]), st.none()),
    ),
    max_size=12,
)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Any:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def recorded(handler: Handler, seed: int, cut: int | None) -> tuple[Recording, ig.Function, list[str]]:
    """A recording of what the driver's smallest shell recorded, cut after so many completed steps; the function, and which bodies ran."""
    shell = Shell(handler, order=shuffled(seed))
    await shell.run()
    entries = list(shell.record.steps.values())
    kept = entries if cut is None else entries[:cut]
    steps = [
        RecordedStep(
            id=entry.label, hash=entry.hash, kind=entry.kind, position=entry.position, at=entry.at, rank=rank,
            data=entry.data if entry.failure is None else None,
            error=None if entry.failure is None else Failure.from_json(entry.failure),
            status="completed" if entry.failure is None else "failed",
        )
        for rank, entry in enumerate(kept, 1)
    ]  # fmt: skip
    steps.sort(key=lambda step: step.position or 0)
    defers = [RecordedDefer(id=shell.record.adds[hash].id, hash=hash, status=status) for hash, status in shell.record.defers.items()]
    recording = Recording(
        run_id=RUN_ID,
        function=shell.function.slug,
        events=(ig.Event("test/event"),),
        steps=tuple(steps),
        defers=tuple(defers) if cut is None else (),
    )
    shell.calls.clear()
    return loads(dumps(recording)), shell.function, shell.calls


@given(handler=handlers, seed=seeds, cut=cuts)
@settings(max_examples=60)
async def test_forward_and_backward_visit_the_same_stops(handler: Handler, seed: int, cut: int | None) -> None:
    recording, function, calls = await recorded(handler, seed, cut)
    async with Session(recording, function) as session:
        forward = await walk(session)
        assert [stop for stop in forward if stop.divergence is not None] == []
        assert forward[-1].state == "ended" or (cut is not None and forward[-1].state == "frontier")
        backward = [session.stop]
        while session.stop.number:
            backward.append(await session.back())
        assert backward[::-1] == forward
        assert await session.finish() == forward[-1]
        assert [stop.unstable for stop in backward if stop.unstable] == []
        assert [mark.number for mark in await session.trail()] == [stop.number for stop in forward]
    assert calls == []


@given(handler=handlers, seed=seeds, cut=cuts, moves=moves)
@settings(max_examples=60)
async def test_whatever_the_moves_a_stop_is_the_one_of_its_number(
    handler: Handler, seed: int, cut: int | None, moves: list[tuple[str, int | None]]
) -> None:
    recording, function, calls = await recorded(handler, seed, cut)
    async with Session(recording, function) as session:
        stops = await walk(session)
        last = len(stops) - 1
        await session.start()
        for name, argument in moves:
            here = session.stop.number
            move: Callable[..., Any] = getattr(session, name)
            stop = await (move() if argument is None else move(argument))
            assert stop == stops[stop.number]
            if argument is not None:
                wanted = {"step": here + argument, "back": here - argument, "goto": argument}[name]
                assert stop.number == min(max(wanted, 0), last)
            elif name in {"step_over", "step_in", "step_out"}:
                assert stop.number > here or here == last
    assert calls == []


@given(handler=handlers, seed=seeds)
@settings(max_examples=40)
async def test_the_record_of_a_run_is_compatible_with_its_code(handler: Handler, seed: int) -> None:
    recording, function, _ = await recorded(handler, seed, None)
    async with Session(recording, function) as session:
        verdict = await session.check()
    assert (verdict.compatible, verdict.unused, verdict.reached) == (True, (), len(recording.steps))
