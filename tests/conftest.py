"""What every test gets: both event loops, tools that may be missing, sizes for CI and for a soak.

Promises: each `async def` test runs under asyncio and under trio, without a marker; so does each async fixture.
Refuses: to skip for a missing tool where INNGEST_GEN_CI is set; there it fails.
"""

import os
import shutil
from collections.abc import Callable

import hypothesis
import pytest

IN_CI = bool(os.environ.get("INNGEST_GEN_CI"))

# No deadline: a shared machine stalls now and then. CI draws the same examples each time; developers and soaks look for new ones.
hypothesis.settings.register_profile("developer", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=2_000, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run only the tests that use the `soak` fixture, at full size")


def pytest_configure(config: pytest.Config) -> None:
    # HYPOTHESIS_PROFILE would be read too late: tests fix their settings when they are imported.
    hypothesis.settings.load_profile("soak" if config.getoption("--soak") else "ci" if IN_CI else "developer")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak"):
        return
    scaled = [item for item in items if "soak" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in scaled])
    items[:] = scaled


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The loop's name. `-X dev` turns on asyncio's debug mode; `make test-pythons` runs so."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether this run is a soak: `kills = 200 if soak else 10`."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str, str], str]:
    """`require_tool("tmux", "make tools")` gives the tool's path; where it is missing the test is skipped, in CI it fails."""

    def require(tool: str, how_to_get: str) -> str:
        path = shutil.which(tool)
        if path is None:
            missing = f"{tool} is not installed: {how_to_get}"
            if IN_CI:
                pytest.fail(missing)
            pytest.skip(missing)
        return path

    return require
