"""IGN5xx: Done, which ends a flow like `return` but reaches it as a GeneratorExit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from inngest_gen.lint.code import Code
from inngest_gen.lint.endings import Endings
from inngest_gen.lint.rule import Hit, Program, Rule
from inngest_gen.lint.world import table

_HARMLESS: Final = table(
    """
    contextlib.nullcontext contextlib.closing contextlib.aclosing contextlib.redirect_stdout contextlib.redirect_stderr contextlib.chdir
    warnings.catch_warnings
    """
)
_EXIT: Final = "the GeneratorExit by which Done, or a lost race, ends the flow"
_ALL: Final = {"builtins.BaseException", "builtins.GeneratorExit"}


def _within(program: Program) -> Iterator[Hit]:
    for code in (*program.flows.all(), *program.flows.lazy):
        for node, kind in program.flows.yields(code):
            manager = _sees_it(node, code, program) if kind == "Done" else None
            if manager is not None:
                shown = " ".join(ast.unparse(manager).split())
                yield Hit(
                    node,
                    f"`with {shown}` sees the GeneratorExit of this Done, as if its work had failed",
                    "leave the `with` first, then yield Done",
                )


def _sees_it(node: ast.Yield, code: Code, program: Program) -> ast.expr | None:
    """Find the manager around a yield that may look at the exception."""
    for around in code.around(node):
        if isinstance(around, (ast.With, ast.AsyncWith)):
            for item in around.items:
                if not _is_blind(item.context_expr, code, program):
                    return item.context_expr
    return None


def _is_blind(node: ast.expr, code: Code, program: Program) -> bool:
    """Whether a context manager surely does the same whether it sees an exception or not."""
    path = (code.path(node) or "").removesuffix("()")
    # What suppress() suppresses is IGN503's.
    return (
        path in _HARMLESS
        or path == "contextlib.suppress"
        or _is_blind_class(node, code, program)
        or _is_plain_generator(node, code, program)
    )


def _is_blind_class(node: ast.expr, code: Code, program: Program) -> bool:
    """Whether a class of this file is entered whose exit does not look at the error it is told of."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    found = code.only(node.func.id)
    if found is None or found[1].kind != "class" or not isinstance(found[1].node, ast.ClassDef):
        return False
    owner = program.module.codes[found[1].node]
    exits = [binding.node for name in ("__exit__", "__aexit__") for binding in owner.bindings.get(name, [])]
    return bool(exits) and all(
        isinstance(exit_, (ast.FunctionDef, ast.AsyncFunctionDef)) and _ignores(program.module.codes[exit_]) for exit_ in exits
    )


def _ignores(exit_: Code) -> bool:
    assert isinstance(exit_.node, (ast.FunctionDef, ast.AsyncFunctionDef))
    arguments = exit_.node.args
    given = {parameter.arg for parameter in exit_.parameters()[1:]} | ({arguments.vararg.arg} if arguments.vararg else set())
    return not any(name.id in given for name in exit_.all(ast.Name)) and not exit_.inner


def _is_plain_generator(node: ast.expr, code: Code, program: Program) -> bool:
    """Whether a `@contextmanager` of this file is entered that has nothing but a `finally` around its yields."""
    if not isinstance(node, ast.Call):
        return False
    manager = program.module.function(node.func, code)
    if manager is None or not (manager.is_generator or manager.is_async_generator):
        return False
    for one in manager.all(ast.Yield):
        tries = [around for around in manager.around(one) if isinstance(around, (ast.Try, ast.TryStar, ast.With, ast.AsyncWith))]
        if not tries or any(not isinstance(each, ast.Try) or each.handlers or each.orelse for each in tries):
            return False
        if (
            not isinstance(manager.parent[one], ast.Expr)
            or manager.parent[manager.parent[one]] is not tries[0]
            or tries[0].body[-1] is not manager.parent[one]
        ):
            return False
    return True


