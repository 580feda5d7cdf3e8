"""What the package knows of the loops: the same under asyncio and trio."""

import asyncio
import threading
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from inngest_gen.loops import bell, inlet, scope_marker, within_time


class TestBell:
    async def test_it_wakes_the_task_that_waits_again_and_again(self) -> None:
        one, heard = bell(), 0

        async def listen() -> None:
            nonlocal heard
            while heard < 3:
                await one.wait()
                heard += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            for number in range(3):
                await anyio.wait_all_tasks_blocked()
                assert heard == number
                one.ring()
                one.ring()  # twice is as good as once
        assert heard == 3

    async def test_what_was_rung_before_the_wait_is_not_heard(self) -> None:
        one = bell()
        one.ring()
        with anyio.move_on_after(0.01) as scope:
            await one.wait()
        assert scope.cancelled_caught

    async def test_a_cancelled_wait_is_over(self) -> None:
        one = bell()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await one.wait()
        one.ring()  # nobody is there
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.wait)
            await anyio.wait_all_tasks_blocked()
            one.ring()

    async def test_a_task_that_is_rung_and_cancelled_at_once_is_cancelled(self) -> None:
        one = bell()
        reached = False

        async def listen(scope: anyio.CancelScope) -> None:
            nonlocal reached
            with scope:
                await one.wait()
                await anyio.lowlevel.checkpoint()
                reached = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, scope := anyio.CancelScope())
            await anyio.wait_all_tasks_blocked()
            one.ring()
            scope.cancel()
        assert not reached

    def test_it_needs_a_loop(self) -> None:
        with pytest.raises(RuntimeError):
            bell()


class TestInlet:
    async def test_callbacks_from_threads_run_in_the_loop_in_their_order(self) -> None:
        into, seen, done = inlet(), list[tuple[int, int]](), anyio.Event()
        loops_thread = threading.get_ident()

        def note(number: int) -> None:
            seen.append((number, threading.get_ident()))

        def hand_in() -> None:
            for number in range(100):
                into(partial(note, number))
            into(done.set)

        await anyio.to_thread.run_sync(hand_in)
        await done.wait()
        assert seen == [(number, loops_thread) for number in range(100)]
        into.close()

    async def test_what_a_callback_hands_in_runs_too(self) -> None:
        into, done = inlet(), anyio.Event()
        into(lambda: into(lambda: into(done.set)))
        await done.wait()
        into.close()

    async def test_closed_it_takes_nothing_more_and_loses_nothing(self) -> None:
        into, seen = inlet(), list[int]()
        into(lambda: seen.append(1))
        into(into.close)
        into(lambda: seen.append(2))
        into.close()
        into.close()
        with pytest.raises(RuntimeError):
            into(lambda: seen.append(3))
        await anyio.wait_all_tasks_blocked()
        assert seen == [1, 2]

    def test_it_needs_a_loop_that_is_there(self, anyio_backend_name: str) -> None:
        with pytest.raises(RuntimeError):
            inlet()

        async def make() -> object:
            return inlet()

        into = anyio.run(make, backend=anyio_backend_name)
        with pytest.raises(RuntimeError):
            into(print)  # type: ignore[operator]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # what trio does with a failing callback is to end
async def test_a_callback_that_fails_does_not_keep_the_others_from_running() -> None:
    into, done, told = inlet(), anyio.Event(), list[dict[str, Any]]()
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    into(lambda: 1 / 0)
    into(done.set)
    await done.wait()
    loop.set_exception_handler(before)
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
    into.close()


async def test_the_mark_is_that_of_the_innermost_scope_of_the_task() -> None:
    mark = scope_marker()
    before = mark()
    assert mark() is before
    with anyio.CancelScope():
        inside = mark()
        assert inside is not before
        with anyio.CancelScope():
            assert mark() is not inside
        assert mark() is inside
        assert scope_marker()() is inside
    assert mark() is before


async def test_the_mark_is_of_the_task_that_asked_for_it() -> None:
    marks: list[bool] = []
    mark = scope_marker()

    async def other() -> None:
        with anyio.CancelScope():
            marks.append(mark() is before)
            marks.append(scope_marker()() is before)
        done.set()

    async with anyio.create_task_group() as tasks:
        before, done = mark(), anyio.Event()
        tasks.start_soon(other)
        await done.wait()
    assert marks == [True, False]


class TestWithinTime:
    async def test_what_does_not_wait_gets_no_scope(self) -> None:
        mark = scope_marker()
        before = mark()

        async def quick() -> bool:
            return mark() is before

        assert await within_time(0, quick())

    async def test_its_result_and_its_error_come_through(self) -> None:
        async def waits(error: Exception | None) -> str:
            await anyio.sleep(0)
            await anyio.lowlevel.checkpoint()
            if error is not None:
                raise error
            return "done"

        assert await within_time(10, waits(None)) == "done"
        with pytest.raises(ValueError, match="mine"):
            await within_time(10, waits(ValueError("mine")))

    async def test_time_counts_in_all_and_what_is_held_is_left_in_order(self) -> None:
        left: list[str] = []

        async def slow() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                with anyio.CancelScope():
                    try:
                        while True:
                            await anyio.sleep(0.001)
                    finally:
                        left.append("scope")
                        tasks.cancel_scope.cancel()
                        with anyio.CancelScope(shield=True):
                            await anyio.sleep(0.001)  # cleaning up may wait
                        left.append("clean")

        with pytest.raises(BaseExceptionGroup) as caught:
            await within_time(0.01, slow())
        assert caught.group_contains(TimeoutError)
        assert left == ["scope", "clean"]
        await anyio.lowlevel.checkpoint()  # nothing is left cancelled

    async def test_a_scope_around_it_wins(self) -> None:
        seen: list[str] = []

        async def forever() -> None:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                seen.append("cancelled")
                raise

        with anyio.move_on_after(0.01) as scope:
            await within_time(10, forever())
        assert scope.cancelled_caught
        assert seen == ["cancelled"]
        await anyio.lowlevel.checkpoint()

    async def test_a_scope_of_its_own_is_its_own(self) -> None:
        async def patient() -> str:
            with anyio.move_on_after(0.001):
                await anyio.sleep_forever()
            await anyio.sleep(0)
            return "moved on"

        assert await within_time(10, patient()) == "moved on"
