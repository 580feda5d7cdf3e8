"""The test kit: `from inngest_gen import testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inngest_gen.errors import RunStuck, ServerError
    from inngest_gen.testing.determinism import Determinism, check_determinism
    from inngest_gen.testing.engine import START, MemoryEngine
    from inngest_gen.testing.failures import (
        CheckFailed,
        HeldOverYield,
        KillMismatch,
        NotUsed,
        ReplayMismatch,
        RunFailed,
        SimulationFailed,
        Stuck,
    )
    from inngest_gen.testing.given import at
    from inngest_gen.testing.killing import KillPoints, kill_points
    from inngest_gen.testing.plan import Fault, Plan
    from inngest_gen.testing.playing import SLEEP, WAIT, Playing
    from inngest_gen.testing.result import DeferResult, Defers, Result, StepResult, Steps
    from inngest_gen.testing.running import execute_step, run
    from inngest_gen.testing.server.run import Call, DeferEntry, ServerRun, StepEntry
    from inngest_gen.testing.server.server import Server
    from inngest_gen.testing.simulation import Simulated, Simulation, Simulations
    from inngest_gen.testing.standins import NEVER, REAL, RECORD_ONLY, attempts, lasting

_LAZY = {
    "SimulationFailed": "inngest_gen.testing.failures",
    "Fault": "inngest_gen.testing.plan",
    "Plan": "inngest_gen.testing.plan",
    "Simulations": "inngest_gen.testing.simulation",
    "Simulated": "inngest_gen.testing.simulation",
    "Simulation": "inngest_gen.testing.simulation",
    "KillMismatch": "inngest_gen.testing.failures",
    "KillPoints": "inngest_gen.testing.killing",
    "kill_points": "inngest_gen.testing.killing",
    "Determinism": "inngest_gen.testing.determinism",
    "check_determinism": "inngest_gen.testing.determinism",
    "Call": "inngest_gen.testing.server.run",
    "CheckFailed": "inngest_gen.testing.failures",
    "DeferEntry": "inngest_gen.testing.server.run",
    "DeferResult": "inngest_gen.testing.result",
    "Defers": "inngest_gen.testing.result",
    "HeldOverYield": "inngest_gen.testing.failures",
    "MemoryEngine": "inngest_gen.testing.engine",
    "NEVER": "inngest_gen.testing.standins",
    "NotUsed": "inngest_gen.testing.failures",
    "Playing": "inngest_gen.testing.playing",
    "REAL": "inngest_gen.testing.standins",
    "RECORD_ONLY": "inngest_gen.testing.standins",
    "ReplayMismatch": "inngest_gen.testing.failures",
    "Result": "inngest_gen.testing.result",
    "RunFailed": "inngest_gen.testing.failures",
    "SLEEP": "inngest_gen.testing.playing",
    "START": "inngest_gen.testing.engine",
    "RunStuck": "inngest_gen.errors",
    "Server": "inngest_gen.testing.server.server",
    "ServerError": "inngest_gen.errors",
    "ServerRun": "inngest_gen.testing.server.run",
    "StepEntry": "inngest_gen.testing.server.run",
    "StepResult": "inngest_gen.testing.result",
    "Steps": "inngest_gen.testing.result",
    "Stuck": "inngest_gen.testing.failures",
    "WAIT": "inngest_gen.testing.playing",
    "at": "inngest_gen.testing.given",
    "attempts": "inngest_gen.testing.standins",
    "execute_step": "inngest_gen.testing.running",
    "lasting": "inngest_gen.testing.standins",
    "run": "inngest_gen.testing.running",
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'inngest_gen.testing' has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


__all__ = [
    "NEVER",
    "REAL",
    "RECORD_ONLY",
    "SLEEP",
    "START",
    "WAIT",
    "Call",
    "CheckFailed",
    "DeferEntry",
    "DeferResult",
    "Defers",
    "Determinism",
    "Fault",
    "HeldOverYield",
    "KillMismatch",
    "KillPoints",
    "MemoryEngine",
    "NotUsed",
    "Plan",
    "Playing",
    "ReplayMismatch",
    "Result",
    "RunFailed",
    "RunStuck",
    "Server",
    "ServerError",
    "ServerRun",
    "Simulated",
    "Simulation",
    "SimulationFailed",
    "Simulations",
    "StepEntry",
    "StepResult",
    "Steps",
    "Stuck",
    "at",
    "attempts",
    "check_determinism",
    "execute_step",
    "kill_points",
    "lasting",
    "run",
]
