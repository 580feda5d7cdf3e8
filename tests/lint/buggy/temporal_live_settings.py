"""What a manager keeps in memory is asked for between steps, and has changed when the run goes on.

Seen with: Temporal
Seen in: https://github.com/formancehq/payments/pull/752
Found by: replay
"""

import inngest_gen as ig

app = ig.App("temporal-live-settings")
EVENT = ig.Event("connector/installed", {"connector": "bank"})


class Manager:
    def __init__(self) -> None:
        self._period = "1m"

    def period(self) -> str:
        return self._period

    def configure(self, period: str) -> None:
        self._period = period


manager = Manager()


def poll(connector: str) -> str:
    manager.configure("5m")  # somebody does, while the run is under way
    return connector


@app.function("poll", trigger="connector/installed")
async def keep_polling(ctx: ig.Context) -> ig.Flow:
    for _ in range(3):
        yield ctx.step.run(f"poll every {manager.period()}", poll, ctx.data["connector"])
        yield ctx.step.sleep("period", manager.period())
