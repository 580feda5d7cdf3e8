"""Mutations: which objects a function changes in place, as far as names show it."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from typing import Final

from inngest_gen.lint.code import Code
from inngest_gen.lint.module import Module

MUTATORS: Final = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove", "reverse", "setdefault", "sort",
    "update",
}  # fmt: skip


def changed_in_place(code: Code) -> dict[str, ast.AST]:
    """Find the names whose objects a function changes in place, each with the first place."""
    found: dict[str, ast.AST] = {}
    for call in code.all(ast.Call):
        match call.func:
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in MUTATORS:
                found.setdefault(name, call)
    for target in code.all(ast.Subscript, ast.Attribute):
        if not isinstance(target.ctx, ast.Load):
            root: ast.expr = target
            while isinstance(root, (ast.Subscript, ast.Attribute)):
                root = root.value
            if isinstance(root, ast.Name):
                found.setdefault(root.id, target)
    return found


def changed_globals(module: Module) -> dict[str, int]:
    """Find what the functions of a module change of its own names, "name" or "name.attribute", each with a line that does."""
    found: dict[str, int] = {}
    called_at_top = {module.function(call.func, module.top) for call in module.top.all(ast.Call)}
    for code in module.functions():
        if _registers(code, called_at_top):
            continue
        rebound = {name for declared in code.all(ast.Global) for name in declared.names}
        for name in code.all(ast.Name):
            if name.id in rebound and isinstance(name.ctx, ast.Store):
                found.setdefault(name.id, name.lineno)
        for place, thing in changes(code):
            changed = global_name(thing, code)
            if changed is not None:
                found.setdefault(changed, place.lineno)
    return found


def _registers(code: Code, called_at_top: Container[Code | None]) -> bool:
    """Whether a function fills a registry while modules are loaded: a decorator, or what the module itself calls at its top."""
    while code.outer is not None and isinstance(code.outer.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if _gives_back(code):
            return True
        code = code.outer
    return _gives_back(code) or code in called_at_top


def _gives_back(code: Code) -> bool:
    """Whether a function returns its only parameter or an inner function, as decorators do."""
    kinds = {"parameter", "function"} if len(code.parameters()) == 1 else {"function"}
    names = {one.value.id for one in code.all(ast.Return) if isinstance(one.value, ast.Name)}
    return any(binding.kind in kinds for name in names for binding in code.bindings.get(name, ()))


def changes(code: Code) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Give each place where a function changes something, with what it changes."""
    for call in code.all(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in MUTATORS:
            yield call, call.func.value
        elif call.args and code.path(call.func) == "builtins.next":
            yield call, call.args[0]
    for item in code.all(ast.Subscript):
        if not isinstance(item.ctx, ast.Load):
            yield item, item.value
    for attribute in code.all(ast.Attribute):
        if not isinstance(attribute.ctx, ast.Load):
            yield attribute, attribute


def global_name(node: ast.expr, code: Code) -> str | None:
    """Give "name" or "name.attribute" where an expression is a name that the module itself gives a value, or an attribute of one."""
    match node:
        case ast.Name(id=name) if _is_global(name, code):
            return name
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if _is_global(name, code):
            return f"{name}.{attr}"
        case _:
            return None


def _is_global(name: str, code: Code) -> bool:
    found = code.find(name)
    return found is not None and isinstance(found[0].node, ast.Module) and all(one.kind in {"assign", "class"} for one in found[1])
