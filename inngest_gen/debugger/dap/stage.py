"""Stage: an event loop in a thread of its own, where handlers are replayed; the conversation goes on outside, whatever they do.

Promises: jobs run one after another, in one task, under the loop that was chosen; who waits for one may be cancelled, and then the job is too. Code
that does not come back (a loop without an await) cannot be ended by anyone: then the stage is stuck, says where, and takes no more jobs; the thread
is a daemon, so that the process can still end.
"""

from __future__ import annotations

import os
import pathlib
import sys
import sysconfig
from collections import deque
from collections.abc import Awaitable, Callable
from threading import Thread
from typing import Any, Final, Self, TypeVar

import anyio

from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.loops import Bell, Wake, bell, waker

T = TypeVar("T")

_GRACE_S: Final = 2.0
"""How long a job that was cancelled may take to end."""
_NOT_THE_USERS: Final = (
    f"{pathlib.Path(__file__).parents[2]}{os.sep}", "<", *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)  # fmt: skip


class _Job:
    def __init__(self, call: Callable[[], Awaitable[Any]], wake: Wake) -> None:
        self.call = call
        self.value: Any = None
        self.error: BaseException | None = None
        self.over = anyio.Event()
        self.dropped = False
        self.scope: anyio.CancelScope | None = None
        self._wake = wake

    async def perform(self) -> None:
        if not self.dropped:
            with anyio.CancelScope() as self.scope:
                try:
                    self.value = await self.call()
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:  # noqa: BLE001 - handed to whoever waits; a handler may even raise SystemExit
                    self.error = error
        try:
            self._wake(self.over.set)
        except RuntimeError:  # nobody is there any more
            pass

    def cancel(self) -> None:
        """Cancel it; in the stage's loop."""
        self.dropped = True
        if self.scope is not None:
            self.scope.cancel()


class Stage:
    """A loop in a thread, for one conversation. An async context manager."""

    def __init__(self, loop: str) -> None:
        self.stuck: bool = False
        self._loop = loop
        self._jobs: deque[_Job | None] = deque()
        self._thread = Thread(target=self._main, name="inngest-gen replay", daemon=True)
        self._bell: Bell | None = None
        self._wake: Wake | None = None

    async def __aenter__(self) -> Self:
        """Start the thread."""
        started = anyio.Event()
        wake = waker()
        self._started: Callable[[], None] = lambda: wake(started.set)
        self._thread.start()
        await started.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it, if it can be ended."""
        self._put(None)
        with anyio.CancelScope(shield=True):
            if not self.stuck:
                await anyio.to_thread.run_sync(self._thread.join, _GRACE_S)

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Run a job, and give what it gives or raise what it raises. Raises Refused where code does not come back."""
        if self.stuck:
            raise Refused(f"the handler's code does not come back{self._where()}: end the session", shown=True)
        job = _Job(call, waker())
        self._put(job)
        try:
            await job.over.wait()
        except BaseException:
            if self._wake is not None:
                self._wake(job.cancel)
            with anyio.move_on_after(_GRACE_S, shield=True):
                await job.over.wait()
            self.stuck = not job.over.is_set()
            raise
        if job.error is not None:
            raise job.error
        value: T = job.value
        return value

    def _put(self, job: _Job | None) -> None:
        self._jobs.append(job)
        assert self._bell is not None
        assert self._wake is not None
        try:
            self._wake(self._bell.ring)
        except RuntimeError:  # the loop is gone
            pass

    def _main(self) -> None:
        anyio.run(self._work, backend=self._loop)

    async def _work(self) -> None:
        own = self._bell = bell()
        self._wake = waker()
        self._started()
        while True:
            while not self._jobs:
                await own.wait()
            job = self._jobs.popleft()
            if job is None:
                return
            await job.perform()

    def _where(self) -> str:
        """Say at which line of the user's the thread is."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
            frame = frame.f_back
        return "" if frame is None else f" ({frame.f_code.co_filename}:{frame.f_lineno})"
