"""Stub: stands for what `ctx.using` would have entered. Nothing is opened while a run is replayed.

Promises: handler code may hand it on, take attributes of it, call it, and use it in `with` and `async with`; each gives another stub, and what was
used of it is told, since nothing that comes of it is real. Refuses: to look like a value: it is neither iterable nor JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NoReturn, Self


class Stub:
    """A stand-in. `told` is called with what was used: "Client.base_url"; what is used of that in turn is not told again."""

    __slots__ = ("_name", "_told")

    def __init__(self, name: str, told: Callable[[str], object] | None) -> None:
        self._name = name
        self._told = told

    def __getattr__(self, name: str) -> Stub:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self._more(f".{name}")

    def __call__(self, *_: object, **__: object) -> Stub:
        return self._more("()")

    def __await__(self) -> Generator[Any, Any, Self]:
        yield from ()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} stands for what ctx.using would have opened: a replay opens nothing, so there is nothing to go through")

    def __repr__(self) -> str:
        return f"<stub of {self._name}>"

    def _more(self, what: str) -> Stub:
        name = f"{self._name}{what}"
        if self._told is not None:
            self._told(name)
        return Stub(name, None)


def stub_for(manager: object, told: Callable[[str], object]) -> Stub:
    """Make the stand-in for a context manager."""
    return Stub(type(manager).__qualname__, told)
