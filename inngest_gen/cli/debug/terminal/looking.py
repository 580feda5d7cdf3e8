"""Looking: what steering makes of stops and answers: the frames that can be chosen, the lines of a message. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from inngest_gen.app.function import Function
from inngest_gen.cli.debug import telling
from inngest_gen.cli.debug.terminal.shown import Station
from inngest_gen.debugger.stop import Mark, Node, Stop

IN_A_FRAME: Final = frozenset({"evaluate", "locals"})
"""Commands that need a replay to stand where the session does."""


def stations(stop: Stop) -> tuple[Station, ...]:
    """List the frames of a stop: the stack, innermost first, then the flows of other branches."""
    found = [
        Station(
            frame=one.id, function=one.function, file=one.at.file if one.at else "", line=one.at.line if one.at else 0,
            end_line=one.at.end_line if one.at else 0, in_stack=True,
        )
        for one in stop.frames
    ]  # fmt: skip
    known = {one.frame for one in found}
    for node in _flows(stop.tree):
        if node.frame is None or node.frame in known:
            continue
        file, _, line = (node.at or "").rpartition(":")
        number = int(line) if line.isdigit() else 0
        found.append(Station(frame=node.frame, function=node.label, file=file, line=number, end_line=number, in_stack=False))
    return tuple(found)


def _flows(node: Node | None) -> Iterator[Node]:
    if node is None:
        return
    if node.kind == "flow":
        yield node
    for child in node.children:
        yield from _flows(child)


def place_before(number: int, marks: tuple[Mark, ...] | None) -> tuple[str, int] | None:
    """Give the file and line of the last stop before one, where that is known."""
    at = next((mark.at for mark in reversed(marks or ()) if mark.number < number and mark.at is not None), None)
    if at is None:
        return None
    file, _, line = at.rpartition(":")
    return file, int(line)


def beginning(function: Function) -> tuple[str, int] | None:
    """Give the file and line where a function's handler begins."""
    code = getattr(function.handler, "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno)


def told(answer: Mapping[str, Any], action: str, said: str) -> list[str]:
    """Tell an answer that is no stop."""
    lines = [line.removeprefix("  ") for line in telling.lines(_without_stop(answer), lambda _: [])]
    if action in {"evaluate", "command"} and "evaluation" in answer:
        expression = answer["evaluation"]["expression"]
        *printed, last = lines
        return [*printed, last if last.startswith("!") else f"{expression} = {last}"]
    if "breakpoint" in answer:
        number, _, target = lines[0].partition(": ")
        return [f"breakpoint {number} is set: {target}"]
    if "change" in answer and answer["change"] is not None:
        return [*lines, f"g Enter goes to stop {answer['change']['number']}, b from there to the code that did it"]
    return lines or [said]


def _without_stop(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    reloaded = answer.get("reloaded")
    return answer if reloaded is None else {"verdict": reloaded["verdict"]}


def own_lines(stack: str) -> list[str]:
    """Give the lines of a traceback without the frames of Python's import system."""
    lines: list[str] = []
    skipping = False
    for line in stack.splitlines():
        if line.startswith("  File "):
            skipping = "<frozen importlib" in line or "importlib/__init__.py" in line
        elif not line.startswith("    "):
            skipping = False
        if line.strip() and not skipping:
            lines.append(line)
    return lines


def is_bad(answer: Mapping[str, Any]) -> bool:
    """Say whether an answer is of something that went wrong."""
    evaluation, reloaded = answer.get("evaluation"), answer.get("reloaded")
    verdict = answer.get("verdict") if reloaded is None else reloaded["verdict"]
    return (evaluation is not None and evaluation["error"] is not None) or (verdict is not None and not verdict["compatible"])


def number_in(answer: Mapping[str, Any]) -> int | None:
    """Give the number of the stop that an answer tells of."""
    change = answer.get("change")
    return None if change is None else change["number"]
