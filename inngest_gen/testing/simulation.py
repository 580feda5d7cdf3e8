"""Simulation: a scenario played many times, each time with other faults and in another order; what fails is made as simple as it can be.

Promises: one seed finds the same; a failing plan can be played alone. Faults are found and made simpler by Hypothesis, which runs in a thread of its
own while the scenario runs in the test's loop.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from inngest_gen.app.app import App
from inngest_gen.testing.engine import MemoryEngine
from inngest_gen.testing.failures import SimulationFailed, is_found
from inngest_gen.testing.plan import KINDS, FaultKind, Places, Plan, Planned, check_kinds, plans

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line


class Simulated:
    """One run of a scenario: it gives engines that meet the faults of its `plan`."""

    def __init__(self, plan: Plan) -> None:
        self.plan: Plan = plan
        self._director = Planned(plan)

    def engine(self, *apps: App, always_replay: bool = False, allow_unused: bool = True, **options: Any) -> MemoryEngine:
        """Make a MemoryEngine in which things go wrong as the plan says: `async with sim.engine(app, steps=...) as engine`.

        A scenario may have several, one after the other. The options are those of MemoryEngine.
        """
        return MemoryEngine(*apps, always_replay=always_replay, allow_unused=allow_unused, director=self._director, **options)

    @property
    def came(self) -> Counter[FaultKind]:
        """How many faults of each kind have come so far."""
        return self._director.came

    @property
    def places(self) -> Mapping[FaultKind, Mapping[str, int]]:
        """Where faults of each kind could have come so far, and how often."""
        return self._director.places


Scenario = Callable[[Simulated], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulations:
    """What a simulation has done: `runs`, the `seed` they were drawn from, and how many faults of each kind came (`faults`)."""

    runs: int
    seed: int
    faults: Mapping[FaultKind, int]


class Simulation:
    """Plays `scenario`, an async function that gets a `Simulated`, with faults of these kinds.

    "crash" and "crash after" (a step's attempt fails before or after its body; never its last one), "kill" (the process ends after a write, and
    another goes on), "lose" (what a body gave is lost and it runs again), "slow" (writing that down takes up to a day), "duplicate" (an event or the
    end of a wait is delivered twice). Raises ConfigError for a kind that is none.
    """

    def __init__(self, scenario: Scenario, *, faults: Collection[FaultKind] = KINDS) -> None:
        self._scenario = scenario
        self._kinds = tuple(faults)
        check_kinds(self._kinds)

    async def run(self, runs: int = 100, *, seed: int | None = None) -> Simulations:
        """Play the scenario so many times; the first time without a fault. `seed` None: another one each time, which is told where a run fails.

        Raises SimulationFailed for a run in which the scenario raises, with the simplest plan that makes it fail.
        """
        seed = secrets.randbits(32) if seed is None else seed
        counted = _Counted()
        places = await self._unharmed(seed, counted)
        failed = await anyio.to_thread.run_sync(self._search, runs - 1, places, seed, counted) if runs > 1 else None
        if failed is not None:
            plan, error = failed
            raise _failure(plan, seed, error) from error
        return Simulations(runs=counted.runs, seed=seed, faults=dict(counted.faults))

    async def play(self, plan: Plan) -> Simulated:
        """Play the scenario once, with the faults of `plan`; gives what it was given, with how many faults came. Raises what the scenario raises."""
        simulated = Simulated(plan)
        await self._scenario(simulated)
        return simulated

    async def _unharmed(self, seed: int, counted: _Counted) -> Places:
        """Play the scenario without a fault; gives where they could have come."""
        try:
            simulated = await self.play(Plan())
        except Exception as error:
            raise _failure(Plan(), seed, error) from error
        counted.add(simulated.came)
        return {kind: places for kind, places in simulated.places.items() if kind in self._kinds}

    def _search(self, runs: int, places: Places, seed: int, counted: _Counted) -> tuple[Plan, Exception] | None:
        """Let Hypothesis look for a plan with which the scenario fails, in a thread. Gives the simplest, and its error."""
        import hypothesis

        failed: tuple[Plan, Exception] | None = None

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=runs,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            print_blob=False,
            derandomize=False,
            phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
        )
        @hypothesis.given(plans(places))
        def example(plan: Plan) -> None:
            nonlocal failed
            try:
                counted.add(anyio.from_thread.run(self.play, plan).came)
            except Exception as error:
                failed = plan, error
                raise

        try:
            example()
        except Exception as error:
            if failed is None:
                raise
            plan, own = failed
            if type(error).__module__.startswith("hypothesis"):
                own.add_note("the same plan did not fail each time: the scenario, or what it runs, depends on more than its plan")
            return plan, own
        return None


class _Counted:
    """How many runs there were, and how many faults came."""

    def __init__(self) -> None:
        self.runs = 0
        self.faults: Counter[FaultKind] = Counter()

    def add(self, came: Counter[FaultKind]) -> None:
        self.runs += 1
        self.faults.update(came)


def _failure(plan: Plan, seed: int, error: Exception) -> SimulationFailed:
    return SimulationFailed(
        f"a simulated run failed with {type(error).__name__}: {error}\n  where {plan}\n  play it alone: await simulation.play({plan!r})\n"
        f"  find it again: await simulation.run(..., seed={seed})",
        plan=plan,
        seed=seed,
    )
