"""`inngest-gen run`: outputs, exit statuses, what it refuses, how it stops."""

import json
import pathlib
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from inngest_gen.engine.store.database import lock
from inngest_gen.engine.store.reader import Reader
from inngest_gen.engine.store.schema import VERSION
from tests.cli import program
from tests.cli.conftest import Cli
from tests.cli.program import ORDERS, started

Read = Callable[[], Reader]
ORDER = '{"order_id": "o1", "nap": "30d"}'


def said(text: str) -> list[str]:
    """Lines without their times and run ids."""
    return [" ".join([line.split()[1], *line.split()[3:]]) for line in text.splitlines() if line[2:3] == ":"]


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_then_outputs(cli: Cli, loop: str) -> None:
    result = cli("run", f"{ORDERS}:app", "order/placed", '{"order_id": "o1"}', "--loop", loop)
    assert (result.code, result.err) == (0, "")
    lines = said(result.out)
    assert {
        "orders-placed started",
        "orders-placed defer receipt: added",
        "orders-placed charge: attempt 0 failed: ConnectionError: the line is [bold]dead[/bold]; next in 0.0 s",
        "orders-placed charge: attempt 1",
        "orders-placed doubled: waits for the invoked run",
    } <= set(lines)
    assert any(line.startswith("orders-double started (invoked by orders-placed") for line in lines)
    assert any(line.startswith("orders-receipt started (deferred by orders-placed") for line in lines)
    output = {"order": "o1", "doubled": 14, "stock": 5, "price": 3}
    assert json.loads(result.out.splitlines()[-1]) == output
    assert result.out.splitlines()[-2].startswith("✓ orders-placed 01")
    assert "loading o1" in result.out


def test_json_lines_then_runs_and_nothing_else(cli: Cli, loop: str) -> None:
    result = cli("run", ORDERS, "order/placed", '{"order_id": "o1"}', "--json", "--loop", loop)
    assert result.code == 0
    assert result.err == "loading o1\n"
    told = objects(result.out)
    kinds = [one["kind"] for one in told]
    assert kinds[:2] == ["run.queued", "run.started"]
    runs = [one for one in told if one["kind"] == "run"]
    assert [(run["function_id"], run["run_kind"], run["status"]) for run in runs] == [
        ("orders-placed", "event", "completed"), ("orders-double", "invoke", "completed"), ("orders-receipt", "defer", "completed"),
    ]  # fmt: skip
    assert kinds[-3:] == ["run"] * 3
    failed = next(one for one in told if one["kind"] == "step.failed")
    assert (failed["step_id"], failed["attempt"], failed["error"]["name"]) == ("charge", 0, "ConnectionError")
    assert {"due", "at"} <= failed.keys()


def test_fast_forward_lets_a_month_pass_at_once(cli: Cli, loop: str, read: Read) -> None:
    assert cli("run", ORDERS, "order/placed", ORDER, "--fast-forward", "--loop", loop).code == 0
    (run,) = [run for run in read().runs() if run.function_id == "orders-placed"]
    assert run.ended is not None
    assert (run.ended - run.created).days == 30


def test_fast_forward_lets_a_wait_time_out(cli: Cli, loop: str) -> None:
    result = cli("run", ORDERS, "approval/asked", '{"id": 7}', "--fast-forward", "--loop", loop)
    assert (result.code, result.out.splitlines()[-1]) == (0, '  "not given"')


def test_a_failed_run_is_status_1_with_the_users_traceback(cli: Cli, loop: str) -> None:
    result = cli("run", ORDERS, "order/lost", "--loop", loop)
    assert (result.code, result.err) == (1, "")
    line = pathlib.Path(ORDERS).read_text().splitlines().index('    raise ValueError("no such order")') + 1
    tail = result.out.splitlines()[-4:]
    assert tail[0].startswith("✗ orders-fails 01")
    assert tail[1:3] == ["  ValueError: no such order", f'    File "{ORDERS}", line {line}, in boom']
    assert "inngest_gen/" not in result.out


def test_a_failed_run_in_json(cli: Cli, loop: str) -> None:
    result = cli("run", ORDERS, "order/lost", "--json", "--loop", loop)
    assert result.code == 1
    run = objects(result.out)[-1]
    assert (run["status"], run["error"]["name"], run["error"]["message"]) == ("failed", "ValueError", "no such order")


def test_data_from_a_file_and_from_stdin(cli: Cli, home: pathlib.Path) -> None:
    (home / "order.json").write_text('{"order_id": "from a file"}')
    assert '"order":"from a file"' in cli("run", ORDERS, "order/placed", "@order.json").out
    assert '"order":"from stdin"' in cli("run", ORDERS, "order/placed", "-", stdin='{"order_id": "from stdin"}').out


