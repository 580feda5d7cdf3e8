"""Runs one attempt of a step's body: a sync function in a worker thread, an async function, or an async generator that yields defers.

Promises: the outcome is a value, whatever the body does; its result has passed the JSON rules; its defers come with the outcome, also when it
failed; it runs in a copy of the run's contextvars. Refuses: to swallow the cancellation of the task it runs in.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime
from types import CoroutineType, FunctionType
from typing import Any

import anyio
import anyio.to_thread

from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import DeferAdd, LazyOp, PriorDefers
from inngest_gen.codecs import encode_result
from inngest_gen.driver.attempt import Attempt
from inngest_gen.driver.lazy import LazyBuffer, OnMisuse
from inngest_gen.driver.threads import Threads
from inngest_gen.driver.trampoline import within
from inngest_gen.durations import moment, seconds
from inngest_gen.errors import (
    ApiError,
    ConfigError,
    EngineError,
    InngestGenError,
    MiddlewareError,
    MisuseError,
    NotJSON,
    RetryAfterError,
    TooLarge,
    UnsupportedOption,
)
from inngest_gen.intents.defer import Abort, Defer, current_sink
from inngest_gen.intents.done import Done
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Run
from inngest_gen.loops import being_cancelled
from inngest_gen.middleware.chain import Chain
from inngest_gen.middleware.info import StepInfo

RESULT_BYTES = 4 * 1024 * 1024
"""The largest result of a step: as the server's limit of an output."""
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def check_size(what: str, data: bytes) -> None:
    """Refuse what is larger than a result may be. Raises TooLarge, naming `what` it is."""
    if len(data) > RESULT_BYTES:
        raise TooLarge(what, len(data), RESULT_BYTES)


@dataclass(slots=True)  # not frozen: that costs a microsecond an attempt
class Outcome:
    """What one attempt of a body came to; nobody changes one: `data`, its result as JSON, or `failure`; and the defers it made.

    `retry_in` and `retry_at` are set by RetryAfterError: seconds, or a moment in epoch seconds.
    """

    data: bytes = b"null"
    failure: Failure | None = None
    lazy: tuple[LazyOp, ...] = ()
    retry_in: float | None = None
    retry_at: float | None = None


async def run_body(
    step: Run[Any],
    attempt: Attempt,
    *,
    context: Context,
    prior_defers: PriorDefers,
    on_misuse: OnMisuse = "log",
    log: logging.Logger | None = None,
    threads: Threads | anyio.CapacityLimiter | None = None,
    unsent: Callable[[Sequence[LazyOp]], None] | None = None,
    taken_back: Callable[[Sequence[tuple[int, DeferAdd]]], None] | None = None,
    chain: Chain | None = None,
) -> Outcome:
    """Run one attempt. `context` is the run's; the body sees a copy. `threads` is where sync bodies run: threads of ours, or anyio's within a limit.

    If the task is cancelled, `unsent` is called with the defers that the attempt had made; `taken_back` with those that it made and aborted, which
    no engine hears of. `chain` is the middleware of the request, if any.
    """
    buffer = LazyBuffer(prior_defers, attempt.run_id, on_misuse, log, attempt, chain)
    own = context.copy()
    own.run(current_sink.set, buffer)
    running = _attempt(step, buffer, threads) if chain is None else _attempt_within(chain, step, attempt, buffer, threads)
    try:
        return await within(running, own)
    except BaseException:
        if unsent is not None:
            unsent(buffer.drain())
        raise
    finally:
        if taken_back is not None and buffer.taken_back:
            taken_back(buffer.taken_back)


async def _attempt(step: Run[Any], buffer: LazyBuffer, threads: Threads | anyio.CapacityLimiter | None) -> Outcome:
    try:
        data = await _result(step, buffer, threads)
        if len(data) > RESULT_BYTES:  # asked here too: to name the step takes longer
            check_size(_what(step), data)
    except BaseException as error:  # noqa: BLE001 - whatever a user's body raises is the attempt's failure
        return await _failed(_own(error), buffer)
    return Outcome(data, None, tuple(buffer.drain()))


