"""Chain: the middleware of one request, outermost first. Whoever drives a run calls its hooks here.

What comes in (events, recorded results, a deferred function's data) passes the outermost first, what goes out (results of bodies and of the
handler, sent events, defers) passes it last: so two that both change data undo each other's changes in the right order.
Promises: a hook that nobody overrides costs a look at a table; an error in an `on_*` hook is logged, one in a `transform_*` hook is raised with the
hook's name, one in a `wrap_*` hook as it is, with a note. Refuses: to run the handler or a body itself; it is given what to await.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import CoroutineType
from typing import Any, Final

from inngest_gen import jsonvalue
from inngest_gen.calls.lazy import DeferAbort, DeferAdd, DeferRejected, LazyOp
from inngest_gen.calls.request import CallRequest
from inngest_gen.errors import InngestGenError, MiddlewareError, MisuseError
from inngest_gen.event import Event
from inngest_gen.intents.intent import check_id
from inngest_gen.intents.step import Step
from inngest_gen.middleware.info import DeferInfo, DeferInput, FunctionInput, ReplyInfo, RequestInfo, RunInfo, StepInfo, StepPlace
from inngest_gen.middleware.middleware import HOOKS, Middleware, Next

_NO_KWARGS: Final[Mapping[str, Any]] = {}
_CHANGEABLE: Final = ("args", "kwargs", "data")


class Chain:
    """The hooks of one request, over `members`. `run` is there once `receive` was called.

    The flags tell what a driver can leave out: `sees_results` that recorded results must be shown, `transforms_steps`, `transforms_defers`,
    `wraps_function`, `sends` that somebody wants to know of sent events, `tells_defers` of defers.
    """

    __slots__ = (
        "_hooks",
        "_log",
        "_recorded",
        "run",
        "sees_results",
        "sends",
        "tells_defers",
        "transforms_defers",
        "transforms_steps",
        "wraps_function",
    )

    run: RunInfo

    def __init__(self, members: tuple[Middleware, ...], log: logging.Logger) -> None:
        self._log = log
        self._hooks: dict[str, tuple[Callable[..., Any], ...]] = {
            name: tuple(getattr(members[place], name) for place in places)
            for name, places in _places(tuple(type(member) for member in members)).items()
        }
        hooks = self._hooks
        self._recorded = bool(hooks["wrap_step"])
        self.sees_results: bool = self._recorded or bool(hooks["on_memoization_end"])
        self.transforms_steps: bool = bool(hooks["transform_step_input"])
        self.transforms_defers: bool = bool(hooks["transform_defer_input"])
        self.wraps_function: bool = bool(hooks["wrap_function"])
        self.tells_defers: bool = bool(hooks["on_defer"])
        self.sends: bool = bool(hooks["transform_send_event"] or hooks["wrap_send_event"])

    def mute(self) -> None:
        """Tell nobody of anything: for a replay that is only looked at. Hooks that change something are called all the same."""
        for name in self._hooks:
            if name.startswith("on_"):
                self._hooks[name] = ()
        self.tells_defers = False

    # The request.

    async def request(self, request: RequestInfo, next: Callable[[], Awaitable[ReplyInfo]]) -> ReplyInfo:
        """Answer a call from a server; `next` makes the reply."""
        reply = await self._wrapped("wrap_request", request, next)()
        if not isinstance(reply, ReplyInfo):
            raise MisuseError(
                f"a wrap_request hook gives the ReplyInfo that `await next()` gave it, or another, not {type(reply).__name__}"
            )
        return reply

    # The run.

    async def receive(self, call: CallRequest, run: RunInfo) -> CallRequest:
        """Take a call in: gives it with the events that the handler is to get. `run` tells of it, with the events as they came.

        Raises MiddlewareError, or what a hook raises of this package's errors.
        """
        self.run = run
        events = call.events
        if run.kind == "defer" and self._hooks["restore_defer_input"]:
            events = tuple([await self._restored(event, parent.run_id) for event, parent in zip(events, call.parents, strict=True)])
        if self._hooks["transform_function_input"]:
            given = FunctionInput(run=run, events=events)
            given = await self._transformed("transform_function_input", given, FunctionInput)
            events = tuple(given.events)
            if not all(isinstance(event, Event) for event in events):
                raise MisuseError("transform_function_input gives input with ig.Event values in `events`")
        if events is call.events:
            return call
        self.run = dataclasses.replace(run, events=events)
        return dataclasses.replace(call, events=events)

    async def _restored(self, event: Event, parent: str) -> Event:
        given = DeferInput(id=None, function=self.run.slug, run_id=parent, data=event.data, meta=event.meta)
        restored = await self._transformed("restore_defer_input", given, DeferInput)
        return event if restored is given else Event(event.name, restored.data, id=event.id, ts=event.ts, meta=restored.meta)

    def around(self, handler: Next) -> Next:
        """Put the `wrap_function` hooks around what awaits the handler."""
        return self._wrapped("wrap_function", self.run, handler)

    def output(self, value: Any) -> Any:
        """Give the handler's result as hooks see it: as plain JSON values. Raises NotJSON."""
        if not (self.wraps_function or self._hooks["on_run_complete"]):
            return value
        return jsonvalue.decode(jsonvalue.encode(value, f"the result of function {self.run.function_id!r}"))

    def attempts_anew(self) -> None:
        """Count the attempts of the handler from 0 again: it has come further than before."""
        self.run = dataclasses.replace(self.run, attempt=0)

    async def memoization_ended(self) -> None:
        """Tell that the last recorded result was asked for."""
        await self._tell("on_memoization_end", self.run)

    async def run_started(self) -> None:
        """Tell that the run begins."""
        await self._tell("on_run_start", self.run)

    async def run_completed(self, output: Any) -> None:
        """Tell that the handler ended."""
        await self._tell("on_run_complete", self.run, output)

    async def run_failed(self, error: BaseException, *, final: bool) -> None:
        """Tell that an attempt of the handler failed; `final` that it would fail again."""
        await self._tell("on_run_error", self.run, error, final or self.run.attempt + 1 >= self.run.max_attempts)

    # Steps.

    def step(self, step: Step[Any], hash: str, *, memoized: bool, attempt: int | None = None, place: StepPlace | None = None) -> StepInfo:
        """Tell of a step."""
        return StepInfo(
            run=self.run,
            id=step.id,
            name=step.name,
            kind=step.kind,
            hash=hash,
            memoized=memoized,
            attempt=attempt,
            args=getattr(step, "args", ()),
            kwargs=getattr(step, "kwargs", _NO_KWARGS),
            data=getattr(step, "data", None),
            options=step.options(),
            place=place,
        )

    async def transform_step(self, step: Step[Any], look_up: Callable[[str], tuple[str, bool]]) -> None:
        """Let the hooks change a step that was yielded, in place. `look_up` gives the hash that an id has here, and whether that has a result.

        What a step is called with goes in to its body; what `step.invoke` carries leaves.
        """
        hash, memoized = look_up(step.id)
        info = self.step(step, hash, memoized=memoized)
        for hook in self._in_order("transform_step_input", outwards=hasattr(type(step), "data")):
            changed = await self._asked(hook, info, StepInfo)
            if changed is info:
                continue
            if changed.id != info.id:
                check_id(changed.id)
                hash, memoized = look_up(changed.id)
                changed = dataclasses.replace(changed, hash=hash, memoized=memoized)
            _apply(changed, info, step, hook)
            info = changed

    async def recorded(self, step: Step[Any], hash: str, place: StepPlace, result: Callable[[], Awaitable[Any]]) -> Any:
        """Show the hooks a recorded result on its way to the handler. `result` gives it or raises its error."""
        if not self._recorded:
            return await result()
        # A recorded result comes in: whoever was last to see it leave is first to see it, so that each undoes what it did itself.
        return await self._wrapped("wrap_step", self.step(step, hash, memoized=True, place=place), result, inwards=True)()

    async def attempt(self, step: StepInfo, body: Callable[[], Awaitable[bytes]], what: str) -> bytes:
        """Run an attempt of a body within the hooks; `body` gives its result as JSON. `what` names the result in errors."""
        await self._tell("on_step_start", step)
        if not self._recorded:
            return await body()

        async def value() -> Any:
            return jsonvalue.decode(await body())

        return jsonvalue.encode(await self._wrapped("wrap_step", step, value)(), what)

    async def attempt_completed(self, step: StepInfo, data: bytes) -> None:
        """Tell that an attempt succeeded, with its result as JSON."""
        if self._hooks["on_step_complete"]:
            await self._tell("on_step_complete", step, jsonvalue.decode(data))

    async def attempt_failed(self, step: StepInfo, error: BaseException, *, final: bool) -> None:
        """Tell that an attempt failed; `final` that it would fail again."""
        await self._tell("on_step_error", step, error, final or (step.attempt or 0) + 1 >= self.run.max_attempts)

    # What leaves.

    async def defer_input(self, defer: DeferInput) -> DeferInput:
        """Let the hooks change a defer's data and meta."""
        changed: DeferInput = await self._transformed("transform_defer_input", defer, DeferInput, outwards=True)
        return changed

    async def deferred(self, ops: Iterable[LazyOp]) -> None:
        """Tell of the defers that leave with the next message."""
        for op in ops:
            await self._tell("on_defer", _told(op, self.run.run_id))

    async def send(self, events: Sequence[Event], deliver: Callable[[Sequence[Event]], Awaitable[list[str]]]) -> list[str]:
        """Send events through the hooks; `deliver` sends what they made of them."""
        for hook in self._in_order("transform_send_event", outwards=True):
            events = await self._asked(hook, events, Sequence)
            if not all(isinstance(event, Event) for event in events):
                raise MisuseError(f"{_name(hook)} gives ig.Event values")
        sent = tuple(events)
        ids: list[str] = await self._wrapped("wrap_send_event", sent, lambda: deliver(sent))()
        return ids

    # How hooks are called.

    def _in_order(self, name: str, *, outwards: bool) -> Iterable[Callable[..., Any]]:
        """Give hooks in the order of what comes in, the app's before the function's, or of what goes out, the other way round."""
        hooks = self._hooks[name]
        return reversed(hooks) if outwards else hooks

    async def _transformed(self, name: str, value: Any, cls: type, *, outwards: bool = False) -> Any:
        for hook in self._in_order(name, outwards=outwards):
            value = await self._asked(hook, value, cls)
        return value

    async def _asked(self, hook: Callable[..., Any], value: Any, cls: type) -> Any:
        try:
            changed = hook(value)
            if changed.__class__ is not cls and inspect.isawaitable(changed):
                changed = await changed
        except InngestGenError:
            raise
        except Exception as error:
            raise MiddlewareError(_name(hook), f"{type(error).__name__}: {error}") from error
        if not isinstance(changed, cls):
            wanted = "events" if cls is Sequence else f"a {cls.__name__}"
            raise MisuseError(f"{_name(hook)} gives {wanted}, changed or as it was given, not {type(changed).__name__}")
        return changed

    async def _tell(self, name: str, *facts: Any) -> None:
        for hook in self._hooks[name]:
            try:
                result = hook(*facts)
                if inspect.isawaitable(result):
                    await result
            except Exception:  # noqa: BLE001 - a hook that only looks on must not fail the run
                run_id = self.run.run_id
                self._log.exception("middleware: %s failed in run %s", _name(hook), run_id, extra={"run_id": run_id})

    def _wrapped(self, name: str, what: object, inner: Next, *, inwards: bool = False) -> Next:
        """Put hooks around `inner`, the app's outermost; or, around what comes in, the app's next to it."""
        for hook in self._in_order(name, outwards=not inwards):
            inner = _Wrapping(hook, what, inner)
        return inner


