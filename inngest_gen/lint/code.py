"""Code: what one block of a module (module, class, function, lambda) runs itself, and what the names in it mean.

Promises: the body of an inner function or class is not its code; a comprehension is. A name that may mean several things means nothing here:
a rule that asks gets None and keeps quiet.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar, overload

A = TypeVar("A", bound=ast.AST)
B = TypeVar("B", bound=ast.AST)
C = TypeVar("C", bound=ast.AST)
D = TypeVar("D", bound=ast.AST)

Block: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

BLOCKS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_BUILTINS: Final = frozenset(dir(builtins))
# Operators and the like are no places of their own, annotations do not run.
_SKIPPED: Final = {"ctx", "op", "ops", "annotation", "returns", "type_comment", "type_params"}
_FIELDS: Final = {
    cls: tuple(field for field in cls._fields if field not in _SKIPPED)
    for cls in vars(ast).values()
    if isinstance(cls, type) and issubclass(cls, ast.AST)
}
_ALIASES: Final = 8
"""How many names that stand for names are followed."""


class Binding(NamedTuple):
    """One of the ways in which a block gives a name a meaning: `value` is what is assigned, entered or iterated over, `path` what is imported."""

    kind: Literal["import", "assign", "with", "for", "parameter", "function", "class", "other"]
    node: ast.AST
    value: ast.expr | None = None
    path: str = ""


class Code:
    """A block's own code. `parent` maps each of its nodes to the one around it, `outer` is the block around this one.

    `context` is the name of the parameter that is the handler's context, where there is one.
    """

    __slots__ = ("_bindings", "_names", "_names_inside", "_nodes", "_paths", "context", "inner", "node", "outer", "parent")

    def __init__(self, node: Block, outer: Code | None) -> None:
        self.node: Block = node
        self.outer: Code | None = outer
        self.context: str | None = None
        self.inner: list[Block] = []
        """The blocks inside this one, in the order of the text."""
        self.parent: dict[ast.AST, ast.AST] = {}
        self._nodes: dict[type[ast.AST], list[ast.AST]] = {}
        self._bindings: dict[str, list[Binding]] | None = None
        self._names: dict[str, list[ast.Name]] | None = None
        self._names_inside: dict[str, list[ast.Name]] | None = None
        self._paths: dict[ast.AST, str | None] | None = None
        self._walk()

    @overload
    def all(self, one: type[A], /) -> Iterator[A]: ...
    @overload
    def all(self, one: type[A], two: type[B], /) -> Iterator[A | B]: ...
    @overload
    def all(self, one: type[A], two: type[B], three: type[C], /) -> Iterator[A | B | C]: ...
    @overload
    def all(self, one: type[A], two: type[B], three: type[C], four: type[D], /) -> Iterator[A | B | C | D]: ...
    def all(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Give the nodes of these classes, one class after the other, each in the order of the text."""
        for kind in kinds:
            yield from self._nodes.get(kind, ())

    def names(self, name: str) -> Sequence[ast.Name]:
        """List where this block reads or binds a name, in the order of the text."""
        if self._names is None:
            self._names = {}
            for node in self.all(ast.Name):
                self._names.setdefault(node.id, []).append(node)
        return self._names.get(name, ())

    def names_inside(self, name: str) -> Sequence[ast.Name]:
        """List where the blocks inside this one, at any depth, read or bind a name."""
        if self._names_inside is None:
            self._names_inside = {}
            for inner in self.inner:
                for node in ast.walk(inner):
                    if isinstance(node, ast.Name) and node not in self.parent:  # a default or decorator is of this block
                        self._names_inside.setdefault(node.id, []).append(node)
        return self._names_inside.get(name, ())

    def is_in(self, node: ast.AST, around: ast.AST) -> bool:
        """Say whether a node of this block is inside another one."""
        return at(around) <= at(node) < end(around) and any(one is around for one in self.around(node))

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Give the nodes of this block around `node`, from the inside out, without the block itself."""
        parent = self.parent.get(node)
        while parent is not None and parent is not self.node:
            yield parent
            parent = self.parent.get(parent)

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """Give the statement that `node` is in, itself included."""
        if isinstance(node, ast.stmt):
            return node
        return next((one for one in self.around(node) if isinstance(one, ast.stmt)), None)

    def parameters(self) -> list[ast.arg]:
        """List a function's parameters by position and by keyword, without `*args` and `**kwargs`."""
        if isinstance(self.node, (ast.Module, ast.ClassDef)):
            return []
        arguments = self.node.args
        return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]

    @property
    def is_async_generator(self) -> bool:
        """Whether it is an `async def` with a yield of its own."""
        return isinstance(self.node, ast.AsyncFunctionDef) and ast.Yield in self._nodes

    @property
    def is_generator(self) -> bool:
        """Whether it is a function with a yield of its own that is not async."""
        return isinstance(self.node, ast.FunctionDef) and (ast.Yield in self._nodes or ast.YieldFrom in self._nodes)

    @property
    def bindings(self) -> dict[str, list[Binding]]:
        """What this block binds, by name, in the order of the text."""
        if self._bindings is None:
            self._bindings = _bindings(self)
        return self._bindings

    def find(self, name: str) -> tuple[Code, list[Binding]] | None:
        """Find the block whose name it is, as seen from here, and how it is bound there. None: a builtin, or nothing."""
        code: Code | None = self
        while code is not None:
            # The names of a class are not seen from the functions in it.
            if (code is self or not isinstance(code.node, ast.ClassDef)) and name in code.bindings:
                return code, code.bindings[name]
            code = code.outer
        return None

    def only(self, name: str) -> tuple[Code, Binding] | None:
        """Find the one binding of a name; None where there are none or several."""
        found = self.find(name)
        return None if found is None or len(found[1]) != 1 else (found[0], found[1][0])

    def settle(self) -> None:
        """Say that `context` will not change any more: what a path is found to be is kept from now on."""
        self._paths = {}

    def path(self, node: ast.AST | None, depth: int = 0) -> str | None:
        """Say what an expression is, as a dotted path, or None where the text does not tell.

        "time.time" for what is imported, "builtins.open", "ig.Done" for a name of this package wherever it is imported from, "@ctx" for a
        handler's context; "httpx.Client()" for what a call gives.
        """
        if node is None or self._paths is None or depth:
            return self._path(node, depth)
        if node not in self._paths:
            self._paths[node] = self._path(node, depth)
        return self._paths[node]

    def _path(self, node: ast.AST | None, depth: int) -> str | None:
        match node:
            case ast.Name():
                return self._meaning(node.id, depth)
            case ast.Attribute():
                base = self.path(node.value, depth)
                return None if base is None else _canonical(f"{base}.{node.attr}")
            case ast.Call():
                base = self.path(node.func, depth)
                return None if base is None else f"{base}()"
            case ast.Await():
                return self.path(node.value, depth)
            case ast.BinOp(op=ast.Div()):  # Path("a") / "b" is a Path
                left = self.path(node.left, depth)
                return left if left is not None and left.endswith("Path()") else None
            case _:
                return None

    def _meaning(self, name: str, depth: int) -> str | None:
        found = self.find(name)
        if found is None:
            return f"builtins.{name}" if name in _BUILTINS else None
        code, bindings = found
        if all(binding.kind == "import" for binding in bindings):
            return _canonical(bindings[-1].path)  # `try: import a; except ImportError: import b as a`
        if len(bindings) != 1:
            return None
        binding = bindings[0]
        if binding.kind == "parameter":
            return "@ctx" if name == code.context else None
        if binding.kind in {"assign", "with"} and depth < _ALIASES:
            return code.path(binding.value, depth + 1)
        return None

    def _walk(self) -> None:
        root = self.node
        nodes = self._nodes
        parents = self.parent
        body: list[ast.AST] = [root.body] if isinstance(root, ast.Lambda) else list(root.body)
        stack: list[tuple[ast.AST, ast.AST]] = [(child, root) for child in reversed(body)]
        while stack:  # not recursion: a generated file may be nested deeply
            node, parent = stack.pop()
            parents[node] = parent
            nodes.setdefault(node.__class__, []).append(node)
            if isinstance(node, BLOCKS):
                self.inner.append(node)
                children = _outside(node)
            else:
                children = []
                for field in _FIELDS[node.__class__]:
                    value = getattr(node, field, None)
                    if value.__class__ is list:
                        children += [one for one in value if isinstance(one, ast.AST)]
                    elif isinstance(value, ast.AST):
                        children.append(value)
            stack.extend([(child, node) for child in reversed(children)])


