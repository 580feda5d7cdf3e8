"""The one file that knows the event loops by name.

`waker()` gives a thread-safe way to run a callback in the loop, `inlet()` a faster one that is to be closed; `bell()` what a task waits for until it
is rung; `scope_marker()` a look at the running task's innermost cancel scope, for telling whether a handler left one open over a yield;
`within_time()` a time limit that costs nothing where there is nothing to wait for; `being_cancelled()` whether the running task is being cancelled
from outside; `keep_interrupts_from()` lets Ctrl-C reach the main task only, as it does under asyncio.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from functools import cache, partial
from typing import Any, Protocol, TypeVar, cast
from weakref import ref

import anyio

T = TypeVar("T")
Wake = Callable[[Callable[[], Any]], None]


def _under_trio() -> bool:
    if "trio" not in sys.modules:
        return False
    import trio

    return trio.lowlevel.in_trio_run()


def waker() -> Wake:
    """Give a function that, called from any thread, runs a callback soon in the running loop. Raises RuntimeError outside a loop.

    The function raises RuntimeError (asyncio) or trio.RunFinishedError, a RuntimeError too, when the loop is gone.
    """
    if _under_trio():
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon
    import asyncio

    wake: Any = asyncio.get_running_loop().call_soon_threadsafe
    return cast("Wake", wake)


class Inlet(Protocol):
    """What other threads hand callbacks to the loop through: half of what the loop's own way costs, both for the loop and for the thread."""

    def __call__(self, callback: Callable[[], Any], /) -> None:
        """Let the loop run a callback soon, after those that were handed in before. Raises RuntimeError when the loop or the inlet is closed."""
        ...

    def close(self) -> None:
        """Take no more callbacks, and run those that were handed in. To be called in the loop."""
        ...


class _EventInlet:
    """An eventfd that the loop listens to. `call_soon_threadsafe` sends through a socket, and reads that twice, the second time in vain."""

    __slots__ = ("_callbacks", "_event", "_lock", "_loop")

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._callbacks: deque[Callable[[], Any]] = deque()
        self._event: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()  # so that nobody writes to a number that is another file by then
        loop.add_reader(self._event, self._heard)

    def __call__(self, callback: Callable[[], Any], /) -> None:
        with self._lock:
            if self._event is None or self._loop.is_closed():
                raise RuntimeError("the loop is closed")
            self._callbacks.append(callback)
            os.eventfd_write(self._event, 1)

    def _heard(self) -> None:
        assert self._event is not None
        os.eventfd_read(self._event)
        self._run()

    def _run(self) -> None:
        callbacks = self._callbacks
        for _ in range(len(callbacks)):  # those that come meanwhile have rung for themselves
            if not callbacks:
                return  # one of them closed the inlet
            try:
                callbacks.popleft()()
            except Exception as error:  # noqa: BLE001 - as the loop does with its own callbacks
                self._loop.call_exception_handler({"message": "a callback from another thread failed", "exception": error})

    def close(self) -> None:
        with self._lock:
            event, self._event = self._event, None
            if event is None:
                return
            self._loop.remove_reader(event)
            os.close(event)
        self._run()

    def __del__(self) -> None:
        event = getattr(self, "_event", None)
        if event is not None:  # not closed, and the loop that held it is gone
            os.close(event)


class _PlainInlet:
    """The loop's own way."""

    __slots__ = ("_closed", "_wake")

    def __init__(self) -> None:
        self._wake = waker()
        self._closed = False

    def __call__(self, callback: Callable[[], Any], /) -> None:
        if self._closed:
            raise RuntimeError("the inlet is closed")
        self._wake(callback)

    def close(self) -> None:
        self._closed = True


def inlet() -> Inlet:
    """Make an inlet to the running loop. Raises RuntimeError outside a loop."""
    if not _under_trio() and hasattr(os, "eventfd"):
        import asyncio

        loop = asyncio.get_running_loop()
        try:
            return _EventInlet(loop)
        except (NotImplementedError, OSError):  # a loop without readers, or no file left to open
            pass
    return _PlainInlet()


