"""`inngest-gen runs export`: a run as a recording, on stdout or in a file, redacted where that is asked for."""

import json
import pathlib

import pytest

from inngest_gen.recording.format import loads
from tests.cli.conftest import Cli
from tests.cli.program import ORDERS


@pytest.fixture
def placed(cli: Cli) -> Cli:
    assert cli("run", ORDERS, "order/placed", '{"order_id": "o1"}').code == 0
    return cli


def test_a_run_is_written_to_stdout(placed: Cli) -> None:
    result = placed("runs", "export")
    assert (result.code, result.err) == (0, "")
    recording = loads(result.out)
    assert (recording.function, recording.kind, recording.status) == ("orders-receipt", "defer", "completed")
    assert (recording.app, recording.max_attempts) == ("orders", 2)
    assert [parent.fn_slug for parent in recording.parents] == ["orders-placed"]
    assert loads(placed("runs", "export", str(recording.parent_run_id)).out).function == "orders-placed"


def test_a_run_is_written_to_a_file(placed: Cli, home: pathlib.Path) -> None:
    result = placed("runs", "export", "last", "-o", "run.json")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert (home / "run.json").read_text() == placed("runs", "export", "last").out


def test_paths_are_redacted(placed: Cli) -> None:
    result = placed("runs", "export", "last", "--redact", "events.*.data", "--redact", "**.result")
    recording = loads(result.out)
    assert recording.redacted == ("events.*.data", "**.result")
    assert "o1" not in json.dumps(dict(recording.events[0].data))


def test_a_path_that_names_nothing_writes_nothing(placed: Cli, home: pathlib.Path) -> None:
    result = placed("runs", "export", "last", "-o", "run.json", "--redact", "**.pasword")
    assert result.code == 2
    assert result.err.startswith("inngest-gen: no value of the recording is at **.pasword: nothing was written")
    assert not (home / "run.json").exists()


HOOK = """
print("loading")

def hide(path, value):
    print("hiding", path)
    return "***" if path.startswith("events") else value

def fails(path, value):
    raise LookupError(path)
"""


def test_a_function_redacts_and_may_print(placed: Cli, home: pathlib.Path) -> None:
    (home / "privacy.py").write_text(HOOK)
    result = placed("runs", "export", "last", "--redact-with", "privacy.py:hide")
    recording = loads(result.out)
    assert recording.redacted == ("(hook)",)
    assert set(recording.events[0].data.values()) == {"***"}
    assert "hiding events.0.data" in result.err


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("privacy.py", "names no function: write MODULE:FUNCTION"),
        ("privacy.py:seek", "privacy.py has no function 'seek'"),
        ("nowhere:hide", "there is no module 'nowhere'"),
        ("privacy.py:fails", "privacy.py:fails failed for events.0.data"),
    ],
)
def test_a_function_that_cannot_be_used_is_refused(placed: Cli, home: pathlib.Path, target: str, words: str) -> None:
    (home / "privacy.py").write_text(HOOK)
    result = placed("runs", "export", "last", "--redact-with", target)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_a_file_that_cannot_be_written_is_refused(placed: Cli) -> None:
    result = placed("runs", "export", "last", "-o", "nowhere/run.json")
    assert (result.code, result.err) == (2, "inngest-gen: nowhere/run.json cannot be written: No such file or directory\n")


def test_a_run_that_is_not_there(placed: Cli) -> None:
    assert placed("runs", "export", "zzzzzz").code == 2
