"""The plugin, in the real flake8."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lint.text import handler


def flake8(folder: Path, *arguments: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-m", "flake8", "--isolated", "--jobs=1", "--select=IGN", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    return result.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(handler("yield ctx.step.run('ä', str, open('b'))\nprint('a')\nprint('b')  # noqa: IGN107\n"))
    (tmp_path / "other.py").write_text("async def f(ctx):\n    yield open('a')\n")
    return tmp_path


def test_flake8_finds_it_by_its_entry_point(folder: Path) -> None:
    assert next(line.partition(" ")[2][:38] for line in flake8(folder, "--version")) != ""
    assert "inngest-gen: " in flake8(folder, "--version")[0]


def test_flake8_shows_the_findings_and_heeds_noqa(folder: Path) -> None:
    told = flake8(folder)
    assert [line.partition(": ")[0].removeprefix("./") for line in told] == ["shop.py:9:35", "shop.py:10:5"]
    assert told[1].endswith(
        ": IGN107 `print()` writes a line in handler code, again in every replay: use ctx.logger, which is silent while replaying"
    )


def test_flake8_selects_and_ignores(folder: Path) -> None:
    assert [line.split()[1] for line in flake8(folder, "--extend-ignore=IGN107")] == ["IGN105"]
    assert flake8(folder, "--disable-noqa", "--extend-ignore=IGN105") != flake8(folder, "--extend-ignore=IGN105")