def at(node: ast.AST) -> tuple[int, int]:
    """Give where a node begins: line from 1, column in bytes from 0."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def end(node: ast.AST) -> tuple[int, int]:
    """Give where a node ends, as `at` gives where it begins."""
    return getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)


def _outside(node: ast.AST) -> list[ast.AST]:
    """Give what of an inner block runs in the block around it: decorators, defaults, base classes."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    outside: list[ast.AST] = [] if isinstance(node, ast.Lambda) else [*node.decorator_list]
    return [*outside, *node.args.defaults, *(default for default in node.args.kw_defaults if default is not None)]


def _canonical(path: str) -> str:
    """Give a name of this package without the module it was found in: "inngest_gen.intents.done.Done" is "ig.Done"."""
    if path.startswith("inngest_gen."):
        return f"ig.{path.rpartition('.')[2]}"
    match path.split("."):
        case ["ig", module, name] if (
            module.islower() and module != "defer" and "(" not in module
        ):  # `inngest_gen.intents` as far as it was read
            return f"ig.{name}"
        case _:
            return path


def _bindings(code: Code) -> dict[str, list[Binding]]:
    bindings: dict[str, list[Binding]] = {}
    for name, binding in (*_parameters(code), *_imports(code), *_definitions(code), *_assignments(code)):
        bindings.setdefault(name, []).append(binding)
    for declared in code.all(ast.Global, ast.Nonlocal):
        for each in declared.names:
            bindings.pop(each, None)
    return bindings


