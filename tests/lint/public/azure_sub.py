"""A function that hands its work to another one, and a sub-flow that does so in place.

After https://github.com/Azure/azure-functions-durable-python/blob/dev/samples/simple_sub_orchestration/DurableOrchestrator/__init__.py
"""

import inngest_gen as ig

app = ig.App("azure-sub")


def hello(city: str) -> str:
    return f"Good day {city}!"


@app.function("inner")
async def inner(ctx: ig.Context) -> ig.Flow:
    greeting = ctx.step.run("hello", hello, ctx.data["city"])
    yield greeting
    yield ig.Done(greeting.result)


async def in_place(ctx: ig.Context, city: str) -> ig.Flow:
    yield ig.Done((yield ctx.step.run(f"hello {city}", hello, city)))


@app.function("outer", trigger="city/greeted")
async def outer(ctx: ig.Context) -> ig.Flow:
    by_function = yield ctx.step.invoke("inner", inner, {"city": "Seattle"})
    by_flow = yield in_place(ctx, "Seattle")
    yield ig.Done(by_function == by_flow)
