"""IGN605: step functions that take from an iterator of their handler's. A file of its own: what an iterator is, and who takes from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from inngest_gen.lint.code import Code, at
from inngest_gen.lint.module import own_parameters
from inngest_gen.lint.rule import Hit, Program, Rule
from inngest_gen.lint.rules.values import read_after

_MAKERS: Final = {"builtins.enumerate()", "builtins.filter()", "builtins.iter()", "builtins.map()", "builtins.reversed()", "builtins.zip()"}
_TAKERS: Final = {
    f"builtins.{name}"
    for name in ("all", "any", "dict", "frozenset", "list", "max", "min", "next", "set", "sorted", "sum", "tuple")
}  # fmt: skip


def _taken(program: Program) -> Iterator[Hit]:
    for flow in program.flows.all():
        for name, bound in flow.bindings.items():
            if len(bound) != 1 or bound[0].kind != "assign" or not _is_iterator(bound[0].value, flow, program):
                continue
            steps = sorted(_steps(name, flow, program), key=lambda step: at(step[0]))
            if not steps:
                continue
            call, place = steps[0]
            more = at(steps[1][0])[0] if len(steps) > 1 else _again(name, call, bound[0].node, flow)
            if more is not None:
                yield Hit(
                    place,
                    f"the step's function takes from the handler's iterator `{name}`, from which line {more} takes more; a replay makes it anew"
                    " and does not run the step",
                    "take in the handler, and give the step what was taken as an argument",
                )


def _is_iterator(value: ast.expr | None, flow: Code, program: Program) -> bool:
    match value:
        case ast.GeneratorExp():
            return True
        case ast.Call():
            path = flow.path(value) or ""
            made = program.flows.module.function(value.func, flow)
            return path in _MAKERS or path.startswith("itertools.") or (made is not None and made.is_generator)
        case _:
            return False


def _steps(name: str, flow: Code, program: Program) -> Iterator[tuple[ast.Call, ast.AST]]:
    """Give the steps of a flow whose function takes from a name of the flow's, each with the place where it does."""
    for body, uses in program.flows.bodies.items():
        found = body.find(name)
        closed_over = _takes(name, body) if found is not None and found[0] is flow else None
        for code, call in uses:
            if code is not flow:
                continue
            given = [*zip(own_parameters(body), call.args[2:], strict=False)]
            parameters = [parameter.arg for parameter, argument in given if isinstance(argument, ast.Name) and argument.id == name]
            place = next((place for parameter in parameters if (place := _takes(parameter, body)) is not None), closed_over)
            if place is not None:
                yield call, place
    for call, kind in program.flows.intents(flow):
        match call.args[1:]:
            case [fn, ast.Name(id=taken), *_] if kind == "run" and taken == name and flow.path(fn) in _TAKERS:
                yield call, fn
            case _:
                pass


def _takes(name: str, body: Code) -> ast.AST | None:
    """Find where a function takes from what a name means: the first place."""
    return next((node for node in body.names(name) if _is_taken(node, body.parent[node], body)), None)


def _is_taken(node: ast.Name, parent: ast.AST, body: Code) -> bool:
    if isinstance(parent, ast.Call):
        return node in parent.args[:1] and body.path(parent.func) in _TAKERS
    return isinstance(parent, (ast.For, ast.comprehension)) and parent.iter is node


def _again(name: str, call: ast.Call, made: ast.AST, flow: Code) -> int | None:
    """Give the line where the flow itself goes on with an iterator after a step, or the step's own where a loop makes it again."""
    reader = read_after(name, call, flow)
    if reader is not None:
        return reader.lineno
    loops = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
    again = any(isinstance(around, loops) and not flow.is_in(made, around) for around in flow.around(call))
    return call.lineno if again else None


TAKEN_FROM_ITERATOR = Rule(
    code="IGN605",
    name="taken-from-iterator",
    reason="A step's function takes from an iterator of its handler's, and a replay does not run the function again.",
    why="""
    After a sleep or a restart the handler makes the iterator anew, and recorded steps take nothing from it. The next step gets again what an
    earlier one has had. So does an attempt that follows a restart, while one in the same process gets what comes next. Take in the handler,
    which does so alike in each replay, and give the step what was taken.
    """,
    wrong="""
    import inngest_gen as ig

    app = ig.App("iterator-wrong")


    @app.function("mail", trigger="list/filled")
    async def mail(ctx: ig.Context) -> ig.Flow:
        addresses = iter(ctx.data["addresses"])
        yield ctx.step.run("first", lambda: print("to", next(addresses)))
        yield ctx.step.sleep("cool-off", "1h")
        yield ctx.step.run("second", lambda: print("to", next(addresses)))
    """,
    right="""
    import inngest_gen as ig

    app = ig.App("iterator-right")


    @app.function("mail", trigger="list/filled")
    async def mail(ctx: ig.Context) -> ig.Flow:
        addresses = iter(ctx.data["addresses"])
        yield ctx.step.run("first", print, "to", next(addresses))
        yield ctx.step.sleep("cool-off", "1h")
        yield ctx.step.run("second", print, "to", next(addresses))
    """,
    check=_taken,
)

RULES = (TAKEN_FROM_ITERATOR,)
