"""Every rule has its section in the docs, whose wrong example is found and whose right one is left alone."""

import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.lint.check import check
from inngest_gen.lint.rule import Rule
from inngest_gen.lint.rules.all import RULES
from tests.lint.pages import DOCS, renewed

each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def test_the_docs_have_the_rules_as_they_are() -> None:
    assert DOCS.read_text() == renewed(DOCS.read_text()), "run `python -m tests.lint.pages`"


@each_rule
def test_every_rule_has_its_section(rule: Rule) -> None:
    assert DOCS.read_text().count(f"\n### {rule.code}: {rule.name}\n") == 1


@each_rule
def test_the_wrong_example_is_found_by_its_rule_and_no_other(rule: Rule) -> None:
    assert {finding.code for finding in check(dedent(rule.wrong))} == {rule.code}


@each_rule
def test_the_right_example_is_left_alone(rule: Rule) -> None:
    assert check(dedent(rule.right)) == []


AT_RUN_TIME = ["IGN201", "IGN202", "IGN203", "IGN204", "IGN205", "IGN402"]
"""The rules whose pages say that the mistake is an error at run time, too."""


@pytest.mark.parametrize("code", AT_RUN_TIME)
async def test_what_is_said_to_be_an_error_at_run_time_is_one(code: str, tmp_path: Path) -> None:
    assert "at run time" in " ".join(RULES[code].why.lower().split())
    module: dict[str, Any] = {"__name__": "example"}
    exec(compile(dedent(RULES[code].wrong), code, "exec"), module)
    app = module["app"]
    [function] = app.functions.values()
    trigger = function.options.triggers[0].name
    clock = ig.VirtualClock(time.time(), jumps=True)
    async with ig.Engine(tmp_path / "example.db", apps=[app], clock=clock) as engine:
        [run] = await engine.run(ig.Event(trigger, {"order_id": "o1"}))
    assert run.status == "failed"
    assert run.error is not None
    assert run.error.name == "MisuseError", run.error
