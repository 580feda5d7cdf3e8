"""`inngest-gen demo`: it kills itself, goes on, and its proof holds."""

import os
import pathlib
import re
import tempfile
import time

import pytest

from inngest_gen.cli.demo import ledger
from inngest_gen.engine.store.reader import Reader
from tests.cli import program
from tests.cli.conftest import Cli
from tests.cli.program import started


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_it_proves_itself_in_under_20_seconds(home: pathlib.Path) -> None:
    # Under trio; test_terminal.py has it under asyncio, on a terminal.
    began = time.monotonic()
    result = program.run("demo", "--loop", "trio", "--keep", "--debug", cwd=home, COLUMNS="80", TMPDIR=str(home))
    assert time.monotonic() - began < 20
    assert (result.returncode, result.stderr) == (0, "")
    text = words(result.stdout)
    first, second = re.findall(r"Process (\d+) (?:runs it|starts on)", result.stdout)
    assert f"⚡ Process {first} has killed itself with SIGKILL, while wrap was in flight." in text
    table = text.index(f"STEP PID {first} PID {second}")
    assert sorted(text[table + 1 : table + 9]) == [
        "box once - ✓ finished, not run again",
        "charge 3 attempts - ✓ finished, not run again",
        "label once - ✓ finished, not run again",
        "load once - ✓ finished, not run again",
        "mail - once ✓ not begun yet",
        "reserve once - ✓ finished, not run again",
        "ship - once ✓ not begun yet",
        "wrap once once ✓ in flight, run again",
    ]
    assert "⊘ reminder aborted · shop-remind-to-pay" in text
    assert any(re.fullmatch(r"✓ receipt scheduled: \w{6} completed · shop-send-receipt", line) for line in text)
    assert "The proof holds: 5 steps had finished before the kill, none of them ran twice." in text

    # Where nobody can type, every stop of the order's run is told.
    stops = re.findall(r"^stop (\d+) · ", result.stdout, re.MULTILINE)
    assert stops == [str(number) for number in range(len(stops))]
    assert len(stops) > 10
    assert "the handler returned {'order_id': 'o-1815', 'parcel': 'TRACK-1815'}, as recorded" in text

    kept = pathlib.Path(text[-1].removeprefix("kept: "))
    entries = ledger.read(kept)
    assert {entry.pid for entry in entries} == {int(first), int(second)}
    assert [entry.pid for entry in entries if entry.step == "wrap"] == [int(first), int(second)]
    assert all(len([entry for entry in entries if entry.step == step]) == 1 for step in ("load", "reserve", "label", "box", "ship", "mail"))
    reader = Reader(kept / "shop.db")
    assert sorted((run.function_id, run.status) for run in reader.runs()) == [
        ("shop-order-placed", "completed"),
        ("shop-send-receipt", "completed"),
    ]
    reader.close()


def test_a_demo_that_cannot_start_says_why(home: pathlib.Path) -> None:
    (home / "mine.db").write_text("no database, but long enough to be looked at by SQLite")
    result = program.run("demo", "--db", "mine.db", cwd=home)
    assert result.returncode == 1
    assert result.stderr == (
        "inngest-gen: the first process ended with status 2, and not by SIGKILL:"
        " inngest-gen: mine.db: file is not a database; this is no SQLite file: name another one\n"
    )


def test_a_step_that_runs_twice_is_found_and_a_file_of_ones_own_is_kept(
    home: pathlib.Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = home / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    read = ledger.read
    monkeypatch.setattr(ledger, "read", lambda directory: [*read(directory), read(directory)[0]])
    result = cli("demo", "--db", "mine.db")
    assert result.code == 1
    assert "load 2 attempts - ✗ WRONG (finished, not run again)" in words(result.out)
    assert "The proof holds" not in result.out
    assert (
        result.err == "inngest-gen: the proof does not hold: this is a defect in inngest-gen, please report it (--keep keeps the files)\n"
    )
    assert "orders" not in cli("runs", "list", "--db", "mine.db").out
    assert cli("runs", "list", "--db", "mine.db").out.count("shop-") == 2
    assert list(temporary.iterdir()) == []


def test_ctrl_c_ends_the_demo_and_its_child(home: pathlib.Path) -> None:
    with started("demo", "--db", "mine.db", cwd=home) as running:
        running.until("load: completed")
        child = int(re.findall(r"Process (\d+) runs it", running.out)[0])
        assert running.stop() == 130
    assert "Traceback" not in running.err
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_shop_runs_without_the_demo(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ledger.DIRECTORY, raising=False)
    result = cli("run", "inngest_gen.cli.demo.shop:app", "order/placed", '{"order_id": "o1"}', "--fast-forward")
    assert (result.code, result.out.splitlines()[-1]) == (0, '  {"order_id":"o1","parcel":"TRACK-1815"}')
