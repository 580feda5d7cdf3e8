"""The tree of what a run is doing: flows (the handler and its sub-flows), groups of branches, and leaves (steps without a result yet)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, NamedTuple

from inngest_gen.driver.turn import Op
from inngest_gen.intents.group import Group

Ender = tuple[list[Exception], Callable[[], None]]
"""Where a flow that is ended from outside puts its error, and what is called when it is over."""


class FlowNode:
    """A handler or sub-flow being driven. `waiting` is the node its current yield waits for."""

    __slots__ = ("asend", "ended", "ender", "ending", "gen", "number", "parent", "path", "result", "slot", "started", "waiting", "warned")

    def __init__(self, gen: AsyncGenerator[Any, Any], parent: FlowNode | GroupNode | None, slot: int, path: str) -> None:
        self.gen: AsyncGenerator[Any, Any] = gen
        self.asend: Callable[[Any], Coroutine[Any, Any, Any]] = gen.asend
        self.parent: FlowNode | GroupNode | None = parent
        self.slot: int = slot
        self.path: str = path
        self.waiting: Node | None = None
        self.started: bool = False
        self.number: int = -1
        """Counts the flows of a replay in the order in which they began; the same in each replay of one record. -1: it has not begun."""
        self.ended: bool = False
        self.ending: GeneratorExit | None = None
        """The GeneratorExit that was thrown in at Done or at a lost race."""
        self.ender: Ender | None = None
        """Whom to tell, rather than the parent, when a flow that is ended from outside is over."""
        self.warned: bool = False
        """Whether a MisuseError for a scope held over a yield was thrown in."""
        self.result: Any = None

    def forget_frame(self) -> None:
        """Let the frame go."""
        gone: Any = None
        self.asend = self.gen = gone
        self.ending = None

    def forget(self) -> None:
        """Let the frame go, and break the cycles of the tree."""
        if self.ending is not None:
            forget_frames(self.ending)  # the frame, which is in its traceback, holds it while it cleans up
        self.forget_frame()
        self.parent = self.waiting = self.ender = self.result = None


class GroupNode:
    """A parallel or a race whose branches are under way. `over` is set once it has settled or was ended from outside."""

    __slots__ = ("children", "errors", "intent", "left", "over", "parent", "path", "results", "slot")

    def __init__(self, intent: Group, parent: FlowNode | GroupNode, slot: int, path: str) -> None:
        self.intent: Group = intent
        self.parent: FlowNode | GroupNode = parent
        self.slot: int = slot
        self.path: str = path
        count = len(intent.branches)
        self.children: list[Node | None] = [None] * count
        """What each branch is at; None before it has started and once it has settled."""
        self.results: list[Any] = [None] * count
        self.errors: list[Exception] = []
        self.left: int = count
        self.over: bool = False

    def forget(self) -> None:
        """Let the branches go, and break the cycles of the tree."""
        self.children.clear()
        self.results.clear()
        self.errors.clear()
        gone: Any = None
        self.parent = self.intent = gone


class Cause(NamedTuple):
    """What brought a handler to where it is, by the hashes of steps: `last` was delivered last, `fork` was the last of those that were not alone.

    What came after `fork` came one after the other. It is None where all did since branches have gone apart.
    """

    last: str
    fork: str | None


class Leaf:
    """A step that was yielded and waits for its result."""

    __slots__ = ("cause", "op", "parent", "reported", "slot")

    def __init__(self, op: Op, parent: FlowNode | GroupNode, slot: int, cause: Cause | None) -> None:
        self.op: Op = op
        self.parent: FlowNode | GroupNode = parent
        self.slot: int = slot
        self.cause: Cause | None = cause
        """What led to its yield, once branches have gone apart."""
        self.reported: bool = False

    def forget(self) -> None:
        """Break the cycles of the tree."""
        gone: Any = None
        self.parent = gone


Node = FlowNode | GroupNode | Leaf


def dismantle(node: Node) -> None:
    """Let go of all frames below a node, without a cycle left for the garbage collector."""
    todo = [node]
    for one in todo:  # it grows
        if isinstance(one, FlowNode):
            if one.waiting is not None:
                todo.append(one.waiting)
        elif isinstance(one, GroupNode):
            todo += [child for child in one.children if child is not None]
        one.forget()


def forget_frames(error: BaseException) -> None:
    """Take the tracebacks, which hold frames, from an error and from those it came from."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        todo += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            todo += one.exceptions


class Ending:
    """Ends nodes one after the other, however long each takes."""

    __slots__ = ("_end", "_ended", "_failed", "_inside", "_nodes", "_then")

    def __init__(
        self,
        end: Callable[[Node, list[Exception], Callable[[], None]], None],
        nodes: Iterator[Node],
        failed: list[Exception],
        then: Callable[[], None],
    ) -> None:
        self._end = end
        self._nodes = nodes
        self._failed = failed
        self._then = then
        self._inside = False
        self._ended = False

    def go_on(self) -> None:
        """End the next node; called back when it is over."""
        self._ended = True
        if self._inside:  # called back at once: the loop below goes on, or thousands of losers would be as many calls deep
            return
        self._inside = True
        while self._ended:
            self._ended = False
            node = next(self._nodes, None)
            if node is None:
                self._then()
                return
            self._end(node, self._failed, self.go_on)
        self._inside = False


def flow_of(node: FlowNode | GroupNode) -> FlowNode:
    """Give the flow that yielded a group, or that is the node itself."""
    while isinstance(node, GroupNode):
        node = node.parent
    return node


def branch_key(group: FlowNode | GroupNode, slot: int) -> int | str:
    """Give the index or name of a branch."""
    return group.intent.keys[slot] if isinstance(group, GroupNode) else slot


def flow_name(generator: Any) -> str:
    """Give the name of a sub-flow's function."""
    name: str = getattr(generator, "__name__", type(generator).__name__)
    return name


def join_path(path: str, part: str) -> str:
    """Extend the path of a node: "parallel[0]/quote"."""
    if not path:
        return part
    return f"{path}{part}" if part.startswith("[") else f"{path}/{part}"
