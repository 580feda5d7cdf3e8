"""Witness: what a memory engine has seen, kept for whoever asks when a test has failed.

The one thing that the kit keeps beyond a test: the last few, so that the pytest plugin can say what happened in a test that has failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from inngest_gen.app.function import Function

if TYPE_CHECKING:
    from inngest_gen.testing.result import Result


class Witness:
    """An engine's functions, by slug, and the results that it last gave, by run id."""

    __slots__ = ("functions", "results")

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions: Mapping[str, Function] = functions
        self.results: dict[str, Result] = {}


witnesses: Final[deque[Witness]] = deque(maxlen=20)
"""One for each engine that was opened, the last at the end."""
