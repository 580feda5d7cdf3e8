"""Where sync bodies run: daemon threads that serve one loop, are used again, and may be left behind."""

import contextvars
import functools
import threading
import time

import anyio
import anyio.lowlevel
import anyio.to_thread

from inngest_gen.driver.threads import Spare, Threads


async def test_a_call_runs_in_a_thread_with_the_callers_contextvars() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    variable.set("here")
    threads = Threads()

    def call() -> tuple[str, bool]:
        seen = variable.get()
        variable.set("changed")
        return seen, threading.current_thread() is threading.main_thread()

    assert await threads.run(call) == ("here", False)
    assert variable.get() == "here"
    threads.close()


async def test_threads_are_used_again_and_started_as_needed() -> None:
    threads = Threads()
    idents = {await threads.run(threading.get_ident) for _ in range(10)}
    assert len(idents) == 1
    together = threading.Barrier(5)
    found: list[int] = []

    async def one() -> None:
        found.append(await threads.run(lambda: together.wait(20) * 0 + threading.get_ident()))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one)
    assert len(set(found)) == 5
    threads.close()


async def test_a_cancelled_call_is_left_behind_and_its_thread_comes_back() -> None:
    threads = Threads()
    free = threading.Event()
    ended = threading.Event()

    def call() -> None:
        free.wait(20)
        ended.set()

    with anyio.move_on_after(0.01) as scope:
        await threads.run(call)
    assert scope.cancelled_caught
    other = await threads.run(threading.get_ident)
    free.set()
    assert ended.wait(20)
    with anyio.fail_after(20):
        while len(threads._idle) < 2:
            await anyio.sleep(0.001)
    assert other
    threads.close()


async def test_they_end_at_the_close_and_do_not_keep_the_process() -> None:
    threads = Threads()
    thread = await threads.run(threading.current_thread)
    assert thread.daemon
    threads.close()
    await anyio.to_thread.run_sync(thread.join, 20)
    assert not thread.is_alive()


def test_a_call_that_ends_after_its_loop_is_over_ends_quietly(anyio_backend_name: str) -> None:
    free = threading.Event()
    found: list[threading.Thread] = []

    async def main() -> None:
        threads = Threads()

        def call() -> None:
            found.append(threading.current_thread())
            free.wait(20)

        with anyio.move_on_after(0.01):
            await threads.run(call)
        while not found:
            await anyio.sleep(0.001)

    anyio.run(main, backend=anyio_backend_name)
    free.set()
    deadline = time.monotonic() + 20
    while found[0].is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not found[0].is_alive()


async def test_threads_that_are_left_over_serve_others() -> None:
    spare: Spare = []
    first, second = Threads(spare=spare), Threads(spare=spare)
    ident = await first.run(threading.get_ident)
    assert not spare
    first.close()
    assert len(spare) == 1
    assert await second.run(threading.get_ident) == ident
    assert not spare
    second.close()
    for inbox in spare:
        inbox.put(None)


def test_a_left_over_thread_serves_the_next_loop(anyio_backend_name: str) -> None:
    spare: Spare = []

    async def once() -> int:
        threads = Threads(spare=spare)
        try:
            return await threads.run(threading.get_ident)
        finally:
            threads.close()

    idents = {anyio.run(once, backend=backend) for backend in ("asyncio", "trio", anyio_backend_name)}
    assert len(idents) == len(spare) == 1
    spare.pop().put(None)


async def test_a_quick_call_ends_while_the_loop_is_blocked() -> None:
    woken: list[object] = []
    threads = Threads(woken.append, blocks_s=60)  # this loop is never woken
    idents = {await threads.run(threading.get_ident) for _ in range(50)}
    assert len(idents) == 1
    assert threading.get_ident() not in idents
    assert woken == []
    threads.close()


async def test_a_long_call_leaves_the_loop_to_others_after_a_while() -> None:
    threads = Threads(blocks_s=0.001)
    free = threading.Event()
    ended: list[bool] = []

    async def call() -> None:
        ended.append(await threads.run(lambda: free.wait(20)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await anyio.lowlevel.checkpoint()
        assert ended == []
        free.set()
    assert ended == [True]
    threads.close()


async def test_no_end_is_lost_between_a_blocked_loop_and_one_that_waits() -> None:
    threads = Threads(blocks_s=0.0002)
    with anyio.fail_after(60):
        for number in range(300):
            spins = number * 40
            assert await threads.run(functools.partial(sum, range(spins))) == sum(range(spins))
    threads.close()
