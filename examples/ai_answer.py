"""An AI answer whose quality is scored afterwards: the scorer is deferred, so the answer does not wait for it.

The model here is a few lines of Python that are busy at the first call, so that nothing goes over the network; a real one stands in the
same place. Its answer is a dataclass: the handler sees the same value live and replayed. A failing scorer is retried on its own and
never fails the answer.

Run it:

    inngest-gen run examples/ai_answer.py:app question/asked '{"text": "What is a durable step?"}' --fast-forward
"""

from dataclasses import dataclass

import inngest_gen as ig

app = ig.App("assistant")

NOTES = {
    "step": "A durable step runs until it has succeeded once; its result is kept.",
    "defer": "A defer starts another function when this run has ended.",
    "sleep": "A sleeping run costs a row in a file.",
}


@dataclass(frozen=True)
class Question:
    text: str


@dataclass(frozen=True)
class Answer:
    question: str
    text: str
    sources: list[str]
    tokens: int


def retrieve(question: str) -> list[str]:
    return [note for word, note in NOTES.items() if word in question.lower()]


async def model(ctx: ig.Context[Question], notes: list[str]) -> Answer:
    if ctx.attempt == 0:  # inside a body, `ctx.attempt` is the step's
        raise ig.RetryAfterError("the model is busy", "20s")
    text = " ".join(notes) or "I do not know."
    return Answer(question=ctx.data.text, text=text, sources=notes, tokens=len(text.split()))


def judge(answer: Answer) -> float:
    asked = set(answer.question.lower().strip("?").split())
    told = set(answer.text.lower().strip(".").split())
    return round(len(asked & told) / len(asked), 2)


@app.deferred("score-answer", schema=Answer)
async def score_answer(ctx: ig.DeferContext[Answer]) -> ig.Flow:
    relevance = ctx.step.run("judge", judge, ctx.data)
    yield relevance
    yield ig.Done({"run": ctx.parents[0].run_id, "relevance": relevance.result, "grounded": bool(ctx.data.sources)})


@app.function("answer", trigger=ig.EventType("question/asked", Question))
async def answer_question(ctx: ig.Context[Question]) -> ig.Flow:
    notes = ctx.step.run("retrieve", retrieve, ctx.data.text)
    yield notes
    answer = ctx.step.run("model", model, ctx, notes.result).timeout("2m")
    yield answer
    yield ctx.defer("score", score_answer, answer.result)
    yield ig.Done(answer.result)
