"""Defers: lazy operations that start another function when this run has ended.

Promises: a defer never blocks; it leaves with the next message to the engine, in call order.
`current_sink` tells a step body which attempt's buffer its defers go to; the driver sets it for the handler and for each attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import CodeType
from typing import Any, Protocol

from inngest_gen.errors import MisuseError
from inngest_gen.intents.intent import Intent, describe, position


class Sink(Protocol):
    """Where the defers of a handler, or of one attempt of a step body, are collected."""

    def add(self, defer: Defer) -> DeferHandle:
        """Take a defer in call order; misuse is logged or raised, as the app says."""
        ...

    def abort(self, handle: DeferHandle) -> None:
        """Take back a defer, sent or not."""
        ...

    def made(self, defer: Defer) -> None:
        """Note a defer that was made, so that one which is never yielded or submitted can be told."""
        ...


current_sink: ContextVar[Sink | None] = ContextVar("inngest_gen_defer_sink", default=None)


def _sink(what: Intent) -> Sink:
    sink = current_sink.get()
    if sink is None:
        raise MisuseError(
            f"{describe(what)} was submitted outside a run: submit it in a handler or a step body"
            " (a thread you start yourself needs contextvars.copy_context().run)"
        )
    return sink


class Defer(Intent):
    """Start `function` with `data` when this run has ended. Yield it, or call `.submit()` where there is no yield.

    `meta` and `experiment` are carried to the engine. Both ways give a DeferHandle.
    """

    __slots__ = ("code", "data", "experiment", "function", "id", "lasti", "meta", "name", "submitted")
    kind = "defer"

    def __init__(self, id: str, name: str, function: Any, data: Any, meta: Mapping[str, Any] | None, experiment: Any) -> None:
        self.id: str = id
        self.name: str = name
        self.function: Any = function
        self.data: Any = data
        self.meta: Mapping[str, Any] | None = meta
        self.experiment: Any = experiment
        self.submitted: bool = False
        self.code: CodeType | None = None
        """Where it was made: the code and the instruction, from which `made_at` finds the line."""
        self.lasti: int = 0
        sink = current_sink.get()
        if sink is not None:
            sink.made(self)

    @property
    def made_at(self) -> str | None:
        """Where it was made, as "file:line", or None if that is not known."""
        return None if self.code is None else position(self.code, self.lasti)

    def submit(self) -> DeferHandle:
        """Send it from a plain step body or a plain handler. Raises MisuseError outside a run."""
        return _sink(self).add(self)

    def __repr__(self) -> str:
        return f"<defer {self.id!r}>"


class DeferHandle:
    """What a defer gives. `id` is the defer's id, `hash` its hashed id, `active` is False where the defer was skipped."""

    __slots__ = ("active", "hash", "id", "slug")

    def __init__(self, id: str, hash: str, slug: str | None, *, active: bool) -> None:
        self.id: str = id
        self.hash: str = hash
        self.slug: str | None = slug
        self.active: bool = active

    def abort(self) -> Abort:
        """Make the intent that takes the defer back: yield it, or `.submit()` it in a plain body."""
        return Abort(self)

    def __repr__(self) -> str:
        return f"<handle of defer {self.id!r}>"


class Abort(Intent):
    """Take a defer back: what was never sent is not sent, what was sent is aborted. Made by `handle.abort()`."""

    __slots__ = ("handle",)
    kind = "defer abort"

    def __init__(self, handle: DeferHandle) -> None:
        self.handle: DeferHandle = handle

    @property
    def id(self) -> str:
        """The defer's id."""
        return self.handle.id

    def submit(self) -> None:
        """Send it from a plain step body or a plain handler. Raises MisuseError outside a run."""
        _sink(self).abort(self.handle)
