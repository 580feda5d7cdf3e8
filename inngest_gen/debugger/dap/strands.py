"""Strands: the branches of a run at a stop, which the protocol calls threads, each with its stack. Pure: a Stop makes them.

The handler and the sub-flows it waits for are the first strand, up to a group; each branch of a group under way is another, with the frames of
those that wait for it below its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from inngest_gen.debugger.stop import Frame, Node, Stop

ROOT: Final = ""
"""The key of the handler's own strand."""
LIMIT: Final = 200
"""So many branches at once are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A frame of a strand's stack. `frame` is the id of a frame of the session's; None for what has no frame: a step, a branch.

    `hash` is that of the step that it waits for, if it waits for one.
    """

    name: str
    file: str | None = None
    line: int = 0
    end_line: int = 0
    frame: int | None = None
    hash: str | None = None
    hint: Literal["normal", "label", "subtle"] = "normal"
    waits_for: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """A branch: its `key` is the same at each stop, `name` is for people; `levels` is the stack, innermost first."""

    key: str
    name: str
    levels: tuple[Level, ...]


def strands_of(stop: Stop, name: str, fallback: Level) -> tuple[list[Strand], str]:
    """Give the strands of a stop, the handler's own first, and the key of the one that has come to it.

    `name` is the handler's; `fallback` stands where there is no frame any more, so that there is something to be seen and to go back from.
    """
    if stop.tree is None or any(frame.id < 0 for frame in stop.frames):
        levels = tuple(_of_frame(frame, None) for frame in stop.frames) or (fallback,)
        return [Strand(key=ROOT, name=name, levels=levels)], ROOT
    places = {frame.id: frame for frame in stop.frames}
    found = list(_strands(stop.tree, ROOT, name, (), places))
    current = _current(stop, found)
    if len(found) > LIMIT:
        rest = len(found) - LIMIT
        kept = found[:LIMIT]
        if all(one.key != current for one in kept):
            kept[-1] = next(one for one in found if one.key == current)
        found = [*kept, Strand(key="…", name=f"… and {rest} more branches", levels=found[0].levels)]
    return found, current


def _strands(node: Node, key: str, name: str, below: tuple[Level, ...], places: dict[int, Frame]) -> Iterator[Strand]:
    """The strand that `node` is the outermost part of, then those of the branches in it."""
    levels = below
    group: Node | None = None
    part: Node | None = node
    while part is not None:
        inner = part.children[0] if part.kind == "flow" and part.children else None
        if part.kind == "group":
            group = part
        elif part.kind == "flow":
            levels = (_of_flow(part, inner, places), *levels)
        elif levels is below:  # a step that is a branch itself
            levels = (_of_step(part, below), *levels)
        part = inner
    yield Strand(key=key, name=name, levels=levels or (Level(name=node.label),))
    if group is None:
        return
    for child in group.children:
        if child.state in {"settled", "unstarted"}:
            continue
        branch = f"{group.path}[{child.key}]"
        label = Level(name=f"[{child.key}] of {group.label}", hint="label")
        yield from _strands(child, branch, f"{branch} {child.label}", (label, *levels), places)


def _of_flow(node: Node, inner: Node | None, places: dict[int, Frame]) -> Level:
    frame = None if node.frame is None else places.get(node.frame)
    if frame is not None:
        return _of_frame(frame, inner)
    file, line = _place(node.at)
    return Level(name=node.label, file=file, line=line, end_line=line, frame=node.frame, hash=_hash(inner), waits_for=inner)


def _of_frame(frame: Frame, inner: Node | None) -> Level:
    name = frame.function.rpartition("<locals>.")[2]
    if frame.at is None:
        return Level(name=name, frame=frame.id, hash=_hash(inner), waits_for=inner)
    return Level(
        name=name, file=frame.at.file, line=frame.at.line, end_line=frame.at.end_line, frame=frame.id, hash=_hash(inner), waits_for=inner
    )


def _of_step(node: Node, below: tuple[Level, ...]) -> Level:
    file, line = _place(node.at)
    if file is None and len(below) > 1:
        file, line = below[1].file, below[1].line
    return Level(name=node.label, file=file, line=line, end_line=line, hash=node.hash, waits_for=node)


def _hash(node: Node | None) -> str | None:
    return node.hash if node is not None and node.kind == "step" else None


def _place(at: str | None) -> tuple[str | None, int]:
    file, _, line = (at or "").rpartition(":")
    return (file, int(line)) if file and line.isdigit() else (None, 0)


def _current(stop: Stop, strands: list[Strand]) -> str:
    intent = stop.intent
    if intent is not None and intent.hash is not None:
        for strand in strands:
            if strand.levels[0].hash == intent.hash:
                return strand.key
    if stop.frames:
        for strand in strands:
            if strand.levels[0].frame == stop.frames[0].id:
                return strand.key
    return ROOT
