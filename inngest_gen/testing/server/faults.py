"""Faults that a test asks for: where, which, how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from inngest_gen.testing.server.http import Request
from inngest_gen.testing.server.run import Call

__all__ = ["CallFault", "Fault", "Faults", "RouteFault"]

RouteFault: TypeAlias = int | Literal["refuse", "hang", "garble", "lose"]
CallFault: TypeAlias = Literal["refuse", "lose", "forget", "overtake", "twice"]


@dataclass(slots=True, eq=False)
class Fault:
    """A fault that was asked for. `left` is how often it is still to happen (None: always), `happened` how often it did."""

    kind: RouteFault | CallFault
    left: int | None
    fits: Callable[[Any], bool]
    happened: int = 0

    def remove(self) -> None:
        """Let it not happen any more."""
        self.left = 0


@dataclass(slots=True)
class Faults:
    """The faults that were asked for, of requests to the API and of calls of the app; the first that fits happens."""

    _routes: list[Fault] = field(default_factory=list)
    _calls: list[Fault] = field(default_factory=list)

    def add_route(self, kind: RouteFault, times: int | None, fits: Callable[[Request], bool]) -> Fault:
        """Ask for a fault of requests to the API."""
        self._routes.append(Fault(kind, times, fits))
        return self._routes[-1]

    def add_call(self, kind: CallFault, times: int | None, fits: Callable[[Call], bool]) -> Fault:
        """Ask for a fault of calls of the app."""
        self._calls.append(Fault(kind, times, fits))
        return self._calls[-1]

    def of_route(self, request: Request) -> Any:
        """Give the kind of fault that happens to a request, None for none, and count it."""
        return _take(self._routes, request)

    def of_call(self, call: Call) -> Any:
        """Give the kind of fault that happens to a call, None for none, and count it."""
        return _take(self._calls, call)


def _take(faults: list[Fault], subject: Request | Call) -> Any:
    for fault in faults:
        if fault.left != 0 and fault.fits(subject):
            fault.happened += 1
            if fault.left is not None:
                fault.left -= 1
            return fault.kind
    return None
