"""Settings in pyproject.toml and on the command line."""

from pathlib import Path

import pytest

from inngest_gen.errors import ConfigError
from inngest_gen.lint.rules.all import RULES
from inngest_gen.lint.settings import Settings


def project(folder: Path, text: str) -> Settings:
    (folder / "pyproject.toml").write_text(text)
    return Settings.near(folder)


def test_without_settings_every_rule_is_looked_for(tmp_path: Path) -> None:
    assert Settings.near(tmp_path).rules(tmp_path / "a.py") == list(RULES)
    assert project(tmp_path, "[tool.other]\nx = 1\n").rules(tmp_path / "a.py") == list(RULES)


def test_the_nearest_file_above_counts(tmp_path: Path) -> None:
    project(tmp_path, '[tool.inngest-gen.lint]\nselect = ["IGN101"]\n')
    (tmp_path / "a" / "b").mkdir(parents=True)
    settings = Settings.near(tmp_path / "a" / "b")
    assert settings.root == tmp_path
    assert settings.rules(tmp_path / "a" / "b" / "c.py") == ["IGN101"]
    project(tmp_path / "a", "")
    assert Settings.near(tmp_path / "a" / "b").rules(Path("c.py")) == list(RULES)


def test_select_and_ignore_are_codes_or_their_beginnings(tmp_path: Path) -> None:
    settings = project(tmp_path, '[tool.inngest-gen.lint]\nselect = ["IGN1", "IGN504"]\nignore = ["IGN107", "IGN108"]\n')
    expected = [code for code in RULES if code.startswith("IGN1") and code not in {"IGN107", "IGN108"}]
    assert settings.rules(Path("a.py")) == [*expected, "IGN504"]


def test_some_files_may_have_ignores_of_their_own(tmp_path: Path) -> None:
    settings = project(
        tmp_path, '[tool.inngest-gen.lint.per-file-ignores]\n"tests/*" = ["IGN"]\n"tests/a.py" = []\n"*_test.py" = ["IGN5"]\n'
    )
    assert settings.rules(tmp_path / "tests" / "a.py") == []
    assert settings.rules(tmp_path / "shop" / "a.py") == list(RULES)
    assert settings.rules(tmp_path / "shop" / "a_test.py") == [code for code in RULES if not code.startswith("IGN5")]


def test_the_command_line_selects_instead_and_ignores_besides(tmp_path: Path) -> None:
    settings = project(tmp_path, '[tool.inngest-gen.lint]\nselect = ["IGN1"]\nignore = ["IGN101"]\nexclude = ["a"]\n')
    given = settings.given(select=["IGN101", "IGN2"], ignore=["IGN201"], exclude=["b"])
    assert given.rules(Path("a.py")) == [code for code in RULES if code.startswith("IGN2") and code != "IGN201"]
    assert list(given.exclude) == ["a", "b"]
    assert settings.given(select=[], ignore=[], exclude=[]) == settings.given(select=["IGN1"], ignore=[], exclude=[])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tool.inngest-gen.lint]\nselect = ["E501"]\n', "no rule's code begins with 'E501'; there are IGN101, "),
        ('[tool.inngest-gen.lint]\nignore = [""]\n', "no rule's code begins with ''"),
        ('[tool.inngest-gen.lint]\nignores = ["IGN1"]\n', "has ignores; there are exclude, ignore, per-file-ignores, select"),
        ('[tool.inngest-gen.lint]\nignore = "IGN1"\n', "ignore holds lists of strings, not 'IGN1'"),
        ("[tool.inngest-gen.lint]\nexclude = [1]\n", "exclude holds lists of strings, not [1]"),
        ('[tool.inngest-gen.lint]\nper-file-ignores = ["a"]\n', "per-file-ignores is a table"),
        ('[tool.inngest-gen.lint]\nper-file-ignores = {"a" = ["X"]}\n', "no rule's code begins with 'X'"),
        ("[tool.inngest-gen]\nlint = 3\n", "is no table"),
        ("tool = [\n", "cannot be read: "),
    ],
)
def test_what_is_no_setting_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        project(tmp_path, text)
    assert words in str(told.value)