def test_an_event_that_nobody_listens_to(cli: Cli) -> None:
    result = cli("run", ORDERS, "order/plced")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "inngest-gen: no function of app 'orders' listens to 'order/plced'; there are:"
        " order/placed, order/lost, approval/asked, order/held, order/strayed\n"
    )


def test_an_app_that_listens_to_nothing_and_one_that_listens_to_all(cli: Cli, home: pathlib.Path) -> None:
    (home / "deaf.py").write_text("import inngest_gen as ig\napp = ig.App('deaf')\n")
    assert "there are: none at all" in cli("run", "deaf.py", "x").err
    (home / "keen.py").write_text(
        "import inngest_gen as ig\napp = ig.App('keen')\n@app.function('f', trigger='order/*')\nasync def f(ctx): return 5\n"
    )
    assert cli("run", "keen.py", "order/any").code == 0


def test_an_app_that_does_not_load_shows_its_traceback_then_a_line(cli: Cli, home: pathlib.Path) -> None:
    (home / "broken.py").write_text("1 / 0\n")
    result = cli("run", "broken.py", "x")
    assert result.code == 2
    assert result.err.splitlines()[0] == "Traceback (most recent call last):"
    assert result.err.splitlines()[-2:] == [
        "ZeroDivisionError: division by zero",
        "inngest-gen: broken.py does not load: ZeroDivisionError: division by zero",
    ]


def test_an_option_that_the_engine_does_not_honour(cli: Cli, home: pathlib.Path) -> None:
    (home / "limited.py").write_text(
        "import inngest_gen as ig\napp = ig.App('limited')\n@app.function('f', trigger='x', concurrency=3)\nasync def f(ctx): yield\n"
    )
    result = cli("run", "limited.py", "x")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "function 'limited-f' declares concurrency, which the embedded engine does not honour yet" in result.err


@pytest.mark.parametrize("text", ["5x", "-3s", "", "nan"])
def test_a_timeout_that_is_no_duration(cli: Cli, text: str) -> None:
    result = cli("run", ORDERS, "order/lost", "--timeout", text)
    assert result.code == 2
    assert "write 90, 90s, 1h30m or 2d" in result.err


def test_a_timeout_leaves_the_run_to_go_on_later(cli: Cli, loop: str, read: Read) -> None:
    result = cli("run", ORDERS, "order/placed", ORDER, "--id", "e1", "--timeout", "0.2", "--loop", loop)
    assert result.code == 1
    assert result.err == (
        f"inngest-gen: not done after 0.2 s: 1 run unfinished, to go on with `inngest-gen dev {ORDERS}`"
        " or the next `inngest-gen run`, on inngest-gen.db\n"
    )
    assert [run.status for run in read().runs()] == ["running"]
    later = cli("run", ORDERS, "order/placed", "--id", "e1", "--fast-forward", "--loop", loop)
    assert (later.code, later.err) == (0, "")
    assert "orders-placed charge: completed" in " ".join(said(later.out))
    assert len([run for run in read().runs() if run.function_id == "orders-placed"]) == 1


def test_a_known_event_that_is_done_gives_its_runs_again(cli: Cli, loop: str) -> None:
    first = cli("run", ORDERS, "order/placed", '{"order_id": "o1"}', "--id", "e1", "--loop", loop)
    again = cli("run", ORDERS, "order/placed", '{"order_id": "o1"}', "--id", "e1", "--loop", loop)
    assert again.code == 0
    assert again.out.splitlines() == first.out.splitlines()[-3:]


def test_earlier_runs_go_on_and_are_told_in_one_line(cli: Cli, loop: str, read: Read) -> None:
    cli("run", ORDERS, "order/placed", ORDER, "--timeout", "0.2", "--loop", loop)
    result = cli("run", ORDERS, "order/lost", "--loop", loop)
    assert result.code == 1
    assert result.err == "inngest-gen: inngest-gen.db has unfinished runs (1): they go on as well while this one is on its way\n"
    assert "orders-placed" not in result.out


def test_what_is_left_unfinished_counts_the_earlier_runs_too(cli: Cli, loop: str, read: Read) -> None:
    cli("run", ORDERS, "order/placed", ORDER, "--timeout", "0.2", "--loop", loop)
    result = cli("run", ORDERS, "approval/asked", '{"id": 7}', "--timeout", "0.2", "--loop", loop)
    assert result.code == 1
    assert "not done after 0.2 s: 2 runs unfinished, 1 of them from before, to go on with" in result.err
    assert [run.status for run in read().runs()] == ["running", "running"]


