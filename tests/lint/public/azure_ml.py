"""Starts a pipeline elsewhere, and asks for its state until it has ended.

After https://github.com/Azure/azure-functions-durable-python/blob/dev/samples/aml_monitoring/aml_durable_orchestrator/__init__.py
"""

from typing import Any

import httpx

import inngest_gen as ig

app = ig.App("azure-ml")


def start(endpoint: str, experiment: str) -> str:
    run_id: str = httpx.post(endpoint, json={"experiment": experiment}, timeout=30).json()["id"]
    return run_id


def state_of(run_id: str) -> dict[str, Any]:
    state: dict[str, Any] = httpx.get(f"http://ml.example/{run_id}", timeout=30).json()
    return state


@app.function("pipeline", trigger="pipeline/wanted")
async def pipeline(ctx: ig.Context) -> ig.Flow:
    run_id = yield ctx.step.run("start", start, ctx.data["endpoint"], ctx.data["experiment"])
    state: dict[str, Any] = {}
    for _ in range(30):
        state = yield ctx.step.run("state", state_of, run_id)
        if state["code"] == 500:
            raise ig.NonRetriableError(f"pipeline {run_id} failed or was cancelled")
        elif state["code"] != 202:
            break
        yield ctx.step.sleep("a minute", "1m")
    yield ig.Done(state)
