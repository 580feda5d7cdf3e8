"""Source: the text of source files as their code was loaded, and the lines of their yields, which are where a replay can stop."""

from __future__ import annotations

import ast
import functools
import pathlib
import sys
import tokenize
from typing import Final

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_texts: dict[str, str] = {}


def text(file: str) -> str:
    """Give the text of a file as it was when it was first asked for; "" where there is none."""
    found = _texts.get(file)
    if found is None:
        try:
            with tokenize.open(file) as stream:  # by its coding line
                found = stream.read()
        except (OSError, SyntaxError, UnicodeDecodeError):
            found = ""
        _texts[file] = found
    return found


def lines(file: str) -> list[str]:
    """Give the lines of a file, without line feeds."""
    return text(file).splitlines()


def forget(file: str) -> None:
    """Read a file anew when it is next asked for: its code was loaded again."""
    _texts.pop(file, None)


def full_path(name: str) -> str:
    """Give the file of a loaded module that a path names by its end ("shop.py", "orders/shop.py"), else the path as it is."""
    wanted = pathlib.PurePath(name)
    if wanted.is_absolute():
        return name
    here = pathlib.Path(name)
    if here.is_file():
        return str(here.resolve())
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and pathlib.PurePath(file).parts[-len(wanted.parts) :] == wanted.parts:
            return file
    return name


def yield_line(file: str, line: int) -> int | None:
    """Give the line at which a replay stops for a line of a file: that of the yield which the line is part of, else of the next one in the same
    function.

    None where there is no such file, or no yield to stop at.
    """
    after: int | None = None
    for start, end, first, last in yields(file):
        if start <= line <= end:
            return start
        if first <= line <= last and start > line and (after is None or start < after):
            after = start
    return after


def yields(file: str) -> tuple[tuple[int, int, int, int], ...]:
    """List the yields of a file's async functions, in order: (first line, last line, first and last line of the function)."""
    return _yields(text(file))


@functools.lru_cache(maxsize=64)
def _yields(source: str) -> tuple[tuple[int, int, int, int], ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    return tuple(
        sorted(
            (node.lineno, node.end_lineno or node.lineno, function.lineno, function.end_lineno or function.lineno)
            for function in ast.walk(tree)
            if isinstance(function, ast.AsyncFunctionDef)
            for node in _own(function)
            if isinstance(node, ast.Yield)
        )
    )


def _own(function: ast.AsyncFunctionDef) -> list[ast.AST]:
    """List the nodes of a function without those of the functions in it."""
    found: list[ast.AST] = []
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        found.append(node)
        if not isinstance(node, _FUNCTIONS):
            todo += ast.iter_child_nodes(node)
    return found
