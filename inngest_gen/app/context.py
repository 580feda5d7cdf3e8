"""Context: what a handler gets. Everything on it is the same in every replay."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from inngest_gen.app.tools import GroupTools, StepTools, split_id
from inngest_gen.calls.request import CallRequest, Parent
from inngest_gen.driver.attempt import current_attempt
from inngest_gen.driver.execution import Execution
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from inngest_gen.ids import seed, ulid_time
from inngest_gen.intents.defer import Defer
from inngest_gen.intents.intent import Id
from inngest_gen.intents.using import Using

if TYPE_CHECKING:
    from inngest_gen.app.function import DeferredFunction

D = TypeVar("D", default=Any)
X = TypeVar("X")

_GROUP = GroupTools()


class Context(Generic[D]):
    """A run, as its handler sees it.

    `event` is what started it (`events` where several did), `data` the event's data (typed by the trigger's or the deferred function's schema),
    `run_id` a ULID, `attempt` counts from 0 up to `max_attempts` - 1, and anew once the handler has come to a step it had not come to before; in a
    step body it is the step's attempt. `error` is the failed run's error in an `on_failure` handler; `parents` are the runs that deferred this one.
    `step` and `group` make intents.
    """

    __slots__ = (
        "_execution",
        "_logger",
        "_random",
        "data",
        "error",
        "events",
        "group",
        "max_attempts",
        "parents",
        "run_id",
        "sessions",
        "step",
    )

    def __init__(self, call: CallRequest, execution: Execution, step: StepTools, data: D, logger: logging.Logger) -> None:
        self._execution = execution
        execution.attempt = call.attempt
        self._random: Random | None = None
        self.events: tuple[Event, ...] = call.events
        self.data: D = data
        self.run_id: str = call.run_id
        self.max_attempts: int = call.max_attempts
        self.sessions: Mapping[str, Any] = call.sessions
        self.error: StepError | None = call.error
        self.parents: tuple[Parent, ...] = call.parents
        self._logger: logging.Logger | RunLogger = logger
        self.step: StepTools = step
        self.group: GroupTools = _GROUP

    @property
    def event(self) -> Event:
        """The event that started the run: the first of `events`."""
        return self.events[0]

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """The run's logger: silent while the handler replays what it has passed before, so that a line is written once. Adds `run_id`."""
        if not isinstance(self._logger, RunLogger):
            self._logger = RunLogger(self._logger, self._execution)
        return self._logger

    @property
    def attempt(self) -> int:
        """The attempt's number, from 0: of the handler, and inside a step body of that step."""
        attempt = current_attempt()
        return self._execution.attempt if attempt is None else attempt.number

    @property
    def started_at(self) -> datetime:
        """When the run was created, in UTC, to the millisecond: from its id, so every replay sees the same."""
        return datetime.fromtimestamp(ulid_time(self.run_id), UTC)

    @property
    def random(self) -> Random:
        """A random stream seeded by the run's id; inside a step body one seeded by its step."""
        attempt = current_attempt()
        if attempt is not None:
            return attempt.random
        if self._random is None:
            self._random = Random(seed(self.run_id, "handler"))  # noqa: S311 - reproducible is what it is for
        return self._random

    def uuid(self) -> uuid.UUID:
        """Make a UUID (version 4) from `random`: the n-th of a run is the same in every replay."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def defer(
        self,
        id: str | Id,
        function: DeferredFunction[X],
        data: X,
        *,
        meta: Mapping[str, Any] | None = None,
        experiment: Any = None,
    ) -> Defer:
        """Make the intent that starts `function` with `data` once this run has ended, however it ends.

        Yield it, or call `.submit()` in a plain step body or plain handler; both give a handle. It never blocks. Ids are never numbered: a
        second use in a run is skipped. Misuse is logged and skipped, or raised where the app says `defer_errors="raise"`.
        """
        defer = Defer(*split_id(id), function, data, meta, experiment)
        frame = sys._getframe(1)
        defer.code, defer.lasti = frame.f_code, frame.f_lasti
        return defer

    def using(self, manager: AbstractAsyncContextManager[Any] | AbstractContextManager[Any]) -> Using:
        """Make the intent that enters a process-local resource; the yield gives what entering gave.

        It is closed when this process lets go of the run, and entered again on replay.
        """
        return Using(manager)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of run {self.run_id}>"


class DeferContext(Context[D]):
    """The context of a deferred function: `data` is what the schema says, `parents[0].run_id` names the run that deferred it."""

    __slots__ = ()


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """The run's logger: silent while the handler replays what it has passed before, so that a line is written once. Adds `run_id`."""

    def __init__(self, logger: logging.Logger, execution: Execution) -> None:
        super().__init__(logger, {"run_id": execution.run_id})
        self._execution = execution

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Say whether a line of this level is written now."""
        execution = self._execution
        if execution.replaying and not execution.shows_repeats and current_attempt() is None:
            return False
        return super().isEnabledFor(level)


def defer(id: str | Id, function: DeferredFunction[X], data: X, *, meta: Mapping[str, Any] | None = None, experiment: Any = None) -> Defer:
    """Make the same intent as `ctx.defer`, in a body that has no `ctx`: yield it, or call `.submit()`."""
    made = Defer(*split_id(id), function, data, meta, experiment)
    frame = sys._getframe(1)
    made.code, made.lasti = frame.f_code, frame.f_lasti
    return made
