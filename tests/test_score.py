"""A score is a name and a number or a bool, within the server's limits."""

from typing import Any

import pytest

import inngest_gen as ig


@pytest.mark.parametrize("value", [0, 1, -1.5, True, False, 2**53])
def test_a_number_or_a_bool_is_a_score(value: float) -> None:
    assert ig.Score("helpful", value).json() == {"name": "helpful", "value": value}


def test_what_is_scored_can_be_named() -> None:
    assert ig.Score("é" * 64, 1, run_id="r", step_id="answer").json() == {"name": "é" * 64, "value": 1, "run_id": "r", "step_id": "answer"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("", 1), "a score's name is a non-empty string, not ''"),
        ((" ", 1), "a score's name is a non-empty string"),
        ((None, 1), "a score's name is a non-empty string, not None"),
        (("it's", 1), "has neither single quotes nor control characters"),
        (("a\nb", 1), "has neither single quotes nor control characters"),
        (("a\x7f", 1), "has neither single quotes nor control characters"),
        (("é" * 65, 1), "has at most 128 bytes"),
        (("x", float("nan")), "the value of score 'x' is a finite number or a bool, not nan"),
        (("x", float("inf")), "the value of score 'x' is a finite number"),
        (("x", 2**53 + 1), "the value of score 'x' is a finite number"),
        (("x", "1"), "the value of score 'x' is a finite number or a bool, not '1'"),
        (("x", None), "the value of score 'x' is a finite number"),
        (("x", 1, ""), "the run_id of score 'x' is a non-empty string or None, not ''"),
        (("x", 1, None, 5), "the step_id of score 'x' is a non-empty string or None, not 5"),
    ],
)
def test_what_the_server_would_refuse_is_refused(arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(ig.ConfigError) as caught:
        ig.Score(*arguments)
    assert sentence in str(caught.value)
