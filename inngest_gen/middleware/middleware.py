"""Middleware: the base of those that users write. Every hook is optional, and one that is not overridden costs nothing.

Promises: one instance a request, so that what a hook keeps in `self` is of this request alone. The app's middleware is outside the function's: what
comes in passes it first, what goes out passes it last. Hooks that only look on are called in the order of their declaration.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from typing_extensions import TypeVar

from inngest_gen.event import Event
from inngest_gen.middleware.info import DeferInfo, DeferInput, FunctionInput, Registration, ReplyInfo, RequestInfo, RunInfo, StepInfo

R = TypeVar("R", default=Any)

Next = Callable[[], Awaitable[R]]
"""What a `wrap_*` hook awaits, once, to go on: `next: ig.Next`, or with what it gives, `ig.Next[list[str]]`."""

_HOOK_PREFIXES: Final = ("on_", "wrap_", "transform_", "restore_")

_ELSEWHERE: Final = {
    "before_execution": "on_memoization_end",
    "after_execution": "on_step_complete, on_step_error, on_run_complete and on_run_error",
    "before_response": "wrap_request",
    "before_send_events": "transform_send_event",
    "after_send_events": "wrap_send_event",
}
"""Hooks of the SDK for Python whose names do not begin like one of ours: nobody would notice that they are not called."""


class Middleware:
    """Hooks around what an app does; subclass it and override those you want. `App(middleware=[Audit])`, `app.function(..., middleware=[Audit])`.

    Hooks may be sync or async, but `wrap_*` are async and `on_register` is sync. An error in an `on_*` hook is logged; one in another hook fails
    the attempt. Values are frozen: a `transform_*` hook gives a changed copy (`dataclasses.replace`) or what it was given.
    A public method whose name begins like a hook's and is none is a TypeError when the class is made; so is a hook of inngest-py.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in vars(cls):
            if name.startswith(_HOOK_PREFIXES) and name not in HOOKS:
                close = difflib.get_close_matches(name, HOOKS, 1)
                hint = f": did you mean {close[0]}?" if close else f"; there are: {', '.join(sorted(HOOKS))}"
                raise TypeError(f"{cls.__qualname__}.{name} is no hook of Middleware{hint}")
            if name in _ELSEWHERE:
                raise TypeError(f"{cls.__qualname__}.{name} is a hook of inngest-py and would not be called; here it is {_ELSEWHERE[name]}")
            if name in HOOKS and not callable(getattr(cls, name)):
                raise TypeError(f"{cls.__qualname__}.{name} is a method, not {getattr(cls, name)!r}")
        if inspect.iscoroutinefunction(cls.on_register):
            raise TypeError(f"{cls.__qualname__}.on_register is sync: it is called where the app or function is declared, without a loop")

    # A request and its run, in the order in which they are called.

    def on_register(self, registration: Registration) -> None:
        """Look at where this middleware is declared; an error raised here fails the declaration. Called on an instance made for it."""

    async def wrap_request(self, request: RequestInfo, next: Next[ReplyInfo]) -> ReplyInfo:  # noqa: ARG002
        """Stand around the answer to a call of an Inngest server; `await next()` gives the reply. Never called by the embedded engine."""
        return await next()

    def restore_defer_input(self, defer: DeferInput) -> DeferInput | Awaitable[DeferInput]:
        """Undo in a deferred function what `transform_defer_input` did in the run that deferred it."""
        return defer

    def transform_function_input(self, input: FunctionInput) -> FunctionInput | Awaitable[FunctionInput]:
        """Change the events that the handler gets. Called once a request, before the data is checked by a schema."""
        return input

    def on_memoization_end(self, run: RunInfo) -> Awaitable[None] | None:
        """Learn that the last recorded result is about to reach the handler, or that there was none: what comes now is new. Once a request."""

    def on_run_start(self, run: RunInfo) -> Awaitable[None] | None:
        """Learn that a run begins: attempt 0, nothing recorded. Not called for what is tried again or goes on."""

    async def wrap_function(self, run: RunInfo, next: Next) -> Any:  # noqa: ARG002
        """Stand around the handler; `await next()` gives its result as plain JSON values, or raises its error.

        What is returned or raised instead counts. If this process lets go of the run before its end (a sleep, a wait), `await next()` raises
        GeneratorExit: `finally` blocks run, nothing else does, and the next request has a call of its own.
        """
        return await next()

    def on_run_complete(self, run: RunInfo, output: Any) -> Awaitable[None] | None:
        """Learn that the handler ended, and its result as it will be recorded."""

    def on_run_error(self, run: RunInfo, error: BaseException, final: bool) -> Awaitable[None] | None:
        """Learn that an attempt of the handler failed; `final` says that there will be no other."""

    # A step.

    def transform_step_input(self, step: StepInfo) -> StepInfo | Awaitable[StepInfo]:
        """Change a step's `id`, `name`, `args`, `kwargs` or `data`, before the id is hashed. Called in every replay, and must then do the same."""
        return step

    def on_step_start(self, step: StepInfo) -> Awaitable[None] | None:
        """Learn that an attempt of a body begins. Like the next two, never called for a step without a body or for a recorded result."""

    async def wrap_step(self, step: StepInfo, next: Next) -> Any:  # noqa: ARG002
        """Stand around each attempt of a body (`step.memoized` is False), and around each recorded result before the handler gets it (True).

        `await next()` gives plain JSON values, or raises the error. For an attempt, what is returned is recorded; for a recorded result of any kind
        of step, it is what the handler gets, decoded into the declared type. It is called for both in the request that runs the body.
        """
        return await next()

    def on_step_complete(self, step: StepInfo, output: Any) -> Awaitable[None] | None:
        """Learn that an attempt succeeded, and its result as it will be recorded."""

    def on_step_error(self, step: StepInfo, error: BaseException, final: bool) -> Awaitable[None] | None:
        """Learn that an attempt failed; `final` says that there will be no other."""

    # What leaves.

    def transform_defer_input(self, defer: DeferInput) -> DeferInput | Awaitable[DeferInput]:
        """Change a defer's `data` (a JSON object, checked by the schema) or `meta`, before it leaves."""
        return defer

    def on_defer(self, defer: DeferInfo) -> Awaitable[None] | None:
        """Learn that a defer leaves, was taken back, or is skipped. Not called for what the engine has already, so not again in a replay."""

    def transform_send_event(self, events: Sequence[Event]) -> Sequence[Event] | Awaitable[Sequence[Event]]:
        """Change the events that `app.send` or `step.send_event` sends."""
        return events

    async def wrap_send_event(self, events: Sequence[Event], next: Next[list[str]]) -> list[str]:  # noqa: ARG002
        """Stand around the sending of events; `await next()` gives their ids."""
        return await next()


HOOKS: Final[frozenset[str]] = frozenset(name for name in vars(Middleware) if name.startswith(_HOOK_PREFIXES))
"""The names of all hooks."""

MiddlewareFactory = Callable[[], Middleware]
"""What makes the instance of a request: a subclass of Middleware, or anything else that is called without arguments and gives one."""
