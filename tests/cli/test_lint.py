"""`inngest-gen lint`: files, forms, exit statuses, explanations; the pre-commit hook."""

import json
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from inngest_gen.lint.rules.all import RULES
from tests.cli import program
from tests.cli.conftest import Cli
from tests.lint.text import handler

WRONG = handler("print('a')\nyield ctx.step.run('b', str, open('c'))")
RIGHT = handler("yield ctx.step.run('b', open, 'c')")


@pytest.fixture(autouse=True)
def files(home: pathlib.Path) -> None:
    pathlib.Path("shop").mkdir()
    pathlib.Path("shop/wrong.py").write_text(WRONG)
    pathlib.Path("shop/right.py").write_text(RIGHT)
    pathlib.Path("pyproject.toml").write_text("")


def test_findings_are_lines_and_status_1(cli: Cli) -> None:
    result = cli("lint")
    assert result.code == 1
    assert [line[:27] for line in result.out.splitlines()] == ["shop/wrong.py:9:5: IGN107 `", "shop/wrong.py:10:34: IGN105"]
    assert result.err == "inngest-gen: 2 findings in 1 of 2 files\n"


def test_nothing_found_is_status_0(cli: Cli) -> None:
    result = cli("lint", "shop/right.py")
    assert (result.code, result.out, result.err) == (0, "", "inngest-gen: nothing found in 1 file\n")


def test_rules_are_selected_and_ignored(cli: Cli) -> None:
    assert cli("lint", "--select", "IGN107").out.count("IGN") == 1
    assert "IGN105" not in cli("lint", "--ignore", "ign105,IGN2").out
    assert cli("lint", "--ignore", "IGN105", "--ignore", "IGN107").code == 0
    assert cli("lint", "--select", "IGN2,IGN3").code == 0


def test_files_are_excluded(cli: Cli) -> None:
    assert cli("lint", "--exclude", "shop/wrong.py").code == 0
    assert cli("lint", "shop/wrong.py", "--exclude", "*wrong*").err == "inngest-gen: nothing found in 0 files\n"


def test_settings_are_read_from_pyproject(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pathlib.Path("pyproject.toml").write_text(
        '[tool.inngest-gen.lint]\nignore = ["IGN105"]\nper-file-ignores = {"shop/wr*" = ["IGN107"]}\n'
    )
    assert cli("lint").code == 0
    monkeypatch.chdir("shop")
    assert cli("lint").code == 0
    pathlib.Path("../pyproject.toml").write_text('[tool.inngest-gen.lint]\nignore = ["X"]\n')
    result = cli("lint")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("inngest-gen: no rule's code begins with 'X'; there are IGN101, ")


def test_json_and_github_have_nothing_but_findings(cli: Cli) -> None:
    result = cli("lint", "--format", "json")
    assert (result.code, result.err) == (1, "")
    assert [one["code"] for one in json.loads(result.out)] == ["IGN107", "IGN105"]
    assert json.loads(cli("lint", "shop/right.py", "--format", "json").out) == []
    result = cli("lint", "--format", "github")
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith("::error file=shop/wrong.py,line=9,endLine=9,col=5,endColumn=15,title=IGN107::shop/wrong.py:9:5: IGN107 ")


@pytest.mark.parametrize("code", RULES)
def test_every_rule_is_explained(cli: Cli, code: str) -> None:
    result = cli("lint", "--explain", code.lower())
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"### {code}: {RULES[code].name}\n\n{RULES[code].reason}\n")
    assert "Wrong:" in result.out
    assert "Right:" in result.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--explain", "IGN999"], "there is no rule 'IGN999'; there are IGN101, "),
        (["nowhere"], "there is no 'nowhere'"),
        (["--select", "E5"], "no rule's code begins with 'E5'; there are IGN101, "),
        (["--format", "xml"], "Invalid value for '--format': 'xml' is not one of 'text', 'json', 'github' (see `inngest-gen lint --help`)"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(cli: Cli, arguments: list[str], line: str) -> None:
    result = cli("lint", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith(f"inngest-gen: {line}")


def test_a_file_that_cannot_be_read_as_python_is_a_finding(cli: Cli) -> None:
    pathlib.Path("broken.py").write_text("import inngest_gen as\n")
    pathlib.Path("bytes.py").write_bytes(b"x = '\xff'  # inngest_gen\n")
    result = cli("lint", "broken.py", "bytes.py", "shop/right.py")
    assert result.code == 1
    assert [line.split()[1] for line in result.out.splitlines()] == ["IGN000", "IGN000"]


def test_a_file_that_may_not_be_read_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: pathlib.Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("inngest_gen.lint.files.read", refuse)
    result = cli("lint")
    assert (result.code, result.err) == (2, "inngest-gen: [Errno 13] Permission denied: 'shop/right.py'\n")


def test_nothing_of_the_users_is_imported_or_executed(cli: Cli) -> None:
    pathlib.Path("trap.py").write_text("import inngest_gen as ig\nimport pathlib\npathlib.Path('sprung').touch()\nraise SystemExit\n")
    assert cli("lint", "trap.py").code == 0
    assert not pathlib.Path("sprung").exists()


def test_nothing_heavy_is_imported() -> None:
    heavy = ["rich", "httpx", "pydantic", "trio", "hypercorn", "starlette", "inngest_gen.engine.engine", "flake8"]
    code = f"import sys; from inngest_gen.cli import main; main.status(['lint', 'shop']); print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_pre_commit_hook_runs_the_command_on_the_files_it_is_given() -> None:
    text = (pathlib.Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text()
    hook = dict(re.findall(r"^(?:- |  )([\w-]+): (.*)$", text, re.MULTILINE))
    assert hook["id"] == "inngest-gen-lint"
    assert (hook["language"], hook["types"]) == ("python", "[python]")
    words = shlex.split(hook["entry"])
    assert words[0] == "inngest-gen"  # a console script of the package, which the hook installs
    result = program.run(*words[1:], "shop/wrong.py", "shop/right.py", cwd=pathlib.Path.cwd())
    assert result.returncode == 1
    assert result.stdout.count("IGN") == 2
