"""`inngest-gen debug`: opens runs and recordings, as text and as JSON lines; checks whether runs replay on the code."""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

import inngest_gen as ig
from inngest_gen.cli import target as targets
from inngest_gen.cli.debug.telling import help_lines
from inngest_gen.debugger.commands import COMMANDS
from inngest_gen.testing import Server
from tests.cli import program
from tests.cli.conftest import Cli, Result
from tests.cli.program import ORDERS
from tests.debugger.web.reading import embedded_in

PRICING = """
import inngest_gen as ig

app = ig.App("pricing")
print("the module is loaded")

def rate(n):
    return n

@app.function("price", trigger="price/asked", retries=0)
async def price(ctx):
    print("pricing", ctx.data["n"])
    total = 0
    for n in range(ctx.data["n"]):
        total += yield ctx.step.run("rate", rate, n)
    yield ctx.step.sleep("nap", ctx.data.get("nap", 0))
    yield ig.Done(total)
"""


@pytest.fixture
def priced(cli: Cli, home: pathlib.Path) -> Cli:
    """A file with one completed run of a function in pricing.py."""
    (home / "pricing.py").write_text(PRICING)
    assert cli("run", "pricing.py:app", "price/asked", '{"n": 3}').code == 0
    return cli


def opened(cli: Cli, *arguments: str, stdin: str = "") -> Result:
    return cli("debug", "last", "pricing.py:app", *arguments, stdin=stdin)


# As text.


def test_a_run_is_stepped_through_by_words_from_stdin(priced: Cli) -> None:
    result = opened(priced, stdin="step\nrun_to nap\n\np total\nback\nq\nstep\n")
    assert (result.code, result.err) == (0, "")
    assert re.findall(r"^stop (\d+) · (.*)$", result.out, re.MULTILINE) == [
        ("0", "start"),
        ("1", "step"),
        ("4", "run to"),
        ("6", "end"),
        ("5", "back"),
    ]
    assert "  printed   pricing 3" in result.out
    assert '  >   15 |         total += yield ctx.step.run("rate", rate, n)' in result.out
    assert "  result    0  (rank 1)" in result.out
    # An empty line has repeated `run_to nap`, which leads to the end: there is no frame any more.
    assert result.out.count("  note      the target was not met on the way") == 1
    assert "! there is no frame here" in result.out


def test_commands_may_be_given_as_options(priced: Cli) -> None:
    result = opened(priced, "-c", "run_to nap", "-c", "p total * 2", "--command", "lc total", "-c", "t", "-c", "nonsense")
    assert result.code == 0
    assert "\n  6\n" in result.out
    assert "  total last changed before stop 4, step.sleep 'nap' at pricing.py:16\n  1 -> 3\n" in result.out
    assert "     1 ✓ step.run 'rate'  pricing.py:15" in result.out
    assert "! there is no command 'nonsense'" in result.out


def test_a_walk_tells_every_stop(priced: Cli) -> None:
    result = opened(priced, "--plain", "-c", "walk", "-c", "g 2", "-c", "walk")
    assert result.code == 0
    numbers = [int(number) for number in re.findall(r"^stop (\d+)", result.out, re.MULTILINE)]
    assert numbers == [0, 1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6]
    assert "the handler returned 3, as recorded" in result.out


def test_defers_are_told_again_when_there_is_something_new_of_them(cli: Cli) -> None:
    assert cli("run", ORDERS, "order/placed", '{"order_id": "o1"}').code == 0
    run = json.loads(cli("runs", "export", "last").out)["parent_run_id"]
    told = cli("debug", run, ORDERS, "-c", "walk", "-c", "w").out
    stops = re.split(r"^stop \d+ · .*$", told, flags=re.MULTILINE)[1:]
    with_defers = [number for number, stop in enumerate(stops) if "  defer     receipt: sent" in stop]
    assert with_defers == [2, 3, 4, len(stops) - 1]  # when each was made or taken back, and where it was asked
    assert all(stop.endswith("\n\n") for stop in stops[:-2])


