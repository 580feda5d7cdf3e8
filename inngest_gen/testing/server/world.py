"""All that the server knows, in one place. The rules read and change it; they are told the time and never wait."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from inngest_gen.testing.server.expression import Expression
from inngest_gen.testing.server.job import Job, Queue
from inngest_gen.testing.server.registration import App, Function
from inngest_gen.testing.server.run import Call, ServerRun
from inngest_gen.testing.server.ulid import Ids, short_hash

__all__ = ["Pause", "World"]


@dataclass(slots=True, kw_only=True, eq=False)
class Pause:
    """Something of a run that an event, a signal or the end of another run resolves. `job` is what ends it in time."""

    run: ServerRun
    op: str
    hash: str
    id: str
    expires: float
    event: str | None = None
    expression: Expression | None = None
    signal: str | None = None
    correlation: str | None = None
    not_by: str | None = None
    race: bool = False
    group: str | None = None
    job: Job | None = None


@dataclass(slots=True)
class World:
    """The server's state. `outbox` holds events that the rules have published and that are to be delivered next; `received` are
    events by their internal ids; `requests` all that came over the API; `items` are jobs by id,
    those whose call is under way included."""

    ids: Ids
    apps: dict[str, App] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    runs: dict[str, ServerRun] = field(default_factory=dict)
    queue: Queue = field(default_factory=Queue)
    pauses: list[Pause] = field(default_factory=list)
    started: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    outbox: deque[dict[str, Any]] = field(default_factory=deque)
    received: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[Call] = field(default_factory=list)
    items: dict[str, Job] = field(default_factory=dict)

    def enqueue(self, run: ServerRun, key: str, job: Job) -> bool:
        """Put a job of a run into the queue, unless its key was taken before."""
        if key in run.book.keys or run.ended:
            return False
        run.book.keys.add(key)
        job.run, job.key, job.id = run, key, short_hash(f"{run.id}:{key}")
        self.items[job.id] = job
        self.queue.put(job)
        return True

    def publish(self, event: dict[str, Any], internal_id: str | None = None) -> None:
        """Let an event be delivered after what is being done. Its internal id is what the event API answers; else it is its own."""
        self.received[internal_id or event["id"]] = event
        self.outbox.append(event)
