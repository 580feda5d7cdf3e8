"""Every rule has its section in the docs, whose wrong example is found and whose right one is left alone."""

from textwrap import dedent

import pytest

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