def test_what_differs_in_two_replays_is_told_once_for_all_stops_that_have_it(priced: Cli, home: pathlib.Path) -> None:
    code = (home / "pricing.py").read_text()
    (home / "pricing.py").write_text("import time\n" + code.replace("    total = 0\n", "    total = 0\n    now = time.perf_counter_ns()\n"))
    told = opened(priced, "-c", "unstable").out
    assert re.findall(r"^  unstable  at stop (\d+) (\w+) was .*; the same at (.*)$", told, re.MULTILINE) == [("1", "now", "4 later stops")]
    assert told.count("unstable") == 1


def test_of_what_a_handler_prints_much_of_the_middle_is_left_out(priced: Cli, home: pathlib.Path) -> None:
    text = PRICING.replace('    print("pricing", ctx.data["n"])', '    print(*range(1_000), sep="\\n")')
    (home / "pricing.py").write_text(text)
    result = opened(priced, "--plain", "-c", "s")
    printed = [line.split()[1] for line in result.out.splitlines() if line.startswith("  printed")]
    assert printed == [str(n) for n in (*range(20), *range(980, 1_000))]
    assert "  printed   19\n  ...       960 more lines\n  printed   980\n" in result.out


@pytest.mark.parametrize(("view", "loop"), [("--plain", "asyncio"), ("--json", "trio")])
def test_ctrl_c_leaves_a_handler_that_never_comes_to_a_yield(priced: Cli, home: pathlib.Path, view: str, loop: str) -> None:
    text = PRICING.replace('    print("pricing", ctx.data["n"])', '    open("hangs", "w").close()\n    while True:\n        pass')
    (home / "pricing.py").write_text(text)
    command = "step" if view == "--plain" else '{"command": "step"}'
    with program.started("debug", "last", "pricing.py:app", view, "--loop", loop, "-c", command, cwd=home) as debugger:
        program.until((home / "hangs").exists, "the handler to hang")
        assert debugger.stop() == 130
    assert debugger.err.endswith("inngest-gen: the handler's own code did not come to a yield: it was left where it is\n")


def test_the_word_open_may_be_there(priced: Cli) -> None:
    assert priced("debug", "open", "last", "pricing.py:app", "-c", "f").out == opened(priced, "-c", "f").out


def test_what_if_is_told(priced: Cli) -> None:
    result = opened(priced, "-c", "step 3", "-c", "replace rate 40", "-c", "f", "-c", "h", "-c", "switch recorded")
    assert "stop 3 · edited · history 'what if 1'" in result.out
    assert "  result    40  (rank 3, replaced)" in result.out
    assert "the handler returned 41, otherwise than recorded" in result.out
    assert "    recorded\n  > what if 1 from 'recorded': rate replaced\n" in result.out


def test_breakpoints_are_told(priced: Cli) -> None:
    commands = ["break rate if n == 1", "bl", "c", "clear", "bl", "rc"]
    result = opened(priced, *[part for command in commands for part in ("-c", command)])
    assert "  1: rate if n == 1\n" in result.out
    assert "stop 2 · breakpoint 1\n" in result.out
    assert "  no breakpoints\n" in result.out
    assert result.out.count("stop 0 · start") == 2


def test_help_lists_every_command_for_people(priced: Cli) -> None:
    result = opened(priced, "-c", "help")
    told = "\n".join(help_lines())
    assert told in result.out
    assert max(map(len, told.splitlines())) <= 110
    assert [command.name for command in COMMANDS if f"  {command.name}" not in told] == ["result", "source"]


