"""Plays an example's app on an engine whose clock jumps: whole, or with the engine stopped and opened again after its n-th happening."""

from collections import Counter
from pathlib import Path

import anyio

import inngest_gen as ig

START = 1_760_000_000.0


class Rehearsal:
    """One event to the end of all it causes, on one file. `happenings` counts what the engine told; `completed` each finished step."""

    def __init__(self, app: ig.App, event: ig.Event, path: Path) -> None:
        assert event.id, "with an id the event can be sent again after a restart, and starts nothing twice"
        self.app = app
        self.event = event
        self.path = path
        self.happenings = 0
        self.completed: Counter[tuple[str, str, str | None]] = Counter()

    async def whole(self) -> list[ig.Run]:
        async with ig.Engine(self.path, apps=[self.app], clock=ig.VirtualClock(START, jumps=True), watch=self._watch) as engine:
            return await engine.run(self.event, timeout=60)

    async def stopped_after(self, happenings: int) -> list[ig.Run]:
        clock = ig.VirtualClock(START, jumps=True)
        reached = anyio.Event()

        def watch(progress: object) -> None:
            self._watch(progress)
            if self.happenings == happenings:
                clock.jumps = False  # the time stands still from the stop to the next start
                reached.set()

        async with ig.Engine(self.path, apps=[self.app], clock=clock, watch=watch) as engine:
            await engine.send(self.event)
            with anyio.fail_after(60):
                await reached.wait()
        async with ig.Engine(self.path, apps=[self.app], clock=ig.VirtualClock(clock.now(), jumps=True), watch=self._watch) as engine:
            return await engine.run(self.event, timeout=60)

    def _watch(self, progress: object) -> None:
        self.happenings += 1
        if getattr(progress, "kind", "") == "step.completed":
            self.completed[progress.run_id, progress.path, progress.step_id] += 1  # type: ignore[attr-defined]
