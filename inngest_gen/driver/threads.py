"""Threads: where the sync bodies of steps run.

Promises: a waiting task can be cancelled at any time (the thread goes on, and what it gives is dropped); the threads are daemons, so that a body
which never returns does not keep the process from exiting, as those of anyio under asyncio would. Refuses: to limit how many run at once; the
engine's limiter does, and a thread that was left behind must not count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from inngest_gen.loops import Wake, bell, waker

T = TypeVar("T")


class _Job(Generic[T]):
    __slots__ = ("call", "context", "done", "result")

    result: T

    def __init__(self, call: Callable[[], T]) -> None:
        self.call = call
        self.context: Context = copy_context()
        self.done = bell()


_Inbox = SimpleQueue[_Job[Any] | None]


class Threads:
    """Worker threads that serve one loop; make it in that loop. A thread is started when none is idle, and kept until `close`.

    `wake` runs a callback in the loop; it is the loop's own way unless it is given.
    """

    def __init__(self, wake: Wake | None = None) -> None:
        self._wake = wake or waker()
        self._idle: list[_Inbox] = []  # touched in the loop only
        self._closed = False

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call`, which must not raise, in a thread and in a copy of the caller's contextvars; give what it gives."""
        job = _Job(call)
        if self._idle:
            inbox = self._idle.pop()
        else:
            inbox = _Inbox()
            threading.Thread(target=self._work, args=(inbox,), name="inngest_gen body", daemon=True).start()
        inbox.put(job)
        await job.done.wait()
        return job.result

    def close(self) -> None:
        """Let the idle threads end, and the others when they have finished."""
        self._closed = True
        for inbox in self._idle:
            inbox.put(None)
        self._idle.clear()

    def _work(self, inbox: _Inbox) -> None:
        job = inbox.get()
        while job is not None:
            job.result = job.context.run(job.call)
            try:
                self._wake(lambda job=job: self._finished(job, inbox))  # type: ignore[misc]
            except RuntimeError:  # the loop is over
                return
            del job  # it may hold much, and the next one may be long in coming
            job = inbox.get()

    def _finished(self, job: _Job[Any], inbox: _Inbox) -> None:
        job.done.ring()
        if self._closed:
            inbox.put(None)
        else:
            self._idle.append(inbox)
