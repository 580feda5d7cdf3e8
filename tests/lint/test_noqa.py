"""`# noqa` comments."""

import pytest

from inngest_gen.lint.noqa import is_left_alone
from tests.lint.text import codes, handler


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa", "#noqa", "# NOQA", "# noqa: IGN105", "# noqa:IGN105", "# noqa: ign105", "# noqa: E501,IGN105", "# noqa: E501, IGN105", "# noqa: IGN101 IGN105",
        "# noqa: IGN1", "# noqa: IGN", "# noqa: IGN105 - a file that never changes", "# noqa: IGN105  # another", "# type: ignore  # noqa: IGN105",
        "# why (noqa: no) # noqa: IGN105",
    ],
)  # fmt: skip
def test_leaves_its_line_alone(comment: str) -> None:
    assert is_left_alone("IGN105", (f"x = open('a')  {comment}",))


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "# noqa: IGN101",
        "# noqa: E501",
        "# noqa: IGN1055",
        "# noqua",
        "# noqa:",
        "# noqa : IGN105",
        "noqa: IGN105",
        "# nonoqa",
        "# noqa_: a",
    ],
)
def test_does_not_leave_it_alone(comment: str) -> None:
    assert not is_left_alone("IGN105", (f"x = open('a')  {comment}",))


def test_it_stands_on_the_first_or_the_last_line_of_what_is_found() -> None:
    body = "yield ctx.step.run('a', str, open({first}\n    'a',{middle}\n){last})"
    assert codes(handler(body.format(first="  # noqa: IGN105", middle="", last=""))) == []
    assert codes(handler("yield ctx.step.run('a', str, open(\n    'a',\n))  # noqa: IGN105")) == []
    assert codes(handler(body.format(first="", middle="  # noqa: IGN105", last=""))) == ["IGN105"]


def test_one_code_leaves_the_others() -> None:
    assert codes(handler("print(open('a'))  # noqa: IGN107\nyield ctx.step.run('a', str)")) == ["IGN105"]
