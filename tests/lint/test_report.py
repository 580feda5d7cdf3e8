"""The three forms of findings."""

import json

from inngest_gen.lint.finding import Finding
from inngest_gen.lint.report import as_json, github, text

FINDINGS = [
    Finding(path="a,b.py", line=3, column=5, end_line=3, end_column=9, code="IGN105", message="100% wrong: do it\nin a step"),
    Finding(path="c:d.py", line=4, column=1, end_line=6, end_column=2, code="IGN000", message="this cannot be read"),
]


def test_text_has_a_line_for_each() -> None:
    assert text(FINDINGS[1:]) == "c:d.py:4:1: IGN000 this cannot be read\n"
    assert text([]) == ""


def test_json_is_one_array() -> None:
    told = json.loads(as_json(FINDINGS))
    assert told[0] == {
        "path": "a,b.py", "line": 3, "column": 5, "end_line": 3, "end_column": 9, "code": "IGN105", "message": "100% wrong: do it\nin a step", "name": "io",
    }  # fmt: skip
    assert told[1]["name"] == "no-python"
    assert json.loads(as_json([])) == []


def test_github_commands_are_escaped() -> None:
    first, second = github(FINDINGS).splitlines()
    assert first == (
        "::error file=a%2Cb.py,line=3,endLine=3,col=5,endColumn=9,title=IGN105::a,b.py:3:5: IGN105 100%25 wrong: do it%0Ain a step"
    )
    assert second == "::error file=c%3Ad.py,line=4,endLine=6,col=1,title=IGN000::c:d.py:4:1: IGN000 this cannot be read"
