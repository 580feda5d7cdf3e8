"""An agent that asks a person before it goes on.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/agent-inbox/main.py
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import inngest_gen as ig

app = ig.App("dbos-inbox")


@dataclass
class Status:
    name: str
    task: str
    created_at: str
    status: Literal["working", "pending_approval", "denied"] = "working"


def publish(status: dict[str, Any]) -> None:
    print("published", status)


@app.function("agent", trigger="agent/started")
async def agent(ctx: ig.Context) -> ig.Flow:
    status = Status(ctx.data["name"], ctx.data["task"], created_at=ctx.started_at.isoformat())
    yield ctx.step.run("publish", publish, asdict(status))

    status.status = "pending_approval"
    yield ctx.step.run("publish", publish, asdict(status))
    approval = yield ctx.step.wait_for_event("approval", "agent/answered", match="data.agent", timeout=3600)
    if approval is None:
        status.status = "denied"
        yield ctx.step.run("publish", publish, asdict(status))
        raise ig.NonRetriableError("nobody answered")
    elif approval.data["response"] == "deny":
        status.status = "denied"
        yield ctx.step.run("publish", publish, asdict(status))
        raise ig.NonRetriableError("it was denied")
    else:
        status.status = "working"
        yield ctx.step.run("publish", publish, asdict(status))
    yield ig.Done("agent successful")
