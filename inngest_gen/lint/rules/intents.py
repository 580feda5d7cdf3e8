"""IGN2xx: intents that are made and then not used as intents."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from inngest_gen.lint.code import BLOCKS, Code
from inngest_gen.lint.flows import Flows
from inngest_gen.lint.rule import Hit, Program, Rule

_SUBMITTED: Final = {"defer", "abort"}
_STEP_ATTRIBUTES: Final = {"result", "id", "name", "hash", "made_at"}
_CONTAINERS: Final = (ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp, ast.Dict, ast.DictComp, ast.Starred)
_GATHERS: Final = {
    "asyncio.gather", "asyncio.wait", "asyncio.wait_for", "asyncio.create_task", "asyncio.ensure_future", "asyncio.shield", "asyncio.as_completed",
    "asyncio.run", "anyio.run", "trio.run",
}  # fmt: skip


def named(call: ast.Call, kind: str) -> str:
    """Name an intent for a message."""
    match kind:
        case "flow":
            return f"the sub-flow `{ast.unparse(call.func)}(...)`"
        case "Done":
            return "`ig.Done(...)`"
        case "abort":
            return "the abort"
        case "defer" | "using":
            return f"`{kind}(...)`"
        case "parallel" | "race":
            return f"the group `{kind}(...)`"
        case _:
            return f"the step `{kind}(...)`"


def _never_yielded(program: Program) -> Iterator[Hit]:
    flows = program.flows
    for code in program.module.functions():
        plain = code in flows.plain
        for call, kind in flows.intents(code):
            if not flows.is_of_a_run(code) and code.path(call.func) != "ig.defer":
                continue
            if plain and kind not in _SUBMITTED:
                yield Hit(call, f"{named(call, kind)} is made in a handler without yields, where it cannot run", "yield it")
            elif (code not in flows.bodies or kind in _SUBMITTED) and _is_dropped(call, code):  # steps of a body are IGN204's
                also = ", or call .submit()" if kind in _SUBMITTED else ""
                yield Hit(call, f"{named(call, kind)} is made and never yielded, so it does nothing", f"write `yield` before it{also}")


def _is_dropped(call: ast.Call, code: Code) -> bool:
    parent = code.parent[call]
    inside = isinstance(parent, _CONTAINERS)
    while isinstance(parent, _CONTAINERS):
        parent = code.parent[parent]
    match parent:
        case ast.Expr():
            return True
        case ast.Attribute(attr="result"):
            return not _is_asked_for_its_type(parent, code)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return not _is_used(name, code, in_a_container=inside)
        case _:
            return False


def _is_asked_for_its_type(node: ast.AST, code: Code) -> bool:
    call = code.parent[node]
    return isinstance(call, ast.Call) and (code.path(call.func) or "").rpartition(".")[2] in {"assert_type", "reveal_type"}


def _is_used(name: str, code: Code, *, in_a_container: bool) -> bool:
    """Whether the step, or the list of steps, that a name stands for goes anywhere."""
    if name not in code.bindings:  # `global` or `nonlocal`: others may use it
        return True
    for load in _loads(name, code):
        parent = code.parent.get(load)
        if in_a_container or not isinstance(parent, ast.Attribute):
            return True  # also: a closure's use, whose parent is not of this block
        if parent.attr in _STEP_ATTRIBUTES:
            continue
        call = code.parent[parent]
        if parent.attr in {"returns", "timeout"} and isinstance(code.parent.get(call), ast.Expr):
            continue
        return True
    return False


def _loads(name: str, code: Code) -> Iterator[ast.Name]:
    return (node for node in (*code.names(name), *code.names_inside(name)) if isinstance(node.ctx, ast.Load))


NEVER_YIELDED = Rule(
    code="IGN201",
    name="never-yielded",
    reason="Making a step does nothing; yielding it does.",
    why="""
    A step, a sub-flow, a group, a `ctx.using`, a defer or a `Done` that is made and dropped never happens. At run time a forgotten step is an
    error when the handler ends. In a handler without yields no step can run at all.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("yield-wrong")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        load = ctx.step.run("load", str, "order")
        ctx.step.run("pack", print, load.result)
        yield ctx.step.sleep("cool-off", "1h")
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("yield-right")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        load = ctx.step.run("load", str, "order")
        yield load
        yield ctx.step.run("pack", print, load.result)
        yield ctx.step.sleep("cool-off", "1h")
    """,
    check=_never_yielded,
)


def _awaited(program: Program) -> Iterator[Hit]:
    flows = program.flows
    for code in filter(flows.is_of_a_run, program.module.functions()):
        for call, kind in flows.intents(code):
            parent = code.parent[call]
            what = named(call, kind)
            if isinstance(parent, ast.Await):
                yield Hit(call, f"{what} is awaited", "intents are yielded, write `result = yield ...`")
            elif isinstance(parent, ast.AsyncFor) and parent.iter is call and kind == "flow":
                yield Hit(call, f"{what} is iterated over by hand, which loses what its yields give", "write `yield` before it")
            elif _is_condition(call, parent):
                yield Hit(call, f"{what} is used as a condition", "yield it, and test what the yield gives")
            elif (gather := _gathered(call, code)) is not None:
                yield Hit(call, f"{what} goes to `{gather}`, which cannot run it", "yield it, several at once by ctx.group.parallel(...)")


def _is_condition(call: ast.Call, parent: ast.AST) -> bool:
    match parent:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
            return test is call
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.BoolOp(values=values):
            return values[-1] is not call
        case _:
            return False


def _gathered(call: ast.Call, code: Code) -> str | None:
    parent = code.parent[call]
    while isinstance(parent, _CONTAINERS):
        parent = code.parent[parent]
    if isinstance(parent, ast.Call):
        path = code.path(parent.func)
        if path in _GATHERS:
            return path
        if isinstance(parent.func, ast.Attribute) and parent.func.attr in {"create_task", "start_soon"}:
            return ast.unparse(parent.func)
    return None


AWAITED = Rule(
    code="IGN202",
    name="awaited",
    reason="An intent is no awaitable: only the driver of the run can do it.",
    why="""
    `await`, `asyncio.gather` and an `async for` over a sub-flow cannot run a step, and a step as a condition is always true. All of them are
    errors at run time. Several steps at once are a group.
    """,
    wrong="""
    import asyncio

    import inngest_gen as ig

    app = ig.App("await-wrong")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        order = await ctx.step.run("load", str, "order")
        await asyncio.gather(ctx.step.run("pack", print, order), ctx.step.run("label", print, order))
        yield ig.Done(order)
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("await-right")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        order = yield ctx.step.run("load", str, "order")
        yield ctx.group.parallel(ctx.step.run("pack", print, order), ctx.step.run("label", print, order))
        yield ig.Done(order)
    """,
    check=_awaited,
)

_TAKES_VALUES: Final = {"run": 2, "invoke": 2, "defer": 2, "send_event": 1, "send_signal": 2, "Done": 0}
"""Kinds of intents that carry values, and from which positional argument on."""


def _as_value(program: Program) -> Iterator[Hit]:
    flows = program.flows
    for code in filter(flows.is_of_a_run, program.module.functions()):
        for call, kind in flows.intents(code):
            first = _TAKES_VALUES.get(kind)
            if first is None:
                continue
            making = _innermost(call)
            keywords = [keyword.value for keyword in making.keywords if keyword.arg not in {"timeout", "meta", "experiment"}]
            for value in (*making.args[first:], *keywords):
                for inner in _values(value, code):
                    given = flows.kinds(inner, code)
                    if given is not None and given != "Done":
                        shown = f"`{inner.id}`" if isinstance(inner, ast.Name) else "it"
                        what = "a sub-flow" if given == "flow" else "an intent" if given in {"defer", "abort"} else "a step"
                        yield Hit(
                            inner, f"{shown} is {what}, not what it gives", "yield it first, and pass what the yield gives or its `.result`"
                        )


def _innermost(call: ast.Call) -> ast.Call:
    while isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call) and call.func.attr in {"returns", "timeout"}:
        call = call.func.value
    return call


def _values(node: ast.expr, code: Code) -> Iterator[ast.expr]:
    """Give the names and calls in an argument whose values it passes on, but not those that something is asked of or that are yielded."""
    todo: list[ast.AST] = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Call):
            yield one
            todo += [*one.args, *(keyword.value for keyword in one.keywords)]
        elif isinstance(one, ast.Name):
            yield one
        elif not isinstance(one, (*BLOCKS, ast.Attribute, ast.Yield, ast.Await, ast.NamedExpr)):
            todo += [child for child in ast.iter_child_nodes(one) if child in code.parent]


AS_VALUE = Rule(
    code="IGN203",
    name="step-as-value",
    reason="A step object is no value: its result is what the yield gives, or `.result` after it.",
    why="""
    A step's function, a defer, an event and `Done` take values. A step that is given to another step is an error at run time; in the data of
    an event it cannot become JSON.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("value-wrong")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        load = ctx.step.run("load", str, "order")
        yield load
        yield ctx.step.run("pack", print, load)
        yield ig.Done({"order": load})
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("value-right")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        load = ctx.step.run("load", str, "order")
        yield load
        yield ctx.step.run("pack", print, load.result)
        yield ig.Done({"order": load.result})
    """,
    check=_as_value,
)


def _step_in_step(program: Program) -> Iterator[Hit]:
    flows = program.flows
    for body, uses in flows.bodies.items():
        inside = [call for call, kind in flows.intents(body) if kind not in {"Done", "defer", "abort"}]
        if not inside:
            continue
        if body.is_async_generator:
            for _, use in uses:
                name = ast.unparse(use.args[1])
                yield Hit(
                    use.args[1], f"`{name}` makes steps, which a step's function cannot", f"it is a sub-flow, yield `{name}(ctx, ...)`"
                )
        else:
            yield Hit(
                inside[0],
                "a step's function makes a step here, which cannot run",
                "make it in the handler, or in a sub-flow that is yielded",
            )


STEP_IN_STEP = Rule(
    code="IGN204",
    name="step-in-step",
    reason="A step's function runs as one whole: it can make no steps, only defers.",
    why="""
    Only a handler and the sub-flows it yields can make steps; elsewhere that is an error at run time. What shall be several steps is a
    sub-flow: an async generator that is yielded, not given to `step.run`.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("nested-wrong")


    async def pack(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("box", print, "box")
        yield ctx.step.run("wrap", print, "wrap")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("pack", pack, ctx)
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("nested-right")


    async def pack(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("box", print, "box")
        yield ctx.step.run("wrap", print, "wrap")


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        yield pack(ctx)
    """,
    check=_step_in_step,
)

_NO_FUNCTION: Final = {"None", "str", "int", "float", "bool", "bytes", "list", "dict", "tuple", "set", "List", "Dict", "Tuple", "Set"}
_GIVE_VALUES: Final = {
    f"builtins.{name}" for name in ("print", "str", "int", "float", "bool", "len", "list", "dict", "tuple", "set", "sum", "sorted")
}


def _called(program: Program) -> Iterator[Hit]:
    flows = program.flows
    for code in filter(flows.is_of_a_run, program.module.functions()):
        for call, kind in flows.intents(code):
            making = _innermost(call)
            if kind == "run" and len(making.args) > 1 and _is_no_function(making.args[1], code, flows):
                shown = ast.unparse(making.args[1].func) if isinstance(making.args[1], ast.Call) else "the function"
                yield Hit(
                    making.args[1],
                    "the step gets what a call gives, not a function",
                    f"pass `{shown}` uncalled, and its arguments after it",
                )


def _is_no_function(node: ast.expr, code: Code, flows: Flows) -> bool:
    if isinstance(node, (ast.Constant, ast.JoinedStr, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.ListComp, ast.DictComp, ast.Await)):
        return True
    if not isinstance(node, ast.Call):
        return False
    if code.path(node.func) in _GIVE_VALUES:
        return True
    called = flows.module.function(node.func, code)
    if called is None or isinstance(called.node, (ast.Module, ast.ClassDef, ast.Lambda)) or called.node.decorator_list:
        return False
    if isinstance(called.node, ast.AsyncFunctionDef) or called.is_generator:
        return True
    returns = called.node.returns
    if isinstance(returns, ast.Subscript):
        returns = returns.value
    name = returns.id if isinstance(returns, ast.Name) else repr(returns.value) if isinstance(returns, ast.Constant) else None
    return name in _NO_FUNCTION


CALLED = Rule(
    code="IGN205",
    name="called-too-early",
    reason="The function runs here, outside the step, again in every replay; the step has nothing to run.",
    why="""
    `step.run` takes the function and its arguments: `ctx.step.run("load", load_order, order_id)`. A call in their place is run by the handler
    itself, and what it gives is no function, which is an error at run time.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("called-wrong")


    async def load(order_id: str) -> str:
        return f"order {order_id}"


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("load", load(ctx.data["order_id"]))
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("called-right")


    async def load(order_id: str) -> str:
        return f"order {order_id}"


    @app.function("ship", trigger="order/paid")
    async def ship(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("load", load, ctx.data["order_id"])
    """,
    check=_called,
)

RULES = (NEVER_YIELDED, AWAITED, AS_VALUE, STEP_IN_STEP, CALLED)
