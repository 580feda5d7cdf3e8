"""Errands: what the view wants done in the session's loop, one after the other.

Promises: the view's thread never waits for that loop, which a handler's own code may hold for as long as it likes (a portal's calls would wait).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal

from inngest_gen.loops import Bell, Wake, bell, waker


class Errand:
    """Something to be done. `outcome` is what `work` gives, or None where it was cancelled. `quietly`: nobody has asked for it."""

    def __init__(self, what: str, work: Callable[[], Awaitable[Any]], then: Callable[[Any], None], *, quietly: bool = False) -> None:
        self.what: str = what
        self.then: Callable[[Any], None] = then
        self.quietly: bool = quietly
        self.began: float = time.monotonic()
        self.outcome: Future[Any] = Future()
        self._unwanted = False
        self._work = work
        self._scope: anyio.CancelScope | None = None

    async def do(self) -> None:
        """Do it, in the session's loop."""
        result = None
        try:
            with anyio.CancelScope() as self._scope:
                if not self._unwanted:
                    result = await self._work()
        except BaseException as error:
            self.outcome.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            self.outcome.set_result(result)

    def cancel(self) -> None:
        """End it, in the session's loop."""
        self._unwanted = True
        if self._scope is not None:
            self._scope.cancel()


class Errands:
    """Does errands behind a portal, in one task."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._todo: deque[Errand] = deque()
        self._closed = False
        self._wake: Wake
        self._bell: Bell
        began: Future[None] = Future()
        portal.start_task_soon(self._serve, began)
        began.result()

    async def _serve(self, began: Future[None]) -> None:
        self._wake, self._bell = waker(), bell()
        began.set_result(None)
        while not self._closed:
            if self._todo:
                await self._todo.popleft().do()
            else:
                await self._bell.wait()
        for errand in self._todo:
            errand.outcome.set_result(None)

    def begin(self, errand: Errand) -> None:
        """Have something done after what was begun before; from any thread."""
        self._todo.append(errand)
        self._wake(self._bell.ring)

    def cancel(self, errand: Errand) -> None:
        """Have an errand end; from any thread."""
        self._wake(errand.cancel)

    def close(self) -> None:
        """Do no more errands; from any thread."""
        self._closed = True
        self._wake(self._bell.ring)
