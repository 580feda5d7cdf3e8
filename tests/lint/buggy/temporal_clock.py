"""The hour to look at is reckoned from the wall clock of whoever replays.

Seen with: Temporal
Seen in: https://github.com/PostHog/posthog/pull/76658
Found by: IGN101
"""

from datetime import UTC, datetime, timedelta

import inngest_gen as ig

app = ig.App("temporal-clock")


def count(hour: str) -> int:
    return len(hour)


@app.function("monitor", trigger="hour/passed")
async def monitor(ctx: ig.Context) -> ig.Flow:
    now = datetime.now(UTC)  # wrong
    hour = (now - timedelta(hours=1)).isoformat()
    yield ctx.step.sleep("settle", "5m")
    yield ig.Done((yield ctx.step.run("count", count, hour)))