async def _attempt_within(
    chain: Chain, step: Run[Any], attempt: Attempt, buffer: LazyBuffer, threads: Threads | anyio.CapacityLimiter | None
) -> Outcome:
    info: StepInfo = chain.step(step, attempt.step_hash, memoized=False, attempt=attempt.number)
    try:
        data = await chain.attempt(info, lambda: _result(step, buffer, threads), _what(step))
        if len(data) > RESULT_BYTES:
            check_size(_what(step), data)
        await buffer.settle()  # what a hook deferred
    except BaseException as error:  # noqa: BLE001 - as above
        outcome = await _failed(_own(error), buffer)
        assert outcome.failure is not None
        if outcome.lazy:
            await chain.deferred(outcome.lazy)
        await chain.attempt_failed(info, error, final=outcome.failure.no_retry)
        return outcome
    lazy = tuple(buffer.drain())
    if lazy:
        await chain.deferred(lazy)
    await chain.attempt_completed(info, data)
    return Outcome(data, None, lazy)


def _what(step: Run[Any]) -> str:
    return f"the result of {describe(step)}"


async def _result(step: Run[Any], buffer: LazyBuffer, threads: Threads | anyio.CapacityLimiter | None) -> bytes:
    """Run the body and settle its defers; give its result as JSON."""
    if step.timeout_s is None:
        value = await _call(step, buffer, threads)
    else:
        with anyio.move_on_after(step.timeout_s) as scope:
            value = await _call(step, buffer, threads)
        if scope.cancelled_caught:
            raise TimeoutError(f"{describe(step)} did not finish within {step.timeout_s:g} s")
    if buffer.unsettled:
        await buffer.settle()
    forgotten = buffer.forgotten()
    if forgotten is not None:
        message = f"{describe(forgotten)} was made in {describe(step)} and neither yielded nor submitted: call .submit()"
        if buffer.on_misuse == "raise":
            raise MisuseError(message, forgotten.made_at)
        buffer.log.warning(
            "%s (run %s)", message, buffer.run_id, extra={"id": forgotten.id, "run_id": buffer.run_id, "lost_at": forgotten.made_at}
        )
    try:
        return encode_result(step.fn if step.returns_type is None else step.returns_type, value, "the result")
    except NotJSON as error:
        error.what = _what(step)  # named here, as to name it takes a while
        raise


