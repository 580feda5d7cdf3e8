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
    __slots__ = ("call", "context", "done", "owner", "result")

    result: T

    def __init__(self, call: Callable[[], T], owner: Threads) -> None:
        self.call: Callable[[], T] = call
        self.owner: Threads = owner
        self.context: Context = copy_context()
        self.done: Bell = bell()


_Inbox = SimpleQueue[_Job[Any] | None]
Spare = list[_Inbox]
"""Idle threads that serve nobody."""


class Threads:
    """Worker threads that serve one loop; make it in that loop. A thread is started when none is idle, and kept until `close`.

    `wake` runs a callback in the loop; it is the loop's own way unless it is given. With `spare`, threads come from there, and go there in the end.
    """

    def __init__(self, wake: Wake | None = None, *, spare: Spare | None = None) -> None:
        self.wake: Wake = wake or waker()
        self._idle: Spare = []  # touched in the loop only
        self._spare = spare
        self._closed = False

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call`, which must not raise, in a thread and in a copy of the caller's contextvars; give what it gives."""
        job = _Job(call, self)
        self._inbox().put(job)
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
            job.owner.wake(partial(job.owner.finished, job, inbox))
        except RuntimeError:  # the loop is over
            return
        del job  # it may hold much, and the next one may be long in coming
        job = inbox.get()
