"""IGN7xx: what a step's function must not do."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from inngest_gen.lint.rule import Hit, Program, Rule
from inngest_gen.lint.world import blocks


def _blocking(program: Program) -> Iterator[Hit]:
    for code in dict.fromkeys((*program.flows.bodies, *program.flows.plain)):
        if not isinstance(code.node, ast.AsyncFunctionDef):
            continue
        for call in code.all(ast.Call):
            path = code.path(call.func)
            if path is not None and blocks(path):
                yield Hit(
                    call,
                    f"`{ast.unparse(call.func)}()` holds up the event loop, and with it every other run",
                    "make this a sync function, which runs in a worker thread, or use an async library",
                )


BLOCKING = Rule(
    code="IGN701",
    name="blocking",
    reason="A blocking call in an async function stops all runs of the process while it waits.",
    why="""
    An async step function runs on the event loop. A sync one runs in a worker thread, where blocking is fine: writing `def` instead of
    `async def` is enough. Otherwise await an async library.
    """,
    wrong="""
    import time

    import inngest_gen as ig

    app = ig.App("blocking-wrong")


    async def render(page: int) -> int:
        time.sleep(2)
        return page


    @app.function("print", trigger="page/written")
    async def print_page(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("render", render, 1)
    """,
    right="""
    import time

    import inngest_gen as ig

    app = ig.App("blocking-right")


    def render(page: int) -> int:
        time.sleep(2)
        return page


    @app.function("print", trigger="page/written")
    async def print_page(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("render", render, 1)
    """,
    check=_blocking,
)

RULES = (BLOCKING,)
