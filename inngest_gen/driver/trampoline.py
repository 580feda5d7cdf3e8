"""Awaits a coroutine with the run's own asyncgen hooks and contextvars, set for each loop suspension and taken back at each.

Setting the hooks once, before the first `asend`, is not enough: an async generator that is entered later (`@asynccontextmanager`, `async for`)
takes the hooks in force at its own first step. Memoized steps cost nothing here, since a turn over them never suspends.
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


class Finalizer:
    """The asyncgen finalizer of one run: what happens to an async generator that is dropped unfinished.

    Nothing, for handlers and sub-flows always: the frame goes without running, so a suspension is invisible to it. Nothing too for generators
    inside them once `quiet` is set, when this process has let go of the run. Else the loop's own finalizer closes it, as anywhere.
    """

    __slots__ = ("flows", "loop_finalizer", "quiet")

    def __init__(self) -> None:
        self.quiet: bool = False
        self.flows: set[int] = set()
        self.loop_finalizer: Callable[[AsyncGenerator[Any, Any]], Any] | None = None

    def __call__(self, generator: AsyncGenerator[Any, Any]) -> None:
        if self.quiet or id(generator) in self.flows or self.loop_finalizer is None:
            return
        try:
            self.loop_finalizer(generator)
        except RuntimeError:  # the loop is over: nobody is left to run it
            pass


@types.coroutine
def bounce(coroutine: Coroutine[Any, Any, T], context: Context, finalizer: Finalizer, woken: Callable[[], None]) -> Generator[Any, Any, T]:
    """Await `coroutine` in `context` with `finalizer` in force. `woken` is called whenever the loop has had its turn, a cancellation maybe."""
    value: Any = None
    error: BaseException | None = None
    try:
        while True:
            hooks = sys.get_asyncgen_hooks()
            finalizer.loop_finalizer = hooks.finalizer
            sys.set_asyncgen_hooks(None, finalizer)
            try:
                request = context.run(coroutine.send, value) if error is None else context.run(coroutine.throw, error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                sys.set_asyncgen_hooks(*hooks)
            error = None
            try:
                value = yield request
            except GeneratorExit:  # the task itself is dropped, and its loop with it
                finalizer.quiet = True
                raise
            except BaseException as raised:  # noqa: BLE001 - whatever the loop throws goes to the coroutine
                error = raised
            woken()
    except BaseException:
        context.run(coroutine.close)  # does nothing where it has ended
        raise
    finally:
        error = None  # break the cycle error -> traceback -> this frame -> error


@types.coroutine
def within(coroutine: Coroutine[Any, Any, T], context: Context) -> Generator[Any, Any, T]:
    """Await `coroutine` in `context`, which the task itself does not have."""
    value: Any = None
    error: BaseException | None = None
    try:
        while True:
            try:
                request = context.run(coroutine.send, value) if error is None else context.run(coroutine.throw, error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            error = None
            try:
                value = yield request
            except BaseException as raised:  # noqa: BLE001 - whatever the loop throws goes to the coroutine
                error = raised
    except BaseException:
        coroutine.close()
        raise
    finally:
        error = None
