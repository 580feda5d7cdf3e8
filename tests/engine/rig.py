"""What tests of the engine share: an engine over a file with a clock that jumps, one event run to its end, looks at what came of it."""

import contextlib
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import anyio

import inngest_gen as ig

START = 1_790_000_000.0
"""When virtual clocks start, in epoch seconds."""

PATIENCE_S = 30
"""How long a test waits for what must happen before it fails."""


def engine(path: pathlib.Path, *apps: ig.App, **options: Any) -> ig.Engine:
    """An engine whose time jumps to the next timer when it is idle, unless the test gives another clock."""
    options.setdefault("clock", ig.VirtualClock(START, jumps=True))
    options.setdefault("durability", "process")  # the disk's flushes are not what most tests are about
    return ig.Engine(path, apps=apps, **options)


async def run(
    path: pathlib.Path, app: ig.App, event: str | ig.Event = "go", data: dict[str, Any] | None = None, **options: Any
) -> list[ig.Run]:
    """Send one event to an engine of its own and wait for all that it causes."""
    async with engine(path, app, **options) as its_engine:
        return await its_engine.run(event if isinstance(event, ig.Event) else ig.Event(event, data), timeout=PATIENCE_S)


async def run_one(
    path: pathlib.Path, app: ig.App, event: str | ig.Event = "go", data: dict[str, Any] | None = None, **options: Any
) -> ig.Run:
    """The same, where the event causes one run."""
    [one] = await run(path, app, event, data, **options)
    return one


def of(runs: Iterable[ig.Run], function: str) -> ig.Run:
    """The one run of a function among several; `function` is its id without the app's."""
    [one] = all_of(runs, function)
    return one


def all_of(runs: Iterable[ig.Run], function: str) -> list[ig.Run]:
    """The runs of a function among several."""
    return [one for one in runs if one.function_id.endswith(f"-{function}")]


def step(one: ig.Run, id: str) -> Any:
    """A step's record, by the step's id."""
    [found] = [step for step in one.steps if step.id == id]
    return found


def outcome(one: ig.Run) -> Any:
    """How a run ended, comparable: its output, or its error as (name, message)."""
    return one.output if one.error is None else (one.error.name, one.error.message)


class Gate:
    """Something that bodies wait for and tests open. Made in a loop."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self._open = anyio.Event()

    async def passed(self) -> None:
        """Say that a body is here, and wait until the test opens."""
        self.reached.set()
        await self._open.wait()

    def open(self) -> None:
        """Let the bodies go on."""
        self._open.set()


@contextlib.contextmanager
def program(file: pathlib.Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python program as a process with pipes; killed at the end, if it has not ended."""
    command = [sys.executable, str(file), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def eventually(condition: Any) -> None:
    """Wait until `condition()` holds: for what another thread or task is about to do."""
    with anyio.fail_after(PATIENCE_S):
        held = 0
        while held < 3:  # a few looks in a row: an engine is idle for a moment before its clock jumps to where its sleeping runs go on
            held = held + 1 if condition() else 0
            await anyio.sleep(0.001)


async def leaving(engine: ig.Engine) -> None:
    """Wait until an engine winds down, or is closed already: the first may be over between two looks."""
    await eventually(lambda: engine._state != "open")
