"""Endings: how a list of statements is left, as far as the text tells: where a flow falls off its end, and what nothing can reach."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from inngest_gen.lint.code import Code
from inngest_gen.lint.flows import Flows

FALL: Final = "fall"
_BREAK: Final = "break"
_NEVER: Final = {
    "sys.exit",
    "os._exit",
    "os.abort",
    "typing.assert_never",
    "typing_extensions.assert_never",
    "builtins.exit",
    "builtins.quit",
    "pytest.fail",
}
_SUPPRESS: Final = "contextlib.suppress()"


class Endings:
    """The endings of one flow's statements."""

    def __init__(self, code: Code, flows: Flows) -> None:
        self._code = code
        self._flows = flows

    def falls(self, statements: Sequence[ast.stmt]) -> bool:
        """Say whether control may go past the last of these statements."""
        return FALL in self._exits(statements)

    def after_done(self) -> Iterator[ast.stmt]:
        """Give each first statement that nothing reaches because a Done stands before it."""
        for statements in self._lists():
            for before, statement in pairwise(statements):
                if FALL not in self._exit(before):
                    if self._ends_by_done(before):
                        yield statement
                    break

    def last(self, statements: Sequence[ast.stmt]) -> ast.stmt:
        """Find the statement after which control falls off the end."""
        end = statements[-1]
        inner: list[Sequence[ast.stmt]] = []
        match end:
            case ast.If(body=body, orelse=orelse) if orelse:
                inner = [body, orelse]
            case ast.With(body=body) | ast.AsyncWith(body=body):
                inner = [body]
            case ast.Try() | ast.TryStar() if not end.finalbody or self.falls(end.finalbody):
                inner = [end.orelse or end.body, *(handler.body for handler in end.handlers)]
        return next((self.last(each) for each in inner if self.falls(each)), end)

    def _lists(self) -> Iterator[Sequence[ast.stmt]]:
        assert isinstance(self._code.node, ast.AsyncFunctionDef)
        yield self._code.node.body
        for branch in self._code.all(ast.If, ast.For, ast.AsyncFor, ast.While):
            yield branch.body
            yield branch.orelse
        for guarded in self._code.all(ast.Try, ast.TryStar):
            yield guarded.body
            yield guarded.orelse
            yield guarded.finalbody
        for inner in self._code.all(ast.With, ast.AsyncWith, ast.ExceptHandler, ast.match_case):
            yield inner.body

    def _ends_by_done(self, statement: ast.stmt) -> bool:
        """Whether it is a Done that ends this statement, on every way through it that is not an error or a `return`."""
        if self.is_done(statement):
            return True
        match statement:
            case ast.If():
                ends = _branches(statement)
            case ast.With(body=body) | ast.AsyncWith(body=body):
                ends = [body]
            case ast.Try() | ast.TryStar():
                ends = [statement.orelse or statement.body, *(handler.body for handler in statement.handlers)]
            case ast.Match(cases=cases):
                ends = [case.body for case in cases]
            case _:
                return False
        return any(end and self._ends_by_done(end[-1]) for end in ends)

    def is_done(self, statement: ast.stmt) -> bool:
        """Say whether a statement yields Done, whatever it does with what the yield never gives."""
        value = statement.value if isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign)) else None
        return isinstance(value, ast.Yield) and self._flows.kinds(value.value, self._code) == "Done"

    def _exits(self, statements: Sequence[ast.stmt]) -> set[str]:
        exits: set[str] = set()
        for statement in statements:
            ways = self._exit(statement)
            exits |= ways - {FALL}
            if FALL not in ways:
                return exits
        return exits | {FALL}

    def _exit(self, statement: ast.stmt) -> set[str]:
        match statement:
            case ast.Return() | ast.Raise() | ast.Continue():
                return set()
            case ast.Break():
                return {_BREAK}
            case ast.Assert(test=ast.Constant(value=False)):
                return set()
            case ast.Expr() | ast.Assign() | ast.AnnAssign():
                return set() if self.is_done(statement) or self._never_returns(statement) else {FALL}
            case ast.If():
                return set().union(*map(self._exits, _branches(statement)))
            case ast.While() | ast.For() | ast.AsyncFor():
                return self._loop(statement)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                suppresses = any(self._code.path(item.context_expr) == _SUPPRESS for item in items)
                return self._exits(body) | ({FALL} if suppresses else set())
            case ast.Try() | ast.TryStar():
                return self._try(statement)
            case ast.Match(cases=cases):
                return self._match(cases)
            case _:
                return {FALL}

    def _loop(self, loop: ast.While | ast.For | ast.AsyncFor) -> set[str]:
        breaks = _BREAK in self._exits(loop.body)
        endless = isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant) and bool(loop.test.value)
        after = set() if endless else self._exits(loop.orelse)
        return after | ({FALL} if breaks else set())

    def _try(self, statement: ast.Try | ast.TryStar) -> set[str]:
        ways = self._exits(statement.body)
        if FALL in ways:
            ways = (ways - {FALL}) | self._exits(statement.orelse)
        for handler in statement.handlers:
            ways |= self._exits(handler.body)
        last = self._exits(statement.finalbody)
        return (ways | (last - {FALL})) if FALL in last else last

    def _match(self, cases: Sequence[ast.match_case]) -> set[str]:
        ways = [self._exits(case.body) for case in cases]
        # Cases that all end are taken to be all there are: the subject's type is not known here.
        complete = any(_takes_all(case) for case in cases) or not any(FALL in way for way in ways)
        return set().union(*ways) | (set() if complete else {FALL})

    def _never_returns(self, statement: ast.Expr | ast.Assign | ast.AnnAssign) -> bool:
        value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        if not isinstance(value, ast.Call):
            return False
        if self._code.path(value.func) in _NEVER:
            return True
        called = self._flows.module.function(value.func, self._code)
        if called is None or not isinstance(called.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return False
        path = (called.outer or called).path(called.node.returns) or ""
        return path.rpartition(".")[2] in {"NoReturn", "Never"}


def _branches(statement: ast.If) -> list[Sequence[ast.stmt]]:
    """List the bodies of an `if` and of the `elif`s after it, and last that of its `else`, which may have no statement."""
    bodies: list[Sequence[ast.stmt]] = []
    while True:
        test = statement.test
        if isinstance(test, ast.Constant) and test.value:
            return [*bodies, statement.body]
        if not isinstance(test, ast.Constant):
            bodies.append(statement.body)
        match statement.orelse:
            case [ast.If() as after]:
                statement = after
            case orelse:
                return [*bodies, orelse]


def _takes_all(case: ast.match_case) -> bool:
    pattern = case.pattern
    while isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        pattern = pattern.pattern
    return case.guard is None and isinstance(pattern, ast.MatchAs)
