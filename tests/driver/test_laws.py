"""Laws that hold for every handler: replay is a fixed point, a stop at any point changes nothing, no defer is lost or doubled."""

import itertools
import logging
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.driver.corpus import HANDLERS, Handler, Node, drawn, programs
from tests.driver.shell import End, Shell, Stop, by_name, shuffled

seeds = st.integers(0, 2**32)
handlers = st.one_of(st.sampled_from(HANDLERS), programs.map(drawn))
gaps = st.lists(st.integers(1, 25), max_size=8)
"""How many points there are from one stop to the next."""


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Any:
    """Duplicates and misuse are drawn in masses."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def stops(gaps: list[int]) -> Stop:
    left = list(gaps)
    since = 0

    def stop(point: int) -> bool:
        nonlocal since
        since += 1
        if left and since >= left[0]:
            left.pop(0)
            since = 0
            return True
        return False

    return stop


def positions(shell: Shell) -> dict[str, int]:
    return {hash: entry.position for hash, entry in shell.record.steps.items()}


async def live(handler: Handler, seed: int, **options: Any) -> tuple[Shell, End]:
    shell = Shell(handler, order=shuffled(seed), **options)
    return shell, await shell.run()


@given(handler=handlers, seed=seeds, at_once=st.integers(1, 4), late_losers=st.booleans())
async def test_the_replay_of_a_record_is_a_fixed_point(handler: Handler, seed: int, at_once: int, late_losers: bool) -> None:
    shell, end = await live(handler, seed, at_once=at_once, late_losers=late_losers)
    assert end.kind != "diverged"
    assert await shell.replay() == end  # and nothing is new, asked for in another place, left over, or sent


@given(handler=handlers, seed=seeds, gaps=gaps)
async def test_a_stop_at_any_point_changes_nothing(handler: Handler, seed: int, gaps: list[int]) -> None:
    uninterrupted, end = await live(handler, seed)
    shell = Shell(handler, order=shuffled(seed))
    assert await shell.run(stop=stops(gaps)) == end
    assert positions(shell) == positions(uninterrupted)
    assert list(shell.record.steps) == list(uninterrupted.record.steps)
    assert await shell.replay() == end


@given(handler=handlers, seed=seeds, gaps=gaps)
async def test_no_body_with_a_recorded_result_runs_again(handler: Handler, seed: int, gaps: list[int]) -> None:
    uninterrupted, _ = await live(handler, seed)
    shell = Shell(handler, order=shuffled(seed))
    await shell.run(stop=stops(gaps))  # the shell refuses to run one
    repeated = Counter(shell.calls) - Counter(uninterrupted.calls)
    assert repeated.total() <= len(gaps)  # at most the one in flight at each stop
    assert not Counter(uninterrupted.calls) - Counter(shell.calls)


@given(handler=handlers, seed=seeds, gaps=gaps)
async def test_no_defer_is_lost_or_doubled(handler: Handler, seed: int, gaps: list[int]) -> None:
    uninterrupted, _ = await live(handler, seed)
    shell = Shell(handler, order=shuffled(seed))
    await shell.run(stop=stops(gaps))  # the record refuses one that is sent twice
    assert sorted(shell.record.scheduled()) == sorted(uninterrupted.record.scheduled())


@given(handler=handlers, seed=seeds, budget=st.integers(1, 9), gaps=gaps)
async def test_turns_of_few_yields_change_nothing(handler: Handler, seed: int, budget: int, gaps: list[int]) -> None:
    uninterrupted, end = await live(handler, seed)
    shell = Shell(handler, order=shuffled(seed), budget=budget)
    assert await shell.run(stop=stops(gaps)) == end
    assert positions(shell) == positions(uninterrupted)
    assert await shell.replay() == end


@given(handler=handlers, seed=seeds)
async def test_matching_by_id_replays_unchanged_code_as_well(handler: Handler, seed: int) -> None:
    shell, end = await live(handler, seed)
    lenient = Shell(handler, record=shell.record, strict=False)
    assert await lenient.replay() == end


@given(handler=handlers, seed=seeds)
async def test_records_only_grow(handler: Handler, seed: int) -> None:
    shell = Shell(handler, order=shuffled(seed))
    grown: list[list[str]] = []

    def stop(point: int) -> bool:
        grown.append(list(shell.record.steps))
        return False

    await shell.run(stop=stop)
    for before, after in itertools.pairwise(grown):
        assert after[: len(before)] == before


@pytest.mark.parametrize("handler", HANDLERS)
async def test_each_handler_stopped_once_at_each_point(handler: Handler) -> None:
    for seed in (1, 2):
        uninterrupted, end = await live(handler, seed)
        for at in range(1, uninterrupted.points + 1):
            shell = Shell(handler, order=shuffled(seed))
            assert await shell.run(stop=lambda point, at=at: point == at) == end  # type: ignore[misc]
            assert positions(shell) == positions(uninterrupted)
            assert sorted(shell.record.scheduled()) == sorted(uninterrupted.record.scheduled())


async def test_programs_do_what_they_say() -> None:
    """A law about handlers that do nothing would be no law."""
    program = Node("race", "a", (Node("finally", "a", (Node("fail", "b"), Node("step", "c"))), Node("step", "a")))
    shell = Shell(drawn(program), order=by_name("b", "c"))
    assert (await shell.run()).error == "StepError: step 'b': ValueError: b"
    assert shell.record.ids() == ["b", "c"]
    shell = Shell(drawn(program))
    assert (await shell.run()).value == [1, "a"]
    assert shell.record.ids() == ["b", "a"]
