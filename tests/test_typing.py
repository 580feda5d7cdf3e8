"""Type-checks the files of tests/typing/ with mypy --strict and with pyright; the files are never run.

`ok_*.py` must be clean. In `bad_*.py` both checkers must complain about each line with a comment `# error`, and about no other.
Each checker runs once, over all files.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(ROOT.glob("tests/typing/*.py"))

Complaints = dict[Path, dict[int, str]]  # file -> line, from 1 -> what the checker says


def run_mypy(files: Iterable[Path]) -> Complaints:
    command = [sys.executable, "-m", "mypy", "--strict", "--output", "json", "--no-error-summary", *map(str, files)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode in {0, 1}, answer.stdout + answer.stderr
    complaints: Complaints = {}
    for line in answer.stdout.splitlines():
        told = json.loads(line)
        if told["severity"] == "error":
            complaints.setdefault(ROOT / told["file"], {})[told["line"]] = told["message"]
    return complaints


def run_pyright(files: Iterable[Path]) -> Complaints:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", *map(str, files)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode in {0, 1}, answer.stdout + answer.stderr
    complaints: Complaints = {}
    for told in json.loads(answer.stdout)["generalDiagnostics"]:
        if told["severity"] == "error":
            complaints.setdefault(Path(told["file"]), {})[told["range"]["start"]["line"] + 1] = told["message"]
    return complaints


@pytest.fixture(scope="module", params=[run_mypy, run_pyright], ids=["mypy", "pyright"])
def complaints(request: pytest.FixtureRequest) -> Complaints:
    check: Callable[[Iterable[Path]], Complaints] = request.param
    return check(FILES)


def marked(source: str) -> set[int]:
    return {number for number, line in enumerate(source.splitlines(), 1) if re.search(r"#\s*error\b", line)}


def test_there_are_files_of_both_kinds() -> None:
    assert {path.name.split("_")[0] for path in FILES} == {"ok", "bad"}
    assert not [path.name for path in FILES if path.name.startswith("bad_") != bool(marked(path.read_text()))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_checker_complains_about_the_marked_lines_and_no_other(complaints: Complaints, path: Path) -> None:
    told = complaints.get(path, {})
    expected = marked(path.read_text())
    wrong = [f"{path.name}:{line}: {message}" for line, message in sorted(told.items()) if line not in expected]
    missed = [f"{path.name}:{line}: nothing said" for line in sorted(expected - told.keys())]
    assert not wrong + missed, "\n".join(wrong + missed)


@pytest.mark.parametrize("check", [run_mypy, run_pyright], ids=["mypy", "pyright"])
def test_a_wrong_line_is_found_and_a_right_one_is_not(
    check: Callable[[Iterable[Path]], Complaints], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # mypy's cache goes by a module's name: the repository's would give the path of an earlier sample.
    monkeypatch.setenv("MYPY_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "sample.py"
    path.write_text("number: int = 1\ntext: str = number\n")
    told = check([path])
    assert {file: set(lines) for file, lines in told.items()} == {path: {2}}
