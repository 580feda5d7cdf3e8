"""Frames: the Python frames of a replay: those of its flows, and of an error that left the handler."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from inngest_gen.app.context import Context
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.stop import Place
from inngest_gen.debugger.variables import digest, text
from inngest_gen.driver.flow import FlowNode, flow_of
from inngest_gen.driver.turn import Raised

_PACKAGE: Final = f"{Path(__file__).parent.parent}/"
_DEMO: Final = f"{_PACKAGE}cli/demo/"
_STACK: Final = 100
"""How many frames of a stack are looked at."""


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """A frame as long as its replay stands still. `id` is the flow's number, or below 0 for a frame of an error."""

    id: int
    function: str
    path: str
    frame: FrameType
    line: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        code = self.frame.f_code
        start, end = lines_at(code, self.frame.f_lasti) if self.line == self.frame.f_lineno else (self.line, self.line)
        return Place(file=code.co_filename, line=start, end_line=end, function=self.function)

    def values(self) -> dict[str, Any]:
        """Give its locals; those that the compiler made are left out."""
        return {name: value for name, value in dict(self.frame.f_locals).items() if not name.startswith(".")}


def current_flow(replay: Replay) -> FlowNode | None:
    """Give the flow whose intent came last, or the one that waits for the last of all steps; None where no flow is left."""
    standing = replay.execution.standing()
    if standing.flow is not None and not standing.flow.ended:
        return standing.flow
    leaf = next(reversed(replay.execution.pending.values()), None)
    if leaf is not None:
        return leaf.parent if isinstance(leaf.parent, FlowNode) else flow_of(leaf.parent)
    return standing.root


def stack(replay: Replay) -> list[LiveFrame]:
    """List the frames of where a replay stands, innermost first: the current flow and those that wait for it, or an error's."""
    if not replay.has_begun:
        return []
    if isinstance(replay.ended, Raised):
        return list(_of_error(replay.ended.error))
    return list(_of_flow(current_flow(replay)))


def frame_of(replay: Replay, id: int) -> LiveFrame | None:
    """Give the frame with an id: of any flow under way, or of the error."""
    if not replay.has_begun:
        return None
    if id < 0:
        return next((frame for frame in stack(replay) if frame.id == id), None)
    flow = next((flow for flow in [*replay.execution.flows(), *_beginning(replay)] if max(flow.number, 0) == id), None)
    return None if flow is None else _live(flow)


def flows(replay: Replay) -> list[FlowNode]:
    """List the flows that are under way, outermost first."""
    return replay.execution.flows() if replay.has_begun else []


def _beginning(replay: Replay) -> list[FlowNode]:
    root = replay.execution.standing().root
    return [root] if root is not None and not root.started else []


def _of_flow(flow: FlowNode | None) -> Iterator[LiveFrame]:
    for _ in range(_STACK):
        if flow is None:
            return
        live = _live(flow)
        if live is not None:
            yield live
        flow = None if flow.parent is None else flow_of(flow.parent)


def _live(flow: FlowNode) -> LiveFrame | None:
    frame = getattr(flow.gen, "ag_frame", None)
    if frame is None:
        return None
    return LiveFrame(max(flow.number, 0), frame.f_code.co_qualname, flow.path, frame, frame.f_lineno)


def _of_error(error: BaseException) -> Iterator[LiveFrame]:
    found: list[tuple[FrameType, int]] = []
    link = error.__traceback__
    while link is not None:
        if not _is_own_code(link.tb_frame.f_code.co_filename):
            found.append((link.tb_frame, link.tb_lineno))
        link = link.tb_next
    for place, (frame, line) in enumerate(reversed(found[-_STACK:]), 1):
        yield LiveFrame(-place, frame.f_code.co_qualname, "", frame, line)


def _is_own_code(file: str) -> bool:
    """Say whether a file is this package's, whose frames tell a user nothing; the demo's shop is such code as users write."""
    return file.startswith(_PACKAGE) and not file.startswith(_DEMO)


@functools.lru_cache(maxsize=4096)
def lines_at(code: CodeType, lasti: int) -> tuple[int, int]:
    """Give the first and the last line of the expression that the instruction at `lasti` belongs to."""
    for place, (start, end, _, _) in enumerate(code.co_positions()):
        if place == lasti // 2:
            if start is not None:
                return start, end if end is not None else start
            break
    return code.co_firstlineno, code.co_firstlineno


def digests(values: Mapping[str, Any]) -> dict[str, tuple[bytes, str]]:
    """Give for each local what tells whether it has changed, and its text; the context never does."""
    return {name: (digest(value), text(value)) for name, value in values.items() if not issubclass(type(value), Context)}
