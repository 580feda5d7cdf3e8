"""Using: a process-local resource (connection, client, lock) that a handler holds over its yields."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

from inngest_gen.errors import MisuseError
from inngest_gen.intents.intent import Intent


class Using(Intent):
    """Yield it to enter a context manager in the run's own task; the yield gives what entering gave.

    It is closed when this process lets go of the run, and entered again when the run is rebuilt: nothing of it is recorded.
    """

    __slots__ = ("manager",)
    kind = "ctx.using"

    def __init__(self, manager: AbstractAsyncContextManager[Any] | AbstractContextManager[Any]) -> None:
        cls = type(manager)
        if not (hasattr(cls, "__aenter__") and hasattr(cls, "__aexit__")) and not (hasattr(cls, "__enter__") and hasattr(cls, "__exit__")):
            raise MisuseError(f"ctx.using takes a context manager, not {cls.__name__}")
        self.manager: AbstractAsyncContextManager[Any] | AbstractContextManager[Any] = manager
