"""The entry point: help, versions, wrong usage, exit statuses, errors in one line."""

import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest

from inngest_gen.cli import main
from inngest_gen.cli.main import inngest_gen
from inngest_gen.errors import EngineLocked
from tests.cli import program
from tests.cli.conftest import Cli
from tests.cli.program import ORDERS


def commands(group: click.Command = inngest_gen, prefix: str = "") -> Iterator[str]:
    """Every command there is, groups included."""
    if isinstance(group, click.Group):
        with click.Context(group) as ctx:
            for name in group.list_commands(ctx):
                command = group.get_command(ctx, name)
                assert command is not None
                yield f"{prefix}{name}"
                yield from commands(command, f"{prefix}{name} ")


COMMANDS = ("", *commands())
TOP = [command for command in COMMANDS if command and " " not in command]
GROUPS = {command for command in COMMANDS if any(other.startswith(f"{command} ") for other in COMMANDS)}


def test_it_says_its_version(cli: Cli) -> None:
    result = cli("--version")
    assert (result.code, result.out) == (0, f"inngest-gen {version('inngest-gen')}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_within_80_columns(cli: Cli, command: str) -> None:
    result = cli(*command.split(), "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: inngest-gen {command}".rstrip())
    assert max(map(len, result.out.splitlines())) <= 80


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in GROUPS])
def test_every_command_has_an_example(cli: Cli, command: str) -> None:
    assert f"inngest-gen {command}".strip() in cli(*command.split(), "--help").out.partition("Example")[2]


def test_the_default_file_is_stated_where_there_is_one(cli: Cli) -> None:
    for command in ("run", "dev", "runs list", "runs show", "runs cancel", "runs retry", "events send"):
        text = " ".join(cli(*command.split(), "--help").out.split()).replace("inngest- gen", "inngest-gen")
        assert "default: inngest-gen.db in the current directory" in text
        assert "INNGEST_GEN_DB" in text


def test_without_a_command_it_shows_help(cli: Cli) -> None:
    result = cli()
    assert result.code == 2
    assert "Usage: inngest-gen" in result.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rnu"], "there is no command 'rnu': did you mean 'run'? (see `inngest-gen --help`)"),
        (["xyzzy"], f"there is no command 'xyzzy'; there are {', '.join(TOP)} (see `inngest-gen --help`)"),
        (["runs", "sow"], "there is no command 'sow': did you mean 'show'? (see `inngest-gen runs --help`)"),
        (["demo", "--db", "nowhere/x.db"], "Invalid value for '--db': there is no directory 'nowhere' (see `inngest-gen demo --help`)"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(cli: Cli, arguments: list[str], line: str) -> None:
    result = cli(*arguments)
    assert (result.code, result.out, result.err) == (2, "", f"inngest-gen: {line}\n")


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["run"], "MODULE:APP"),
        (["run", "a:b"], "EVENT"),
        (["run", "a:b", "c", "--lop", "trio"], "--lop"),
        (["run", "a:b", "c", "--loop", "twisted"], "twisted"),
        (["runs", "list", "--limit", "0"], "--limit"),
        (["runs", "list", "--db", "."], "--db"),
        (["runs", "cancel"], "RUN"),
        (["dev", "a:b", "--port", "70000"], "--port"),
    ],
)
def test_what_click_refuses_is_one_line_too(cli: Cli, arguments: list[str], culprit: str) -> None:
    result = cli(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith("inngest-gen: ")
    assert culprit in result.err
    command = "runs list" if arguments[:2] == ["runs", "list"] else "runs cancel" if arguments[0] == "runs" else arguments[0]
    assert result.err.endswith(f"(see `inngest-gen {command} --help`)\n")


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(inngest_gen, "get_command", lambda ctx, name: broken)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, ""),
        (EngineLocked("shop.db", "process 7"), 2, "inngest-gen: shop.db is in use by another engine (process 7): one engine a file;"),
        (
            ExceptionGroup("tasks", [ExceptionGroup("tasks", [EngineLocked("shop.db")])]),
            2,
            "inngest-gen: shop.db is in use by another engine",
        ),
        (
            RuntimeError("two\nlines"),
            1,
            "inngest-gen: a defect in inngest-gen, please report it: RuntimeError: two lines (INNGEST_GEN_TRACEBACK=1",
        ),
    ],
)
def test_what_a_command_raises_becomes_a_line_and_a_status(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    raising(error, monkeypatch)
    result = cli("run")
    assert result.code == code
    assert result.err.strip().startswith(line)
    assert len(result.err.strip().splitlines()) == bool(line)


def test_a_defect_shows_its_traceback_when_asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(RuntimeError("ours"), monkeypatch)
    monkeypatch.setenv("INNGEST_GEN_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="ours"):
        cli("run")


def test_two_errors_at_once_are_a_defect_not_a_guess(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(ExceptionGroup("both", [EngineLocked("a.db"), EngineLocked("b.db")]), monkeypatch)
    assert "ExceptionGroup: both (2 sub-exceptions)" in cli("run").err


@pytest.mark.parametrize(
    "command",
    [["runs", "show", "last"], ["runs", "list"], ["run", ORDERS, "order/lost"], ["run", ORDERS, "order/lost", "--json"], ["dev", ORDERS]],
)
def test_a_reader_that_goes_away_ends_it_quietly(cli: Cli, home: pathlib.Path, command: list[str]) -> None:
    assert cli("run", ORDERS, "order/placed", '{"order_id": "o1"}').code == 0
    cli("events", "send", "order/lost")  # something to print for `dev`
    with_port = [*command, "--port", "0"] if command[0] == "dev" else command
    process = subprocess.Popen(
        [*program.COMMAND, *with_port], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=program.environment(), text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == 141


def test_a_terminal_without_utf8_gets_escapes(tmp_path: pathlib.Path) -> None:
    result = program.run("run", ORDERS, "order/lost", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert result.returncode == 1
    assert "\\u2717 orders-fails" in result.stdout


def test_it_starts_without_what_it_does_not_need() -> None:
    code = f"import sys; from inngest_gen.cli import main; main.status(['--version']); print([m for m in {heavy()!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def heavy() -> list[str]:
    return ["rich", "httpx", "pydantic", "trio", "hypercorn", "starlette", "inngest_gen.engine.engine", "inngest_gen.cli.run"]


def test_the_reference_tells_every_command_and_option(home: pathlib.Path) -> None:
    page = (pathlib.Path(main.__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    for path, command in leaves(inngest_gen, "inngest-gen"):
        section = re.search(rf"^## `{re.escape(path)}[ `].*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section is not None, f"no section for {path}"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert f"`{parameter.opts[0]}" in section[0], f"{path} {parameter.opts[0]}"


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    children = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [leaf for name, child in children if child is not None for leaf in leaves(child, f"{path} {name}")]
