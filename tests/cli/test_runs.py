"""`inngest-gen runs`: list, show, cancel, retry."""

import json
import pathlib
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from inngest_gen.cli import asking
from inngest_gen.cli.runs.list import table
from inngest_gen.engine.store.database import lock
from inngest_gen.engine.store.reader import Reader
from tests.cli import program
from tests.cli.conftest import Cli
from tests.cli.happenings import RUN
from tests.cli.program import ORDERS, started
from tests.cli.records import NOW, START, a_run

Read = Callable[[], Reader]


@pytest.fixture
def three(cli: Cli) -> Cli:
    """A file with a completed, a failed and a waiting run."""
    assert cli("run", ORDERS, "order/placed", '{"order_id": "o1"}').code == 0
    assert cli("run", ORDERS, "order/lost").code == 1
    assert cli("run", ORDERS, "approval/asked", '{"id": 7}', "--timeout", "0.2").code == 1
    return cli


def rows(text: str) -> list[list[str]]:
    return [line.split()[1:3] for line in text.splitlines()[1:]]


def test_the_newest_come_first(three: Cli) -> None:
    result = three("runs", "list")
    assert (result.code, result.err) == (0, "")
    assert result.out.split()[:5] == ["RUN", "FUNCTION", "STATUS", "AGE", "TOOK"]
    assert rows(result.out) == [
        ["orders-waits", "running"], ["orders-fails", "failed"], ["orders-receipt", "completed"],
        ["orders-double", "completed"], ["orders-placed", "completed"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "failed"], ["orders-fails"]),
        (["--status", "blocked"], []),
        (["--function", "placed"], ["orders-placed"]),
        (["--function", "orders-placed", "--status", "completed"], ["orders-placed"]),
        (["--function", "laced"], []),
    ],
)
def test_only_some(three: Cli, options: list[str], found: list[str]) -> None:
    result = three("runs", "list", *options)
    assert result.code == 0
    assert [function for function, _ in rows(result.out)] == found
    assert (result.out == "no runs\n") == (not found)


def test_a_limit_says_that_there_may_be_more(three: Cli) -> None:
    result = three("runs", "list", "--limit", "2")
    assert len(rows(result.out)) == 2
    assert result.err == "the newest 2; --limit shows more\n"


def test_a_list_as_json_lines(three: Cli) -> None:
    runs = [json.loads(line) for line in three("runs", "list", "--json").out.splitlines()]
    assert [run["status"] for run in runs] == ["running", "failed", "completed", "completed", "completed"]
    assert runs[1]["error"]["message"] == "no such order"
    assert three("runs", "list", "--json", "--status", "blocked").out == ""


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_table_fits_its_width(width: int) -> None:
    runs = [a_run(function_id="a-very-long-app-" + "x" * 100), a_run(status="running", ended=None, created=START - timedelta(days=4000))]
    lines = [line.plain for line in table(runs, now=NOW, width=width)]
    assert all(len(line) <= width for line in lines)
    assert lines[2].split() == [RUN, "shop-placed", "running", "4000", "d"]


def test_show_takes_the_newest_an_id_its_end_and_last(three: Cli, read: Read) -> None:
    newest = read().runs(limit=1)[0].id
    shown = three("runs", "show", newest).out
    assert shown.startswith("● orders-waits  running\n")
    assert "◷ approval  event: waiting, gives up in 30 d, at 20" in shown
    for text in ([], ["last"], [newest[-6:]], [newest[-6:].lower()]):
        again = three("runs", "show", *text)
        assert (again.code, again.err) == (0, "")
        assert again.out.splitlines()[:3] == shown.splitlines()[:3]


def test_show_tells_what_a_run_made_and_who_made_it(three: Cli, read: Read) -> None:
    placed = next(run for run in read().runs() if run.function_id == "orders-placed")
    result = three("runs", "show", placed.id)
    text = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "attempt 0 failed: ConnectionError: the line is [bold]dead[/bold] (next after 0 ms)" in " ".join(text)
    child = read().get(placed.defers[0].run_id or "")
    assert child is not None
    assert f"✓ receipt scheduled: {child.id[-6:]} completed · orders-receipt" in text
    assert any(line.startswith("✓ orders-double completed, invoked: 01") for line in text)
    assert any(line.startswith("✓ [0] stock") for line in text)
    assert f"parent deferred by orders-placed {placed.id}" in [
        " ".join(line.split()) for line in three("runs", "show", child.id).out.splitlines()
    ]


def test_show_as_json(three: Cli, read: Read) -> None:
    placed = next(run for run in read().runs() if run.function_id == "orders-placed")
    run = json.loads(three("runs", "show", placed.id, "--json").out)
    assert run["id"] == placed.id
    assert [step["id"] for step in run["steps"]] == ["load", "cool-off", "charge", "doubled", "stock", "rate"]
    assert [(one["kind"], one["function_id"]) for one in run["made"]] == [("invoke", "orders-double"), ("defer", "orders-receipt")]


