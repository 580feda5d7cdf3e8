"""What the debugger's tests share: runs recorded by the engine, of the driver's corpus and of a test's own handlers."""

import functools
import inspect
import pathlib
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Stop
from inngest_gen.recording.recording import Recording
from tests.driver import corpus
from tests.engine import rig

Handler = Callable[[ig.Context], Any]

CORPUS = ig.App("recorded")
for _handler in corpus.HANDLERS:
    CORPUS.function(_handler.__name__, trigger=f"go/{_handler.__name__}", retries=0)(_handler)

NAMES = [handler.__name__ for handler in corpus.HANDLERS]


@functools.cache
def of_corpus() -> dict[str, Recording]:
    """The corpus as the engine ran and recorded it, by the handler's name."""

    async def record_all() -> dict[str, Recording]:
        found = {}
        with tempfile.TemporaryDirectory() as directory:
            async with rig.engine(pathlib.Path(directory) / "corpus.db", CORPUS, corpus.APP) as engine:
                for name in NAMES:
                    runs = await engine.run(ig.Event(f"go/{name}"), timeout=rig.PATIENCE_S)
                    found[name] = await engine.recording(next(run.id for run in runs if run.parent_run_id is None))
        return found

    with ThreadPoolExecutor(1) as thread:  # the test that asks first is in a loop already
        return thread.submit(anyio.run, record_all).result()


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the corpus's step bodies that have run since."""
    of_corpus()
    names: list[str] = []

    def watched(function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            names.append(function.__name__)
            return function(*args, **kwargs)

        return call

    for name in ("echo", "fails", "defers_in_body", "defers_in_generator_body"):
        monkeypatch.setattr(corpus, name, watched(getattr(corpus, name)))
    return names


def app_of(handler: Handler, **options: Any) -> ig.App:
    """An app with one function, which the event "go" starts."""
    app = ig.App("test")
    options.setdefault("retries", 0)
    app.function("f", trigger="go", **options)(handler)
    return app


async def recorded(app: ig.App, data: dict[str, Any] | None = None, *others: ig.App) -> Recording:
    """Run an app's one function to its end, and give its recording."""
    with tempfile.TemporaryDirectory() as directory:
        async with rig.engine(pathlib.Path(directory) / "run.db", app, *others) as engine:
            runs = await engine.run(ig.Event("go", data), timeout=rig.PATIENCE_S)
            return await engine.recording(next(run.id for run in runs if run.parent_run_id is None))


async def session_of(handler: Handler, data: dict[str, Any] | None = None, *others: ig.App, **options: Any) -> Session:
    """A session over a run of a handler, at its start."""
    app = app_of(handler)
    session = Session(await recorded(app, data, *others), app, **options)
    await session.start()
    return session


async def walk(session: Session) -> list[Stop]:
    """Every stop from where the session is to the last, by steps."""
    stops = [session.stop]
    while not session.stop.is_last:
        stops.append(await session.step())
    return stops


def line_of(handler: Any, text: str) -> int:
    """The line of a handler's source that has some text."""
    lines, first = inspect.getsourcelines(handler)
    return first + next(n for n, line in enumerate(lines) if text in line)
