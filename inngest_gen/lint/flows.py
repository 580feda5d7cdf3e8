"""Flows: which functions of a file are handler code, which are step bodies, and what their yields are.

A handler is what `app.function`, `app.deferred` or `app.scorer` decorates or `on_failure=` names. A sub-flow is an async generator that
returns `ig.Flow`, takes an `ig.Context`, yields intents of its first parameter, or is yielded by a flow. A function given to `step.run` is
a step body, whatever else it looks like.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from inngest_gen.lint.code import Code, at, end
from inngest_gen.lint.module import FUNCTIONS, Module, own_parameters

_DECLARES: Final = {"function", "deferred", "scorer"}
_CHAINED: Final = {"returns", "timeout"}
AT_ONCE: Final = {"Done", "defer", "abort", "using"}
"""Intents whose yield never suspends the run."""
_LAZY: Final = {"Done", "defer", "abort"}


class Flows:
    """The roles of a file's functions.

    `flows` are handlers and sub-flows: their code runs again in every replay. `plain` are handlers without yields, `bodies` the functions
    given to step.run with the call that does. `raced` are flows that are branches of a race, `handlers` those that an app declares.
    """

    def __init__(self, module: Module) -> None:
        self.module: Module = module
        self.flows: dict[Code, None] = {}
        self.plain: dict[Code, None] = {}
        self.bodies: dict[Code, list[tuple[Code, ast.Call]]] = {}
        self.raced: set[Code] = set()
        self.handlers: dict[Code, None] = {}
        self.lazy: dict[Code, None] = {}
        """Async generators of which nobody can tell whether they are sub-flows or step bodies: they yield only defers and Done."""
        self._intents: dict[Code, list[tuple[ast.Call, str]]] = {}
        self._yields: dict[Code, list[tuple[ast.Yield, str | None]]] = {}
        functions = list(module.functions())
        for code in functions:
            code.context = _annotated_context(code)
        for code in functions:
            if _is_declared(code, module):
                self._handler(code)
        for code in list(self.handlers):
            for name in _failure_handlers(code):
                failure = module.function(name, code.outer or code)
                if failure is not None:
                    self._handler(failure)
        generators = [code for code in functions if code not in self.handlers and code.is_async_generator and not _is_manager(code)]
        found = [code for code in generators if self._looks_like_a_flow(code)]
        self._reached([*self.handlers, *found])
        self._yields.clear()  # what was found while the roles were not all known
        self._sort(found)
        self._yields.clear()
        for code in module.codes.values():
            code.settle()

    def all(self) -> Iterator[Code]:
        """Give the flows in the order of the text."""
        return iter(sorted(self.flows, key=lambda code: getattr(code.node, "lineno", 0)))

    def is_of_a_run(self, code: Code) -> bool:
        """Say whether a function is part of a run: a handler, a sub-flow, a body, or what is handed a context. Tests that drive one are not."""
        return code in self.flows or code in self.plain or code in self.bodies or code in self.lazy or code.context is not None

    def kind(self, node: ast.AST | None, code: Code) -> str | None:
        """Say which intent an expression makes: "run", "sleep", "parallel", "defer", "Done", "flow" and so on; None if it makes none."""
        if not isinstance(node, ast.Call):
            return None
        path = code.path(node)
        if path is not None:
            kind = _kind(path)
            if kind is not None:
                return kind
        if isinstance(node.func, ast.Attribute) and node.func.attr == "abort" and not node.args and self._is_handle(node.func.value, code):
            return "abort"
        called = self.module.function(node.func, code)
        return "flow" if called is not None and called in self.flows else None

    def kinds(self, node: ast.AST | None, code: Code) -> str | None:
        """As `kind`, and also for a name that is only ever given an intent."""
        if isinstance(node, ast.Name):
            bound = code.bindings.get(node.id, [])
            kinds = {self.kind(binding.value, code) if binding.kind == "assign" else None for binding in bound}
            return kinds.pop() if len(kinds) == 1 else None
        return self.kind(node, code)

    def intents(self, code: Code) -> list[tuple[ast.Call, str]]:
        """List the calls of a function that make intents, with their kinds; of `step.run(...).timeout(...)` the whole."""
        known = self._intents.get(code)
        if known is None:
            known = self._intents[code] = []
            for call in code.all(ast.Call):
                kind = self.kind(call, code)
                if kind is not None and not _is_chained(call, code) and not _only_changes(call):
                    known.append((call, kind))
        return known

    def yields(self, code: Code) -> list[tuple[ast.Yield, str | None]]:
        """List the yields of a flow with the kind of the intent that each yields, None where that cannot be told."""
        known = self._yields.get(code)
        if known is None:
            known = self._yields[code] = [(node, self.kinds(node.value, code)) for node in sorted(code.all(ast.Yield), key=at)]
        return known

    def suspends(self, code: Code, around: ast.AST) -> ast.Yield | None:
        """Find a yield inside `around` at which the run may be suspended."""
        yields = self.yields(code)
        for node, kind in yields[bisect_left(yields, at(around), key=lambda one: at(one[0])) :]:
            if at(node) >= end(around):
                return None
            if kind not in AT_ONCE:
                return node
        return None

    def _handler(self, code: Code) -> None:
        self.handlers[code] = None
        if code.context is None:
            parameters = own_parameters(code)
            code.context = parameters[0].arg if parameters else None
        if code.is_async_generator:
            self.flows[code] = None
        elif isinstance(code.node, ast.AsyncFunctionDef):
            self.plain[code] = None

    def _looks_like_a_flow(self, code: Code) -> bool:
        assert isinstance(code.node, ast.AsyncFunctionDef)
        if code.context is not None or _annotation(code.node.returns, code) == "ig.Flow":
            if code.context is None:
                code.context = _used_as_context(code)
            return True
        code.context = _used_as_context(code)
        kinds = {kind for _, kind in self.yields(code)} - {None}
        # A `.using(...)` or `.defer(...)` alone may be anybody's.
        return bool(kinds) and (self.module.imports_us or not kinds <= {"defer", "abort", "using"})

    def _reached(self, start: list[Code]) -> None:
        """Follow the calls that hand a context on: what is yielded is a sub-flow, what is given to step.run is a body."""
        todo = start[::-1]
        seen: set[Code] = set()
        while todo:
            code = todo.pop()
            if code in seen:
                continue
            seen.add(code)
            for call in code.all(ast.Call):
                runs_a_step = code.path(call.func) == "@ctx.step.run"
                changed = self._body(code, call) if runs_a_step else self._called(code, call, todo)
                if changed is not None:  # it has got a context: its calls, and those of the functions in it, mean more than before
                    again = seen.intersection(self._inside(changed))
                    seen -= again
                    todo += again
            todo += [self.module.codes[inner] for inner in code.inner if isinstance(inner, FUNCTIONS)]

    def _inside(self, code: Code) -> Iterator[Code]:
        """Give a function and all the functions in it."""
        yield code
        for inner in code.inner:
            yield from self._inside(self.module.codes[inner])

    def _called(self, code: Code, call: ast.Call, todo: list[Code]) -> Code | None:
        called = self.module.function(call.func, code)
        if called is None:
            return None
        if called.is_async_generator and not _is_manager(called) and _is_yielded(call, code):
            self.flows.setdefault(called)
        if code.path(call.func) is None and _is_raced(call, code):
            self.raced.add(called)
        todo.append(called)
        return self._hand_context_on(call.args, call.keywords, code, called)

    def _body(self, code: Code, call: ast.Call) -> Code | None:
        body = self.module.function(call.args[1], code) if len(call.args) > 1 else None
        if body is None or body in self.handlers:
            return None
        calls = self.bodies.setdefault(body, [])
        if all(known is not call for _, known in calls):
            calls.append((code, call))
        return self._hand_context_on(call.args[2:], call.keywords, code, body)

    def _hand_context_on(self, arguments: list[ast.expr], keywords: list[ast.keyword], code: Code, called: Code) -> Code | None:
        """Note that a function is given the context; give the function if that is news."""
        if called.context is not None:
            return None
        for argument, parameter in zip(arguments, own_parameters(called), strict=False):
            if code.path(argument) == "@ctx":
                called.context = parameter.arg
        for keyword in keywords:
            if keyword.arg is not None and code.path(keyword.value) == "@ctx":
                called.context = keyword.arg
        return None if called.context is None else called

    def _sort(self, found: list[Code]) -> None:
        yielded = set(self.flows)
        for code in found:
            self.flows.setdefault(code)
        for code in list(self.flows):
            if code in self.bodies:
                del self.flows[code]
            elif code not in yielded and {kind for _, kind in self.yields(code)} <= _LAZY:
                del self.flows[code]
                self.lazy[code] = None

    def _is_handle(self, node: ast.expr, code: Code) -> bool:
        """Whether an expression is a name for what the yield of a defer, or its `.submit()`, gave."""
        if not isinstance(node, ast.Name):
            return False
        found = code.only(node.id)
        if found is None:
            return False
        match found[1].value:
            case ast.Yield(value=value):
                return self.kind(value, found[0]) == "defer"
            case ast.Call() as call:
                return (found[0].path(call) or "").endswith("defer().submit()")
            case _:
                return False


def _is_chained(call: ast.Call, code: Code) -> bool:
    """Whether a step's call is followed by `.returns(...)` or `.timeout(...)`, which give the step again."""
    attribute = code.parent[call]
    return isinstance(attribute, ast.Attribute) and attribute.attr in _CHAINED and isinstance(code.parent[attribute], ast.Call)


