"""Target: a place to stop at, as people write it. Pure but for expressions, which run in a frame.

load, step:load          a step (or defer) by its id; `*` stands for any text
shop.py:41, :41          a line of a file (any file of that name), or of the current one
function:quote           a handler or sub-flow by name
step.run, group.race, defer, sub-flow, ig.Done, ...      a kind of intent
error                    a step whose outcome is an error, and an error that leaves the handler
frontier, divergence, end
if EXPRESSION            where an expression is true in the innermost frame
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal

from inngest_gen.debugger.source import full_path, yield_line
from inngest_gen.debugger.stop import Mark
from inngest_gen.errors import MisuseError

KINDS: Final = frozenset(
    {
        "step.run", "step.sleep", "step.sleep_until", "step.wait_for_event", "step.wait_for_signal", "step.send_signal", "step.send_event",
        "step.invoke", "step.fetch", "step.ai.infer", "step.ai.wrap", "group.parallel", "group.race", "sub-flow", "defer", "defer abort", "ctx.using",
        "ig.Done", "mistake",
    }
)  # fmt: skip
STATES: Final = {"error", "frontier", "divergence", "end"}

What = Literal["step", "line", "function", "kind", "error", "frontier", "divergence", "end", "if", "test"]

Test = Callable[[Mark], bool]


@dataclass(frozen=True, slots=True)
class Target:
    """A place to stop at. `text` is how it was written; `value` what is looked for."""

    what: What
    text: str
    value: str = ""
    line: int = 0
    test: Test | None = None

    @property
    def looks_inside(self) -> bool:
        """Whether the mark alone does not tell."""
        return self.what == "if"

    def matches(self, mark: Mark, evaluate: Callable[[str], bool]) -> bool:
        """Say whether a stop is there. `evaluate` gives the truth of an expression in its innermost frame."""
        if self.what == "if":
            return mark.state in {"yield", "frontier"} and evaluate(self.value)
        return self.is_at(mark)

    def is_at(self, mark: Mark) -> bool:
        """Say whether a stop is there, by its mark alone."""
        match self.what:
            case "step":
                return mark.hash is not None and mark.id is not None and fnmatch.fnmatchcase(mark.id, self.value)
            case "line":
                return mark.at is not None and _is_at(mark.at, self.value, self.line)
            case "function":
                return mark.function == self.value and mark.kind is not None
            case "kind":
                return mark.kind == self.value
            case "error":
                return mark.failed or (mark.state == "ended" and mark.raised)
            case "frontier":
                return mark.frontier
            case "divergence":
                return mark.state == "diverged"
            case "end":
                return mark.state == "ended"
            case "test":
                return self.test is not None and self.test(mark)
            case "if":
                return False


def target(what: str | Test, current_file: str | None = None) -> Target:
    """Read a target. `current_file` is where ":41" is. Raises MisuseError."""
    if callable(what):
        return Target("test", getattr(what, "__name__", "a function"), test=what)
    text = what.strip()
    if text.startswith("if "):
        expression = text[3:].strip()
        check_expression(expression)
        return Target("if", text, expression)
    if text in STATES:
        return Target(text, text)  # type: ignore[arg-type]
    if text in KINDS:
        return Target("kind", text, text)
    if text.startswith("step:"):
        return Target("step", text, text.removeprefix("step:"))
    if text.startswith("function:"):
        return Target("function", text, text.removeprefix("function:"))
    line = re.fullmatch(r"(.*):(\d+)", text)
    if line is not None and (line[1].endswith(".py") or not line[1]):
        file = line[1] or current_file
        if file is None:
            raise MisuseError(f"{text!r} names a line of the current file, but there is none here: write FILE:LINE")
        file = full_path(file)
        return Target("line", text, file, yield_line(file, int(line[2])) or int(line[2]))
    if not text:
        raise MisuseError(
            "a target is a step's id, FILE:LINE, a kind such as step.sleep, error, frontier, divergence, end, or `if EXPRESSION`"
        )
    return Target("step", text, text)


def check_expression(expression: str) -> None:
    """Raise MisuseError unless this is an expression."""
    try:
        compile(expression, "<condition>", "eval")
    except (SyntaxError, ValueError) as error:
        raise MisuseError(f"the condition {expression!r} is no expression: {error}") from None


def _is_at(at: str, file: str, line: int) -> bool:
    name, _, number = at.rpartition(":")
    if number != str(line):
        return False
    wanted = PurePath(file)
    return name == file or (not wanted.is_absolute() and PurePath(name).parts[-len(wanted.parts) :] == wanted.parts)
