"""The pytest plugin: suites of their own, as a user has them, under each plugin that runs async tests."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from inngest_gen.recording.format import loads

pytest_plugins = ["pytester"]

SHOP = """
import inngest_gen as ig

app = ig.App("shop", retries=0)


@app.function("order", trigger="order/placed")
async def order(ctx: ig.Context) -> ig.Flow:
    total = yield ctx.step.run("load", lambda: 3)
    yield ctx.step.sleep("nap", "1h")
    yield ig.Done((yield ctx.step.run("double", lambda: total * 2)))
"""

USES = """
import sniffio
from inngest_gen import testing
from shop import order

async def test_runs() -> None:
    result = await testing.run(order, {})
    assert result.output == 6
    assert result.seconds == 3600
    print("under", sniffio.current_async_library())

async def test_steps(fixed) -> None:
    assert (await testing.run(order, {}, steps={"load": fixed})).output == 20
"""

FIXTURE = {
    "asyncio": "import pytest, pytest_asyncio\n@pytest_asyncio.fixture\nasync def fixed():\n    return 10\n",
    "trio": "import pytest_trio, pytest\n@pytest.fixture\nasync def fixed():\n    return 10\n",
    "anyio": "import pytest\n@pytest.fixture\nasync def fixed(anyio_backend):\n    return 10\n",
}
# As somebody has it who has the one plugin: the others are there in our environment.
ALONE = {
    "asyncio": ["-p", "no:trio"],
    "trio": ["-p", "no:asyncio"],
    "anyio": ["-p", "no:asyncio", "-p", "no:trio"],
}
BARE = ["-p", "no:syrupy", "-p", "no:inline_snapshot", "-W", "error", "-p", "no:randomly"]


SCOPE = "asyncio_default_fixture_loop_scope = function\n"  # pytest-asyncio warns without


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)  # the suite that is run here has no others beside it
    pytester.makepyfile(shop=SHOP)
    pytester.syspathinsert()
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-q", "-rA", *BARE, *arguments, timeout=100)


@pytest.mark.parametrize(
    ("plugin", "settings", "passed", "loops"),
    [
        ("anyio", "anyio_mode = auto", 4, {"asyncio", "trio"}),
        ("asyncio", "asyncio_mode = auto", 2, {"asyncio"}),
        ("trio", "trio_mode = true", 2, {"trio"}),
    ],
)
def test_the_kit_works_under_each_plugin(suite: pytest.Pytester, plugin: str, settings: str, passed: int, loops: set[str]) -> None:
    suite.makeini(f"[pytest]\n{settings}\n{SCOPE if plugin == 'asyncio' else ''}")
    suite.makepyfile(test_uses=FIXTURE[plugin] + USES)
    told = run(suite, *ALONE[plugin])
    told.assert_outcomes(passed=passed)
    assert set(re.findall(r"^under (\w+)$", told.stdout.str(), re.MULTILINE)) == loops


BACKEND = """
import sniffio
from inngest_gen import testing


async def test_backend(inngest_backend, inngest_app) -> None:
    @inngest_app.function("f", trigger="go")
    async def f(ctx):
        yield ctx.step.run("a", lambda: 1)

    assert sniffio.current_async_library() == inngest_backend
    assert (await testing.run(f)).status == "completed"


def test_in_a_test_without_a_loop(inngest_backend, inngest_app) -> None:
    import anyio

    async def main() -> str:
        return sniffio.current_async_library()

    assert anyio.run(main, backend=inngest_backend) == inngest_backend
