"""An interpreter for a small language of steps, sequences and parallels.

After https://github.com/temporalio/samples-python/blob/main/dsl/workflow.py
"""

from typing import Any

import inngest_gen as ig

app = ig.App("temporal-dsl")


def call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(arguments)})"


async def execute(ctx: ig.Context, statement: dict[str, Any], variables: dict[str, str]) -> ig.Flow:
    match statement:
        case {"activity": {"name": name, "arguments": arguments, **more}}:
            result = yield ctx.step.run(name, call, name, *(variables.get(argument, "") for argument in arguments))
            if "result" in more:
                variables[str(more["result"])] = result
        case {"sequence": elements}:
            for element in elements:
                yield execute(ctx, element, variables)
        case {"parallel": branches}:
            yield ctx.group.parallel(*[execute(ctx, branch, variables) for branch in branches])
        case _:
            raise ig.NonRetriableError(f"unknown statement {sorted(statement)}")


@app.function("dsl", trigger="program/sent")
async def dsl(ctx: ig.Context) -> ig.Flow:
    variables = dict(ctx.data["variables"])
    yield execute(ctx, ctx.data["root"], variables)
    yield ig.Done(variables)
