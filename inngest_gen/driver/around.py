"""What stands around a handler: the `wrap_function` hooks, entered before its first step and left after its last.

A hook awaits `next()` once, and the handler may be driven over many turns meanwhile. So the hooks' coroutine is run by hand: up to `next()`, where it
is left standing, and on from there with what the handler came to. In between, what it awaits goes to the loop like any other await.
Promises: a run that is let go closes it by GeneratorExit at `next()`, and awaits its `finally` blocks. Refuses: `next()` in another task.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final

from inngest_gen.errors import MisuseError

_HERE: Final = object()
"""What the coroutine yields where it awaits the handler."""


class _Handler:
    """Awaited in place of the handler."""

    __slots__ = ("_around",)

    def __init__(self, around: Around) -> None:
        self._around = around

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self._around.running:
            raise MisuseError("next() was awaited in another task: a wrap_function hook awaits it itself")
        error, value = yield _HERE
        if error is not None:
            # Raised here, not thrown in from outside: a GeneratorExit that is thrown into a coroutine closes what it awaits, and a `finally` in
            # there could not await (PEP 380).
            try:
                raise error
            finally:
                del error  # this frame is in its traceback
        return value


class Around:
    """The hooks around one handler. `wrap` puts them around what awaits it."""

    __slots__ = ("_coroutine", "entered", "running")

    def __init__(self, wrap: Callable[[Callable[[], Awaitable[Any]]], Callable[[], Awaitable[Any]]]) -> None:
        self.entered: bool = False
        """Whether it stands at `next()`."""
        self.running: bool = False

        async def handler() -> Any:
            return await _Handler(self)

        async def whole() -> Any:
            return await wrap(handler)()

        self._coroutine: Coroutine[Any, Any, Any] = whole()

    async def enter(self) -> Any:
        """Run the hooks up to the handler. If they end before (`entered` is False then), gives their result or raises their error."""
        return await self._run(None)

    async def leave(self, error: BaseException | None, value: Any) -> Any:
        """Run the hooks to their end with the handler's error or result; gives theirs, or raises their error."""
        self.entered = False
        return await self._run((error, value))

    async def close(self) -> None:
        """End the hooks without the handler's result."""
        if not self.entered:
            return
        try:
            await self.leave(GeneratorExit(), None)
        except GeneratorExit:
            pass

    def drop(self) -> None:
        """End them without a loop: a `finally` that awaits is cut short."""
        self.entered = False
        try:
            self._coroutine.close()
        except RuntimeError:  # it awaited while it was closed
            pass

    @types.coroutine
    def _run(self, value: Any) -> Generator[Any, Any, Any]:
        coroutine = self._coroutine
        error: BaseException | None = None
        try:
            while True:
                self.running = True
                try:
                    request = coroutine.send(value) if error is None else coroutine.throw(error)
                except StopIteration as stop:
                    return stop.value
                finally:
                    self.running = False
                error = None
                if request is _HERE:
                    self.entered = True
                    return None
                try:
                    value = yield request
                except BaseException as raised:  # noqa: BLE001 - whatever the loop throws goes to the hooks
                    error = raised
        finally:
            error = None  # break the cycle error -> traceback -> this frame -> error