def test_without_colours_there_are_none_and_with_colours_the_text_is_the_same(three: Cli, home: pathlib.Path) -> None:
    plain = program.run("runs", "show", cwd=home, NO_COLOR="1", FORCE_COLOR="1", COLUMNS="80").stdout
    coloured = program.run("runs", "show", cwd=home, FORCE_COLOR="1", COLUMNS="80").stdout
    assert "\x1b[3" not in plain
    assert "\x1b[3" in coloured


@pytest.mark.parametrize("command", ["show", "cancel", "retry"])
@pytest.mark.parametrize(
    ("run", "line"),
    [
        ("zzzzzz", "no run's id begins or ends with 'zzzzzz' (inngest-gen runs list)"),
        ("%", "no run's id begins or ends with '%'"),
        ("", "no run's id begins or ends with ''"),
        ("01", "'01' could be more than one run: 01"),
    ],
)
def test_a_run_that_is_not_there_or_could_be_several(three: Cli, command: str, run: str, line: str) -> None:
    result = three("runs", command, run)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert line in result.err


def test_a_file_without_runs(cli: Cli, home: pathlib.Path) -> None:
    assert cli("run", ORDERS, "order/lost").code == 1
    connection = sqlite3.connect(home / "inngest-gen.db")
    connection.execute("DELETE FROM runs")
    connection.commit()
    connection.close()
    assert cli("runs", "list").out == "no runs\n"
    assert cli("runs", "show").err == "inngest-gen: there is no run yet\n"


@pytest.mark.parametrize("command", [["runs", "list"], ["runs", "show"], ["runs", "cancel", "last"]])
def test_a_file_that_is_not_there(cli: Cli, command: list[str]) -> None:
    result = cli(*command)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "inngest-gen.db does not exist: name the engine's file with --db" in result.err
    assert not pathlib.Path("inngest-gen.db").exists()


@pytest.mark.parametrize(
    ("command", "status", "line"),
    [
        ("cancel", "completed", "has ended already (completed)"),
        ("cancel", "failed", "has ended already (failed)"),
        ("retry", "completed", "is completed: only failed and blocked runs can be retried"),
        ("retry", "running", "is running: only failed and blocked runs can be retried"),
    ],
)
def test_what_cannot_be_done_to_a_run_is_refused_before_anything_is_asked(
    three: Cli, read: Read, command: str, status: str, line: str
) -> None:
    good = {"cancel": "running", "retry": "failed"}[command]
    ids = [read().runs(good)[0].id, read().runs(status)[0].id]
    result = three("runs", command, *ids)
    assert (result.code, result.out) == (2, "")
    assert f"inngest-gen: run {ids[1][-6:]} of " in result.err
    assert line in result.err
    assert commands(pathlib.Path("inngest-gen.db")) == []


def commands(path: pathlib.Path) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return [(kind, json.loads(argument)) for kind, argument in connection.execute("SELECT kind, argument FROM commands")]
    finally:
        connection.close()


def test_without_an_engine_it_is_done_when_one_next_starts(three: Cli, read: Read) -> None:
    waiting, failed = read().runs("running")[0].id, read().runs("failed")[0].id
    result = three("runs", "cancel", "last")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"no engine is running on inngest-gen.db: orders-waits {waiting} will be cancelled when one next starts\n"
    assert three("runs", "retry", failed).code == 0
    assert commands(pathlib.Path("inngest-gen.db")) == [("cancel", {"run_id": waiting}), ("retry", {"run_id": failed})]
    three("run", ORDERS, "order/placed", '{"order_id": "o2"}')
    cancelled = read().get(waiting)
    retried = read().get(failed)
    assert cancelled is not None
    assert retried is not None
    assert cancelled.status == "cancelled"
    assert [note.kind for note in retried.notes if note.kind == "retry"] == ["retry"]
    assert "retried (failed before)" in three("runs", "show", failed).out


def test_an_engine_that_does_not_answer(three: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking.wait_until, "__defaults__", (0.0,))
    with lock(pathlib.Path("inngest-gen.db")):
        result = three("runs", "cancel", "last")
    assert result.code == 1
    assert "the engine on inngest-gen.db has not answered within 5 s: orders-waits 01" in result.err


def test_beside_an_engine_it_is_done_at_once(home: pathlib.Path, cli: Cli, read: Read, loop: str) -> None:
    data = json.dumps({"started": str(home / "started"), "go": str(home / "go")})
    cli("run", ORDERS, "order/lost", "--loop", loop)
    with started("run", ORDERS, "order/held", data, "--loop", loop, cwd=home) as running:
        program.until((home / "started").exists, "the step")
        held, failed = (run.id for run in read().runs())
        retried = cli("runs", "retry", failed)
        assert (retried.code, retried.out, retried.err) == (0, f"retried: orders-fails {failed}\n", "")
        cancelled = cli("runs", "cancel", held)
        assert (cancelled.code, cancelled.out, cancelled.err) == (0, f"cancelled: orders-holds {held}\n", "")
        assert running.end() == 1
    assert "orders-holds" in running.out
    assert running.out.rstrip().endswith("cancelled")
