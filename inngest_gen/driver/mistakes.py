"""Mistakes in handlers, told so that the reader knows what to change: each names the mistake and the line."""

from __future__ import annotations

import gc
import inspect
import os
import re
from collections.abc import Container, Sequence
from pathlib import Path
from types import AsyncGeneratorType
from typing import Any

from inngest_gen.driver.lazy import LazyBuffer
from inngest_gen.errors import MisuseError
from inngest_gen.intents.intent import describe
from inngest_gen.intents.step import Step

_PACKAGE = f"{Path(__file__).parent.parent}{os.sep}"


def no_intent(thing: object, where: str) -> MisuseError:
    """Name what was yielded instead of an intent, and guess why."""
    if thing is None:
        hint = "a bare `yield` means nothing here: yield a step, ctx.defer(...) or ig.Done(...)"
    elif inspect.iscoroutine(thing):
        name = thing.__qualname__
        thing.close()
        hint = f"it is the coroutine {name}: await it, or make it durable with ctx.step.run(id, {thing.__name__})"
    elif inspect.isawaitable(thing):
        hint = "await it, or do the work in ctx.step.run(id, function)"
    elif inspect.isgenerator(thing):
        hint = "a sub-flow is an async generator: write it with `async def`"
    elif inspect.isasyncgenfunction(thing):
        hint = f"call the sub-flow: yield {thing.__name__}(ctx, ...)"
    elif callable(thing):
        hint = "to run a function as a step: yield ctx.step.run(id, function, *arguments)"
    elif isinstance(thing, (list, tuple, set, dict)):
        hint = "to run several at once: yield ctx.group.parallel(*steps)"
    elif type(thing).__name__ == "DeferHandle":
        hint = "yield the defer itself, or handle.abort()"
    else:
        hint = "to give the handler's result: yield ig.Done(value)"
    return MisuseError(f"the handler yielded {_shown(thing)}, which is no intent; {hint}", where)


def yielded_twice(step: Step[Any], where: str) -> MisuseError:
    """Name a step object that was yielded a second time."""
    return MisuseError(f"{describe(step)} was yielded twice: make a step for each yield, or keep its `.result`", where)


def used_flow(generator: Any, under_way: Container[int], where: str) -> MisuseError | None:
    """Tell whether a sub-flow has been used before."""
    if id(generator) in under_way or getattr(generator, "ag_frame", generator) is None:
        return MisuseError(
            f"the sub-flow {getattr(generator, '__qualname__', generator)!r} was yielded before: call it anew for each yield", where
        )
    return None


def still_ending(generator: Any, ending: GeneratorExit) -> bool:
    """Say whether the GeneratorExit of Done is still on its way out of the frame.

    In a `finally` that yields it is, in code after an `except` that swallowed it it is not. An error being handled is kept on the frame's
    stack or in its exception state, where the garbage collector sees it.
    """
    if not isinstance(generator, AsyncGeneratorType):  # compiled by something else than CPython: nothing to see
        return True
    return any(referent is ending for referent in gc.get_referents(generator))


def went_on_after_done(generator: Any) -> MisuseError:
    """Name a handler that caught the GeneratorExit of Done (or of a lost race) and yielded again."""
    from inngest_gen.driver.held import where

    return MisuseError(
        f"{getattr(generator, '__qualname__', 'the handler')} went on to yield after ig.Done (or after losing a race): an `except BaseException`,"
        " `except GeneratorExit` or a context manager swallowed the GeneratorExit that ends it; re-raise it",
        where(generator),
    )


def never_yielded(made: Sequence[Step[Any]], lazy: LazyBuffer) -> MisuseError | None:
    """Name a step that was made and never yielded; tell of such a defer in the log, or as an error where the app wants errors."""
    if made:
        step = made[0]
        return MisuseError(f"{describe(step)} was made and never yielded, so it never ran: write `yield` before it", step.made_at)
    defer = lazy.forgotten()
    if defer is not None:
        message = f"defer {defer.id!r} was made and neither yielded nor submitted, so it is not sent: yield it, or call .submit()"
        if lazy.on_misuse == "raise":
            return MisuseError(message, defer.made_at)
        lazy.log.warning("%s (run %s)", message, lazy.run_id, extra={"id": defer.id, "run_id": lazy.run_id, "lost_at": defer.made_at})
    return None


def not_a_generator(made: Sequence[Step[Any]], lazy: LazyBuffer) -> MisuseError | None:
    """Name a step that a plain `async def` handler made: without yields it can have none."""
    if made:
        step = made[0]
        return MisuseError(
            f"{describe(step)} was made in a handler that is no async generator, so it cannot run: yield it, which makes the handler a generator"
            " (and give the result with `yield ig.Done(value)`)",
            step.made_at,
        )
    return never_yielded(made, lazy)


def scope_over_next() -> MisuseError:
    """Name a scope of a middleware's own that would stay open while the handler waits."""
    return MisuseError(
        "a wrap_function hook holds a cancel scope, task group or timeout of its own around next(): the handler waits in there for its steps, and"
        " may go on in another process; put the scope around something shorter"
    )


def scope_over_yield(kind: str, where: str) -> MisuseError:
    """Name a cancel scope, task group or timeout that the handler holds over a yield."""
    return MisuseError(
        f"the {kind} that is open here spans a yield: a handler may be suspended here for days, and what it opened would end the wrong code"
        " (PEP 789); close it before the yield, do that work in a step, or enter what has it inside with ctx.using",
        where,
    )


def located(error: BaseException) -> BaseException:
    """Give a MisuseError that does not know its line the one in the user's code where it was raised."""
    if isinstance(error, MisuseError) and error.where is None:
        link = error.__traceback__
        while link is not None:
            if not link.tb_frame.f_code.co_filename.startswith(_PACKAGE):
                error.where = f"{link.tb_frame.f_code.co_filename}:{link.tb_lineno}"
            link = link.tb_next
    return error


def _shown(thing: object) -> str:
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(thing))  # the same text for the same mistake
    if len(text) > 80:
        text = text[:77] + "..."
    return f"{text} ({type(thing).__name__})"
