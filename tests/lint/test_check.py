"""A file's findings: their places, their order, what cannot be read, how long it takes."""

import ast
import gc
import time
from pathlib import Path

import pytest

from inngest_gen.lint.check import check, may_hold_handlers
from inngest_gen.lint.rules.all import RULES
from tests.lint.text import HEAD, handler

ROOT = Path(__file__).parents[2]


def test_a_place_counts_lines_and_characters_from_one() -> None:
    [finding] = check(handler("yield ctx.step.run('ä', str, 'ö' + open('ü').read())"), "shop.py")
    line = "    yield ctx.step.run('ä', str, 'ö' + open('ü').read())"
    assert (finding.path, finding.line, finding.code) == ("shop.py", 9, "IGN105")
    assert line[finding.column - 1 : finding.end_column - 1] == "open('ü')"


def test_lines_are_those_that_python_counts() -> None:
    source = handler("x = '\x0c\u2028'\nyield ctx.step.run('a', str, open('b'))").replace("\n", "\r\n")
    assert [(one.line, one.column) for one in check(source)] == [(10, 34)]


def test_a_finding_over_several_lines_has_both_ends() -> None:
    [finding] = check(handler("yield ctx.step.run(\n    'a',\n    str,\n    open(\n        'b'\n    ),\n)"))
    assert (finding.line, finding.end_line, finding.end_column) == (12, 14, 10)


def test_of_a_statement_with_a_body_the_first_line_is_marked() -> None:
    [finding] = check(handler("if ctx.data:\n    yield ig.Done(1)"))
    assert (finding.line, finding.end_line, finding.column, finding.end_column) == (9, 9, 5, 17)


def test_findings_come_in_the_order_of_the_text() -> None:
    found = check(handler("print('a')\nyield ctx.step.run('a', str, open('b'))\nprint('c')"))
    assert [(one.line, one.code) for one in found] == [(9, "IGN107"), (10, "IGN105"), (11, "IGN107")]


def test_only_the_rules_that_are_asked_for_are_looked_for() -> None:
    source = handler("print('a')\nyield ctx.step.run('a', str, open('b'))")
    assert [one.code for one in check(source, rules=["IGN105"])] == ["IGN105"]
    assert check(source, rules=[]) == []


@pytest.mark.parametrize(
    ("broken", "line", "words"),
    [
        ("async def f(ctx):\n  yield ctx.step.run(", 2, "never closed"),
        ("x = inngest_gen\n\0", 1, "null"),
        ("if inngest_gen:\nx", 2, "indented"),
    ],
)
def test_what_is_no_python_is_one_finding(broken: str, line: int, words: str) -> None:
    [finding] = check(broken, "shop.py")
    assert (finding.code, finding.line) == ("IGN000", line)
    assert finding.message.startswith("this cannot be read as Python: ")
    assert words in finding.message


def test_nesting_beyond_the_parser_is_a_finding_too() -> None:
    [finding] = check("inngest_gen = " + "(" * 5000 + ")" * 5000)
    assert finding.code == "IGN000"


def test_long_chains_are_read() -> None:
    assert check(handler("yield ctx.step.run('a', str, " + " + ".join(["ctx.data['a']"] * 900) + ")")) == []


def test_chains_of_calls_without_an_end_are_told_not_a_crash() -> None:
    told = check(handler("yield ctx.step.run('a', str, httpx" + ".get()" * 800 + ")", "import httpx"))
    assert [one.code for one in told] in ([], ["IGN000"])


def test_a_warning_about_the_text_is_not_told() -> None:
    assert check(handler("yield ctx.step.run('a', str, '\\d' is 1)")) == []


@pytest.mark.parametrize("source", ["", "x = 1", "def f():\n    yield 1", "this is no Python", "# yield"])
def test_text_without_our_names_is_not_even_parsed(source: str) -> None:
    assert not may_hold_handlers(source)
    assert check(source) == []


def test_a_name_that_does_not_resolve_raises_nothing() -> None:
    source = f"{HEAD}class A(unknown, metaclass=x):\n    async def f(self, ctx: 'ig.[' = 1, *args: ig.Context) -> 'Flow[':\n        yield self.x(ctx)\n"
    assert check(source) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("inngest_gen/**/*.py")), ids=lambda path: path.stem)
def test_the_package_itself_can_be_looked_at(path: Path) -> None:
    assert check(path.read_text()) == []


def test_a_thousand_lines_take_as_long_as_parsing_them_a_few_times() -> None:
    source = "\n".join(
        (ROOT / "examples" / f"{name}.py").read_text() for name in ("order", "fan_out", "approval", "saga", "ai_answer") for _ in range(2)
    )
    source += source
    assert len(source.splitlines()) > 1_000
    parsing: list[float] = []
    checking: list[float] = []
    gc.collect()
    for _ in range(7):  # in turns: what else the machine does slows both
        for times, work in ((parsing, ast.parse), (checking, check)):
            started = time.process_time()
            work(source)
            times.append(time.process_time() - started)
    assert min(checking) < 12 * min(parsing)


def test_every_rule_has_a_code_of_its_own_and_a_line_of_reason() -> None:
    for code, rule in RULES.items():
        assert code == rule.code
        assert code.startswith("IGN")
        assert len(code) == 6
        assert "\n" not in rule.reason
        assert len(rule.reason) < 120
    assert list(RULES) == sorted(RULES)
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
