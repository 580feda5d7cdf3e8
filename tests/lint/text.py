"""Texts for the rules: a handler's body is put into a module that has what handlers need."""

from textwrap import dedent, indent

from inngest_gen.lint.check import check
from inngest_gen.lint.finding import Finding

HEAD = """\
import inngest_gen as ig

app = ig.App("shop")

"""


def handler(body: str, before: str = "") -> str:
    """A module with one function of these lines, and `before` above it."""
    return f'{HEAD}{dedent(before)}\n\n@app.function("f", trigger="go")\nasync def f(ctx: ig.Context) -> ig.Flow:\n{indent(dedent(body), "    ")}\n'


def codes(source: str) -> list[str]:
    """The codes that are found, in the order of the text."""
    return [finding.code for finding in check(source, "shop.py")]


def found(source: str, code: str) -> list[Finding]:
    return [finding for finding in check(source, "shop.py") if finding.code == code]


def shown(source: str, code: str) -> list[str]:
    """What is marked by a rule, as it stands in the text."""
    lines = source.split("\n")
    marked = []
    for one in found(source, code):
        end = one.end_column - 1 if one.end_line == one.line else None
        marked.append(lines[one.line - 1][one.column - 1 : end])
    return marked
