"""A plan, searches at once, an analysis of what they gave.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/pydantic-research-agent/main.py
"""

from dataclasses import dataclass, field

import inngest_gen as ig

app = ig.App("dbos-deep-research")


@dataclass
class Plan:
    instructions: str
    searches: list[str] = field(default_factory=list)


async def plan(query: str) -> Plan:
    return Plan(f"explain {query}", [query, f"{query} criticism"])


async def search(terms: str) -> str:
    return f"found: {terms}"


async def analyse(instructions: str, results: list[str]) -> str:
    return f"{instructions} by {len(results)} sources"


@app.function("search")
async def search_one(ctx: ig.Context) -> ig.Flow:
    result = yield ctx.step.run("search", search, ctx.data["terms"])
    yield ig.Done(result)


@app.function("deep-research", trigger="question/asked")
async def deep_research(ctx: ig.Context) -> ig.Flow:
    made = ctx.step.run("plan", plan, ctx.data["query"])
    yield made
    searches = {f"search-{n}": terms for n, terms in enumerate(made.result.searches)}
    results: dict[str, str] = yield ctx.group.parallel(
        **{name: ctx.step.invoke(name, search_one, {"terms": terms}) for name, terms in searches.items()}  # type: ignore[arg-type]
    )
    analysis = ctx.step.run("analyse", analyse, made.result.instructions, list(results.values()))
    yield analysis
    yield ig.Done({"query": ctx.data["query"], "created_at": ctx.started_at.isoformat(), "report": analysis.result})
