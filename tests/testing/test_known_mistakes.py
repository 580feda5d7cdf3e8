"""Mistakes that were told in the issue trackers of other engines: what the kit finds of them, and that lint and kit find every one.

The handlers are those of tests/lint/buggy. Some say nothing that a replay could show: a line that is logged twice, a body that blocks the loop.
"""

import importlib.util
import sys
from collections.abc import Iterator
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing
from tests.docs.page import ROOT, Page
from tests.lint.corpus import MISTAKES, Mistake

DATA: dict[str, dict[str, Any]] = {
    "azure_delay": {"task": "t"}, "inngest_state": {"user": "u"}, "restate_random_suffix": {"project": "p"}, "temporal_child_id": {"parts": [1, 2]},
    "temporal_environment": {"chore": "c"}, "temporal_generator_exit": {"rows": [1]},
    "temporal_map_order": {"after": [f"reader {n}" for n in range(20)], "before": []}, "temporal_process_cache": {"server": "s"},
    "temporal_timeout": {"question": "q"}, "temporal_live_settings": {"connector": "bank"},
}  # fmt: skip

BY_RUN = {
    "azure_disposable", "azure_own_tasks", "azure_random_delay", "azure_same_task", "azure_semaphore", "dbos_gather", "dbos_workflow_in_step",
    "inngest_forgotten", "inngest_nested", "inngest_random_sleep", "inngest_state", "inngest_time_in_id", "restate_context_in_step",
    "restate_random_suffix", "temporal_asyncio_wait", "temporal_child_id", "temporal_clock", "temporal_live_settings", "temporal_process_cache",
    "temporal_timeout", "temporal_uuid",
}  # fmt: skip
"""What `testing.run` finds: by raising CheckFailed, or by a run that fails with a MisuseError or the like."""
BY_DETERMINISM = {"temporal_map_order"}
"""What `testing.check_determinism` finds besides."""
BY_RESULT = {"azure_same_id"}
"""What is in the result for a test to look at: `duplicates`."""
OVER_A_NETWORK = {"azure_client", "inngest_between_steps", "temporal_blocking"}

each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.path.stem)


@pytest.fixture
def module(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setitem(sys.modules, "requests", SimpleNamespace(post=lambda *_, **__: SimpleNamespace(text="1")))
    name = f"mistake_{mistake.path.stem}"
    spec = importlib.util.spec_from_file_location(name, mistake.path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


def function_of(module: ModuleType) -> ig.Function:
    main: ig.Function
    [main] = [function for function in module.app.functions.values() if function.options.triggers]
    return main


async def found(how: Any, *arguments: Any) -> bool:
    """Whether a test that does no more than run the function fails."""
    try:
        result = await how(*arguments)
    except testing.CheckFailed:
        return True
    status: str = getattr(result, "result", result).status
    return status != "completed"


def stand_in_for_the_network(module: ModuleType) -> None:
    if module.__name__.endswith("azure_client"):

        async def get(path: str) -> Any:
            return SimpleNamespace(json=lambda: ["a", "b"])

        module.drive = SimpleNamespace(get=get)  # type: ignore[attr-defined]
    elif module.__name__.endswith("inngest_between_steps"):
        module.fetch = lambda cursor: b"page"  # type: ignore[attr-defined]


async def run(function: ig.Function, data: Any) -> testing.Result:
    # The semaphore's third branch waits for the first, which waits for the third to come to its step.
    async with testing.MemoryEngine(function.app, patience="200ms" if function.id == "throttled" else "30s") as engine:
        return await engine.play(function, data).finish()


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # coroutines that nobody awaits
@each_mistake
async def test_what_the_kit_finds_of_a_mistake(mistake: Mistake, module: ModuleType) -> None:
    name = mistake.path.stem
    if name in OVER_A_NETWORK:
        stand_in_for_the_network(module)
    function, data = function_of(module), DATA.get(name, {})
    assert await found(run, function, data) == (name in BY_RUN)
    if name not in BY_RUN:
        # Fourteen bodies that block take real time in each order, and another process would ask the network.
        options: dict[str, Any] = {"max_orders": 2 if name == "azure_blocking_sleep" else 100}
        if name in OVER_A_NETWORK:
            options["elsewhere"] = False
        assert await found(partial(testing.check_determinism, **options), function, data) == (name in BY_DETERMINISM)


def test_lint_or_the_kit_find_every_mistake() -> None:
    assert len(MISTAKES) >= 25
    kit = BY_RUN | BY_DETERMINISM | BY_RESULT
    assert [mistake.path.stem for mistake in MISTAKES if not mistake.codes and mistake.path.stem not in kit] == []
    assert kit <= {mistake.path.stem for mistake in MISTAKES}
    assert len(kit) >= 20


@pytest.mark.parametrize(
    "mistake", [mistake for mistake in MISTAKES if mistake.path.stem in BY_RESULT], ids=lambda mistake: mistake.path.stem
)
async def test_defers_under_one_id_are_in_the_result(mistake: Mistake, module: ModuleType) -> None:
    assert (await testing.run(function_of(module))).duplicates == ["sub", "sub"]


def row(mistake: Mistake) -> str:
    stem = mistake.path.stem
    by = "`testing.run`" if stem in BY_RUN else "`testing.check_determinism`" if stem in BY_DETERMINISM else "`result.duplicates`"
    name = mistake.link.removeprefix("https://github.com/").replace("/issues/", "#").replace("/pull/", "#")
    return f"| {mistake.says} | [{name}]({mistake.link}) | {by} |"


def test_the_page_has_what_is_found() -> None:
    told = [line for line in Page.read(ROOT / "docs" / "testing.md").text.splitlines() if line.startswith("| ") and "https://" in line]
    expected = [row(mistake) for mistake in MISTAKES if mistake.path.stem in BY_RUN | BY_DETERMINISM | BY_RESULT]
    assert told == expected, "\n".join(expected)
