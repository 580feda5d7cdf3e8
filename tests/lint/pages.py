"""The rules' sections of docs/lint.md are the rules' own pages. `python -m tests.lint.pages` writes them anew."""

import re
from pathlib import Path

from inngest_gen.lint.rules.all import RULES

DOCS = Path(__file__).parents[2] / "docs" / "lint.md"
BEGIN, END = "## The rules\n", "\n## "


def table() -> str:
    rows = "".join(f"| [{rule.code}](#{anchor(f'{rule.code}: {rule.name}')}) | {rule.name} | {rule.reason} |\n" for rule in RULES.values())
    return f"| Code | Name | Why |\n|---|---|---|\n{rows}"


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections() -> str:
    return f"{BEGIN}\n{table()}\n" + "\n".join(rule.page() for rule in RULES.values())


def renewed(page: str) -> str:
    """The page with its chapter of rules written anew."""
    before, _, after = page.partition(BEGIN)
    _, mark, rest = after.partition(END)
    return before + sections() + (mark + rest if mark else "")


if __name__ == "__main__":
    DOCS.write_text(renewed(DOCS.read_text()))
