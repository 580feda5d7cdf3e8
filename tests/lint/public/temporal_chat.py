"""A chat with a model: prompts come as events, the history is summed up every few turns.

After https://github.com/temporalio/samples-python/blob/main/bedrock/entity/workflows.py
"""

from typing import Any

import inngest_gen as ig

app = ig.App("temporal-chat")
TURNS = 6
client: Any = None


async def prompt_model(text: str) -> str:
    answer: str = await client.invoke(text)
    return answer


def with_history(prompt: str, history: list[tuple[str, str]]) -> str:
    lines = [f"{who}: {what}" for who, what in history]
    return "\n".join([*lines, f"answer this: {prompt}"])


async def summed_up(ctx: ig.Context, history: list[tuple[str, str]]) -> ig.Flow:
    summary = yield ctx.step.run("sum up", prompt_model, with_history("sum it up", history))
    yield ig.Done(summary)


@app.function("chat", trigger="chat/opened")
async def chat(ctx: ig.Context) -> ig.Flow:
    history: list[tuple[str, str]] = []
    while True:
        ctx.logger.info("waiting for prompts")
        event = yield ctx.step.wait_for_event("prompt", "chat/prompted", match="data.chat", timeout="1d")
        if event is None or event.data.get("end"):
            summary = (yield summed_up(ctx, history)) if len(history) > 1 else None
            yield ig.Done({"summary": summary, "turns": len(history)})
            return
        prompt = event.data["prompt"]
        history.append(("user", prompt))
        response = yield ctx.step.run("answer", prompt_model, with_history(prompt, history)).timeout("20s")
        history.append(("model", response))
        if len(history) >= TURNS:
            history = [("summary", (yield summed_up(ctx, history)))]
