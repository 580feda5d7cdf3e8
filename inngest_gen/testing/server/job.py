"""The server's queue: what is to happen when. A job's key is taken once in a run, however often it is asked for."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from inngest_gen.testing.server.run import ServerRun

__all__ = ["Job", "Queue"]

Kind: TypeAlias = Literal["call", "sleep", "timeout", "finish", "event"]


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """Something to do at a time (`at`, seconds since the epoch).

    Kinds: a "call" of the app; the end of a "sleep", which is a call as well; the "timeout" of a wait, an invoke or a signal, whose hash is
    `outgoing`; the end of the time in which a run is to "finish"; an "event" that arrives. `target` is the step to run, `outgoing` the step after
    which the call comes, `name` what the app calls it where it is a sleep. `attempt` is what the next call says, `stored` what the queue would go
    on with if the server forgot about a call.
    """

    kind: Kind
    at: float
    run: ServerRun | None = None
    key: str = ""
    id: str = ""
    target: str | None = None
    outgoing: str = ""
    name: str = ""
    attempt: int = 0
    stored: int = 0
    generation: int = 1
    race: bool = False
    group: str | None = None
    event: dict[str, Any] | None = None
    gone: bool = False


@dataclass(slots=True)
class Queue:
    """Jobs by time, those of one time in the order in which they were put in."""

    _heap: list[tuple[float, int, Job]] = field(default_factory=list)
    _count: int = 0

    def put(self, job: Job) -> None:
        """Put a job in."""
        self._count += 1
        heapq.heappush(self._heap, (job.at, self._count, job))

    def take(self, now: float) -> Job | None:
        """Take the next job that is due; None if there is none."""
        self._drop()
        return heapq.heappop(self._heap)[2] if self._heap and self._heap[0][0] <= now else None

    def next_at(self) -> float | None:
        """Give the time of the next job."""
        self._drop()
        return self._heap[0][0] if self._heap else None

    def of(self, run: ServerRun) -> Iterator[Job]:
        """Give the jobs of a run."""
        return (job for _, _, job in self._heap if job.run is run and not job.gone)

    def _drop(self) -> None:
        while self._heap and self._heap[0][2].gone:
            heapq.heappop(self._heap)
