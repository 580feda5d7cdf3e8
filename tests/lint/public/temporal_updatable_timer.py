"""Sleeps until a moment that events may move.

After https://github.com/temporalio/samples-python/blob/main/updatable_timer/workflow.py
"""

from datetime import datetime, timedelta

import inngest_gen as ig

app = ig.App("temporal-updatable-timer")


def seconds_left(until: datetime) -> float:
    return max(0.0, (until - datetime.now(until.tzinfo)).total_seconds())


@app.function("timer", trigger="timer/set")
async def timer(ctx: ig.Context) -> ig.Flow:
    wake_up = datetime.fromisoformat(ctx.data["at"])
    ctx.logger.info("asleep until %s", wake_up)
    while (left := (yield ctx.step.run("left", seconds_left, wake_up))) > 0:
        moved = yield ctx.step.wait_for_event("moved", "timer/moved", match="data.timer_id", timeout=timedelta(seconds=left))
        if moved is not None:
            wake_up = datetime.fromisoformat(moved.data["at"])
            ctx.logger.info("moved to %s", wake_up)
    yield ig.Done(wake_up.isoformat())