def _only_changes(call: ast.Call) -> bool:
    """Whether a call is `.returns(...)` or `.timeout(...)` on a step that was made before, under a name."""
    return isinstance(call.func, ast.Attribute) and call.func.attr in _CHAINED and not isinstance(call.func.value, ast.Call)


def _kind(path: str) -> str | None:
    parts = path.split(".")
    tail = parts[-1]
    while tail.removesuffix("()") in _CHAINED:
        parts.pop()
        tail = parts[-1]
    name = tail.removesuffix("()")
    # Not what is asked of a step: `ctx.step.run(...).result.upper()`.
    if name == tail or any("()" in part for part in (name, *parts[:-1])):
        return None
    match parts[:-1]:
        case ["@ctx", "step", *_] | ["@ctx", "group"]:
            return name
        case ["@ctx"] if name in {"defer", "using"}:
            return name
        case ["ig"] if name in {"Done", "defer"}:
            return name
        case _:
            return None


def _annotation(node: ast.expr | None, code: Code) -> str | None:
    """What an annotation means, without its parameters; quoted ones are read, and names that stand for one are followed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return None
    if isinstance(node, ast.Subscript):
        node = node.value
    where = code.outer or code
    if isinstance(node, ast.Name):
        found = where.only(node.id)
        if found is not None and isinstance(found[1].value, ast.Subscript):
            return found[0].path(found[1].value.value)
    return where.path(node)


def _annotated_context(code: Code) -> str | None:
    for parameter in code.parameters():
        path = _annotation(parameter.annotation, code)
        if path is not None and path.startswith("ig.") and path.endswith("Context"):
            return parameter.arg
    return None


def _used_as_context(code: Code) -> str | None:
    """Find the parameter whose `.step`, `.group` or `.defer` a yield uses."""
    names = {parameter.arg for parameter in own_parameters(code) if parameter.annotation is None}
    for node in code.all(ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id in names and node.attr in {"step", "group", "defer", "using"}:
            called = code.parent[node] if node.attr in {"step", "group"} else node
            if isinstance(called, ast.Attribute) and isinstance(code.parent[called], ast.Call):
                return node.value.id
    return None


def _is_declared(code: Code, module: Module) -> bool:
    assert isinstance(code.node, FUNCTIONS)
    return any(_declares(decorator, code, module) for decorator in code.node.decorator_list)


def _declares(decorator: ast.expr, code: Code, module: Module) -> bool:
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute) or decorator.func.attr not in _DECLARES:
        return False
    where = code.outer or code
    base = where.path(decorator.func.value)
    if base is not None and base.startswith("ig.App()"):
        return True
    if base is not None and base.endswith("()"):  # an app of something else, such as `modal.App()`
        return False
    # The app comes from elsewhere: other frameworks decorate so, too.
    if code.context is not None:
        return True
    return module.imports_us and bool(decorator.args) and _is_text(decorator.args[0])


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _failure_handlers(code: Code) -> Iterator[ast.expr]:
    assert isinstance(code.node, FUNCTIONS)
    for decorator in code.node.decorator_list:
        if isinstance(decorator, ast.Call):
            yield from (keyword.value for keyword in decorator.keywords if keyword.arg == "on_failure")


def _is_manager(code: Code) -> bool:
    """Whether an async generator is a context manager by its decorator: its yield is no intent, and may be inside a scope (`ctx.using`)."""
    outside = code.outer or code
    decorators: list[ast.expr] = getattr(code.node, "decorator_list", [])
    return any((outside.path(one) or ast.unparse(one)).endswith("asynccontextmanager") for one in decorators)


def _is_yielded(call: ast.Call, code: Code) -> bool:
    """Whether a call's result is yielded, by itself, as a branch of a group, or through a name or a list that is."""
    for around in code.around(call):
        if isinstance(around, ast.Yield):
            return True
        if isinstance(around, ast.Call) and (code.path(around.func) or "").startswith("@ctx.group."):
            return True
        if isinstance(around, ast.Call) and code.path(around.func) == "@ctx.using":
            return False
        if isinstance(around, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            targets = around.targets if isinstance(around, ast.Assign) else [around.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            return any(isinstance(code.parent[node], ast.Yield) for name in names for node in code.names(name))
        if isinstance(around, (ast.Lambda, ast.stmt)):
            return False
    return False


def _is_raced(call: ast.Call, code: Code) -> bool:
    return any(isinstance(around, ast.Call) and code.path(around.func) == "@ctx.group.race" for around in code.around(call))
