"""Searches that breed searches, level by level; what was found before is not taken again.

After https://github.com/inngest/inngest-js/blob/main/examples/durable-endpoints-deepresearch/next-app/src/inngest/deep-research.ts
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import inngest_gen as ig

app = ig.App("inngest-deep-research")


@dataclass
class Research:
    sources: list[str] = field(default_factory=list)
    learnings: list[str] = field(default_factory=list)


def key(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:8]


async def search(query: str) -> list[str]:
    return [f"http://{word}.example" for word in query.split()]


async def learn(query: str, sources: list[str], known: list[str]) -> dict[str, list[str]]:
    return {"learnings": [f"{query}: {len(sources)}, {len(known)}"], "follow_ups": [f"why {query}"]}


async def deep(ctx: ig.Context, queries: list[str], depth: int, found: Research, seen: set[str]) -> ig.Flow:
    if depth == 0 or not queries:
        return
    results: tuple[list[str], ...] = yield ctx.group.parallel(
        *[ctx.step.run(f"search-d{depth}-{key(query)}", search, query) for query in queries]
    )
    fresh: list[tuple[str, list[str]]] = []
    for query, urls in zip(queries, results, strict=True):
        new = [url for url in urls if url not in seen]
        seen.update(new)
        found.sources.extend(new)
        fresh.append((query, new))
    learned: tuple[dict[str, Any], ...] = yield ctx.group.parallel(
        *[ctx.step.run(f"learn-d{depth}-{key(query)}", learn, query, new, found.learnings) for query, new in fresh]
    )
    follow_ups: list[str] = []
    for one in learned:
        found.learnings.extend(one["learnings"])
        follow_ups += one["follow_ups"]
    yield deep(ctx, follow_ups[: 2 * len(queries)], depth - 1, found, seen)


@app.function("deep-research", trigger="topic/given")
async def research(ctx: ig.Context) -> ig.Flow:
    found = Research()
    yield deep(ctx, ctx.data["queries"], ctx.data["depth"], found, set())
    yield ig.Done({"sources": found.sources, "learnings": found.learnings})
