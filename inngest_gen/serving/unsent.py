"""What a call has done and the server has not been told: finished steps, and the lazy operations that ride with them.

Promises: each leaves once, steps first and in order, then defers in call order (A16, B20); what a checkpoint did not take is still here for
the reply.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from inngest_gen.calls.lazy import DeferAdd, LazyOp

WireOp = dict[str, Any]


class Unsent:
    """Ops for the next message. `steps` are finished steps, `lazy` what was deferred and taken back since the last message."""

    __slots__ = ("lazy", "steps")

    def __init__(self) -> None:
        self.steps: list[WireOp] = []
        self.lazy: list[tuple[LazyOp, WireOp]] = []

    def __bool__(self) -> bool:
        return bool(self.steps or self.lazy)

    def ops(self) -> list[WireOp]:
        """Give what is here in the order of a message."""
        return [*self.steps, *[wire for _, wire in self.lazy]]

    def holds(self, hash: str) -> bool:
        """Say whether a defer, by its hash, is still to be sent."""
        return any(isinstance(op, DeferAdd) and op.hash == hash for op, _ in self.lazy)

    def forget(self, hash: str) -> None:
        """Take back a defer that is still to be sent."""
        self.lazy = [(op, wire) for op, wire in self.lazy if not (isinstance(op, DeferAdd) and op.hash == hash)]

    def sent(self, steps: int, lazy: int) -> None:
        """Forget what a message has taken: so many steps, so many lazy operations."""
        del self.steps[:steps]
        del self.lazy[:lazy]

    def log_dropped(self, run_id: str, log: logging.Logger, reason: str, more: Sequence[LazyOp] = ()) -> None:
        """Say which defers will never be sent, and why."""
        for op in [*(op for op, _ in self.lazy), *more]:
            if isinstance(op, DeferAdd):
                log.warning("defer %r of run %s is dropped: %s", op.id, run_id, reason, extra={"id": op.id, "run_id": run_id})
