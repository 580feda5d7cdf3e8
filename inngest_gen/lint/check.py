"""Check: a file's text -> its findings. Executes nothing of the file, imports nothing of it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterator

from inngest_gen.lint.finding import Finding
from inngest_gen.lint.noqa import is_left_alone
from inngest_gen.lint.rule import Hit, Program, Rule
from inngest_gen.lint.rules.all import RULES

UNREADABLE = "IGN000"
"""The code of what Python itself cannot read."""


def check(source: str, path: str = "<text>", *, rules: Collection[str] = tuple(RULES), noqa: bool = True) -> list[Finding]:
    """List what is found in a module, in the order of the text. `rules` are the codes looked for; `noqa=False` heeds no comments.

    A text that is no Python gives one finding, IGN000. Text in which no name of this package can occur is not parsed.
    """
    if not may_hold_handlers(source):
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a `"\d"` in the text is not our affair
            tree = ast.parse(source, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # a null byte; nested too deeply
        return [unreadable(error, path)]
    lines = re.split("\r\n|\r|\n", source)  # as Python counts them; splitlines() knows more ends
    try:
        found = [_finding(rule, hit, path, lines) for rule, hit in hits(tree, rules)]
    except RecursionError:  # a chain of hundreds of calls, which only generated code has
        return [unreadable(RecursionError("nested too deeply to be looked at"), path)]
    return sorted({finding for finding, left_alone in found if not (noqa and left_alone)})


def hits(tree: ast.Module, rules: Collection[str] = tuple(RULES)) -> Iterator[tuple[Rule, Hit]]:
    """Give the hits of each rule in a parsed module."""
    program = Program(tree)
    for code in rules:
        rule = RULES[code]
        for hit in rule.check(program):
            yield rule, hit


def may_hold_handlers(source: str) -> bool:
    """Say whether a text may have a handler in it: quick, and wrong only in saying yes."""
    return "inngest_gen" in source or ("yield" in source and (".step." in source or ".group." in source))


def _finding(rule: Rule, hit: Hit, path: str, lines: list[str]) -> tuple[Finding, bool]:
    node = hit.node
    line: int = getattr(node, "lineno", 1)
    column: int = getattr(node, "col_offset", 0)
    end_line: int = getattr(node, "end_lineno", line)
    end_column: int = getattr(node, "end_col_offset", column)
    if isinstance(node, ast.stmt) and end_line > line:
        # A statement with a body: its first line is what is meant.
        end_line, end_column = line, len(_line(lines, line).encode())
    finding = Finding(
        path=path,
        line=line,
        column=_characters(_line(lines, line), column) + 1,
        end_line=end_line,
        end_column=_characters(_line(lines, end_line), end_column) + 1,
        code=rule.code,
        message=hit.message,
    )
    return finding, is_left_alone(rule.code, (_line(lines, line), _line(lines, end_line)))


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _characters(line: str, offset: int) -> int:
    """Turn an offset in bytes, which `ast` gives, into one in characters."""
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="ignore"))


def unreadable(error: Exception, path: str) -> Finding:
    """Give the finding that says why a file cannot be read as Python."""
    line = column = 1
    text = str(error) or type(error).__name__
    if isinstance(error, SyntaxError):
        line, column, text = error.lineno or 1, max(error.offset or 1, 1), error.msg
    return Finding(
        path=path,
        line=line,
        column=column,
        end_line=line,
        end_column=column,
        code=UNREADABLE,
        message=f"this cannot be read as Python: {text}",
    )
