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


def _long(body: str, before: str = "", lines: int = 1_000) -> str:
    """A handler of so many lines: the body again and again, its `#` numbered, `~` one less, and as many of what stands before it."""
    count = lines // (body + before).count("\n")
    numbered = [
        "".join(part.replace("#", str(number)).replace("~", str(number - 1)) for number in range(1, count)) for part in (before, body)
    ]
    return handler(numbered[1], numbered[0])


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ("a# = yield ctx.step.run('a#', str)\nb# = ctx.step.run('b#', lambda: a#)\nyield b#\na#.append(b#)\n", ""),
        ("for i# in range(3):\n    ctx.defer('a', app)\n    a = yield ctx.step.run('b#', str, i#)\n    a[0] = #\n", ""),
        ("with open('a') as file#:\n    yield ctx.step.run('a#', file#.read)\nif ctx.data > #:\n    yield ig.Done(#)\n", ""),
        ("x# = []\ndef add#():\n    x#.append(#)\nyield ctx.step.run('a#', add#)\nx#.append(#)\n", ""),
        (
            "yield flow#(ctx, helper#(#))\n",
            "def helper#(x):\n    helper(#)\nasync def flow#(c, x):\n    yield c.step.run('a#', helper#, x)\n",
        ),
        ("yield f1(ctx)\n", "async def f#(c):\n    x = yield c.step.run('a#', str)\n    yield f~(c)\n    yield ig.Done(x)\n"),
        ("helper1()\n", "def helper#():\n    helper1()\n    return 1\nX# = helper#()\n"),
    ],
)
def test_time_grows_with_the_lines_and_not_with_their_square(body: str, before: str) -> None:
    texts = [_long(body, before, 200), _long(body, before, 2_000)]
    taken: list[list[float]] = [[], []]
    gc.collect()
    for _ in range(3):
        for times, text in zip(taken, texts, strict=True):
            started = time.process_time()
            check(text)
            times.append(time.process_time() - started)
    assert min(taken[1]) < 10 * 3 * min(taken[0])


@pytest.mark.parametrize(
    "source",
    [
        handler(
            "if ctx.data == 0:\n    pass\n" + "".join(f"elif ctx.data == {n}:\n    yield ctx.step.run('{n}', str)\n" for n in range(400))
        ),
        handler("f0()\nyield ctx.step.run('a', str)", "".join(f"def f{n}():\n    return f{n + 1}()\n" for n in range(2_000))),
    ],
    ids=["elif", "calls"],
)
def test_long_chains_can_be_looked_at(source: str) -> None:
    assert check(source) == []


def test_every_rule_has_a_code_of_its_own_and_a_line_of_reason() -> None:
    for code, rule in RULES.items():
        assert code == rule.code
        assert code.startswith("IGN")
        assert len(code) == 6
        assert "\n" not in rule.reason
        assert len(rule.reason) < 120
    assert list(RULES) == sorted(RULES)
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
