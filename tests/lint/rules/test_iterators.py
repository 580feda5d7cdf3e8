"""IGN605: what steps take from an iterator of their handler's."""

import pytest

from tests.lint.text import codes, handler, shown

BEFORE = """
import itertools

def numbers():
    yield 1
    yield 2

def take(numbers):
    return next(numbers)

def rest(numbers, more=()):
    return [n for n in numbers]
"""

MAKES = [
    "iter(ctx.data['n'])",
    "numbers()",
    "(n for n in ctx.data['n'])",
    "itertools.count()",
    "zip('ab', 'cd')",
    "enumerate('ab')",
    "map(str, 'ab')",
]


@pytest.mark.parametrize("made", MAKES)
@pytest.mark.parametrize(
    ("body", "marked"),
    [
        ("yield ctx.step.run('a', lambda: next(it))\nyield ctx.step.run('b', lambda: next(it))", ["it"]),
        ("yield ctx.step.run('a', next, it)\nyield ctx.step.run('b', next, it)", ["next"]),
        ("yield ctx.step.run('a', take, it)\nyield ctx.step.run('b', rest, it)", ["numbers"]),
        ("yield ctx.step.run('a', lambda: next(it, None))\nyield ig.Done(list(it))", ["it"]),
        ("for n in range(3):\n    yield ctx.step.run(f'a-{n}', lambda: next(it))", ["it"]),
        ("def body():\n    for n in it:\n        return n\nyield ctx.step.run('a', body)\nyield ctx.step.run('b', body)", ["it"]),
        ("def body():\n    return sum(it)\nyield ctx.step.run('a', body)\nfor n in it:\n    yield ctx.step.run('b', str, n)", ["it"]),
        ("yield ctx.group.parallel(ctx.step.run('a', lambda: next(it)), ctx.step.run('b', lambda: next(it)))", ["it"]),
    ],
)
def test_what_two_steps_take_from_one_iterator_is_found(made: str, body: str, marked: list[str]) -> None:
    assert shown(handler(f"it = {made}\n{body}", BEFORE), "IGN605") == marked


@pytest.mark.parametrize(
    "body",
    [
        "it = iter('ab')\nyield ctx.step.run('a', str, next(it))\nyield ctx.step.run('b', str, next(it))",
        "it = iter('ab')\nfor n in it:\n    yield ctx.step.run('a', str, n)",
        "it = iter('ab')\nyield ctx.step.run('a', lambda: list(it))",
        "it = [1, 2]\nyield ctx.step.run('a', lambda: sum(it))\nyield ctx.step.run('b', lambda: max(it))",
        "it = range(3)\nyield ctx.step.run('a', list, it)\nyield ctx.step.run('b', sum, it)",
        "for n in range(3):\n    it = iter('ab')\n    yield ctx.step.run('a', lambda: next(it))",
        "def body():\n    it = iter('ab')\n    return next(it)\nyield ctx.step.run('a', body)\nyield ctx.step.run('b', body)",
        "it = yield ctx.step.run('a', list)\nyield ctx.step.run('b', sum, it)\nyield ctx.step.run('c', max, it)",
        "it = ctx.data['it']\nyield ctx.step.run('b', sum, it)\nyield ctx.step.run('c', max, it)",
        "it = map(str, 'ab')\nit = list(it)\nyield ctx.step.run('b', sum, it)\nyield ctx.step.run('c', max, it)",
        "it = iter('ab')\ndef body(it):\n    return next(it)\nyield ctx.step.run('a', body, iter('x'))\nyield ctx.step.run('b', body, iter('y'))",
    ],
)
def test_what_a_replay_does_again_is_left_alone(body: str) -> None:
    assert codes(handler(body, BEFORE)) == []
