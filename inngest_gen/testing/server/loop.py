"""The server's loop: starts what is due, delivers events, and lets time pass when nothing else can happen and somebody waits for that."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from inngest_gen.clock import Clock, VirtualClock
from inngest_gen.errors import RunStuck
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.rules.schedule import deliver
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.world import World

__all__ = ["Loop"]

_SHOWN: Final = 12
"""How many of its last calls are told of a run that is stuck."""


class _Waiter:
    """Somebody who waits until the world is at rest and `done`. `passing`: time may pass meanwhile, up to `until`."""

    def __init__(self, done: Callable[[], bool], *, passing: bool, until: float) -> None:
        self.done = done
        self.passing = passing
        self.until = until
        self.stuck = False
        self.event = anyio.Event()


class Loop:
    """The loop over a world. At rest means: no call of a run that goes on is under way, no request is being answered, nothing is due."""

    def __init__(self, world: World, clock: Clock) -> None:
        """Take the world and the clock by which it goes."""
        self._world = world
        self._clock = clock
        self._waiters: list[_Waiter] = []
        self._answering = 0
        self._performing: set[Job] = set()
        self._news = anyio.Event()

    def poke(self) -> None:
        """Let the loop look again."""
        self._news.set()

    def changed(self) -> None:
        """Deliver what the rules have published, and look again."""
        deliver(self._world, self._clock.now())
        self._news.set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Keep time from passing while something is under way."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1
            self._news.set()

    async def until(
        self,
        done: Callable[[], bool],
        of: Callable[[], Sequence[ServerRun]],
        *,
        seconds: float,
        passing: bool,
        until: float = math.inf,
    ) -> None:
        """Wait until the world is at rest and `done`, for so many seconds of real time. Raises RunStuck, with the logs of `of`."""
        waiter = _Waiter(done, passing=passing, until=until)
        self._waiters.append(waiter)
        self._news.set()
        try:
            with anyio.move_on_after(seconds):
                await waiter.event.wait()
        finally:
            self._waiters.remove(waiter)
        if waiter.stuck or not waiter.event.is_set():
            reason = "nothing is left that could bring it forward" if waiter.stuck else f"it took longer than {seconds:g} s"
            raise RunStuck(reason, [run.log(_SHOWN) for run in of() if not run.ended])

    async def drive(self, tasks: TaskGroup, perform: Callable[[Job], Awaitable[None]]) -> None:
        """Go on for ever."""

        async def work(job: Job) -> None:
            try:
                await perform(job)
            finally:
                self._performing.discard(job)
                self._news.set()

        while True:
            self._news = anyio.Event()
            while (job := self._world.queue.take(self._clock.now())) is not None:
                self._performing.add(job)  # from now, not from when the task starts
                tasks.start_soon(work, job)
            # What a call answers for a run that has ended changes nothing.
            if not self._answering and all(job.run is not None and job.run.ended for job in self._performing):
                self._rest()
            if self._news.is_set():
                await anyio.lowlevel.checkpoint()
            else:
                await self._wait()

    def _rest(self) -> None:
        """Nothing is under way: tell who waited for that, or let time pass."""
        soon = self._world.queue.next_at()
        virtual = self._clock if isinstance(self._clock, VirtualClock) else None
        jumping = virtual is not None and virtual.jumps and soon is not None
        for waiter in self._waiters:
            # A clock that jumps is at rest when there is nowhere to jump to.
            if waiter.done() and (waiter.passing or not jumping):
                waiter.event.set()
        limits = [math.inf] if jumping else []
        for waiter in self._waiters:
            if waiter.passing and not waiter.event.is_set():
                waiter.stuck = soon is None and waiter.until == math.inf
                if waiter.stuck:
                    waiter.event.set()
                else:
                    limits.append(waiter.until)
        target = min(math.inf if soon is None else soon, max(limits, default=-math.inf))
        if virtual is not None and virtual.now() < target < math.inf:
            virtual.advance_to(target)

    async def _wait(self) -> None:
        seconds = math.inf
        if not isinstance(self._clock, VirtualClock):
            times = [waiter.until for waiter in self._waiters]
            soon = self._world.queue.next_at()
            seconds = max(0.0, min([*times, math.inf if soon is None else soon]) - self._clock.now())
        with anyio.move_on_after(seconds):
            await self._news.wait()
