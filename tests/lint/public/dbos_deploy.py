"""Build, test, deploy; each stage is told to a channel.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/deploy-tracker-slackbot/main.py
"""

import random
from time import monotonic, sleep
from typing import Any

import inngest_gen as ig

app = ig.App("dbos-deploy")
slack: Any = None


def post(channel: str, text: str) -> None:
    slack.chat_postMessage(channel=channel, text=text)


def stage(name: str) -> float:
    started = monotonic()
    sleep(random.uniform(0.01, 0.02))
    print(name, "done")
    return monotonic() - started


@app.function("deploy", trigger="deploy/asked")
async def deploy(ctx: ig.Context) -> ig.Flow:
    channel = ctx.data["channel"]
    yield ctx.step.run("tell start", post, channel, f"deployment {ctx.run_id} started")
    for name in ("build", "test", "deploy"):
        duration = yield ctx.step.run(name, stage, name)
        yield ctx.step.run(f"tell {name}", post, channel, f"{name} took {duration:.2f} seconds")
    yield ctx.step.run("tell end", post, channel, f"deployment {ctx.run_id} is done, <@{ctx.data['user']}>")