class _Wrapping:
    """One `wrap_*` hook about to be called around `inner`."""

    __slots__ = ("_came", "_hook", "_inner", "_used", "_what")

    def __init__(self, hook: Callable[..., Any], what: object, inner: Next) -> None:
        self._hook = hook
        self._what = what
        self._inner = inner
        self._used = False
        self._came: BaseException | None = None
        """What came out of `next()`: to be told from what the hook itself raises."""

    async def __call__(self) -> Any:
        result = self._hook(self._what, self._next)
        if result.__class__ is not CoroutineType and not inspect.isawaitable(result):
            raise MisuseError(f"{_name(self._hook)} is to be an `async def` that awaits next()")
        try:
            return await result
        except Exception as error:
            if error is not self._came:
                error.add_note(f"raised in {_name(self._hook)}")
            raise
        finally:
            self._came = None  # its traceback holds this frame

    async def _next(self) -> Any:
        if self._used:
            raise MisuseError(f"{_name(self._hook)} called next() twice: it is awaited once")
        self._used = True
        try:
            return await self._inner()
        except Exception as error:
            self._came = error
            raise


def _told(op: LazyOp, run_id: str) -> DeferInfo:
    match op:
        case DeferAdd(hash=hash, id=id, function=function):
            return DeferInfo(
                run_id=run_id, id=id, hash=hash, function=function, status="made", name=op.name, step=op.step, experiment=op.experiment
            )
        case DeferAbort(hash=hash, id=id, function=function):
            return DeferInfo(run_id=run_id, id=id, hash=hash, function=function, status="aborted")
        case DeferRejected(hash=hash, id=id, function=function):
            return DeferInfo(run_id=run_id, id=id, hash=hash, function=function, status="rejected", reason=op.reason, step=op.step)


