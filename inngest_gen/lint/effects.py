"""Effects: what in a function's own code reads or changes the world outside the run, found by the names it calls.

Promises: only names whose import or making the file shows count. A function of the file that is called counts with its own effects; one
that is passed on does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from inngest_gen.lint.code import Code
from inngest_gen.lint.flows import Flows
from inngest_gen.lint.module import FUNCTIONS, Module
from inngest_gen.lint.world import CLIENTS_AT_WORK, ENVIRONMENT_VALUES, Kind, does

_ENVIRONMENT_NAMES: Final = {path.rpartition(".")[2] for path in ENVIRONMENT_VALUES}
_DOES: Final[dict[Kind, str]] = {
    "clock": "reads the wall clock",
    "randomness": "draws a random value",
    "uuid": "makes a random id",
    "environment": "reads the environment",
    "io": "does I/O",
    "sleep": "sleeps",
    "log": "writes a line",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """`node` has an effect: `shown` is how the text spells it, `told` says where it happens if `node` only calls what has it."""

    kind: Kind
    node: ast.AST
    shown: str
    told: str = ""

    @property
    def does(self) -> str:
        """Say what it does: "reads the wall clock"."""
        return f"{_DOES[self.kind]}{self.told}"


class Effects:
    """The effects of the functions of one file."""

    def __init__(self, module: Module, flows: Flows) -> None:
        self._module = module
        self._flows = flows
        self._direct: dict[Code, list[Effect]] = {}
        self._of: dict[Code, list[Effect]] = {}

    def of(self, code: Code) -> list[Effect]:
        """List the effects of a function's own code, and of the functions of this file that it calls."""
        if code not in self._of:
            for one in self._callees_first(code):
                self._of[one] = [*self.direct(one), *self._of_its_calls(one)]
        return self._of[code]

    def _callees_first(self, start: Code) -> Iterator[Code]:
        """Give the functions that a function calls, and theirs, and last itself: without recursion, which they may be deeper than."""
        todo = [(start, False)]
        entered: set[Code] = set()
        while todo:
            code, is_left = todo.pop()
            if is_left:
                yield code
            elif code not in entered and code not in self._of:
                entered.add(code)
                todo.append((code, True))
                todo += [(called, False) for _, called in self._calls(code)]

    def direct(self, code: Code) -> list[Effect]:
        """List the effects of a function's own code."""
        known = self._direct.get(code)
        if known is None:
            known = self._direct[code] = [effect for effect in _direct(code) if not self._is_entered_for_the_run(effect.node, code)]
        return known

    def _calls(self, code: Code) -> Iterator[tuple[ast.Call, Code]]:
        """Give the functions of this file that a function runs."""
        for call in code.all(ast.Call):
            called = self._module.function(call.func, code)
            if called is not None and self._runs_here(call, called, code):
                yield call, called

    def _of_its_calls(self, code: Code) -> Iterator[Effect]:
        for call, called in self._calls(code):
            seen = set()
            for effect in self._of.get(called, ()):  # not known: they call each other
                if effect.kind != "log" and effect.kind not in seen:
                    seen.add(effect.kind)
                    shown = f"{ast.unparse(call.func)}()"
                    told = effect.told or f" (`{effect.shown}` in line {getattr(effect.node, 'lineno', 0)})"
                    yield Effect(kind=effect.kind, node=call, shown=shown, told=told)

    def _runs_here(self, call: ast.Call, called: Code, code: Code) -> bool:
        """Whether a call runs the function there and then, and nothing stands between."""
        if called in self._flows.flows or called in self._flows.lazy or called.is_async_generator or called.is_generator:
            return False
        if isinstance(called.node, FUNCTIONS) and called.node.decorator_list:
            return False
        return not isinstance(called.node, ast.AsyncFunctionDef) or isinstance(code.parent[call], ast.Await)

    def _is_entered_for_the_run(self, node: ast.AST, code: Code) -> bool:
        """Whether it is inside `ctx.using(...)`, which is for what is opened again in every replay."""
        return any(isinstance(around, ast.Call) and code.path(around.func) == "@ctx.using" for around in code.around(node))


def _direct(code: Code) -> Iterator[Effect]:
    for call in code.all(ast.Call):
        path = code.path(call.func)
        if path is not None:
            kind = does(path, call)
            if kind is not None:
                yield Effect(kind=kind, node=call, shown=_shown(call.func, "()"))
    for node in code.all(ast.Attribute, ast.Name):
        if isinstance(node.ctx, ast.Load) and _is_environment(node, code):
            yield Effect(kind="environment", node=node, shown=_shown(node, ""))
    for item in code.all(ast.withitem):
        path = code.path(item.context_expr)
        if path is not None and path in CLIENTS_AT_WORK:
            yield Effect(kind="io", node=item.context_expr, shown=_shown(item.context_expr, ""))


def _is_environment(node: ast.Attribute | ast.Name, code: Code) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _ENVIRONMENT_NAMES and code.path(node) in ENVIRONMENT_VALUES
    found = code.find(node.id)
    # A local that was given it is not read again.
    return found is not None and found[1][-1].kind == "import" and code.path(node) in ENVIRONMENT_VALUES


def _shown(node: ast.AST, after: str) -> str:
    text = " ".join(ast.unparse(node).split())
    return f"{text if len(text) <= 60 else text[:57] + '...'}{after}"