def _parameters(code: Code) -> Iterator[tuple[str, Binding]]:
    if not isinstance(code.node, (ast.Module, ast.ClassDef)):
        arguments = code.node.args
        for argument in (*code.parameters(), arguments.vararg, arguments.kwarg):
            if argument is not None:
                yield argument.arg, Binding("parameter", argument)


def _imports(code: Code) -> Iterator[tuple[str, Binding]]:
    for imported in code.all(ast.Import):
        for alias in imported.names:
            # `import a.b` binds `a`, `import a.b as c` binds `c` to a.b.
            path = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or path, Binding("import", imported, path=path)
    for origin in code.all(ast.ImportFrom):
        module = "." * origin.level + (origin.module or "")
        for alias in origin.names:
            yield alias.asname or alias.name, Binding("import", origin, path=f"{module}.{alias.name}")


def _definitions(code: Code) -> Iterator[tuple[str, Binding]]:
    for inner in code.inner:
        if isinstance(inner, ast.ClassDef):
            yield inner.name, Binding("class", inner)
        elif isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield inner.name, Binding("function", inner)


def _assignments(code: Code) -> Iterator[tuple[str, Binding]]:
    for name in code.all(ast.Name):
        if not isinstance(name.ctx, ast.Load):
            yield name.id, _binding(code, name)
    for node in code.all(ast.ExceptHandler, ast.MatchAs, ast.MatchStar):
        if node.name:
            yield node.name, Binding("other", node)
    for mapping in code.all(ast.MatchMapping):
        if mapping.rest:
            yield mapping.rest, Binding("other", mapping)


def _binding(code: Code, name: ast.Name) -> Binding:
    match code.parent[name]:
        case ast.Assign(value=value, targets=targets) if name in targets:
            return Binding("assign", name, value)
        case ast.AnnAssign(value=value) if value is not None:
            return Binding("assign", name, value)
        case ast.NamedExpr(value=value):
            return Binding("assign", name, value)
        case ast.withitem(context_expr=value):
            return Binding("with", name, value)
        case ast.For(iter=value) | ast.AsyncFor(iter=value) | ast.comprehension(iter=value):
            return Binding("for", name, value)
        case _:
            return Binding("other", name)
