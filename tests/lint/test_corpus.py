"""What the linter is worth: every known mistake that text can show is found, and no handler after a public example is blamed."""

import ast
import re
import runpy
import time
from pathlib import Path

import pytest

import inngest_gen as ig
from inngest_gen.lint.check import check
from inngest_gen.lint.rule import Program
from inngest_gen.lint.rules.all import RULES
from tests.lint.corpus import MISTAKES, PUBLIC, Mistake
from tests.lint.pages import DOCS

each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.path.stem)
each_public = pytest.mark.parametrize("path", PUBLIC, ids=lambda path: path.stem)


@each_mistake
def test_a_mistake_is_found_where_it_is_and_nothing_else(mistake: Mistake) -> None:
    found = check(mistake.text, mistake.path.name)
    assert {one.code for one in found} == set(mistake.codes)
    assert sorted({one.line for one in found}) == mistake.marked


@each_mistake
def test_a_mistake_has_its_link_and_says_what_is_wrong(mistake: Mistake) -> None:
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", mistake.link)
    assert mistake.product in {"Temporal", "Azure Durable Functions", "Inngest", "DBOS", "Restate"}
    assert mistake.says.endswith(".")


async def test_what_only_a_replay_finds_is_a_mistake(tmp_path: Path) -> None:
    left = [mistake for mistake in MISTAKES if not mistake.codes]
    assert left
    for mistake in left:
        module = runpy.run_path(str(mistake.path))
        async with ig.Engine(
            tmp_path / f"{mistake.path.stem}.db", apps=[module["app"]], clock=ig.VirtualClock(time.time(), jumps=True)
        ) as engine:
            [run] = await engine.run(module["EVENT"])
        assert run.status in {"failed", "blocked"}


def test_there_are_at_least_25_mistakes_of_all_five_products() -> None:
    assert len(MISTAKES) >= 25
    assert len({mistake.product for mistake in MISTAKES}) == 5
    assert len({mistake.link for mistake in MISTAKES}) == len(MISTAKES)


def row(mistake: Mistake) -> str:
    by = ", ".join(f"[{code}](#{code.lower()}-{RULES[code].name})" for code in mistake.codes) or "a replay"
    name = mistake.link.removeprefix("https://github.com/").replace("/issues/", "#").replace("/pull/", "#")
    return f"| {mistake.says} | {mistake.product} | [{name}]({mistake.link}) | {by} |"


def test_the_docs_have_the_table_of_mistakes() -> None:
    told = [line for line in DOCS.read_text().partition("## Known mistakes")[2].splitlines() if line.startswith("| ")]
    expected = [row(mistake) for mistake in MISTAKES]
    assert [line for line in told if "https://" in line] == expected, "\n".join(expected)


@each_public
def test_a_handler_after_a_public_example_is_left_alone(path: Path) -> None:
    assert check(path.read_text(), path.name) == []


@each_public
def test_a_handler_after_a_public_example_is_one_and_has_its_link(path: Path) -> None:
    text = path.read_text()
    flows = Program(ast.parse(text)).flows
    declared = runpy.run_path(str(path))["app"].functions
    assert len(flows.handlers) == len(declared)  # all are recognised
    assert re.search(r"^After https://github\.com/[\w-]+/[\w.-]+/blob/\S+$", text, re.MULTILINE)


def test_there_are_at_least_30_of_four_products() -> None:
    assert len(PUBLIC) >= 30
    assert {path.stem.partition("_")[0] for path in PUBLIC} == {"azure", "dbos", "inngest", "temporal"}