class Bell(Protocol):
    """What one task waits for, again and again: a fifth of what an anyio.Event for each wait costs."""

    def ring(self) -> None:
        """Wake the task, if it waits. To be called in the loop: what was rung before the wait is not heard, so look before you wait."""
        ...

    async def wait(self) -> None:
        """Wait for the next ring."""
        ...


class _AsyncioBell:
    __slots__ = ("_future", "_loop")

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._future: Any = None

    def ring(self) -> None:
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)

    async def wait(self) -> None:
        self._future = self._loop.create_future()
        try:
            await self._future
        finally:
            self._future = None


class _TrioBell:
    __slots__ = ("_lowlevel", "_task")

    def __init__(self, lowlevel: Any) -> None:
        self._lowlevel = lowlevel
        self._task: Any = None

    def ring(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._lowlevel.reschedule(task)

    def _abort(self, _: Any) -> Any:
        self._task = None
        return self._lowlevel.Abort.SUCCEEDED

    async def wait(self) -> None:
        self._task = self._lowlevel.current_task()
        await self._lowlevel.wait_task_rescheduled(self._abort)


def bell() -> Bell:
    """Make a bell for the running loop. Raises RuntimeError outside a loop."""
    if _under_trio():
        import trio

        return _TrioBell(trio.lowlevel)
    import asyncio

    return _AsyncioBell(asyncio.get_running_loop())


def scope_marker() -> Callable[[], object]:
    """Give a function that gives what identifies the running task's innermost cancel scope: compare two marks with `is`.

    It is for this task, whichever task calls it, and costs a tenth of finding the task each time.
    """
    if _under_trio():
        import trio

        return partial(getattr, trio.lowlevel.current_task(), "_cancel_status", None)
    current_task, _task_states = _asyncio_tasks()
    task = current_task()
    if task is None:
        return _no_scope
    state = _task_states.data.get(ref(task))  # its own `get` does the same, a call further away
    if state is not None:
        return partial(getattr, state, "cancel_scope")  # it is kept as long as the task is

    def mark() -> object:
        state = _task_states.get(task)
        return None if state is None else state.cancel_scope

    return mark


@cache
def _asyncio_tasks() -> tuple[Callable[[], Any], Any]:
    import asyncio

    from anyio._backends._asyncio import _task_states

    return asyncio.current_task, _task_states


def _no_scope() -> None:
    return None


@types.coroutine
def within_time(seconds: float, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await a coroutine that may wait for `seconds` in all; then TimeoutError is raised where it waits.

    Only while it waits is there a cancel scope: inside those that it holds itself, whoever made it. One around all of it would cost a tenth of a
    call whose body is there.
    """
    deadline: float | None = None
    value: Any = None
    error: BaseException | None = None
    try:
        while True:
            try:
                request = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            value, error = None, None
            if deadline is None:
                deadline = anyio.current_time() + seconds
            scope = anyio.CancelScope(deadline=deadline)
            try:
                with scope:
                    value = yield request
            except BaseException as raised:  # noqa: BLE001 - whatever the loop throws goes to the coroutine
                error = raised
            # Trio sends a cancellation, in an outcome, where asyncio throws it.
            if scope.cancelled_caught or (
                scope.cancel_called and isinstance(getattr(value, "error", None), anyio.get_cancelled_exc_class())
            ):
                value, error, deadline = None, TimeoutError(f"not done after {seconds} s"), math.inf
    except BaseException:
        coroutine.close()
        raise
    finally:
        error = None  # break the cycle error -> traceback -> this frame -> error


def being_cancelled() -> bool:
    """Say whether the running task is under a cancelled scope or, in asyncio, has been cancelled."""
    if anyio.current_effective_deadline() == float("-inf"):
        return True
    if _under_trio():
        return False
    import asyncio

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def keep_interrupts_from(*functions: Callable[..., Any]) -> None:
    """Under trio, let Ctrl-C that comes while these coroutine functions run wait for the main task's next checkpoint, as asyncio does.

    Without it KeyboardInterrupt is raised in whatever runs at that moment, which would end all tasks of the engine at once.
    """
    if _under_trio():
        import trio

        for function in functions:
            trio.lowlevel.enable_ki_protection(function)


def in_loop() -> bool:
    """Say whether the calling thread runs an event loop right now."""
    if _under_trio():
        return True
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