def test_what_comes_from_users_cannot_reach_the_terminal(cli: Cli, home: pathlib.Path) -> None:
    (home / "pricing.py").write_text(
        PRICING.replace('"pricing", ctx', '"\\x1b[31mred", ctx').replace("return n", 'return "\\x1b[2J"').replace("total = 0", 'total = ""')
    )
    assert cli("run", "pricing.py:app", "price/asked", '{"n": 1}').code == 0
    result = opened(cli, "-c", "walk", "-c", "p total", "-c", "l")
    assert result.code == 0
    assert "\x1b" not in result.out.partition("stop 0")[2]
    assert "\\x1b[31mred" in result.out


def test_live_steps_need_the_option(priced: Cli, home: pathlib.Path) -> None:
    under_way = json.loads(priced("runs", "export", "last").out)
    under_way |= {"status": "running", "steps": [], "code": None}
    under_way.pop("output")
    (home / "run.json").write_text(json.dumps(under_way))
    refused = priced("debug", "run.json", "pricing.py:app", "-c", "f", "-c", "live")
    assert "! nothing is run for real unless the session is made for it: Session(..., live=True), or --live" in refused.out
    result = priced("debug", "run.json", "pricing.py:app", "--live", "-c", "f", "-c", "live", "-c", "f")
    assert "stop 1 · live · history 'live 1'" in result.out
    assert "  result    0  (rank 1, live)" in result.out
    assert "  the record ends here" in result.out


# As JSON lines.


def answers(result: Result) -> list[dict[str, Any]]:
    assert result.code == 0
    return [json.loads(line) for line in result.out.splitlines()]


def test_requests_are_answered_line_by_line_whatever_the_app_prints(priced: Cli) -> None:
    requests = [
        {"id": 1, "command": "run_to", "target": "nap"},
        {"id": 2, "command": "evaluate", "expression": "print('x') or total"},
        {"command": "fly"},
    ]
    lines = [json.dumps(request) for request in requests]
    result = opened(priced, "--json", stdin="\n".join([*lines, "", "no JSON", "[1]", '{"command": "quit"}', '{"command": "step"}']))
    start, run_to, evaluation, unknown, no_json, no_object = answers(result)
    assert (start["command"], start["stop"]["number"], start["stop"]["state"]) == ("start", 0, "start")
    assert (run_to["id"], run_to["stop"]["intent"]["id"]) == (1, "nap")
    assert (evaluation["id"], evaluation["evaluation"]["value"]["text"]) == (2, "3")
    assert "there is no command 'fly'" in unknown["error"]["message"]
    assert no_json == no_object == {"error": {"name": "MisuseError", "message": 'a request is a JSON object such as {"command": "step"}'}}
    assert "the module is loaded" not in result.out


def test_an_edited_file_is_loaded_anew(priced: Cli, home: pathlib.Path) -> None:
    edited = PRICING.replace("n in range", "x in range").replace("rate, n)", "rate, x)").replace('"nap", ctx', '"other nap", ctx')
    edit = f"__import__('pathlib').Path({str(home / 'pricing.py')!r}).write_text({edited!r})"
    requests = [
        {"command": "finish"},
        {"command": "back", "count": 3},
        {"command": "evaluate", "expression": edit},
        {"command": "reload"},
        {"command": "finish"},
    ]
    *_, reload, finish = answers(opened(priced, "--json", stdin="\n".join(map(json.dumps, requests))))
    verdict, stop = reload["reloaded"]["verdict"], reload["reloaded"]["stop"]
    assert (verdict["compatible"], verdict["code"]) == (False, "changed")
    assert (stop["reason"], stop["number"], [one["name"] for one in stop["frames"][0]["locals"]]) == ("reloaded", 3, ["ctx", "total", "x"])
    divergence = finish["stop"]["divergence"]
    assert (divergence["recorded"], divergence["yielded"]) == ("step.sleep 'nap'", "step.sleep 'other nap'")


