"""Clocks never go backwards, whatever the machine's does."""

import math
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen import clock as clock_module
from inngest_gen.clock import Clock, SystemClock, VirtualClock


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], None]:
    """Sets the machine's wall clock and its monotonic one."""
    monkeypatch.setattr(clock_module, "_last_given", -math.inf)
    monkeypatch.setattr(clock_module, "_last_elapsed", 0.0)

    def set_to(wall: float, elapsed: float) -> None:
        monkeypatch.setattr(time, "time", lambda: wall)
        monkeypatch.setattr(time, "monotonic", lambda: elapsed)

    return set_to


def test_both_are_clocks() -> None:
    clocks: list[Clock] = [SystemClock(), VirtualClock(5)]
    assert all(type(clock.now()) is float for clock in clocks)


def test_the_system_clock_is_the_machines() -> None:
    before = time.time()
    now = SystemClock().now()
    assert before <= now <= time.time() + 1


def test_the_system_clock_follows_the_machines_forwards(machine: Callable[[float, float], None]) -> None:
    machine(1000.0, 50.0)
    assert SystemClock().now() == 1000.0
    machine(5000.0, 51.0)
    assert SystemClock().now() == 5000.0


def test_when_the_machines_clock_is_set_back_time_slows_down_until_it_has_caught_up(machine: Callable[[float, float], None]) -> None:
    machine(1000.0, 50.0)
    first, second = SystemClock(), SystemClock()
    assert first.now() == 1000.0
    machine(900.0, 50.0)
    assert second.now() == 1000.0  # one state for the process
    machine(960.0, 110.0)
    assert first.now() == 1030.0
    machine(1089.0, 239.0)
    assert first.now() == 1094.5
    machine(1101.0, 251.0)
    assert first.now() == 1101.0


def test_the_system_clock_goes_backwards_in_no_thread() -> None:
    clock = SystemClock()
    seen: list[list[float]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda times=times: times.extend(clock.now() for _ in range(2000))) for times in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(times) == 2000 and times == sorted(times) for times in seen)


def test_a_virtual_clock_stands_still_until_it_is_told() -> None:
    clock = VirtualClock(100)
    assert clock.now() == clock.now() == 100.0
    clock.advance_to(160.5)
    assert clock.now() == 160.5
    clock.advance_to(160.5)
    assert clock.now() == 160.5


@pytest.mark.parametrize("t", [99.9, -1.0, math.nan, math.inf])
def test_a_virtual_clock_refuses_to_go_backwards(t: float) -> None:
    clock = VirtualClock(100)
    with pytest.raises(ValueError, match="cannot advance"):
        clock.advance_to(t)
    assert clock.now() == 100.0


@pytest.mark.parametrize("start", [math.nan, math.inf])
def test_a_virtual_clock_starts_at_a_finite_time(start: float) -> None:
    with pytest.raises(ValueError, match="cannot start"):
        VirtualClock(start)


@given(st.lists(st.floats(min_value=0, max_value=1e12)))
def test_advancing_through_sorted_times_shows_each(times: list[float]) -> None:
    clock = VirtualClock(0)
    for t in sorted(times):
        clock.advance_to(t)
        assert clock.now() == t