"""


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside the others"])
def test_the_backend_fixture_runs_a_test_under_both_loops_without_settings(suite: pytest.Pytester, beside: bool) -> None:
    suite.makepyfile(test_backend=BACKEND)
    if beside:
        suite.makeini(f"[pytest]\n{SCOPE}")
    run(suite, *([] if beside else ALONE["anyio"])).assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("plugin", "settings", "told"),
    [
        ("asyncio", "asyncio_mode = auto", "pytest-asyncio (asyncio_mode) takes this test"),
        ("trio", "trio_mode = true", "pytest-trio (trio_mode) takes"),
    ],
)
def test_the_backend_fixture_is_refused_where_another_plugin_takes_the_test(
    suite: pytest.Pytester, plugin: str, settings: str, told: str
) -> None:
    suite.makeini(f"[pytest]\n{settings}\n{SCOPE if plugin == 'asyncio' else ''}")
    suite.makepyfile(test_backend=BACKEND)
    result = run(suite, *ALONE[plugin])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{told}*"])


def test_the_app_is_fresh_without_the_environment_and_nothing_is_imported_when_pytest_starts(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INNGEST_DEV", "no such thing")
    monkeypatch.setenv("INNGEST_SIGNING_KEY", "signkey-prod-00")
    suite.makepyfile(
        test_app="""
        import os

        def test_one(inngest_app):
            inngest_app.function("f")(handler)
            assert inngest_app.settings.signing_key is None
            assert os.environ["INNGEST_DEV"] == "no such thing"

        def test_two(inngest_app):
            inngest_app.function("f")(handler)

        async def handler(ctx):
            yield
        """,
        test_a_start="import sys\ndef test_start():\n    assert not [name for name in sys.modules if name.startswith('inngest_gen')]\n",
    )
    run(suite, *ALONE["anyio"], "test_a_start.py", "test_app.py").assert_outcomes(passed=3)


FAILS = """
import pytest
from inngest_gen import testing
from shop import app, order
import inngest_gen as ig


@app.function("wrong")
async def wrong(ctx):
    import uuid
    yield ctx.step.run("fine", lambda: 1)
    yield ctx.step.run(f"charge {uuid.uuid4()}", lambda: 1)


@pytest.mark.anyio
async def test_output(anyio_backend_name) -> None:
    result = await testing.run(order, {"n": 1})
    assert result.output == 7

@pytest.mark.anyio
async def test_replay() -> None:
    await testing.run(wrong, {})

@app.function("bad", retries=0)
async def bad(ctx):
    yield ctx.step.run("load", lambda: 1 / 0)

@pytest.mark.anyio
async def test_failed() -> None:
    assert (await testing.run(bad)).output == 1

@pytest.mark.anyio
async def test_misspelt() -> None:
    assert (await testing.run(bad)).steps["laod"].error

@pytest.mark.anyio
async def test_steps() -> None:
    assert (await testing.run(order, {})).steps == ["load", "sleep", "double"]

def test_elsewhere() -> None:
    assert 1 == 2
"""


def test_a_failing_test_shows_its_timeline_and_leaves_a_recording(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_fails=FAILS)
    told = run(suite, *ALONE["anyio"])
    told.assert_outcomes(failed=11)
    text = told.stdout.str()
    parts = dict(re.findall(r"^_+ (test_\w+(?:\[\w+\])?) _+$(.*?)(?=^_+ test_|^=+ )", text, re.MULTILINE | re.DOTALL))
    output = parts["test_output[asyncio]"]
    assert "shop-order: completed after 1h with 6" in output
    assert "+ [0s] step.run load: 3 (shop.py:8)" in output
    [path] = re.findall(r"recording of shop-order: (\S+\.json)", output)
    recording = loads(Path(path).read_bytes())
    assert (recording.function, recording.app, [step.id for step in recording.steps]) == ("shop-order", "shop", ["load", "nap", "double"])
    assert recording.code is not None
    assert "shop.order" in recording.code
    replay = parts["test_replay[trio]"]
    assert "does something else when it is rebuilt from its record" in replay
    assert "recording of shop-wrong: " in replay
    assert "testing/handled.py" not in replay
    assert ">       await testing.run(wrong, {})" in replay
    steps = parts["test_steps[asyncio]"]
    assert re.search(r"E +- sleep\n.*E +\+ nap  \(completed\)", steps)
    failed, misspelt = parts["test_failed[asyncio]"], parts["test_misspelt[trio]"]
    assert failed.count("shop-bad: failed after 0s with ZeroDivisionError") == 1  # the error tells it, so nothing else does
    assert re.search(r"x \[0s\] step.run load: failed with .* \(test_fails.py:\d+\)", failed)
    assert "recording of shop-bad: " in failed
    assert "did you mean 'load'?" in misspelt
    assert "shop-bad: failed after 0s with ZeroDivisionError" in misspelt
    assert "testing/result.py" not in misspelt
    assert "recording of" not in parts["test_elsewhere"]
    assert "inngest_gen" not in parts["test_elsewhere"]


DEEP = """
import inngest_gen as ig
import pytest
from inngest_gen import testing

