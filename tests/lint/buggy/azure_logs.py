"""Every line is written once more for each step that has completed.

Seen with: Azure Durable Functions
Seen in: https://github.com/Azure/azure-functions-durable-js/issues/626
Found by: IGN107
"""

import logging

import inngest_gen as ig

app = ig.App("azure-logs")
log = logging.getLogger(__name__)


@app.function("debug", trigger="debug/wanted")
async def debug(ctx: ig.Context) -> ig.Flow:
    log.info("A.1")  # wrong
    yield ctx.step.run("one", str, 1)
    log.info("A.2")  # wrong
    yield ctx.step.sleep("rest", "1m")
    log.info("A.3")  # wrong
