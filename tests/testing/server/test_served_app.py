"""A law of both sides: whatever goes wrong between the server and a served app, the run ends the same and each deferred function runs once."""

import random
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.testing import Server, ServerRun

ROUTE_FAULTS: list[Any] = [500, 401, 413, 400, 503, "refuse", "lose"]
CALL_FAULTS: list[Any] = ["refuse", "lose", "forget", "twice"]


def shop(server: Server, *, checkpointing: bool) -> ig.App:
    app = ig.App("shop", checkpointing=checkpointing, **server.settings())

    @app.deferred("later", retries=6)
    async def later(ctx: ig.DeferContext[Any]) -> ig.Flow:
        yield ctx.step.run("deliver", lambda: "sent")
        yield ig.Done(ctx.data["n"])

    def defers(ctx: ig.Context, n: int) -> Any:
        async def body() -> ig.Flow:
            yield ctx.defer(f"in-{n}", later, {"n": n})
            yield ig.Done(n)

        return body

    def fails() -> None:
        raise ig.NonRetriableError("dead")

    @app.function("go", trigger="go", retries=8)
    async def go(ctx: ig.Context) -> ig.Flow:
        a = yield ctx.step.run("a", lambda: 1)
        yield ctx.defer("first", later, {"n": 10})
        b = yield ctx.step.run("b", defers(ctx, 1))
        yield ctx.step.sleep("nap", "1h")
        x, y = yield ctx.group.parallel(ctx.step.run("x", lambda: 3), ctx.step.run("y", defers(ctx, 2)))
        late = yield ctx.step.wait_for_event("late", "never", timeout="1m")
        handle = yield ctx.defer("taken-back", later, {"n": 11})
        yield ctx.step.run("c", lambda: 4)
        yield handle.abort()
        try:
            yield ctx.step.run("dead", fails)
        except ig.StepError as error:
            yield ctx.defer("last", later, {"n": 12})
            yield ig.Done([a, b, x, y, late, error.message])

    return app


async def spoiled(seed: int, *, checkpointing: bool) -> list[ServerRun]:
    chance = random.Random(seed)
    key = chance.choice([None, "signkey-test-00ff"])
    async with Server(seed=seed, signing_key=key, event_key="key") as server:
        await server.register(ig.serve(shop(server, checkpointing=checkpointing)))
        for _ in range(chance.randint(1, 4)):
            if checkpointing and chance.random() < 0.5:
                server.fault("checkpoint", chance.choice(ROUTE_FAULTS), times=chance.randint(1, 2))
            else:
                likely = chance.random()
                server.fault_call(chance.choice(CALL_FAULTS), when=lambda _, p=likely: chance.random() < p, times=chance.randint(1, 3))  # type: ignore[misc]
        return await server.run(ig.Event("go"))


@pytest.mark.parametrize("checkpointing", [True, False])
async def test_whatever_goes_wrong_a_run_ends_the_same_and_its_defers_run_once(checkpointing: bool, soak: bool) -> None:
    for seed in range(200 if soak else 4):
        run, *deferred = await spoiled(seed, checkpointing=checkpointing)
        assert (run.status, run.output) == ("completed", [1, 1, 3, 2, None, "dead"]), f"seed {seed}\n{run.log()}"
        assert sorted(one.output for one in deferred) == [1, 2, 10, 12], f"seed {seed}\n{run.log()}"