def _own(error: BaseException) -> BaseException:
    """Give the error of an attempt; raise it where it is not the attempt's own."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    # A body may end by a cancellation that is not ours (it awaited a cancelled task of its own): then it failed.
    if not isinstance(error, Exception) and isinstance(error, anyio.get_cancelled_exc_class()) and being_cancelled():
        raise error
    return error


async def _failed(error: BaseException, buffer: LazyBuffer) -> Outcome:
    # What the body deferred before it failed is shipped as well.
    again = False
    try:
        await buffer.settle()
    except Exception as late:  # noqa: BLE001 - misuse, or what a hook raised
        buffer.log.warning("%s (run %s)", late, buffer.run_id, extra={"run_id": buffer.run_id})
        again = not _is_hopeless(late)
    outcome = failed_outcome(error, tuple(buffer.drain()))
    if again and outcome.failure is not None and outcome.failure.no_retry:
        # Failed for good, but a hook kept a defer from leaving: another attempt makes it again, and only then it is not lost.
        return replace(outcome, failure=replace(outcome.failure, no_retry=False))
    return outcome


def failed_outcome(error: BaseException, lazy: tuple[LazyOp, ...] = ()) -> Outcome:
    """Give the outcome of an attempt that failed with `error`: whether and when there may be another."""
    retry_in = retry_at = None
    no_retry = _is_hopeless(error)
    if isinstance(error, RetryAfterError):
        try:
            retry_in, retry_at = retry_time(error)
            no_retry = False
        except (TypeError, ValueError) as wrong:
            error = ConfigError(f"RetryAfterError got no time: {wrong}")
    return Outcome(failure=Failure.of(error, no_retry=no_retry), lazy=lazy, retry_in=retry_in, retry_at=retry_at)


def _is_hopeless(error: BaseException) -> bool:
    """Say whether another attempt would fail as well: misuse and bad values do; what the engine or the server cannot do now, it may do later."""
    if isinstance(error, EngineError):
        return isinstance(error, (TooLarge, UnsupportedOption))
    return isinstance(error, InngestGenError) and not isinstance(error, (ApiError, MiddlewareError))


def retry_time(error: RetryAfterError) -> tuple[float | None, float | None]:
    """Give (seconds, None) or (None, epoch seconds) for when the next attempt may come. Raises TypeError or ValueError for no time."""
    if isinstance(error.after, datetime):
        return None, moment(error.after)
    return seconds(error.after), None


def _call(step: Run[Any], buffer: LazyBuffer, threads: Threads | anyio.CapacityLimiter | None) -> Awaitable[Any]:
    """Call the function; gives what to await for its value."""
    fn = step.fn
    if not is_async(fn):
        return _call_in_thread(step, buffer, threads)
    value = fn(*step.args, **step.kwargs)
    if value.__class__ is CoroutineType:  # what most are
        coroutine: Awaitable[Any] = value
        return coroutine
    return _awaited(value, buffer, step)


async def _call_in_thread(step: Run[Any], buffer: LazyBuffer, threads: Threads | anyio.CapacityLimiter | None) -> Any:
    call = functools.partial(_settled, step.fn, step.args, step.kwargs)
    if isinstance(threads, Threads):
        ok, value = await threads.run(call)
    else:
        ok, value = await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=threads)
    if not ok:
        raise value
    return await _awaited(value, buffer, step)


async def _awaited(value: Any, buffer: LazyBuffer, step: Run[Any]) -> Any:
    if isinstance(value, AsyncGenerator):
        return await _drive(value, buffer, step)
    return await value if inspect.isawaitable(value) else value


def _settled(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> tuple[bool, Any]:
    # Errors are values here: StopIteration, for one, cannot cross a future.
    try:
        return True, fn(*args, **kwargs)
    except KeyboardInterrupt as raised:  # Ctrl-C never gets here: the main thread alone is interrupted
        error = RuntimeError("KeyboardInterrupt left the body")
        error.__cause__ = raised
        return False, error
    except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
        return False, error


def is_async(fn: Callable[..., Any] | Callable[..., Awaitable[Any]]) -> bool:
    """Say whether a body runs in the loop: an async function or an async generator. What else is callable runs in a thread."""
    if fn.__class__ is FunctionType and fn.__code__.co_flags & _ASYNC:  # what most are, in a tenth of the time
        return True
    while isinstance(fn, functools.partial):
        fn = fn.func
    if inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn):
        return True
    call = getattr(type(fn), "__call__", None)  # noqa: B004 - asks what kind of function it is
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


async def _drive(body: AsyncGenerator[Any, Any], buffer: LazyBuffer, step: Run[Any]) -> Any:
    """Drive an async-generator body: it may yield defers, their aborts, and Done."""
    result: Any = None
    value: Any = None
    error: BaseException | None = None
    ending = False
    try:
        while True:
            try:
                intent = await (body.asend(value) if error is None else body.athrow(error))
            except StopAsyncIteration:
                return result
            except GeneratorExit:
                if ending:
                    return result
                raise
            value = error = None
            if isinstance(intent, Done):
                if ending:
                    raise MisuseError(f"the body of {describe(step)} went on to yield after ig.Done")
                result, ending = intent.value, True
                error = GeneratorExit()
            elif isinstance(intent, Defer):
                try:
                    value = await buffer.add_now(intent)
                except Exception as misuse:  # noqa: BLE001 - raised at the yield
                    error = misuse
            elif isinstance(intent, Abort):
                buffer.abort(intent.handle)
            else:
                error = MisuseError(
                    f"the body of {describe(step)} yielded {describe(intent)}: a step's body may yield only defers, their aborts and ig.Done;"
                    " to run steps, make it a sub-flow and yield it in the handler"
                )
    finally:
        await body.aclose()
