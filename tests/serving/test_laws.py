"""Laws over runs that a server drives: whatever branches do, and whatever happens to calls, they end as on the embedded engine.

The programs are those of the engine's laws. The server calls at the end of each step where branches have gone apart, so calls overlap; it is
`inngest_gen.testing.Server`, which counts a group's open members as the real one does.
"""

import logging
import pathlib
import random
import tempfile
from collections import Counter
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, assume, event, given, note, settings
from hypothesis import strategies as st

import inngest_gen as ig
from inngest_gen.testing.server.faults import CallFault
from inngest_gen.testing.server.run import Call
from inngest_gen.testing.server.server import Server
from tests.engine.test_laws import PROGRAMS, Program, World, live

MODES = {"checkpoints": True, "buffers": ig.Checkpointing(buffered_steps=3), "no checkpoints": False}
FAULTS: tuple[CallFault, ...] = ("refuse", "lose", "forget", "twice")


async def served(program: Program, mode: str, seed: int, faults: int) -> tuple[World, Any, dict[str, Any]]:
    """Let a program run to its end on a server that spoils some of the first calls."""
    rnd = random.Random(seed)
    async with Server(seed=seed) as server:
        world = World(dev=server.url, checkpointing=MODES[mode])
        await server.register(ig.serve(world.app))
        for _ in range(faults):
            number, kind = rnd.randrange(12), rnd.choice(FAULTS)
            server.fault_call(kind, when=Nth(number))
        runs = await server.run({"name": "go", "data": {"program": program}, "id": "go 0"})
    [one] = [run for run in runs if run.function == "laws-f"]
    children = Counter((run.function, str(run.output)) for run in runs if run is not one)
    return world, one, {"outputs": (one.status, one.output), "children": children, "statuses": Counter(run.status for run in runs)}


class Nth:
    """Says of the calls it is asked about whether they are the one with this number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, call: Call) -> bool:
        self.left -= 1
        return self.left == -1


@pytest.mark.timeout(0)
@settings(
    max_examples=settings.default.max_examples // 3, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(program=PROGRAMS, mode=st.sampled_from(list(MODES)), seed=st.integers(0, 1000), faults=st.sampled_from([0, 0, 1, 3]))
def test_on_a_server_everything_ends_as_on_the_embedded_engine(
    anyio_backend_name: str, program: Program, mode: str, seed: int, faults: int, caplog: pytest.LogCaptureFixture, soak: bool
) -> None:
    assume(not faults or "signal" not in str(program))  # one that is sent twice finds nobody waiting the second time
    caplog.set_level(logging.CRITICAL)
    world, one, end = anyio.run(served, program, mode, seed, faults, backend=anyio_backend_name)
    with tempfile.TemporaryDirectory() as directory:
        calm, undisturbed = anyio.run(live, pathlib.Path(directory) / "calm.db", [program], [], backend=anyio_backend_name)
    note(f"{one}")
    event(f"{len(calm.calls) // 5 * 5} bodies")
    assert end["outputs"] == undisturbed["outputs"]["go 0"]
    assert end["children"] == Counter((function, output) for function, _, output in undisturbed["children"].elements())
    assert set(end["statuses"]) == {"completed"}
    assert {label for _, label in world.calls} == {label for _, label in calm.calls}
    if not faults:
        assert Counter(label for _, label in world.calls) == Counter(label for _, label in calm.calls), "undisturbed, every body runs once"
