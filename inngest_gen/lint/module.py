"""Module: a parsed file as its blocks, and the functions that its names mean. Reads text, executes nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from inngest_gen.lint.code import Block, Code

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Module:
    """`codes` has every block of the file by its node, in the order of the text; `top` is the module's own."""

    __slots__ = ("codes", "imports_us", "top")

    def __init__(self, tree: ast.Module) -> None:
        self.top: Code = Code(tree, None)
        self.codes: dict[Block, Code] = {}
        todo = [self.top]
        while todo:
            code = todo.pop()
            self.codes[code.node] = code
            todo.extend(Code(inner, code) for inner in reversed(code.inner))
        self.imports_us: bool = any(_imports_us(code) for code in self.codes.values())
        """Whether the file imports something of this package."""

    def functions(self) -> Iterator[Code]:
        """Give every function of the file, lambdas left out."""
        return (code for code in self.codes.values() if isinstance(code.node, FUNCTIONS))

    def function(self, node: ast.AST | None, seen_from: Code) -> Code | None:
        """Find the function of this file that an expression means: a name, `self.name`, a lambda, a partial of one of these; or None."""
        match node:
            case ast.Lambda():
                return self.codes[node]
            case ast.Name():
                found = seen_from.only(node.id)
                if found is None:
                    return None
                where, binding = found
                if binding.kind == "function":
                    return self.codes[binding.node]  # type: ignore[index]  # a binding of this kind is of a function
                if binding.kind == "assign" and isinstance(binding.value, ast.Lambda):
                    return self.codes[binding.value]
                return self.function(binding.value, where) if isinstance(binding.value, ast.Call) else None
            case ast.Attribute(value=ast.Name(id=name)):
                owner = _class_of(seen_from, name)
                return None if owner is None else self._method(owner, node.attr)
            case ast.Call() if node.args and seen_from.path(node.func) == "functools.partial":
                return self.function(node.args[0], seen_from)
            case _:
                return None

    def _method(self, owner: Code, name: str) -> Code | None:
        bound = owner.bindings.get(name, ())
        if len(bound) != 1 or bound[0].kind != "function":
            return None
        return self.codes[bound[0].node]  # type: ignore[index]  # a binding of this kind is of a function


def own_parameters(code: Code) -> list[ast.arg]:
    """List the parameters of a function as its caller sees them: without `self` or `cls` of a method."""
    parameters = code.parameters()
    if is_method(code):
        return parameters[1:]
    return parameters


def is_method(code: Code) -> bool:
    """Say whether a function is a method that gets `self` or `cls`."""
    if code.outer is None or not isinstance(code.outer.node, ast.ClassDef) or not isinstance(code.node, FUNCTIONS):
        return False
    return not any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in code.node.decorator_list)


def _class_of(code: Code, name: str) -> Code | None:
    """Find the class whose method calls its own object `name`, from a method or a function in it."""
    found = code.find(name)
    if found is None:
        return None
    where, bindings = found
    parameters = where.parameters()
    if not is_method(where) or not parameters or bindings[0].node is not parameters[0] or len(bindings) != 1:
        return None
    return where.outer


def _imports_us(code: Code) -> bool:
    return any(
        binding.kind == "import" and binding.path.partition(".")[0] == "inngest_gen"
        for bound in code.bindings.values()
        for binding in bound
    )