def _name(hook: Callable[..., Any]) -> str:
    owner = getattr(hook, "__self__", None)
    return f"{type(owner).__name__}.{getattr(hook, '__name__', 'hook')}" if owner is not None else repr(hook)


def overridden(cls: type[Middleware]) -> frozenset[str]:
    """Name the hooks that a class has of its own."""
    return frozenset(name for name in HOOKS if getattr(cls, name) is not getattr(Middleware, name))


@functools.lru_cache(1024)
def _places(types: tuple[Any, ...]) -> Mapping[str, tuple[int, ...]]:
    """Tell for each hook which of several classes have it."""
    return {name: tuple(place for place, cls in enumerate(types) if name in overridden(cls)) for name in HOOKS}


def _apply(changed: StepInfo, before: StepInfo, step: Step[Any], hook: Callable[..., Any]) -> None:
    """Write what a hook changed into the step."""
    if changed.kind != before.kind:
        raise MisuseError(f"{_name(hook)} cannot make a {changed.kind} of a {before.kind}")
    step.id, step.name = changed.id, changed.name
    for name in _CHANGEABLE:
        value = getattr(changed, name)
        if value is not getattr(before, name):
            if not hasattr(type(step), name):
                raise MisuseError(f"{_name(hook)} changed the {name} of {step.kind} {step.id!r}, which has none")
            setattr(step, name, value)
