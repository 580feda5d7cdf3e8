"""The pytest plugin of inngest_gen: fixtures, and what it tells of a test that has failed.

It stands beside the package, not in it, so that pytest imports nothing of inngest_gen when it starts: only tests that use it pay for it
(hypothesis does the same). Nothing is to be configured.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from inngest_gen import App
    from inngest_gen.testing import Result

_LINES = 60
_RUNS = 5
_seen = pytest.StashKey[int]()


@pytest.fixture
def inngest_app(monkeypatch: pytest.MonkeyPatch) -> App:
    """An app of the test's own, "test": no other test's functions are in it, and no INNGEST_* variable has a say in it."""
    import inngest_gen as ig

    with monkeypatch.context() as patched:
        for name in list(os.environ):
            if name.startswith("INNGEST_"):
                patched.delenv(name)
        return ig.App("test", dev=True)


@pytest.fixture
def inngest_backend(anyio_backend_name: str) -> str:
    """The loop's name: "asyncio" and "trio", one after the other. An async test that asks for it runs under both, by anyio's plugin."""
    return anyio_backend_name


@pytest.hookimpl(trylast=True)  # after those that mark all async tests as theirs
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse `inngest_backend` where another plugin takes the test for its own loop: it would not run under the loop that it says."""
    for item in items:
        if "inngest_backend" not in getattr(item, "fixturenames", ()):
            continue
        taken = "pytest-asyncio (asyncio_mode)" if any(cls.__name__ == "PytestAsyncioFunction" for cls in type(item).__mro__) else None
        taken = taken or ("pytest-trio (trio_mode)" if item.get_closest_marker("trio") is not None else None)
        if taken:
            raise pytest.UsageError(
                f"{item.nodeid}: {taken} takes this test, and inngest_backend runs it by anyio's plugin, under both loops: leave the fixture out, or"
                " the mark and the mode"
            )


# What is told of a test that has failed.


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note what there was before the test."""
    item.stash[_seen] = id(_witnesses()[-1]) if _witnesses() else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the timelines of the runs of a test that has failed, and leave recordings of them."""
    report = yield
    if report.when == "call" and report.failed:
        witnesses = _witnesses()
        places = [place for place, one in enumerate(witnesses) if id(one) == item.stash.get(_seen, 0)]
        told = [one for one in witnesses[places[-1] + 1 if places else 0 :] if one.results]
        if told:
            said = "" if call.excinfo is None else str(call.excinfo.value)
            report.sections.append(("inngest_gen", _told(item, told[-1], said)))
    return report


def _witnesses() -> list[Any]:
    kit = sys.modules.get("inngest_gen.testing.witness")
    return [] if kit is None else list(kit.witnesses)


def _told(item: pytest.Item, witness: Any, said: str) -> str:
    """Give the timelines, unless what the error said has them, and the recordings."""
    runs: list[Result] = list(witness.results.values())
    lines: list[str] = []
    timeline = runs[0].timeline(lines=True)
    if timeline not in said:
        lines = timeline.splitlines()
        if len(lines) > _LINES:
            lines = [*lines[:_LINES], f"... {len(lines) - _LINES} lines more"]
        lines.append("")
    folder = _folder(item)
    for run in runs[:_RUNS]:
        path = _left(folder, item, run)
        lines.append(f"recording of {run.function_id}: {path}")
        command = _command(run, witness, path)
        if command is not None:
            lines.append(f"  open it: {command}")
    if len(runs) > _RUNS:
        lines.append(f"{len(runs) - _RUNS} runs more were not recorded")
    return "\n".join(lines)


def _folder(item: pytest.Item) -> Path:
    cache = getattr(item.config, "cache", None)
    return Path(tempfile.mkdtemp(prefix="inngest-gen-")) if cache is None else Path(cache.mkdir("inngest-gen"))


def _left(folder: Path, item: pytest.Item, run: Result) -> Path:
    from inngest_gen.recording.format import dumps

    name = re.sub(r"[^\w.-]+", "-", f"{item.nodeid.rpartition('/')[2]}.{run.function_id}.{run.run_id[-6:]}")
    path = folder / f"{name}.json"
    path.write_bytes(dumps(run.recording))
    return path


def _command(run: Result, witness: Any, path: Path) -> str | None:
    """Give the command that opens a recording, from the current directory; None where no module has the app, as one made in a test."""
    function = witness.functions.get(run.function_id)
    module = sys.modules.get(getattr(getattr(function, "handler", None), "__module__", ""))
    names = [name for name, value in vars(module).items() if value is function.app] if module is not None else []
    if module is None or not names:
        return None
    return shlex.join(["inngest-gen", "debug", str(_from_here(path)), f"{_target(module)}:{names[0]}"])


def _target(module: ModuleType) -> str:
    """Name a module as the command line can find it: by its name where that leads to its file from here or among the installed ones."""
    file = Path(getattr(module, "__file__", None) or "")
    here = Path.cwd()
    if not file.is_file() or not file.resolve().is_relative_to(here.resolve()) or "site-packages" in file.parts:
        return module.__name__
    parts = here.joinpath(*module.__name__.split("."))
    by_name = {parts.with_suffix(".py"), parts / "__init__.py"}
    return module.__name__ if file in by_name else str(_from_here(file))


def _from_here(path: Path) -> Path:
    """Give a path as it is written in the current directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show where steps, or defers, differ from the ids that were expected."""
    kit = sys.modules.get("inngest_gen.testing.result")
    if kit is None or op != "==":
        return None
    if isinstance(left, (kit.Steps, kit.Defers)) and isinstance(right, (list, tuple)):
        return _differing(left, list(right), f"{left!r} == {right!r}")
    if isinstance(right, (kit.Steps, kit.Defers)) and isinstance(left, (list, tuple)):
        return _differing(right, list(left), f"{left!r} == {right!r}")
    return None


def _differing(had: Any, wanted: list[object], summary: str) -> list[str]:
    import difflib

    lines = difflib.ndiff([str(one) for one in wanted], had.ids)
    states = {one.id: one.status for one in had}
    told = [f"{line}  ({states[line[2:]]})" if line[2:] in states and line[0] != "-" else line for line in lines if line[0] != "?"]
    return [summary, "", "expected (-) and what was (+):", *told]
