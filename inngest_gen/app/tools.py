"""`ctx.step` and `ctx.group`: they make intents and do nothing else."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import datetime
from types import CoroutineType, FunctionType
from typing import Any, Final, Literal, ParamSpec, TypeVar, overload

from inngest_gen.durations import Duration, moment, seconds
from inngest_gen.errors import MisuseError
from inngest_gen.event import Event
from inngest_gen.intents.group import Parallel, Race
from inngest_gen.intents.http import AIInfer, Fetch, Model, check_url
from inngest_gen.intents.intent import Id, Intent, check_id, describe
from inngest_gen.intents.step import (
    AIWrap,
    Invoke,
    Run,
    SendEvent,
    SendSignal,
    Sleep,
    SleepUntil,
    Step,
    WaitForEvent,
    WaitForSignal,
)
from inngest_gen.jsonvalue import encode

P = ParamSpec("P")
T = TypeVar("T")

_frame = sys._getframe


def split_id(id: str | Id) -> tuple[str, str]:
    """Give an id and the name to show. Raises MisuseError for an empty id or another type."""
    if isinstance(id, Id):
        return id.id, id.name
    check_id(id)
    return id, id


class StepTools:
    """Makes steps: `ctx.step`. Every method gives an intent to yield."""

    __slots__ = ("_made", "_slug_of")

    def __init__(self, made: list[Step[Any]], slug_of: Callable[[object], str]) -> None:
        self._made = made
        self._slug_of = slug_of

    @property
    def ai(self) -> AITools:
        """Steps that ask models."""
        return AITools(self._made)

    @overload
    def run(self, id: str | Id, fn: Callable[P, AsyncGenerator[Any, Any]], /, *args: P.args, **kwargs: P.kwargs) -> Run[Any]: ...
    @overload
    def run(self, id: str | Id, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]: ...
    @overload
    def run(self, id: str | Id, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]: ...
    def run(self, id: str | Id, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Run[Any]:
        """Run `fn(*args, **kwargs)` once and keep its result.

        `fn` is a sync function (it runs in a worker thread), an async function, or an async generator that yields only defers, their aborts
        and Done. Its result passes through JSON and is decoded into the declared return type. A failing attempt is retried as the function's
        `retries` say; the failure for good is raised at the yield as StepError. Raises MisuseError for an empty id or an intent as argument.
        """
        if id.__class__ is str and id:
            step: Run[Any] = Run(id, id, fn, args, kwargs)
        else:
            step = Run(*split_id(id), fn, args, kwargs)
        frame = _frame(1)
        step.code = frame.f_code
        step.lasti = frame.f_lasti
        if args or kwargs or fn.__class__ is not FunctionType:
            _check_call(step)
        self._made.append(step)
        return step

    def fetch(
        self, id: str | Id, url: str, /, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: str | bytes | Any = None
    ) -> Fetch:
        """Make an HTTP request; the result is an `ig.Response`, whatever its status.

        On an Inngest server the server makes the request, and no process of yours waits for it; the embedded engine makes it itself. `url` is
        absolute. `body` is text, UTF-8 bytes, or any other value that becomes JSON (its content type is then set). A request that gets no
        answer is tried again as the function's `retries` say, and then raises StepError. Raises MisuseError for a URL, method or header that is
        none, NotJSON for the body.
        """
        check_url(url, MisuseError)
        if not isinstance(method, str) or not method.isalpha():
            raise MisuseError(f"an HTTP method is a word such as 'POST', not {method!r}")
        sent = dict(headers or {})
        for key, value in sent.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise MisuseError(f"headers are strings by name, not {key!r}: {value!r}")
        split = split_id(id)
        if body is None or isinstance(body, str):
            text = body
        elif isinstance(body, bytes):
            text = body.decode()
        else:
            text = encode(body, f"the body of step.fetch {split[0]!r}").decode()
            if not any(key.lower() == "content-type" for key in sent):
                sent["content-type"] = "application/json"
        step = Fetch(*split, url, method.upper(), sent, text)
        self._keep(step)
        return step

    def _keep(self, step: Step[Any]) -> None:
        frame = _frame(2)
        step.code = frame.f_code
        step.lasti = frame.f_lasti
        self._made.append(step)

    def sleep(self, id: str | Id, duration: Duration, /) -> Sleep:
        """Sleep for `duration` ("1h30m", seconds, timedelta) from the moment the yield is first reached."""
        step = Sleep(*split_id(id), seconds(duration))
        self._keep(step)
        return step

    def sleep_until(self, id: str | Id, when: datetime | str, /) -> SleepUntil:
        """Sleep until `when`, an aware datetime or an RFC 3339 string. A moment in the past passes at once; a naive one is a ValueError."""
        step = SleepUntil(*split_id(id), moment(when))
        self._keep(step)
        return step

    def wait_for_event(
        self, id: str | Id, event: str, /, *, timeout: Duration, if_: str | None = None, match: str | None = None
    ) -> WaitForEvent[Event | None]:
        """Wait for an event named `event`; the result is the Event, or None when `timeout` has passed.

        `match` names a path such as "data.order_id" whose value must be the same in the run's first event and in the awaited one.
        """
        if not isinstance(event, str) or not event:
            raise MisuseError(f"wait_for_event needs the event's name, a non-empty string, not {event!r}")
        if match is not None and (not isinstance(match, str) or not match):
            raise MisuseError(f"match is a path such as 'data.order_id', not {match!r}")
        if if_ is not None and (not isinstance(if_, str) or not if_):
            raise MisuseError(f"if_ is an expression such as 'async.data.amount > 10', not {if_!r}")
        step: WaitForEvent[Event | None] = WaitForEvent(*split_id(id), event, seconds(timeout), if_, match)
        self._keep(step)
        return step

    def wait_for_signal(
        self, id: str | Id, signal: str, /, *, timeout: Duration, on_conflict: Literal["fail", "replace"] = "fail"
    ) -> WaitForSignal[Any]:
        """Wait for a signal; the result is its data, or None when `timeout` has passed.

        One run can wait for a signal at a time: with `on_conflict="fail"` the second fails, with "replace" it takes the first one's place.
        """
        if not isinstance(signal, str) or not signal:
            raise MisuseError(f"wait_for_signal needs the signal's name, a non-empty string, not {signal!r}")
        if on_conflict not in {"fail", "replace"}:
            raise MisuseError(f'on_conflict is "fail" or "replace", not {on_conflict!r}')
        step: WaitForSignal[Any] = WaitForSignal(*split_id(id), signal, seconds(timeout), on_conflict)
        self._keep(step)
        return step

    def send_signal(self, id: str | Id, signal: str, /, data: Any = None) -> SendSignal:
        """Send a signal; the result says whether a run waited for it."""
        if not isinstance(signal, str) or not signal:
            raise MisuseError(f"send_signal needs the signal's name, a non-empty string, not {signal!r}")
        step = SendSignal(*split_id(id), signal, data)
        self._keep(step)
        return step

    def send_event(self, id: str | Id, /, *events: Event) -> SendEvent:
        """Send events; the result is the list of their ids."""
        for event in events:
            if not isinstance(event, Event):
                raise MisuseError(f"send_event takes ig.Event values, not {type(event).__name__}")
        if not events:
            raise MisuseError("send_event needs at least one event")
        step = SendEvent(*split_id(id), events)
        self._keep(step)
        return step

    def invoke(
        self, id: str | Id, function: object, /, data: Any = None, *, timeout: Duration | None = None, meta: Any = None
    ) -> Invoke[Any]:
        """Run another function and wait for its result. `function` is a Function of this app, or an id: "fn" or "app-fn".

        Its failure is raised here as StepError with its error's name and message; on timeout the StepError's name is InngestInvokeTimeoutError
        and the invoked run goes on.
        """
        step: Invoke[Any] = Invoke(*split_id(id), self._slug_of(function), data, None if timeout is None else seconds(timeout), meta)
        self._keep(step)
        return step


class AITools:
    """Makes steps that ask models: `ctx.step.ai`."""

    __slots__ = ("_made",)

    def __init__(self, made: list[Step[Any]]) -> None:
        self._made = made

    def infer(self, id: str | Id, model: Model, body: Mapping[str, Any], /) -> AIInfer[Any]:
        """Ask a model; the result is the JSON of its answer (`.returns(type)` decodes it).

        `body` is the request's body in the model's own format, on top of what the model has. On an Inngest server the server makes the request, so
        that no process of yours waits for the answer; the embedded engine makes it itself. An answer that is not 2xx is tried again as the
        function's `retries` say, and then raises StepError "AIGatewayError".
        """
        if not isinstance(model, Model):
            raise MisuseError(f"step.ai.infer takes an ig.Model, such as ig.Model.openai('gpt-4o', key), not {type(model).__name__}")
        if not isinstance(body, Mapping):
            raise MisuseError(f"the body of step.ai.infer is a JSON object (a dict), not {type(body).__name__}")
        step: AIInfer[Any] = AIInfer(*split_id(id), model, body)
        frame = _frame(1)
        step.code = frame.f_code
        step.lasti = frame.f_lasti
        self._made.append(step)
        return step

    @overload
    def wrap(self, id: str | Id, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]: ...
    @overload
    def wrap(self, id: str | Id, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Run[T]: ...
    def wrap(self, id: str | Id, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Run[Any]:
        """Run a function that asks a model itself, as `ctx.step.run` does, and let it be shown as a question to a model."""
        step: Run[Any] = AIWrap(*split_id(id), fn, args, kwargs)
        frame = _frame(1)
        step.code = frame.f_code
        step.lasti = frame.f_lasti
        _check_call(step)
        self._made.append(step)
        return step


class GroupTools:
    """Makes groups: `ctx.group`. Branches are steps, sub-flows and groups."""

    __slots__ = ()

    def parallel(self, *branches: Step[Any] | Intent | AsyncGenerator[Any, Any], return_exceptions: bool = False, **named: Any) -> Parallel:
        """Run branches at once and wait for all: gives a tuple, or a dict where they are named.

        If any failed, an ExceptionGroup of the failures is raised once all have settled; with `return_exceptions` they stand in the result.
        """
        return Parallel(branches, named, return_exceptions=return_exceptions)

    def race(self, *branches: Step[Any] | Intent | AsyncGenerator[Any, Any], **named: Any) -> Race:
        """Run branches at once; the first to settle wins: gives `Winner(key, value)`, or raises the failure if it settled so.

        The others are ended in order, their `finally` blocks included, before the yield resumes.
        """
        return Race(branches, named)


def _check_call(step: Run[Any]) -> None:
    if step.args or step.kwargs:
        _refuse_intents(step)
    given: object = step.fn  # callers are not always type-checked
    if given.__class__ is not FunctionType and not callable(given):
        if isinstance(given, CoroutineType):
            given.close()  # else Python warns that it was never awaited, which is not the mistake
        raise MisuseError(
            f"{describe(step)} needs a function, not {type(given).__name__}: pass it uncalled, with its arguments after it", step.made_at
        )


_PLAIN: Final = frozenset({str, int, float, bool, bytes, type(None), dict, list, tuple})


def _refuse_intents(step: Run[Any]) -> None:
    given = (*step.args, *step.kwargs.values())
    kinds = set(map(type, given))  # of a long list it would take long to look at each item, in every replay
    for value in given:
        if value.__class__ in {list, tuple}:
            kinds.update(map(type, value))
        elif value.__class__ is dict:
            kinds.update(map(type, value.values()))
    if not any(issubclass(kind, (Intent, AsyncGenerator)) for kind in kinds - _PLAIN):
        return
    for value in _one_level_down(given):
        if isinstance(value, (Intent, AsyncGenerator)):
            what = describe(value) if isinstance(value, Intent) else f"the sub-flow {getattr(value, '__qualname__', '')}"
            raise MisuseError(f"{describe(step)} got {what} as an argument: yield it first, and pass its result", step.made_at)


def _one_level_down(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        yield value
        if value.__class__ in {list, tuple}:
            yield from value
        elif value.__class__ is dict:
            yield from value.values()
