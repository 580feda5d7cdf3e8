"""Fan-out: one branch for each part of the work, each branch a sub-flow of its own steps.

`group.parallel` waits for all branches, `group.race` for the first. A branch may hold a group again. Every step has an id of its own
(`fetch-0`, `fetch-1`), so that the record is readable and a branch more or less does not shift the others.

Run it:

    inngest-gen run examples/fan_out.py:app catalogue/import '{"pages": 3}' --fast-forward
"""

from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("catalogue", backoff="10s")


@dataclass(frozen=True)
class Import:
    pages: int


@dataclass(frozen=True)
class Page:
    number: int
    source: str
    titles: list[str]


async def fetch(ctx: ig.Context[Import], number: int, source: str) -> Page:
    if source == "origin" and number == 1 and ctx.attempt == 0:  # inside a body, `ctx.attempt` is the step's
        raise ConnectionError("the origin does not answer")  # tried again in 10 seconds, as `backoff` says
    return Page(number, source, titles=[f"title {number}.{place}" for place in range(number + 1)])


def store(page: Page) -> int:
    return len(page.titles)


async def import_page(ctx: ig.Context[Import], number: int) -> ig.Flow:
    """Import one page: the origin has 5 seconds, then the mirror is asked as well; the first of the two wins."""
    first: ig.Winner[Page] = yield ctx.group.race(
        origin=ctx.step.run(f"fetch-{number}", fetch, ctx, number, "origin"),
        mirror=ask_mirror(ctx, number),
    )
    stored = ctx.step.run(f"store-{number}", store, first.value)
    yield stored
    yield ig.Done((first.key, stored.result))


async def ask_mirror(ctx: ig.Context[Import], number: int) -> ig.Flow:
    yield ctx.step.sleep(f"patience-{number}", "5s")
    mirrored = ctx.step.run(f"mirror-{number}", fetch, ctx, number, "mirror")
    yield mirrored
    yield ig.Done(mirrored.result)


@app.function("import", trigger=ig.EventType("catalogue/import", Import))
async def import_catalogue(ctx: ig.Context[Import]) -> ig.Flow:
    results: tuple[tuple[str, int], ...] = yield ctx.group.parallel(*(import_page(ctx, number) for number in range(ctx.data.pages)))
    yield ig.Done({"titles": sum(count for _, count in results), "sources": [source for source, _ in results]})
