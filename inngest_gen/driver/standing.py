"""Standing: where an execution stands between two turns, for a debugger to look at.

The flows, groups and leaves are the driver's own, with their frames: they are to be read at once, and nothing of them is to be kept or changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inngest_gen.driver.flow import FlowNode, GroupNode
from inngest_gen.driver.tree import Resume, Start

Halted = tuple[FlowNode, object]
"""The flow whose intent used up the budget, and that intent: for a branch of a group the flow that yielded the group."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an execution stands.

    `root` is the handler's flow; None: it has ended, or is a plain coroutine. `flow` is the flow whose `intent` came last, if it came with the
    last of a budget; else both are None. `resume` is the error or the value which that flow is resumed with next, where that is known already: after
    a defer, a resource, Done or a mistake, not after what it waits for. `unstarted` are the branches, (id of the group's node, slot), which
    are yet to be started.
    """

    root: FlowNode | None
    flow: FlowNode | None
    intent: object
    resume: tuple[BaseException | None, Any] | None
    unstarted: frozenset[tuple[int, int]]

    def is_unstarted(self, group: GroupNode, slot: int) -> bool:
        """Say whether a branch is yet to be started."""
        return (id(group), slot) in self.unstarted


def stand(root: FlowNode | None, halted: Halted | None, ready: Sequence[Resume | Start]) -> Standing:
    """Make a Standing of an execution's parts."""
    flow, intent = halted if halted is not None else (None, None)
    resume = None
    if flow is not None and ready and ready[-1][0] is flow:
        _, error, value = ready[-1]
        resume = error, value
    unstarted = frozenset((id(entry[1]), entry[2]) for entry in ready if entry[0] is None)
    return Standing(root if root is not None and not root.ended else None, flow, intent, resume, unstarted)
