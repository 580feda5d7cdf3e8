"""The steps: durable operations whose results are recorded under the hash of their id.

Promises: making a step does nothing; each is yielded once; `result` is there after its yield, typed.
Refuses: an empty id, awaiting, reading `result` too early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, ClassVar, Generic, Literal, TypeVar

from inngest_gen.durations import Duration, seconds
from inngest_gen.errors import MisuseError
from inngest_gen.intents.intent import Intent, describe, position

T = TypeVar("T")
S = TypeVar("S")

_NO_KWARGS: Mapping[str, Any] = {}


class Step(Intent, Generic[T]):
    """A durable operation. Yield it; the yield gives its result, which is also at `.result`, typed.

    `id` is what the handler called it, `name` what is shown. `hash` is set by the driver at the yield: the lowercase hex SHA-1 of the id,
    with `:n` appended at the n-th repeat in the run (SDK_SPEC 5.1.2). A failure for good is raised at the yield as StepError.
    """

    __slots__ = ("code", "hash", "id", "lasti", "name", "result")

    kind: ClassVar[str] = "step"
    """The word for this kind of step in messages and timelines."""

    id: str
    name: str
    hash: str | None
    result: T
    code: CodeType | None
    """Where it was made: the code and the instruction, from which `made_at` finds the line."""
    lasti: int

    def __getattr__(self, attribute: str) -> Any:
        # Reached only where a slot is empty.
        if attribute == "result":
            raise MisuseError(f"{describe(self)} has no result yet: yield it first", self.made_at)
        if attribute in {"code", "lasti"}:
            return None
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")

    def __repr__(self) -> str:
        return f"<{describe(self)}>"

    @property
    def made_at(self) -> str | None:
        """Where the handler made this step, as "file:line", or None if that is not known."""
        code = self.code
        return None if code is None else position(code, self.lasti)

    def options(self) -> dict[str, Any]:
        """Give what it was made with, as JSON values for records and timelines: no inputs and nothing that may be secret."""
        return {}


class Run(Step[T]):
    """Run a function once and keep its result. Made by `ctx.step.run`."""

    __slots__ = ("args", "fn", "kwargs", "returns_type", "timeout_s")

    kind = "step.run"

    def __init__(self, id: str, name: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] = _NO_KWARGS) -> None:
        self.id: str = id
        self.name: str = name
        self.fn: Callable[..., Any] = fn
        self.args: tuple[Any, ...] = args
        self.kwargs: Mapping[str, Any] = kwargs
        self.hash: str | None = None
        self.timeout_s: float | None = None
        self.returns_type: Any = None

    def returns(self, type: type[S]) -> Run[S]:
        """Say the result's type where the function's annotation doesn't: the JSON is decoded into it. Returns this step."""
        self.returns_type = type
        return self  # type: ignore[return-value]

    def timeout(self, duration: Duration) -> Run[T]:
        """Let an attempt of the body run for at most `duration`; then it fails with TimeoutError and is retried. Returns this step."""
        limit = seconds(duration)
        if limit <= 0:
            raise MisuseError(f"the timeout of {describe(self)} must be longer than 0", self.made_at)
        self.timeout_s = limit
        return self

    def options(self) -> dict[str, Any]:
        """Give its timeout, where it has one."""
        return {} if self.timeout_s is None else {"timeout_s": self.timeout_s}


class AIWrap(Run[T]):
    """Run a function that asks a model, and show it as such. Made by `ctx.step.ai.wrap`."""

    __slots__ = ()

    kind = "step.ai.wrap"


class Sleep(Step[None]):
    """Sleep for a duration from the moment the yield is first reached. Made by `ctx.step.sleep`."""

    __slots__ = ("duration_s",)
    kind = "step.sleep"

    def __init__(self, id: str, name: str, duration_s: float) -> None:
        self.id: str = id
        self.name: str = name
        self.duration_s: float = duration_s
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the duration."""
        return {"duration_s": self.duration_s}


class SleepUntil(Step[None]):
    """Sleep until a moment (epoch seconds). Made by `ctx.step.sleep_until`. A moment in the past passes at once."""

    __slots__ = ("until",)
    kind = "step.sleep_until"

    def __init__(self, id: str, name: str, until: float) -> None:
        self.id: str = id
        self.name: str = name
        self.until: float = until
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the moment."""
        return {"until": self.until}


class WaitForEvent(Step[T]):
    """Wait for an event; the result is the Event, or None when `timeout_s` seconds have passed. Made by `ctx.step.wait_for_event`."""

    __slots__ = ("event", "if_", "match", "timeout_s")
    kind = "step.wait_for_event"

    def __init__(self, id: str, name: str, event: str, timeout_s: float, if_: str | None, match: str | None) -> None:
        self.id: str = id
        self.name: str = name
        self.event: str = event
        self.timeout_s: float = timeout_s
        self.if_: str | None = if_
        self.match: str | None = match
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the event's name, the timeout, and what must match."""
        options = {"event": self.event, "timeout_s": self.timeout_s, "match": self.match, "if": self.if_}
        return {name: value for name, value in options.items() if value is not None}


class WaitForSignal(Step[T]):
    """Wait for a signal; the result is its data, or None on timeout. Made by `ctx.step.wait_for_signal`."""

    __slots__ = ("on_conflict", "signal", "timeout_s")
    kind = "step.wait_for_signal"

    def __init__(self, id: str, name: str, signal: str, timeout_s: float, on_conflict: Literal["fail", "replace"]) -> None:
        self.id: str = id
        self.name: str = name
        self.signal: str = signal
        self.timeout_s: float = timeout_s
        self.on_conflict: Literal["fail", "replace"] = on_conflict
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the signal, the timeout, and what is done about a conflict."""
        return {"signal": self.signal, "timeout_s": self.timeout_s, "on_conflict": self.on_conflict}


class SendSignal(Step[bool]):
    """Send a signal to the run that waits for it; the result says whether one did. Made by `ctx.step.send_signal`."""

    __slots__ = ("data", "signal")
    kind = "step.send_signal"

    def __init__(self, id: str, name: str, signal: str, data: Any) -> None:
        self.id: str = id
        self.name: str = name
        self.signal: str = signal
        self.data: Any = data
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the signal."""
        return {"signal": self.signal}


class SendEvent(Step[list[str]]):
    """Send events; the result is their ids. Made by `ctx.step.send_event`. `events` are `Event` values."""

    __slots__ = ("events",)
    kind = "step.send_event"

    def __init__(self, id: str, name: str, events: tuple[Any, ...]) -> None:
        self.id: str = id
        self.name: str = name
        self.events: tuple[Any, ...] = events
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the names of the events."""
        return {"events": [event.name for event in self.events]}


class Invoke(Step[T]):
    """Run another function and wait for its result. Made by `ctx.step.invoke`. `function` is the target's slug."""

    __slots__ = ("data", "function", "meta", "timeout_s")
    kind = "step.invoke"

    def __init__(self, id: str, name: str, function: str, data: Any, timeout_s: float | None, meta: Any) -> None:
        self.id: str = id
        self.name: str = name
        self.function: str = function
        self.data: Any = data
        self.timeout_s: float | None = timeout_s
        self.meta: Any = meta
        self.hash: str | None = None

    def options(self) -> dict[str, Any]:
        """Give the target's slug and the timeout, where it has one."""
        return {"function": self.function} if self.timeout_s is None else {"function": self.function, "timeout_s": self.timeout_s}