# What cannot be opened.


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["last"],
            "give a run and its code: RUN MODULE:APP, or --run ID MODULE:APP for a run on an Inngest server (see `inngest-gen debug open --help`)",
        ),
        (["last", "nowhere:app"], "there is no module 'nowhere' here or among the installed ones"),
        (["zzzzzz", "pricing.py:app"], "no run's id begins or ends with 'zzzzzz' (inngest-gen runs list)"),
        (["nothing.json", "pricing.py:app"], "nothing.json cannot be read: No such file or directory"),
        (["pricing.py", "pricing.py:app"], "pricing.py: this is no recording: it is no JSON"),
        (["last", "pricing.py:app", "--json", "--plain"], "--plain and --json: choose one (see `inngest-gen debug open --help`)"),
        (["last", ORDERS], "app 'orders' has no function 'pricing-price', which the recording is of; there are:"),
    ],
)
def test_what_cannot_be_opened_is_refused(priced: Cli, arguments: list[str], line: str) -> None:
    result = priced("debug", *arguments)
    assert result.code == 2
    assert result.err.splitlines()[-1].startswith(f"inngest-gen: {line}")


# Check.


def test_unfinished_runs_are_checked(cli: Cli, home: pathlib.Path) -> None:
    (home / "pricing.py").write_text(PRICING)
    assert cli("debug", "check", "pricing.py:app").code == 2  # there is no file yet
    assert cli("run", "pricing.py:app", "price/asked", '{"n": 3}').code == 0
    result = cli("debug", "check", "pricing.py:app")
    assert (result.code, result.out) == (0, "no unfinished runs of app 'pricing' in inngest-gen.db\n")
    assert cli("run", "pricing.py:app", "price/asked", '{"n": 2, "nap": 9999}', "--timeout", "0.3").code == 1
    result = cli("debug", "check", "pricing.py:app")
    assert result.code == 0
    assert re.match(
        r"✓ pricing-price \w{26}\n  compatible: 2 of 2 recorded steps were asked for; the code is that of the recording\n1 run: all replay on this code\n",
        result.out,
    )
    (home / "pricing.py").write_text(PRICING.replace('"rate", rate', '"other", rate'))
    with program.started("debug", "check", "pricing.py:app", cwd=home) as command:
        assert command.end() == 1
    assert "✗ pricing-price" in command.out
    assert "recorded  step.run 'rate' at pricing.py:15\n    yielded   step.run 'other' at pricing.py:15\n" in command.out
    assert "    likely    the code is not that which made the record, and asks for other steps" in command.out
    assert "1 of 1 run would not replay on this code" in command.out
    (home / "pricing.py").write_text(PRICING.replace('"price", trigger', '"cost", trigger'))
    with program.started("debug", "check", "pricing.py:app", cwd=home) as command:
        assert command.end() == 1
    assert "app 'pricing' has no function 'pricing-price'" in command.out


def test_a_failed_run_that_waits_for_its_retry_is_checked(cli: Cli, home: pathlib.Path) -> None:
    (home / "pricing.py").write_text(PRICING.replace("    return n\n", "    return 1 / 0\n"))
    assert cli("run", "pricing.py:app", "price/asked", '{"n": 2}').code == 1
    assert cli("debug", "check", "pricing.py:app").out == "no unfinished runs of app 'pricing' in inngest-gen.db\n"
    assert cli("runs", "retry", "last").code == 0
    result = cli("debug", "check", "pricing.py:app")
    assert "1 run: all replay on this code" in result.out


def test_runs_of_another_app_whose_name_begins_alike_are_not_checked(cli: Cli, home: pathlib.Path) -> None:
    (home / "pricing.py").write_text(PRICING)
    (home / "abroad.py").write_text(PRICING.replace('App("pricing")', 'App("pricing-eu")').replace("price/asked", "eu/asked"))
    for module, event in (("pricing", "price/asked"), ("abroad", "eu/asked")):
        assert cli("run", f"{module}.py:app", event, '{"n": 2, "nap": 9999}', "--timeout", "0.3").code == 1
    for module, slug in (("pricing", "pricing-price"), ("abroad", "pricing-eu-price")):
        result = cli("debug", "check", f"{module}.py:app")
        assert result.code == 0
        assert re.match(rf"✓ {slug} \w{{26}}\n  compatible: .*\n1 run: all replay on this code\n$", result.out)


