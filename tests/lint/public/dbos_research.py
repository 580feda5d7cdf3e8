"""An agent that searches, judges what it has, and searches on.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/hacker-news-agent/hacker_news_agent/workflows.py
"""

from typing import Any

import httpx

import inngest_gen as ig

app = ig.App("dbos-research")


async def search(query: str, limit: int) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get("http://news.example/search", params={"query": query, "limit": str(limit)})
    hits: list[dict[str, Any]] = answer.json()["hits"]
    return hits


async def comments_of(story: str) -> list[str]:
    async with httpx.AsyncClient() as client:
        found: list[str] = (await client.get(f"http://news.example/{story}/comments")).json()
    return found


async def ask(question: str, findings: list[Any]) -> str:
    return f"{question}: {len(findings)} findings"


async def research_topic(ctx: ig.Context, topic: str) -> ig.Flow:
    stories = yield ctx.step.run("search", search, topic, 30)
    comments: list[str] = []
    for story in stories:
        identity = story.get("id")
        if identity:
            comments.extend((yield ctx.step.run(f"comments {identity}", comments_of, identity)))
    evaluation = yield ctx.step.run("evaluate", ask, topic, [*stories, *comments])
    yield ig.Done({"topic": topic, "evaluation": evaluation, "sources": len(stories)})


@app.function("research", trigger="research/wanted")
async def research(ctx: ig.Context) -> ig.Flow:
    findings: list[dict[str, Any]] = []
    topic = ctx.data["topic"]
    iteration = 0
    while iteration < ctx.data.get("iterations", 3):
        iteration += 1
        findings.append((yield research_topic(ctx, topic)))
        if (yield ctx.step.run("go on?", ask, "is that enough?", findings)) == "yes":
            break
        topic = yield ctx.step.run("next topic", ask, "what next?", findings)
    report = yield ctx.step.run("report", ask, "sum it up", findings)
    yield ig.Done(report)