DONE_WITHIN = Rule(
    code="IGN501",
    name="done-in-with",
    reason="The context manager sees a GeneratorExit, as if the work had failed.",
    why="""
    Unlike `return`, Done reaches the handler as a `GeneratorExit`. A transaction around it rolls back, a progress bar says "failed". Leave
    the `with` first. Managers that are known not to look at errors are left alone.
    """,
    wrong="""
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager

    import inngest_gen as ig

    app = ig.App("within-wrong")


    @asynccontextmanager
    async def transaction() -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            print("rolled back")
            raise
        print("committed")


    @app.function("book", trigger="trip/requested")
    async def book(ctx: ig.Context) -> ig.Flow:
        async with transaction():
            yield ig.Done("booked")
    """,
    right="""
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager

    import inngest_gen as ig

    app = ig.App("within-right")


    @asynccontextmanager
    async def transaction() -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            print("rolled back")
            raise
        print("committed")


    @app.function("book", trigger="trip/requested")
    async def book(ctx: ig.Context) -> ig.Flow:
        async with transaction():
            result = "booked"
        yield ig.Done(result)
    """,
    check=_within,
)


def _after(program: Program) -> Iterator[Hit]:
    for code in (*program.flows.all(), *program.flows.lazy):
        for statement in Endings(code, program.flows).after_done():
            if not _says_nothing(statement):
                yield Hit(
                    statement, "nothing after Done runs, which ends the flow as `return` would", "move it before Done, or into a `finally`"
                )


def _says_nothing(statement: ast.stmt) -> bool:
    """Whether a statement after Done only tells readers or tools that nothing follows."""
    match statement:
        case ast.Return() | ast.Pass() | ast.Break() | ast.Continue() | ast.Raise() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assert(test=ast.Constant(value=False)):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            return True
        case _:
            return False


AFTER_DONE = Rule(
    code="IGN502",
    name="after-done",
    reason="Nothing after Done runs.",
    why="""
    Done ends the handler or sub-flow. What follows it in the same block is never reached, but for `finally` blocks. Type checkers do not know
    that. A `return`, `pass`, `break`, `continue` or `raise` after it is left alone.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("after-wrong")


    @app.function("book", trigger="trip/requested")
    async def book(ctx: ig.Context) -> ig.Flow:
        booking = yield ctx.step.run("book", str, "flight")
        yield ig.Done(booking)
        yield ctx.step.run("mail", print, booking)
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("after-right")


    @app.function("book", trigger="trip/requested")
    async def book(ctx: ig.Context) -> ig.Flow:
        booking = yield ctx.step.run("book", str, "flight")
        yield ctx.step.run("mail", print, booking)
        yield ig.Done(booking)
    """,
    check=_after,
)


def _swallowed(program: Program) -> Iterator[Hit]:
    for code in (*program.flows.all(), *program.flows.lazy):
        raced = code in program.flows.raced
        for statement in code.all(ast.Try, ast.TryStar):
            swallower = _swallower(statement, code)
            if swallower is not None and _is_ended_in(statement.body, code, program, raced=raced):
                yield Hit(swallower, f"this `except` catches {_EXIT}", "catch Exception or ig.StepError, or raise it again")
        for with_ in code.all(ast.With, ast.AsyncWith):
            for item in with_.items:
                if _suppresses_all(item.context_expr, code) and _is_ended_in(with_.body, code, program, raced=raced):
                    yield Hit(item.context_expr, f"this suppresses {_EXIT}", "suppress Exception or less")


def _swallower(statement: ast.Try | ast.TryStar, code: Code) -> ast.ExceptHandler | None:
    """Find the `except` that catches a GeneratorExit, if it does not raise."""
    for handler in statement.handlers:
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(type_ is None or code.path(type_) in _ALL for type_ in types):
            raises = any(any(around is handler for around in code.around(one)) for one in code.all(ast.Raise))
            return None if raises else handler
    return None


