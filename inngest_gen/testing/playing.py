"""Playing: one function's run in a memory engine, moved as far as a test wants, looked at, and moved on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from inngest_gen.driver.turn import Op
from inngest_gen.testing.failures import Stuck, is_found
from inngest_gen.testing.handled import Handled
from inngest_gen.testing.result import Result

if TYPE_CHECKING:
    from inngest_gen.testing.engine import MemoryEngine

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line

SLEEP: Final = ("step.sleep", "step.sleep_until")
"""Any sleep: `await playing.run_until(testing.SLEEP)`."""
WAIT: Final = ("step.wait_for_event", "step.wait_for_signal", "step.invoke")
"""Any wait for an event, a signal or an invoked run."""


class Playing:
    """One function's run in a memory engine, moved as a test wants. Made by `MemoryEngine.play`."""

    def __init__(self, engine: MemoryEngine, run: int, run_id: str) -> None:
        self.engine: MemoryEngine = engine
        self.run_id: str = run_id
        self.number: int = run

    @property
    def result(self) -> Result:
        """What the run has done so far."""
        return self.engine.results()[self.run_id]

    async def run_until(self, what: str | Sequence[str]) -> Result:
        """Let everything happen until the run comes to a step, by its id, or to a kind of step (`testing.SLEEP`, `testing.WAIT`).

        There the step has been asked for and nothing has been done for it: its body has not run. Steps that were passed do not count. Raises Stuck
        if the run ends, or nothing more can happen, before.
        """
        reached = False

        def watch(handled: Handled, op: Op) -> None:
            nonlocal reached
            if handled.run == self.number and (op.step.id == what if isinstance(what, str) else op.step.kind in what):
                reached = True

        unwatch = self.engine.watch(watch)
        try:
            if not await self.engine.move(lambda: reached):
                wanted = repr(what) if isinstance(what, str) else " or ".join(what)
                raise Stuck(f"the run did not come to {wanted}\n\n{self.result.timeline(lines=True)}")
        finally:
            unwatch()
        return self.result

    async def finish(self) -> Result:
        """Let everything happen that can, and give what came of it. Raises Stuck if the run has not ended then."""
        await self.engine.settle()
        result = self.result
        if result.status in {"queued", "running"}:
            raise Stuck(
                f"nothing more can happen, and the run of {result.function_id} has not ended: {_waits(result)}\n\n{result.timeline(lines=True)}"
            )
        return result


def _waits(result: Result) -> str:
    waiting = [f"{step.kind} {step.id!r}" for step in result.steps if step.status in {"running", "waiting"}]
    return f"it waits for {', '.join(waiting)}" if waiting else "it waits for a step that never gives a result"
