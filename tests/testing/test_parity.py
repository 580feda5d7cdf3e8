"""What a test sees of a function is what the embedded engine makes of it: random programs end alike in both, down to times and attempts."""

import logging
import pathlib
import tempfile
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import inngest_gen as ig
from inngest_gen import testing
from tests.engine.rig import PATIENCE_S, engine
from tests.engine.test_laws import PROGRAMS, Program, World

Told = list[Any]


def told(runs: list[Any]) -> Told:
    """What runs of either kind came to, without what is another thing each time: ids, the moment at which all began, the order of branches."""
    began = min(one.created for one in runs)
    return sorted(map(str, (_of_run(one, began) for one in runs)))


def _of_run(one: Any, began: Any) -> Told:
    output = one.output if one.status == "completed" else None
    steps = [_of_step(step, began) for step in one.steps if not step.id.endswith("send")]
    data = {key: value for key, value in one.event.data.items() if key not in {"_inngest", "run_id", "event"}}
    defers = sorted((defer.id, defer.status, str(defer.data)) for defer in one.defers if defer.reason is None)
    sessions = one.event.meta
    notes = [(note.kind, note.at - began, note.text) for note in one.notes]
    return [one.function_id, data, one.status, output, str(one.error), one.ended - began, sorted(map(str, steps)), defers, sessions, notes]


def _of_step(step: Any, began: Any) -> Told:
    failures = step.failures if isinstance(step, testing.StepResult) else step.attempts
    attempts = [(one.number, one.at - began, str(one.error), one.retry_at and one.retry_at - began) for one in failures]
    result = "an event" if step.kind == "step.wait_for_event" and step.result else step.result
    return [step.id, step.kind, step.path, step.status, result, str(step.error), step.ended and step.ended - began, attempts]


def _is_sound(program: Program) -> bool:
    """Whether no handler fails by itself in a branch: the world remembers that, and the record doesn't; the engine, which lets go of runs, forgets it."""
    return "handler fails" not in str(program) or "parallel" not in str(program)


async def in_the_engine(path: pathlib.Path, event: ig.Event) -> Told:
    async with engine(path, World().app) as its_engine:
        return told(await its_engine.run(event, timeout=PATIENCE_S))


async def in_the_kit(event: ig.Event) -> Told:
    async with testing.MemoryEngine(World().app) as its_engine:
        await its_engine.send(event)
        await its_engine.settle()
        return told(list(its_engine.results().values()))


@pytest.mark.timeout(0)
@settings(
    max_examples=settings.default.max_examples // 6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(program=PROGRAMS.filter(_is_sound), sessions=st.none() | st.just({"sessions": {"user": "7"}}))
def test_a_program_ends_in_the_kit_as_it_does_in_the_engine(
    anyio_backend_name: str, program: Program, sessions: dict[str, Any] | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    event = ig.Event("go", {"program": program}, id="go 1", meta=sessions)
    with tempfile.TemporaryDirectory() as directory:
        expected = anyio.run(in_the_engine, pathlib.Path(directory) / "shop.db", event, backend=anyio_backend_name)
    had = anyio.run(in_the_kit, event, backend=anyio_backend_name)
    note(f"{expected}\n{had}")
    assert had == expected