app = ig.App("deep shop")

@app.function("order")
async def order(ctx):
    yield ctx.step.run("load", lambda: 3)
    yield ig.Done(4)

@pytest.mark.anyio
@pytest.mark.parametrize("what", ["a 'quoted' thing"])
async def test_deep(what) -> None:
    assert (await testing.run(order, {})).output == 5

@pytest.mark.anyio
async def test_own(inngest_app) -> None:
    function = inngest_app.function("own")(own)
    assert (await testing.run(function, {})).output == 5

async def own(ctx):
    yield ig.Done(4)
"""


def test_the_command_that_is_told_opens_the_recording(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_fails=FAILS)
    folder = suite.mkdir("deep tests")
    (folder / "test_deep.py").write_text(DEEP)
    text = run(suite, *ALONE["anyio"], "-k", "asyncio and (test_output or test_deep or test_own)").stdout.str()
    commands = [shlex.split(command) for command in re.findall(r"open it: (.*)", text)]
    assert [command[-1] for command in commands] == ["deep tests/test_deep.py:app", "shop:app"]  # the app of test_own is in no module
    for command, end in zip(commands, ("returned 4, as recorded", "returned 6, as recorded"), strict=True):
        assert command[:2] == ["inngest-gen", "debug"]
        told = subprocess.run(
            [sys.executable, "-P", "-m", "inngest_gen.cli.main", *command[1:], "-c", "finish"],
            cwd=suite.path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (told.returncode, told.stderr) == (0, "")
        assert f"the handler {end}" in told.stdout


def test_timelines_are_snapshots_for_syrupy(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_snapshot="""
        import pytest
        from inngest_gen import testing
        from shop import order

        @pytest.mark.anyio
        async def test_order(snapshot) -> None:
            assert (await testing.run(order, {"id": 1})).timeline() == snapshot
        """
    )
    quiet = ["-q", "-p", "no:inline_snapshot", *ALONE["anyio"]]
    first = suite.runpytest_subprocess(*quiet, "--snapshot-update", timeout=100)
    assert first.ret == 0, first.stdout.str()
    [written] = suite.path.glob("__snapshots__/*.ambr")
    assert "+ [0s] step.sleep nap: slept after 1h" in written.read_text()
    suite.makepyfile(shop=SHOP.replace("1h", "2h"))
    changed = suite.runpytest_subprocess(*quiet, timeout=100)
    assert changed.ret == 1
    assert "slept after 2h" in changed.stdout.str()


def test_timelines_are_snapshots_for_inline_snapshot(suite: pytest.Pytester) -> None:
    path = suite.makepyfile(
        test_snapshot="""
        import pytest
        from inline_snapshot import snapshot
        from inngest_gen import testing
        from shop import order

        @pytest.mark.anyio
        async def test_order() -> None:
            assert (await testing.run(order, {"id": 1})).timeline() == snapshot()
        """
    )
    quiet = ["-q", "-p", "no:syrupy", *ALONE["anyio"]]
    suite.runpytest_subprocess(*quiet, "--inline-snapshot=create", timeout=100)
    assert "+ [0s] step.sleep nap: slept after 1h" in path.read_text()


def test_the_plugin_is_an_entry_point() -> None:
    from importlib.metadata import entry_points

    [entry] = [one for one in entry_points(group="pytest11") if one.name == "inngest_gen"]
    assert entry.load() is sys.modules["_inngest_gen_pytest"]
