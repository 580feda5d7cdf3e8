"""Threads: where the sync bodies of steps run.

Promises: a waiting task can be cancelled at any time (the thread goes on, and what it gives is dropped); the threads are daemons, so that a body
which never returns does not keep the process from exiting, as those of anyio under asyncio would. Refuses: to limit how many run at once; the
engine's limiter does, and a thread that was left behind must not count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from inngest_gen.loops import Bell, Wake, bell, waker

T = TypeVar("T")


class _Job(Generic[T]):
    __slots__ = ("call", "context", "done", "owner", "result", "soon")

    result: T

    def __init__(self, call: Callable[[], T], owner: Threads) -> None:
        self.call: Callable[[], T] = call
        self.owner: Threads = owner
        self.context: Context = copy_context()
        self.done: Bell = bell()
        self.soon: _Soon | None = None


class _Soon:
    """The end of a call, which a blocked loop waits for as long as it will: then the thread is to wake it."""

    __slots__ = ("_claimed", "_ended")

    def __init__(self) -> None:
        self._claimed = threading.Lock()
        self._ended = threading.Lock()
        self._ended.acquire()

    def has_ended(self) -> bool:
        """Say, in the thread, that the call has ended. Says whether the loop was still blocked, and so knows."""
        if not self._claimed.acquire(blocking=False):
            return False
        self._ended.release()
        return True

    def wait(self, seconds: float) -> bool:
        """Block until the call has ended; says whether it has in that time."""
        return self._ended.acquire(timeout=seconds) or (not self._claimed.acquire(blocking=False) and self._ended.acquire())


_Inbox = SimpleQueue[_Job[Any] | None]
Spare = list[_Inbox]
"""Idle threads that serve nobody."""


class Threads:
    """Worker threads that serve one loop; make it in that loop. A thread is started when none is idle, and kept until `close`.

    `wake` runs a callback in the loop; it is the loop's own way unless it is given. With `spare`, threads come from there, and go there in the end.
    With `blocks_s` the loop is blocked for up to so many seconds until a call has ended: where nothing else is to happen meanwhile, as in a test, a
    quick call costs less so.
    """

    def __init__(self, wake: Wake | None = None, *, spare: Spare | None = None, blocks_s: float = 0) -> None:
        self.wake: Wake = wake or waker()
        self._blocks_s = blocks_s
        self._idle: Spare = []  # touched in the loop only
        self._spare = spare
        self._closed = False

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call`, which must not raise, in a thread and in a copy of the caller's contextvars; give what it gives."""
        job = _Job(call, self)
        inbox = self._inbox()
        if self._blocks_s:
            job.soon = _Soon()
        inbox.put(job)
        if job.soon is not None and job.soon.wait(self._blocks_s):
            self.finished(job, inbox)
        else:
            await job.done.wait()
        return job.result

    def _inbox(self) -> _Inbox:
        for idle in (self._idle, self._spare):
            if idle:
                try:
                    return idle.pop()
                except IndexError:  # another loop was faster
                    pass
        inbox = _Inbox()
        threading.Thread(target=_work, args=(inbox,), name="inngest_gen body", daemon=True).start()
        return inbox

    def close(self) -> None:
        """Let the idle threads end, and the others when they have finished."""
        self._closed = True
        for inbox in self._idle:
            self._leave(inbox)
        self._idle.clear()

    def _leave(self, inbox: _Inbox) -> None:
        if self._spare is None:
            inbox.put(None)
        else:
            self._spare.append(inbox)

    def finished(self, job: _Job[Any], inbox: _Inbox) -> None:
        """Take a result, and its thread, back in the loop."""
        job.done.ring()
        if self._closed:
            self._leave(inbox)
        else:
            self._idle.append(inbox)


def _work(inbox: _Inbox) -> None:
    job = inbox.get()
    while job is not None:
        job.result = job.context.run(job.call)
        try:
            if job.soon is None or not job.soon.has_ended():
                job.owner.wake(partial(job.owner.finished, job, inbox))
        except RuntimeError:  # the loop is over
            return
        del job  # it may hold much, and the next one may be long in coming
        job = inbox.get()
