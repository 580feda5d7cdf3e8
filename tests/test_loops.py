"""What the package knows of the loops: the same under asyncio and trio."""

import anyio
import anyio.lowlevel
import pytest

from inngest_gen.loops import bell, scope_marker


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
