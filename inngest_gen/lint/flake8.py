"""The rules as a flake8 plugin: flake8 finds it by its entry point, and heeds `# noqa`, `--select` and `--ignore` itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, ClassVar

from inngest_gen.lint.check import hits, may_hold_handlers


class Plugin:
    """What flake8 makes for each file: `tree` is the parsed file, `lines` its text."""

    name: ClassVar[str] = "inngest-gen"
    version: ClassVar[str] = version("inngest-gen")

    def __init__(self, tree: ast.Module, lines: Sequence[str]) -> None:
        self._tree = tree
        self._lines = lines

    def run(self) -> Iterator[tuple[int, int, str, type[Any]]]:
        """Give each hit as flake8 wants it: line from 1, column in bytes from 0, text that begins with the code."""
        if may_hold_handlers("".join(self._lines)):
            for rule, hit in hits(self._tree):
                yield getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0), f"{rule.code} {hit.message}", type(self)
