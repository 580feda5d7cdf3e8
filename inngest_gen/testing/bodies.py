"""What runs for a step in a test: its real body, or what stands in for it, in a form that the driver's body runner takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import LazyOp
from inngest_gen.driver.body import Outcome
from inngest_gen.driver.turn import Op
from inngest_gen.engine.demand import body_of
from inngest_gen.event import Event
from inngest_gen.intents.http import AIInfer, Fetch, Response
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Invoke, Run, SendEvent, Step, WaitForEvent, WaitForSignal
from inngest_gen.testing.standins import MISSING, NEVER, REAL, error_of

_TIMED = (WaitForEvent, WaitForSignal)


class StepCrash(Exception):
    """What an injected crash of a step's body looks like."""


def runnable(op: Op, leaf: Any) -> Run[Any]:
    """Give what the body runner is to run: the step itself, or a step whose body is the stand-in and whose result has the same type."""
    step = op.step
    if leaf is MISSING or leaf is REAL:
        body = body_of(step)
        assert body is not None
        return body
    arguments, keywords = _given_to(step)
    run: Run[Any]
    if inspect.isasyncgenfunction(leaf):
        run = Run(step.id, step.name, leaf, arguments, keywords)
    else:

        async def stand_in() -> Any:
            return _recorded(step, await given(leaf, arguments, keywords))

        run = Run(step.id, step.name, stand_in, ())
    if isinstance(step, Run):
        run.timeout_s = step.timeout_s
        # What declares the type: the original's function, where nothing else does.
        run.returns_type = step.fn if step.returns_type is None else step.returns_type
    return run


async def given(leaf: Any, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Give the value of a stand-in, calling it if it is a function. Raises the error that it is, or that the function raises."""
    error = error_of(leaf)
    if error is not None:
        raise error.with_traceback(None)
    if not callable(leaf):
        return leaf
    value = leaf(*arguments, **keywords)
    return await value if inspect.isawaitable(value) else value


def _given_to(step: Step[Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Give the arguments that a function gets which stands in for a step."""
    match step:
        case Run():
            return step.args, step.kwargs
        case Fetch() | AIInfer():
            return (step.request(),), {}
        case Invoke():
            return (step.data,), {}
        case SendEvent():
            return step.events, {}
        case _:
            return (), {}


def _recorded(step: Step[Any], value: Any) -> Any:
    """Give a stand-in's value as the record has it."""
    if isinstance(step, WaitForEvent) and isinstance(value, Event):
        return {"name": value.name, "data": dict(value.data), "id": value.id, "ts": value.ts}
    if isinstance(step, Fetch) and isinstance(value, Response):
        return {"url": value.url or step.url, "headers": dict(value.headers), "body": value.body, "status_code": value.status}
    return value


def waits_itself(step: Step[Any], leaf: Any) -> bool:
    """Say whether a stand-in leaves a step to wait until its time is over."""
    return isinstance(step, _TIMED) and (leaf is NEVER or leaf is None)


def limit_of(step: Step[Any]) -> float | None:
    """Give how long a step may take, in seconds; None: for ever."""
    return step.timeout_s if isinstance(step, (Run, Invoke, WaitForEvent, WaitForSignal)) else None


def timed_out(step: Step[Any], limit: float) -> Outcome:
    """Give what a step comes to that takes longer than it may."""
    if isinstance(step, _TIMED):
        return Outcome()
    if isinstance(step, Invoke):
        failure = Failure(name="InngestInvokeTimeoutError", message="Timed out waiting for invoked function to complete", no_retry=True)
        return Outcome(failure=failure)
    return Outcome(failure=Failure(name="TimeoutError", message=f"{describe(step)} did not finish within {limit:g} s"))


def crashed(step: Step[Any], lazy: tuple[LazyOp, ...] = ()) -> Outcome:
    """Give what an injected crash of a step's body comes to."""
    return Outcome(failure=Failure.of(StepCrash(f"the simulation let {describe(step)} crash")), lazy=lazy)
