"""Two values are the same if they have the same value; what has only an identity is not judged; the first difference is named."""

import csv
import dataclasses
import datetime as dt
import enum
import functools
import itertools
import threading
import types
from collections import deque
from collections.abc import Callable, Iterator
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


class Basket:
    def __init__(self, *items: Any, **others: Any) -> None:
        self.items = list(items)
        vars(self).update(others)

    def total(self) -> int:
        return len(self.items)


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
    (Truthless(), Truthless()), (made(Client()), made(Client())), (len, len), (Basket(1), Basket(1)), (Basket(Basket(1)).total, Basket(Basket(1)).total),
    # Not only data, so they may be clients that do things when they are first used.
    (Basket(1, lock=threading.Lock()), Basket(2, lock=threading.Lock())), (Basket(print), Basket(len)), (Basket(Client().method), Basket()),
    (types.MethodType(functools.partial(double), 1), types.MethodType(functools.partial(double), 1)), ([1].append, [1].append), ("a".join, "a".join),
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
    (len, sum, "method 'len' first, then 'sum'"),
    ([1].append, [2].append, "[0]: 1 first, then 2"),
    (types.MethodType(made(1), 1), types.MethodType(made(2), 1), "variable 'value': 1 first, then 2"),
    (Basket(1), Basket(2), "items[0]: 1 first, then 2"),
    (Basket(Basket(1)).total, Basket(Basket(2)).total, "items[0].items[0]: 1 first, then 2"),
    (made(Basket()), made(Basket(more=1)), "attributes ['items'] first, then ['items', 'more']"),
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


class Counter:
    def __init__(self) -> None:
        self.n = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.n += 1
        return self.n


def numbers(first: int) -> Iterator[int]:
    yield first
    yield first + 1


def at_their_end(one: Iterator[Any]) -> Iterator[Any]:
    for _ in itertools.islice(one, 50):
        pass
    return one


ITERATORS: dict[str, Callable[[], Iterator[Any]]] = {
    "list": lambda: iter([1, 2, 3]), "tuple": lambda: iter((1, 2, 3)), "range": lambda: iter(range(3)), "items": lambda: iter({1: 2, 3: 4}.items()),
    "set": lambda: iter({1, 2}), "text": lambda: iter("abc"), "reversed": lambda: reversed([1, 2]), "enumerate": lambda: enumerate([1, 2]),
    "zip": lambda: zip([1, 2], "ab", strict=True), "map": lambda: map(str, [1, 2]), "filter": lambda: filter(None, [1, 2]), "deque": lambda: iter(deque([1, 2])),
    "count": lambda: itertools.count(3), "cycle": lambda: itertools.cycle([1, 2, 3]), "chain": lambda: itertools.chain([1, 2], [3]),
    "islice": lambda: itertools.islice([1, 2, 3], 2), "repeat": lambda: itertools.repeat(1, 3), "pairwise": lambda: itertools.pairwise([1, 2, 3]),
    "longest": lambda: itertools.zip_longest([1, 2], [3]), "groups": lambda: itertools.groupby([1, 1, 2]), "csv": lambda: csv.reader(["a,b", "c,d"]),
    "called": lambda: iter(iter([1, 2, 3]).__next__, 3), "generator": lambda: numbers(1), "expression": lambda: (n * 2 for n in [1, 2]), "class": Counter,
}  # fmt: skip


@pytest.mark.parametrize("make", ITERATORS.values(), ids=ITERATORS.keys())
def test_iterators_are_the_same_as_far_as_they_have_come(make: Callable[[], Iterator[Any]]) -> None:
    one, other = make(), make()
    assert difference(one, other) is None
    next(one)
    assert difference(made(one), made(other)) is not None
    next(other)
    assert difference(made(one), made(other)) is None
    at_their_end(one)
    assert difference(one, other) is not None
    at_their_end(other)
    assert difference(one, other) is None


def test_where_iterators_stand_is_told() -> None:
    ahead = iter([1, 2, 3])
    next(ahead)
    assert difference(made(ahead), made(iter([1, 2, 3]))) == "variable 'value': list_iterator with 2 left first, then with 3"
    assert difference(iter([1, 2]), iter([1, 3])) == "[1]: 2 first, then 3"
    generator = numbers(1)
    assert difference(numbers(1), numbers(2)) == "variable 'first': 1 first, then 2"
    next(generator)
    assert "generator numbers at line " in str(difference(generator, numbers(1)))
    assert str(difference(generator, at_their_end(numbers(1)))).endswith("first, then at its end")
    assert difference(numbers(1), (n for n in "a")) == (
        "generator 'numbers' first, then 'test_where_iterators_stand_is_told.<locals>.<genexpr>'"
    )
