"""IGN3xx: ids that do not identify."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from inngest_gen.lint.code import Code
from inngest_gen.lint.effects import Effect
from inngest_gen.lint.rule import Hit, Program, Rule, id_argument

_ADDRESSES: Final = {"builtins.id": "an address in memory", "builtins.hash": "seeded anew in every process"}
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _unstable(program: Program) -> Iterator[Hit]:
    for code in program.flows.all():
        effects = program.effects.of(code)
        for call, kind in program.flows.intents(code):
            id_ = id_argument(call, kind)
            if id_ is not None:
                for node, why in _shaky(id_, code, effects):
                    yield Hit(
                        node,
                        f"the id depends on {why}, so a replay asks for another id than is recorded",
                        "make it from the event's data or from results",
                    )


def _shaky(id_: ast.expr, code: Code, effects: list[Effect], depth: int = 0) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(id_):
        for effect in effects:
            if effect.node is node and effect.kind != "log" and depth == 0:
                yield node, f"`{effect.shown}`, which {effect.does}"
        if isinstance(node, ast.Call) and code.path(node.func) in _ADDRESSES:
            path = code.path(node.func) or ""
            yield (node if depth == 0 else id_), f"`{ast.unparse(node)}`, which is {_ADDRESSES[path]}"
        elif isinstance(node, ast.Attribute) and code.path(node) == "@ctx.attempt":
            yield (node if depth == 0 else id_), "`ctx.attempt`, which is another number in the next attempt"
        elif isinstance(node, ast.Name) and depth < 3:
            bound = code.bindings.get(node.id, [])
            if len(bound) == 1 and bound[0].kind == "assign" and bound[0].value is not None and not _is_yield(bound[0].value):
                for _, why in _shaky(bound[0].value, code, effects, depth + 1):
                    yield node, why


def _is_yield(node: ast.AST) -> bool:
    return any(isinstance(one, (ast.Yield, ast.Await)) for one in ast.walk(node))


UNSTABLE_ID = Rule(
    code="IGN301",
    name="unstable-id",
    reason="A result is found by its step's id: another id in a replay is another step.",
    why="""
    An id made from the time, a random value, `id()`, `hash()` (of a string it is seeded anew in every process) or `ctx.attempt` is new in
    every replay, and the step runs again. Make ids from the event's data, from results of steps, or from a loop's number. The same id in a
    loop is fine for steps: the second one is counted as `id:1`.
    """,
    wrong="""
    import time

    import inngest_gen as ig

    app = ig.App("id-wrong")


    @app.function("import", trigger="pages/found")
    async def load(ctx: ig.Context) -> ig.Flow:
        for page in ctx.data["pages"]:
            yield ctx.step.run(f"load-{hash(page)}", print, page)
        yield ctx.step.run(f"report-{time.time()}", print, "done")
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("id-right")


    @app.function("import", trigger="pages/found")
    async def load(ctx: ig.Context) -> ig.Flow:
        for page in ctx.data["pages"]:
            yield ctx.step.run(f"load-{page}", print, page)
        yield ctx.step.run("report", print, "done")
    """,
    check=_unstable,
)


def _defer_in_loop(program: Program) -> Iterator[Hit]:
    for code in program.module.functions():
        for call, kind in program.flows.intents(code):
            if kind != "defer":
                continue
            id_ = id_argument(call, kind)
            loop = _loop(call, code)
            if id_ is not None and loop is not None and _is_constant(id_, loop, code) and not _leaves(call, loop, code, program):
                sample = id_.value if isinstance(id_, ast.Constant) and isinstance(id_.value, str) else "id"
                yield Hit(
                    call,
                    "this defer has the same id in every turn of the loop; ids of defers are not numbered, so all but the first are skipped",
                    f'make an id for each, such as f"{sample}-{{number}}"',
                )


def _loop(node: ast.AST, code: Code) -> ast.AST | None:
    inner = node
    for around in code.around(node):
        if isinstance(around, _LOOPS) and inner not in around.orelse and inner is not getattr(around, "iter", None):
            return around
        if isinstance(around, _COMPREHENSIONS):
            return around
        inner = around
    return None


def _is_constant(id_: ast.expr, loop: ast.AST, code: Code) -> bool:
    changing = {
        name.id for name in ast.walk(loop) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store) and name in code.parent
    }
    for node in ast.walk(id_):
        if isinstance(node, (ast.Call, ast.Yield, ast.Await, ast.NamedExpr, ast.Attribute, ast.Subscript)):
            return False
        if isinstance(node, ast.Name) and (node.id in changing or node.id not in code.bindings):
            return False
    return True


def _leaves(call: ast.AST, loop: ast.AST, code: Code, program: Program) -> bool:
    """Whether the loop is left, always, after the defer: by `break`, `return`, `raise` or Done further down."""
    inner: ast.AST = call
    for around in code.around(call):
        for statements in _lists(around):
            if inner in statements:
                after = statements[statements.index(inner) + 1 :]
                if any(_is_exit(statement, code, program) for statement in after):
                    return True
        if around is loop:
            return False
        inner = around
    return False


def _lists(node: ast.AST) -> Iterator[list[ast.AST]]:
    for field in ("body", "orelse", "finalbody"):
        value = getattr(node, field, None)
        if isinstance(value, list):
            yield value


def _is_exit(statement: ast.AST, code: Code, program: Program) -> bool:
    if isinstance(statement, (ast.Break, ast.Return, ast.Raise)):
        return True
    match statement:
        case ast.Expr(value=ast.Yield(value=value)):
            return program.flows.kinds(value, code) == "Done"
        case _:
            return False


DEFER_IN_LOOP = Rule(
    code="IGN302",
    name="defer-in-loop",
    reason="The id of a defer is not numbered: in a loop all but the first are skipped.",
    why="""
    A defer's id names it in the run, and the second use is skipped with a warning. Make an id for each turn. For a step the same id in a
    loop is fine.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("loop-wrong")


    @app.deferred("mail")
    async def mail(ctx: ig.DeferContext) -> ig.Flow:
        yield ctx.step.run("smtp", print, ctx.data["to"])


    @app.function("invite", trigger="party/planned")
    async def invite(ctx: ig.Context) -> ig.Flow:
        for guest in ctx.data["guests"]:
            yield ctx.defer("invitation", mail, {"to": guest})
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("loop-right")


    @app.deferred("mail")
    async def mail(ctx: ig.DeferContext) -> ig.Flow:
        yield ctx.step.run("smtp", print, ctx.data["to"])


    @app.function("invite", trigger="party/planned")
    async def invite(ctx: ig.Context) -> ig.Flow:
        for guest in ctx.data["guests"]:
            yield ctx.step.run("look up", print, guest)
            yield ctx.defer(f"invitation-{guest}", mail, {"to": guest})
    """,
    check=_defer_in_loop,
)

RULES = (UNSTABLE_ID, DEFER_IN_LOOP)
