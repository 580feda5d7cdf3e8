"""Three activities, one after the other.

After https://github.com/Azure/azure-functions-durable-python/blob/dev/samples-v2/function_chaining/function_app.py
"""

import inngest_gen as ig

app = ig.App("azure-chain")


def say_hello(city: str) -> str:
    return f"Good day {city}!"


@app.function("hello-cities", trigger="cities/greeted")
async def hello_cities(ctx: ig.Context) -> ig.Flow:
    run = ctx.step.run
    first = yield run("tokyo", say_hello, "Tokyo")
    second = yield run("seattle", say_hello, "Seattle")
    third = yield run("london", say_hello, "London")
    yield ig.Done([first, second, third])
