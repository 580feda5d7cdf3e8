"""Stack: the middleware declared for an app or a function, outermost first. It makes the chain of each request.

Promises: what is declared is looked at once, at the declaration; a stack of nothing gives no chain.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

from inngest_gen.errors import ConfigError, MisuseError
from inngest_gen.event import Event
from inngest_gen.middleware.chain import Chain, overridden
from inngest_gen.middleware.info import Registration
from inngest_gen.middleware.middleware import Middleware, MiddlewareFactory

_STEERING: Final = ("restore_defer_input", "transform_function_input", "transform_step_input", "wrap_step", "wrap_function")
"""The hooks that can lead a handler another way than it went before."""


class Stack:
    """Middleware in order. `factories` make the instances of a request."""

    __slots__ = ("_types", "factories", "log")

    def __init__(self, factories: tuple[MiddlewareFactory, ...], types: tuple[type[Middleware], ...], log: logging.Logger) -> None:
        self.factories: tuple[MiddlewareFactory, ...] = factories
        self._types = types
        self.log: logging.Logger = log

    @classmethod
    def declared(
        cls, entries: Sequence[MiddlewareFactory], registration: Registration, log: logging.Logger, *, outer: Stack | None = None
    ) -> Stack:
        """Check what a user declared, call its `on_register`, and put it inside `outer`. Raises ConfigError, and what `on_register` raises."""
        where = f"app {registration.app_id!r}" if registration.function_id is None else f"function {registration.function_id!r}"
        given: object = entries
        if not isinstance(given, (list, tuple)):
            raise ConfigError(f"the middleware of {where} is a list of classes: middleware=[Audit], not {type(given).__name__}")
        types = [_registered(entry, registration, where) for entry in entries]
        factories = tuple(entries)
        if outer is not None:
            factories, types = outer.factories + factories, [*outer._types, *types]
        return cls(factories, tuple(types), log)

    def chain(self) -> Chain | None:
        """Make the chain of one request, of fresh instances; None where there is no middleware."""
        return Chain(tuple(make() for make in self.factories), self.log) if self.factories else None

    def steering(self) -> Iterator[object]:
        """Give the functions of the hooks that can lead a handler another way: they are a part of its code.

        Those of this package do not: they undo what they did, and let pass what they did not do.
        """
        for type_ in self._types:
            for name in _STEERING:
                hook = getattr(type_, name)
                if name in overridden(type_) and not str(getattr(hook, "__module__", "")).startswith(f"{__package__}."):
                    yield hook

    # Sending from outside a run.

    async def send(self, events: Sequence[Event], deliver: Callable[[Sequence[Event]], Awaitable[list[str]]]) -> list[str]:
        """Send events through the hooks; `deliver` sends what they made of them. Raises what it and they raise."""
        chain = self.chain()
        return await deliver(events) if chain is None else await chain.send(events, deliver)

    def send_sync(self, events: Sequence[Event], deliver: Callable[[Sequence[Event]], list[str]]) -> list[str]:
        """The same without a loop. Raises MisuseError if a hook waits for something."""
        chain = self.chain()
        if chain is None:
            return deliver(events)

        async def at_once(events: Sequence[Event]) -> list[str]:
            return deliver(events)

        return _without_loop(chain.send(events, at_once))


def _registered(entry: object, registration: Registration, where: str) -> type[Middleware]:
    if not callable(entry):
        hint = f"the class itself, or a function that makes one: lambda: {type(entry).__name__}(...)"
        raise ConfigError(f"middleware of {where} is {hint}; a request gets an instance of its own, so not {entry!r}")
    member = entry()
    if not isinstance(member, Middleware):
        raise ConfigError(f"middleware of {where} gives an ig.Middleware when it is called, not {type(member).__name__}")
    member.on_register(registration)
    return type(member)


def _without_loop(coroutine: Coroutine[Any, Any, list[str]]) -> list[str]:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        ids: list[str] = stop.value
        return ids
    finally:
        coroutine.close()
    raise MisuseError("a middleware's hook waited for something, and app.send_sync has no event loop: use `await app.send(...)`")
