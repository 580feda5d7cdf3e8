"""Patience: how long a test waits, in real time, for code of the user's that does not come back.

One scope around all that happens, whose deadline is moved on with each happening: a scope for each would cost a test a tenth of its time.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import TracebackType
from typing import Final

import anyio

from inngest_gen.loops import scope_marker
from inngest_gen.testing.failures import Stuck, is_found

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line

_LIBRARIES: Final = (f"{Path(__file__).parent.parent}/", f"{Path(anyio.__file__).parent}/", "<")
_CLOSE: Final = 0.02


class Patience:
    """Waits at most `seconds` for each thing, between `open` and `close`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope: anyio.CancelScope | None = None
        self._mark: object = None
        self._what = ""
        self._begun = -math.inf

    def open(self) -> None:
        """Begin to wait."""
        self._scope = anyio.CancelScope()
        self._scope.__enter__()
        self._mark = scope_marker()()

    def begin(self, what: str) -> None:
        """Begin to wait for something."""
        self._what = what
        now = time.monotonic()
        if now - self._begun > self._seconds * _CLOSE:  # to move it takes as long as a small step
            self._begun = now
            assert self._scope is not None
            self._scope.deadline = anyio.current_time() + self._seconds

    @property
    def is_covered(self) -> bool:
        """Whether a scope has been opened since and not been closed, as what `ctx.using` enters may do."""
        return scope_marker()() is not self._mark

    def close(self) -> None:
        """Wait no more. No scope that was opened since may be open."""
        scope, self._scope = self._scope, None
        self._begun = -math.inf
        if scope is not None:
            scope.__exit__(None, None, None)

    def failed(self, error: BaseException) -> BaseException:
        """Wait no more, since `error` was raised; gives what is to be raised: Stuck, with the line, if the deadline has come."""
        scope, self._scope = self._scope, None
        self._begun = -math.inf
        assert scope is not None
        at = _place(error.__traceback__)
        try:
            scope.__exit__(type(error), error, error.__traceback__)
        except BaseException as other:  # noqa: BLE001 - what remains of the error
            return other
        if not scope.cancelled_caught:
            return error
        where = f" (it waits at {at})" if at else ""
        return Stuck(f"after {self._seconds:g} s of real time {self._what}{where}; patience= says how long is waited", where=at)


def _place(link: TracebackType | None) -> str | None:
    """Give the innermost line outside of this package and of libraries."""
    at = None
    while link is not None:
        name = link.tb_frame.f_code.co_filename
        if not name.startswith(_LIBRARIES) and "/site-packages/" not in name and "/lib/python3" not in name:
            at = f"{name}:{link.tb_lineno}"
        link = link.tb_next
    return at
