"""Two values are the same if they have the same value; what has only an identity is not judged; the first difference is named."""

import dataclasses
import datetime as dt
import enum
import functools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from inngest_gen.testing.sameness import difference


@dataclasses.dataclass
class Point:
    x: Any
    y: int = 0
    cache: Any = dataclasses.field(default=None, compare=False)


class Model(BaseModel):
    name: str


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Client:
    def method(self) -> None: ...


class Truthless:
    def __eq__(self, other: object) -> Any:
        class Array:
            def __bool__(self) -> bool:
                raise ValueError("ambiguous")

        return Array()

    __hash__ = None  # type: ignore[assignment]


def made(value: Any) -> Callable[[], Any]:
    return lambda: value


def double(n: int, *, by: int = 2) -> int:
    return n * by


SAME: list[tuple[Any, Any]] = [
    (1, 1), (float("nan"), float("nan")), ([1, {"a": (2,)}], [1, {"a": (2,)}]), ({1, 2}, {2, 1}), (Point(1, cache=1), Point(1, cache=2)),
    (Model(name="a"), Model(name="a")), (dt.date(2026, 1, 1), dt.date(2026, 1, 1)), (Client(), Client()), ([Client()], [Client()]),
    (made(3), made(3)), (Client().method, Client().method), (functools.partial(double, 3), functools.partial(double, 3)), (double, double),
    (Truthless(), Truthless()), (made(Client()), made(Client())), (len, len),
]  # fmt: skip

DIFFERENT: list[tuple[Any, Any, str]] = [
    (1, 2, "1 first, then 2"),
    (1, True, "1 first, then True"),
    ([1, [2]], [1, [3]], "[1][0]: 2 first, then 3"),
    ([1], [1, 2], "[1] first, then [1, 2]"),
    ({"a": 1}, {"b": 1}, "keys ['a'] first, then ['b']"),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, "['a']['b']: 1 first, then 2"),
    (Point([1]), Point([2]), "x[0]: 1 first, then 2"),
    (Model(name="a"), Model(name="b"), "Model(name='a') first, then Model(name='b')"),
    (Colour.RED, Colour.BLUE, "RED"),
    ({1}, {2}, "{1} first, then {2}"),
    (made(1), made(2), "variable 'value': 1 first, then 2"),
    (functools.partial(double, 3), functools.partial(double, 4), "arguments[0]: 3 first, then 4"),
    (functools.partial(double, by=3), functools.partial(double, by=4), "arguments['by']: 3 first, then 4"),
    (double, made(1), "function 'double' first"),
    (len, sum, "<built-in function len> first"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(one: Any, other: Any) -> None:
    assert difference(one, other) is None


@pytest.mark.parametrize(("one", "other", "told"), DIFFERENT)
def test_different(one: Any, other: Any, told: str) -> None:
    found = difference(one, other)
    assert found is not None
    assert told in found


def test_what_refers_to_itself_ends() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [1]
    other.append(other)
    assert difference(one, other) is None
    other[0] = 2
    assert difference(one, other) == "[0]: 1 first, then 2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_a_value_and_its_copy_are_the_same(value: Any) -> None:
    import copy

    assert difference(value, copy.deepcopy(value)) is None


@given(JSON, JSON)
def test_values_that_are_told_apart_differ_and_the_others_are_equal(one: Any, other: Any) -> None:
    if difference(one, other) is None:
        assert repr(one) == repr(other) or one == other
    else:
        assert repr(one) != repr(other)
