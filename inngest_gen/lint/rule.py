"""Rule: what is looked for, why, and how to write it instead; and the program it is looked for in."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import NamedTuple

from inngest_gen.lint.code import Code
from inngest_gen.lint.effects import Effects
from inngest_gen.lint.flows import Flows
from inngest_gen.lint.module import Module


class Hit(NamedTuple):
    """`node` breaks a rule: what is `wrong` there, and what to write `instead`."""

    node: ast.AST
    wrong: str
    instead: str = ""

    @property
    def message(self) -> str:
        """Both, in one sentence."""
        return f"{self.wrong}: {self.instead}" if self.instead else self.wrong


class Program:
    """One file as the rules see it."""

    __slots__ = ("effects", "flows", "module")

    def __init__(self, tree: ast.Module) -> None:
        self.module: Module = Module(tree)
        self.flows: Flows = Flows(self.module)
        self.effects: Effects = Effects(self.module, self.flows)

    def id_of(self, node: ast.AST, code: Code) -> ast.expr | None:
        """Find the id of the step or defer in whose id argument `node` stands; None if it stands in none."""
        inner = node
        for around in code.around(node):
            if isinstance(around, ast.Call) and inner is id_argument(around, self.flows.kind(around, code)):
                return inner
            inner = around
        return None


def id_argument(call: ast.Call, kind: str | None) -> ast.expr | None:
    """Give the id that a call gives its step or defer; None if it takes none."""
    if kind is None or kind in {"Done", "abort", "using", "parallel", "race", "flow"}:
        return None
    # `ctx.step.run(...).timeout("1m")`: the id is in the innermost call.
    while isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call) and call.func.attr in {"returns", "timeout"}:
        call = call.func.value
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "id"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`code` and `name` name it, `reason` says in a line why it is one, `why` in a paragraph. `wrong` and `right` are modules that show it.

    `check` gives the places in a file where it is broken.
    """

    code: str
    name: str
    reason: str
    why: str
    wrong: str
    right: str
    check: Callable[[Program], Iterator[Hit]]

    def page(self) -> str:
        """Give the rule's page as Markdown, as it stands in docs/lint.md and as `--explain` prints it."""
        return (
            f"### {self.code}: {self.name}\n\n{_paragraph(self.reason)}\n\n{_paragraph(self.why)}\n\n"
            f"Wrong:\n\n```python\n{dedent(self.wrong).strip()}\n```\n\nRight:\n\n```python\n{dedent(self.right).strip()}\n```\n"
        )


def _paragraph(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())