def test_fast_forward_does_not_touch_earlier_runs(cli: Cli, read: Read) -> None:
    cli("run", ORDERS, "order/placed", ORDER, "--timeout", "0.2")
    result = cli("run", ORDERS, "order/lost", "--fast-forward")
    assert (result.code, result.out) == (2, "")
    assert "has unfinished runs (1), whose sleeps and timeouts would pass at once too: name another file with --db" in result.err
    assert len(read().runs()) == 1


def test_a_blocked_run_is_status_1_and_says_what_to_do(cli: Cli, home: pathlib.Path, loop: str) -> None:
    data = json.dumps({"file": str(home / "flag")})
    cli("run", ORDERS, "order/strayed", data, "--id", "e1", "--timeout", "0.2", "--loop", loop)
    (home / "flag").touch()
    cli("events", "send", "order/news")  # wakes it: only then does it notice
    result = cli("run", ORDERS, "order/strayed", data, "--id", "e1", "--loop", loop)
    assert result.code == 1
    assert "NonDeterminismError: at position 0 the record holds" in result.out
    assert "repair the code, then: inngest-gen runs retry " in result.out


def spoil(home: pathlib.Path, how: str) -> None:
    path = home / "inngest-gen.db"
    if how == "text":
        path.write_text("this is no database at all, and long enough to be looked at")
        return
    connection = sqlite3.connect(path)
    connection.executescript(
        {
            "other": "CREATE TABLE t (x)",
            "newer": f"CREATE TABLE t (x); PRAGMA application_id = 0x494E4747; PRAGMA user_version = {VERSION + 1}",
        }[how]
    )
    connection.close()


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("text", "inngest-gen.db: file is not a database; this is no SQLite file: name another one"),
        ("other", "inngest-gen.db is an SQLite file, but no engine's: name another one"),
        ("newer", "inngest-gen.db was written by a newer version of inngest_gen"),
    ],
)
@pytest.mark.parametrize(
    "command", [["run", ORDERS, "order/lost"], ["runs", "list"], ["runs", "show"], ["runs", "cancel", "last"], ["events", "send", "x"]]
)
def test_a_file_that_is_no_engines(cli: Cli, home: pathlib.Path, how: str, line: str, command: list[str]) -> None:
    spoil(home, how)
    result = cli(*command)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith(f"inngest-gen: {line}")


def test_a_file_that_another_engine_has(cli: Cli, home: pathlib.Path) -> None:
    with lock(home / "inngest-gen.db"):
        result = cli("run", ORDERS, "order/lost")
    assert result.code == 2
    assert result.err == (
        "inngest-gen: inngest-gen.db is in use by another engine: one engine a file; stop the other one or use another file,"
        " or send the event to it: inngest-gen events send order/lost --db inngest-gen.db\n"
    )


def held(home: pathlib.Path) -> str:
    return json.dumps({"started": str(home / "started"), "go": str(home / "go")})


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_step_in_flight_end_and_the_rest_goes_on_later(
    home: pathlib.Path, loop: str, read: Read, number: signal.Signals, status: int
) -> None:
    with started("run", ORDERS, "order/held", held(home), "--id", "e1", "--loop", loop, cwd=home) as running:
        program.until((home / "started").exists, "the step")
        running.process.send_signal(number)
        running.until("stopping; steps in flight may end first (Ctrl-C again leaves at once)")
        (home / "go").touch()
        assert running.end() == status
    assert "inngest-gen: stopped: 1 run unfinished, to go on with" in running.err
    (run,) = read().runs()
    assert [(step.id, step.status) for step in run.steps] == [("first", "completed"), ("hold", "completed")]
    (home / "started").unlink()
    assert program.run("run", ORDERS, "order/held", "--id", "e1", "--loop", loop, cwd=home).returncode == 0
    assert not (home / "started").exists()


def test_the_second_ctrl_c_leaves_at_once_and_loses_nothing(home: pathlib.Path, loop: str, read: Read) -> None:
    with started("run", ORDERS, "order/held", held(home), "--id", "e1", "--loop", loop, cwd=home) as running:
        program.until((home / "started").exists, "the step")
        running.process.send_signal(signal.SIGINT)
        running.until("stopping")
        assert running.stop() == 130
    (run,) = read().runs()
    assert [(step.id, step.status) for step in run.steps] == [("first", "completed")]
    (home / "go").touch()
    assert program.run("run", ORDERS, "order/held", "--id", "e1", "--loop", loop, cwd=home).returncode == 0


def test_ctrl_c_while_the_app_loads(home: pathlib.Path) -> None:
    (home / "slow.py").write_text("import pathlib, time\npathlib.Path('loading').touch()\nwhile True: time.sleep(0.01)\n")
    with started("run", "slow.py", "x", cwd=home) as running:
        program.until((home / "loading").exists, "the load")
        assert running.stop() == 130
    assert "Traceback" not in running.err