def _suppresses_all(node: ast.expr, code: Code) -> bool:
    return isinstance(node, ast.Call) and code.path(node.func) == "contextlib.suppress" and any(code.path(one) in _ALL for one in node.args)


def _is_ended_in(body: list[ast.stmt], code: Code, program: Program, *, raced: bool) -> bool:
    """Whether the flow may be ended while it is in these statements: at a Done, or at any yield of a branch of a race."""
    for node, kind in program.flows.yields(code):
        if (kind == "Done" or (raced and kind not in {"defer", "abort", "using"})) and any(around in body for around in code.around(node)):
            return True
    return False


SWALLOWED = Rule(
    code="IGN503",
    name="done-swallowed",
    reason="It catches the GeneratorExit by which Done ends the flow.",
    why="""
    A bare `except`, an `except BaseException` and an `except GeneratorExit` around a Done catch it, and so do they around any yield of a
    branch that loses a race. What the `except` does then happens although nothing has failed (here, the flight is given back), and going on
    after it is an error at run time. `except Exception` does not catch it.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("swallow-wrong")


    @app.function("book", trigger="trip/requested")
    async def book(ctx: ig.Context) -> ig.Flow:
        try:
            booking = yield ctx.step.run("book", str, "flight")
            yield ig.Done(booking)
        except BaseException:
            yield ctx.step.run("undo", print, "flight")
            yield ig.Done(None)
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("swallow-right")


    @app.function("book", trigger="trip/requested")
    async def book(ctx: ig.Context) -> ig.Flow:
        try:
            booking = yield ctx.step.run("book", str, "flight")
            yield ig.Done(booking)
        except ig.StepError:
            yield ctx.step.run("undo", print, "flight")
            yield ig.Done(None)
    """,
    check=_swallowed,
)


def _missing(program: Program) -> Iterator[Hit]:
    for code in program.flows.all():
        # One in an `except` only tells of the error: it does not say that the flow has a result.
        if any(
            kind == "Done" and _has_value(node.value) and not any(isinstance(around, ast.ExceptHandler) for around in code.around(node))
            for node, kind in program.flows.yields(code)
        ):
            assert isinstance(code.node, ast.AsyncFunctionDef)
            endings = Endings(code, program.flows)
            if endings.falls(code.node.body):
                yield Hit(
                    endings.last(code.node.body),
                    "the flow may end here without a result, where other ways end with `ig.Done(...)`",
                    "yield a Done here as well",
                )


def _has_value(node: ast.expr | None) -> bool:
    """Whether a Done has a value; `ig.Done()` and `ig.Done(None)` say no more than the end does."""
    if not isinstance(node, ast.Call):
        return False
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    return any(not (isinstance(value, ast.Constant) and value.value is None) for value in values)


MISSING_DONE = Rule(
    code="IGN504",
    name="missing-done",
    reason="Some ways through the flow give a result, and one just ends, which gives None.",
    why="""
    It is what a function with `return value` in one branch and no `return` in another would be. Yield a Done on every way, `ig.Done(None)`
    where there is no result. A bare `return` says so, too.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("missing-wrong")


    @app.function("decide", trigger="expense/submitted")
    async def decide(ctx: ig.Context) -> ig.Flow:
        decision = yield ctx.step.wait_for_event("decision", "expense/decided", timeout="3d")
        if decision is None:
            yield ig.Done("expired")
        elif decision.data["approved"]:
            yield ig.Done("approved")
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("missing-right")


    @app.function("decide", trigger="expense/submitted")
    async def decide(ctx: ig.Context) -> ig.Flow:
        decision = yield ctx.step.wait_for_event("decision", "expense/decided", timeout="3d")
        if decision is None:
            yield ig.Done("expired")
        elif decision.data["approved"]:
            yield ig.Done("approved")
        else:
            yield ig.Done("rejected")
    """,
    check=_missing,
)

RULES = (DONE_WITHIN, AFTER_DONE, SWALLOWED, MISSING_DONE)
