"""Hanging: a handler whose own code does not come back. Its thread cannot be stopped, so the command leaves without it."""

from __future__ import annotations

import threading
from typing import Final

import anyio.lowlevel
from anyio.from_thread import BlockingPortal

_PATIENCE_S: Final = 0.5


class HandlerHangs(Exception):
    """The handler's own code does not come back: its thread cannot be waited for. `status` is the exit status that the user asked for."""

    def __init__(self, status: int) -> None:
        super().__init__("the handler's own code did not come to a yield: it was left where it is")
        self.status = status


def is_free(portal: BlockingPortal) -> bool:
    """Say whether the loop behind a portal goes on: user code may hold it."""
    answered = threading.Event()

    def ask() -> None:
        portal.call(anyio.lowlevel.checkpoint)
        answered.set()

    threading.Thread(target=ask, daemon=True).start()  # asking waits for the loop as well
    return answered.wait(_PATIENCE_S)
