"""The tree of a run: who waits for whom. Outcomes go up in it, ends go down.

Promises: parallel settles once all its branches have, race at the first; losers are ended in order, inner flows first, each with its clean-up
steps, before the race goes on. Whatever is decided is put into `ready`, whence the execution resumes flows one at a time.
Refuses: to run anything itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from inngest_gen.driver.flow import Ending, FlowNode, GroupNode, Leaf, Node, join_path
from inngest_gen.driver.history import History
from inngest_gen.driver.lazy import LazyBuffer
from inngest_gen.driver.turn import Op
from inngest_gen.intents.group import Group, Race, Winner
from inngest_gen.intents.step import Step

Resume = tuple[FlowNode, BaseException | None, Any]
"""A flow to resume, by throwing an error in or with a value."""
Start = tuple[None, GroupNode, int]
"""A branch to start."""


class Tree:
    """What an execution's flows, groups and steps wait for."""

    __slots__ = ("_history", "_lazy", "apart", "dropped", "made", "pending", "ready")

    def __init__(self, history: History, lazy: LazyBuffer) -> None:
        self._history = history
        self._lazy = lazy
        self.made: list[Step[Any]] = []
        """Steps that were made and not yet yielded; the context's step tools append to it."""
        self.pending: dict[str, Leaf] = {}
        """The steps that wait for a result, by hash, in the order of their yields."""
        self.ready: list[Resume | Start] = []
        """What is to be done next, last first."""
        self.dropped: list[Op] = []
        """Steps of losers that the shell knows of."""
        self.apart: bool = False
        """Whether branches have gone apart: a group has begun of which one may go on while others wait, a race or a parallel with sub-flows in it."""

    def clear(self) -> None:
        """Let everything go."""
        self.made.clear()
        self.pending.clear()
        self.ready.clear()
        self.dropped.clear()

    def excuse(self) -> None:
        """Forget what was made: an error, or the end of a loser, skips what comes after the yield, so it may rightly never be yielded."""
        self.made.clear()
        self._lazy.excuse()

    def settle(self, parent: FlowNode | GroupNode, slot: int, error: BaseException | None, value: Any) -> None:
        """Give the outcome of a child to its parent: a flow is resumed, a group counts it."""
        if isinstance(parent, FlowNode):
            parent.waiting = None
            self.ready.append((parent, error, value))
            return
        if parent.over:
            return
        parent.children[slot] = None
        if isinstance(parent.intent, Race):
            self._settle_race(parent, slot, error, value)
            return
        if error is not None:
            if not isinstance(error, Exception):
                cause, error = error, RuntimeError(f"{type(error).__name__} left a branch")
                error.__cause__ = cause
            parent.errors.append(error)
        parent.results[slot] = value if error is None else error
        parent.left -= 1
        if parent.left == 0:
            self._settle_parallel(parent)

    def begin_group(self, intent: Group, parent: FlowNode | GroupNode, slot: int) -> None:
        """Make the node of a group that was yielded, or that is a branch, and have its branches started in order."""
        name = intent.kind.removeprefix("group.")
        node = GroupNode(intent, parent, slot, join_path(parent.path, name))
        if isinstance(parent, FlowNode):
            parent.waiting = node
            self._unmake_branches(intent)
        else:
            parent.children[slot] = node
        if not intent.branches:
            self._settle_parallel(node)
            return
        self.apart = self.apart or isinstance(intent, Race) or not all(isinstance(branch, (Step, Group)) for branch in intent.branches)
        self.ready.extend((None, node, place) for place in range(len(intent.branches) - 1, -1, -1))

    def _unmake_branches(self, group: Group) -> None:
        for branch in reversed(group.branches):
            if isinstance(branch, Step):
                self.unmake(branch)
            elif isinstance(branch, Group):
                self._unmake_branches(branch)

    def unmake(self, step: Step[Any]) -> None:
        """Note that a step was yielded."""
        made = self.made
        for place in range(len(made) - 1, -1, -1):
            if made[place] is step:
                del made[place]
                return

    def _settle_parallel(self, group: GroupNode) -> None:
        group.over = True
        intent = group.intent
        if group.errors and not getattr(intent, "return_exceptions", False):
            count, total = len(group.errors), len(intent.branches)
            # In the order of the branches, not of their failures.
            failed = set(map(id, group.errors))
            errors = [result for result in group.results if id(result) in failed]
            self.settle(group.parent, group.slot, ExceptionGroup(f"{count} of {total} branches of {intent.kind} failed", errors), None)
            return
        value: Any = dict(zip(intent.keys, group.results, strict=True)) if intent.named else tuple(group.results)
        self.settle(group.parent, group.slot, None, value)

    def _settle_race(self, group: GroupNode, slot: int, error: BaseException | None, value: Any) -> None:
        group.over = True
        losers = [child for child in group.children if child is not None]
        failed: list[Exception] = []

        def settle() -> None:
            group.children.clear()
            if failed:
                every = [*([error] if isinstance(error, Exception) else []), *failed]
                self.settle(
                    group.parent, group.slot, ExceptionGroup("branches that lost group.race failed while they were ended", every), None
                )
            elif error is not None:
                self.settle(group.parent, group.slot, error, None)
            else:
                self.settle(group.parent, group.slot, None, Winner(group.intent.keys[slot], value))

        # No loser goes on while those before it clean up.
        for loser in losers:
            self._stop(loser)
        self._end_all(losers, failed, settle)

    # How a branch is ended from outside. It may be ended again, by an outer race while it cleans up: then the new order replaces the old one.

    def _stop(self, node: Node) -> None:
        """Drop the unfinished steps below a node, those of a clean-up that is under way apart."""
        todo = [node]
        while todo:
            one = todo.pop()
            if isinstance(one, Leaf):
                self._drop_leaf(one)
            elif isinstance(one, GroupNode):
                one.over = True
                todo += [child for child in reversed(one.children) if child is not None]
            elif one.ending is None and one.waiting is not None:
                todo.append(one.waiting)

    def _drop_leaf(self, leaf: Leaf) -> None:
        op = leaf.op
        if self.pending.get(op.hash) is leaf:
            del self.pending[op.hash]
            self._history.lose(op.hash)
            if leaf.reported:
                self.dropped.append(op)

    def _end_all(self, nodes: list[Node], failed: list[Exception], then: Callable[[], None]) -> None:
        """End nodes in order, each fully (its clean-up steps included) before the next; then call `then`."""
        Ending(self.end, iter(nodes), failed, then).go_on()

    def end(self, node: Node, failed: list[Exception], then: Callable[[], None]) -> None:
        """End a node, innermost flows first; put what its clean-up raises into `failed`, and call `then` when it is over."""
        while isinstance(node, FlowNode) and node.started and not node.ended and node.ending is None:
            then = functools.partial(self._throw_exit, node, failed, then)
            if node.waiting is None:
                self._unready(node)
                then()
                return
            node = node.waiting
        if isinstance(node, Leaf):
            self._drop_leaf(node)
            then()
        elif isinstance(node, GroupNode):
            node.over = True
            self._end_all([child for child in node.children if child is not None], failed, then)
        elif node.ended:
            then()
        elif node.started:
            node.ender = failed, then  # it is ending already: let its clean-up finish
        else:
            node.ended = True
            self._unready(node)
            then()

    def _throw_exit(self, flow: FlowNode, failed: list[Exception], then: Callable[[], None]) -> None:
        flow.waiting = None
        flow.ender = failed, then
        flow.ending = GeneratorExit()
        self.excuse()
        self.ready.append((flow, flow.ending, None))

    def _unready(self, flow: FlowNode) -> None:
        self.ready[:] = [entry for entry in self.ready if entry[0] is not flow]