def test_recordings_are_checked_and_told_as_json(priced: Cli, home: pathlib.Path) -> None:
    for name in ("a", "b"):
        (home / f"{name}.json").write_text(priced("runs", "export", "last").out)
    result = priced("debug", "check", "a.json", "b.json", "last", "pricing.py:app", "--json")
    assert result.code == 0
    verdicts = [json.loads(line) for line in result.out.splitlines()]
    assert [(one["compatible"], one["reached"], one["recorded"], one["code"]) for one in verdicts] == [(True, 4, 4, "recorded")] * 3
    (home / "b.json").write_text((home / "b.json").read_text().replace('"output": 3', '"output": 4'))
    assert "it ends otherwise than recorded: 3" in priced("debug", "check", "b.json", "pricing.py:app").out


def test_a_check_of_a_run_that_is_not_there_is_refused(priced: Cli) -> None:
    assert priced("debug", "check", "zzzzzz", "pricing.py:app").code == 2


# From an Inngest server.


@pytest.fixture
def server(loop: str) -> Iterator[tuple[Server, BlockingPortal]]:
    """A server that plays the real one, in a thread of its own."""
    with start_blocking_portal(backend=loop) as portal, portal.wrap_async_context_manager(Server(seed=1)) as running:
        yield running, portal


def test_a_run_of_a_server_is_opened_with_every_option(
    server: tuple[Server, BlockingPortal], loop: str, cli: Cli, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, portal = server
    (home / "pricing.py").write_text(PRICING)
    monkeypatch.delenv("INNGEST_DEV", raising=False)
    app = targets.load("pricing.py:app")

    async def begin() -> str:
        served = ig.App("pricing", **running.settings())
        served.functions.update(app.functions)
        await running.register(ig.serve(served))
        await running.send(ig.Event("price/asked", {"n": 3, "nap": "1h"}))
        await running.settle()
        return running.runs[0].id

    run = portal.call(begin)
    arguments = ("debug", "--server", running.url, "--run", run, "pricing.py:app", "--loop", loop)
    walked = cli(*arguments, "--plain", "-c", "walk", "-c", "p total")
    assert (walked.code, walked.err) == (0, "")
    assert walked.out.count("step.run 'rate'") == 3
    assert "  the record ends here\n" in walked.out
    assert walked.out.endswith("\n  3\n")
    spoken = cli(*arguments, "--json", stdin='{"command": "finish"}\n')
    assert json.loads(spoken.out.splitlines()[-1])["stop"]["intent"]["id"] == "nap"
    page = cli(*arguments, "--html", "run.html")
    assert (page.code, "<html" in (home / "run.html").read_text()) == (0, True), page.err
    saved = cli(*arguments, "--save", "run.json")
    assert saved.out.splitlines()[-1] == f"run.json: pricing-price {run}, running. inngest-gen debug run.json MODULE:APP opens it."
    shared = cli("runs", "export", "run.json", "--redact", "events.0.data.nap")
    assert json.loads(shared.out)["events"][0]["data"] == {"n": 3, "nap": "[redacted]"}
    assert json.loads((home / "run.json").read_text())["events"][0]["data"]["nap"] == "1h"
    monkeypatch.setenv("INNGEST_DEV", running.url)
    assert cli("debug", "--run", run, "pricing.py:app", "-c", "walk").out.count("step.run 'rate'") == 3

    portal.call(running.finish)
    ended = cli(*arguments)
    assert (ended.code, ended.out.splitlines()[-1]) == (2, "the module is loaded")
    assert f"run {run} has ended (completed" in ended.err
    assert "RecordingMiddleware" in ended.err


def test_a_server_that_is_not_there_and_wrong_words_are_told(cli: Cli, home: pathlib.Path) -> None:
    (home / "pricing.py").write_text(PRICING)
    result = cli("debug", "--server", "127.0.0.1:1", "--run", "01KB82PJYQ0000000000000000", "pricing.py:app")
    assert result.code == 2
    assert "reading run 01KB82PJYQ0000000000000000 at http://127.0.0.1:1 failed (no connection" in result.err
    assert "no URL of a server" in cli("debug", "--server", "http://", "--run", "x", "pricing.py:app").err
    assert "--server wants the run" in cli("debug", "--server", "http://a", "last", "pricing.py:app").err
    for words in (("--run", "x"), ("--run", "x", "last", "pricing.py:app"), ("pricing.py:app",), ("a", "b", "c")):
        result = cli("debug", "open", *words)
        assert (result.code, "give a run and its code" in result.err) == (2, True), result.err


# As a page.


def test_a_run_becomes_a_page_with_the_runs_that_it_started(cli: Cli, home: pathlib.Path) -> None:
    (home / "pricing.py").write_text(
        PRICING.replace("async def price(ctx):", "async def price(ctx):\n    yield ctx.defer('tell', tell, {})").replace(
            '@app.function("price"',
            '@app.deferred("tell", retries=0)\nasync def tell(ctx):\n    yield ctx.step.run("say", len, "hello")\n\n@app.function("price"',
        )
    )
    assert cli("run", "pricing.py:app", "price/asked", '{"n": 2}').code == 0
    listed = {run["function_id"]: run["id"] for run in map(json.loads, cli("runs", "list", "--json").out.splitlines())}
    result = cli("debug", listed["pricing-price"], "pricing.py:app", "--html", "run.html")
    assert (result.code, result.err) == (0, "")
    assert re.search(r"^run.html: pricing-price \w+ and 1 run that came of it, \d+ kB\. Open it in a browser\.$", result.out, re.MULTILINE)
    page = (home / "run.html").read_text()
    assert [run["id"] for run in embedded_in(page)["runs"]] == [listed["pricing-price"], listed["pricing-tell"]]
    assert [stop["number"] for stop in embedded_in(page)["runs"][1]["stops"]] == [0, 1, 2]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_recording_becomes_a_page_with_those_that_are_named(priced: Cli, home: pathlib.Path, loop: str) -> None:
    first = priced("runs", "export", "last").out
    (home / "first.json").write_text(first)
    (home / "second.json").write_text(first.replace(json.loads(first)["run_id"], "01KB82PJYQ0000000000000000"))
    result = priced("debug", "first.json", "pricing.py:app", "--html", "run.html", "--beside", "second.json", "--loop", loop)
    assert (result.code, result.err) == (0, "")
    runs = embedded_in((home / "run.html").read_text())["runs"]
    assert [len(run["stops"]) for run in runs] == [7, 7]
    assert [one["text"] for one in runs[0]["stops"][1]["output"]] == ["pricing 3\n"]


def test_a_page_that_cannot_be_written_is_told_in_a_line(priced: Cli) -> None:
    result = opened(priced, "--html", "nowhere/run.html")
    assert (result.code, "nowhere/run.html cannot be written: No such file or directory" in result.err) == (2, True)
    result = opened(priced, "--save", "nowhere/run.json")
    assert (result.code, "nowhere/run.json cannot be written: No such file or directory" in result.err) == (2, True)


@pytest.mark.parametrize("more", [("--json",), ("-c", "step"), ("--live",), ("--plain",)])
def test_a_page_reads_no_commands(priced: Cli, more: tuple[str, ...]) -> None:
    assert "--html writes a page" in opened(priced, "--html", "run.html", *more).err
    assert "--save writes a recording and nothing else" in opened(priced, "--save", "run.json", *more).err
    assert "--beside is for --html" in opened(priced, "--beside", "last").err
