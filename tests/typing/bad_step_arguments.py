"""A step takes the arguments of its function, and no other."""

import inngest_gen as ig


def sync(id: str, total: float = 0) -> int:
    return len(id)


async def coroutine(id: str, *, fast: bool) -> int:
    return len(id)


async def body(id: str) -> ig.Flow:
    yield ig.Done(id)


class Shop:
    def load(self, id: str) -> int:
        return len(id)


async def handler(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run("type", sync, 1)  # error
    yield ctx.step.run("second type", sync, "a", "b")  # error
    yield ctx.step.run("missing", sync)  # error
    yield ctx.step.run("surplus", sync, "a", 1.5, 2)  # error
    yield ctx.step.run("keyword", sync, "a", amount=1)  # error
    yield ctx.step.run("type of a keyword", sync, "a", total="b")  # error
    yield ctx.step.run("missing keyword", coroutine, "a")  # error
    yield ctx.step.run("keyword of a coroutine", coroutine, "a", fast="yes")  # error
    yield ctx.step.run("body", body, 1)  # error
    yield ctx.step.run("method", Shop().load, 1)  # error
    yield ctx.step.run("called", sync("a"))  # error
    yield ctx.step.run(1, sync, "a")  # error
    yield ctx.step.run("body", sync, "a").timeout(None)  # error
    yield ctx.step.sleep("no duration", None)  # error
    yield ctx.step.wait_for_event("no timeout", "paid")  # error
    yield ctx.step.send_event("no event", "paid")  # error
    yield ctx.step.wait_for_signal("conflict", "go", timeout=1, on_conflict="ignore")  # error
