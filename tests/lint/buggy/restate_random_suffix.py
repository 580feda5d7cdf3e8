"""The suffix of an address is random, by way of a function that the handler calls.

Seen with: Restate
Seen in: https://github.com/unkeyed/unkey/pull/6286
Found by: IGN102
"""

import secrets

import inngest_gen as ig

app = ig.App("restate-random-suffix")


def address(project: str) -> str:
    return f"{project}-{secrets.token_hex(4)}.example"


@app.function("deploy", trigger="build/done")
async def deploy(ctx: ig.Context) -> ig.Flow:
    host = address(ctx.data["project"])  # wrong
    yield ctx.step.run("insert the route", str, host)
    yield ctx.step.sleep("settle", "1m")
    yield ctx.step.run("tell", str, host)
