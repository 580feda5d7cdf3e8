"""Keeps book of a cluster's nodes, and looks after their health every ten minutes.

After https://github.com/temporalio/samples-python/blob/main/message_passing/safe_message_handlers/workflow.py
"""

from dataclasses import dataclass, field

import inngest_gen as ig

app = ig.App("temporal-cluster")


@dataclass
class State:
    nodes: dict[str, str | None] = field(default_factory=dict)

    def free(self) -> list[str]:
        return sorted(node for node, job in self.nodes.items() if job is None)


def start() -> list[str]:
    return [f"node-{number}" for number in range(25)]


def unhealthy(nodes: list[str]) -> set[str]:
    return set(nodes[:1])


def assign(nodes: list[str], job: str) -> str:
    return f"{job} on {', '.join(nodes)}"


@app.function("cluster", trigger="cluster/started")
async def cluster(ctx: ig.Context) -> ig.Flow:
    state = State(dict.fromkeys((yield ctx.step.run("start", start))))
    while True:
        command = yield ctx.step.wait_for_event("command", "cluster/commanded", match="data.cluster", timeout="10m")
        match None if command is None else command.data:
            case None:
                bad = yield ctx.step.run("health", unhealthy, sorted(state.nodes))
                for node in sorted(bad):
                    state.nodes.pop(node, None)
            case {"assign": job, "count": count}:
                free = state.free()
                if len(free) < count:
                    ctx.logger.warning("%s wants %s nodes, %s are free", job, count, len(free))
                    continue
                yield ctx.step.run(f"assign {job}", assign, free[:count], job)
                state.nodes.update(dict.fromkeys(free[:count], job))
            case {"shutdown": True}:
                break
    yield ig.Done({"nodes": len(state.nodes), "busy": sum(job is not None for job in state.nodes.values())})
