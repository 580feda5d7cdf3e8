"""Values are shown without running anything of the user's, whatever that would do, and never at length."""

import collections
import dataclasses
import enum
import logging
import time
import types
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.debugger.variables import TEXT, digest, found, inside, listed, size, text, type_name, variable

SPRUNG: list[str] = []


class Trap:
    """Everything of it that could run says so."""

    def __init__(self) -> None:
        object.__setattr__(self, "kept", 1)

    def _sprung(self, *_: Any, **__: Any) -> Any:
        SPRUNG.append("user code")
        raise LookupError("user code ran")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __eq__ = __getattr__ = __getattribute__ = __getitem__ = __contains__ = _sprung
    __format__ = __dir__ = __reduce__ = __sizeof__ = __setattr__ = __delattr__ = __call__ = __index__ = __enter__ = __exit__ = _sprung
    __hash__ = object.__hash__

    @property
    def asked(self) -> Any:
        return self._sprung()


def of_trap_type() -> Any:
    class TrapType(type):
        def __getattribute__(cls, name: str) -> Any:
            SPRUNG.append(name)
            raise LookupError("the metaclass ran")

        __instancecheck__ = __subclasscheck__ = __repr__ = __getattr__ = __getattribute__  # type: ignore[assignment]

    class OfTrapType(metaclass=TrapType):
        __slots__ = ("slot",)

    return OfTrapType


def _trapped(cls: type) -> type:
    names = [
        "__iter__",
        "__len__",
        "__getitem__",
        "__repr__",
        "__str__",
        "__bool__",
        "__contains__",
        "items",
        "keys",
        "values",
        "__getattribute__",
        "__format__",
    ]
    return type(f"Trapped{cls.__name__.title()}", (cls,), dict.fromkeys(names, Trap._sprung))


@dataclasses.dataclass(slots=True)
class Point:
    x: int
    y: Any = None


class Colour(enum.Enum):
    RED = 1


Pair = collections.namedtuple("Pair", "a b")  # noqa: PYI024 - as users have them


def cycle() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


# Made in the test: pytest itself would step into them.
TRAPS: list[Callable[[], Any]] = [
    Trap, lambda: [Trap()], lambda: {"a": Trap()}, lambda: {Trap(): 1}, lambda: (Trap(),), lambda: {Trap()}, lambda: object.__new__(of_trap_type()),
    of_trap_type, lambda: Point(1, Trap()), lambda: ValueError(Trap()), lambda: types.MethodType(Trap(), 1),
    lambda: types.MappingProxyType({"a": Trap()}), lambda: collections.OrderedDict(a=Trap()),
    *[partial(lambda cls: cls.__new__(_trapped(cls)), cls) for cls in (list, dict, set, frozenset, tuple, str, bytes, int, float, bytearray, collections.deque)],
]  # fmt: skip


@pytest.mark.parametrize("maker", TRAPS, ids=range(len(TRAPS)))
def test_nothing_of_the_users_runs(maker: Callable[[], Any]) -> None:
    value = maker()
    SPRUNG.clear()
    assert isinstance(text(value), str)
    assert isinstance(digest(value), bytes)
    assert size(value) >= 0
    assert isinstance(type_name(value), str)
    for inner in inside(value):
        assert isinstance(inner.text, str)
    assert SPRUNG == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"), (True, "True"), (1, "1"), (1.5, "1.5"), (2j, "2j"), ("a", "'a'"), (b"a", "b'a'"),
        ([1, 2], "[1, 2]"), ((1,), "(1,)"), ((), "()"), (set(), "set{}"), ({1}, "set{1}"), (frozenset([1]), "frozenset{1}"),
        ({"a": {"b": [1, {"c": 2}]}}, "{'a': {'b': [1, {'c': 2}]}}"),
        (collections.deque([1]), "deque[1]"), (collections.Counter("aab"), "Counter{'a': 2, 'b': 1}"),
        (Pair(1, 2), "Pair(a=1, b=2)"), (Point(1, Point(2)), "Point(x=1, y=Point(x=2, y=None))"), (Colour.RED, "Colour.RED"),
        (ValueError("a", 1), "ValueError('a', 1)"), (types.MappingProxyType({"a": 1}), "{'a': 1}"),
        (datetime(2026, 1, 2, tzinfo=UTC), "datetime(2026-01-02 00:00:00+00:00)"), (date(2026, 1, 2), "date(2026-01-02)"),
        (timedelta(seconds=1), "timedelta(0:00:01)"), (Decimal("1.2"), "Decimal(1.2)"), (UUID(int=1), "UUID(00000000-0000-0000-0000-000000000001)"),
        (Path("a"), "PosixPath('a')"), (dataclasses, "<module dataclasses>"), (Point, "<class Point>"), (len, "<builtin_function_or_method len>"),
        (cycle(), "[1, [1, [1, [1, […]]]]]"), (10**5000, "<an int of 16,610 bits>"), (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        ("x" * 500, f"'{'x' * 100}'… (500)"), (object(), "object()"), (test_nothing_of_the_users_runs, "<function test_nothing_of_the_users_runs>"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)  # fmt: skip
def test_values_are_written_so(value: Any, shown: str) -> None:
    assert text(value) == shown


def test_a_hidden_thing_of_the_packages_own_stays_hidden() -> None:
    import inngest_gen as ig

    step = ig.App("x")
    assert "_retries" not in text(step, 2_000)
    assert all(not inner.name.startswith("_") for inner in inside(step))


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes() | st.decimals() | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.builds(Point, st.integers(), inner),
    max_leaves=30,
)


@given(_values)
def test_no_text_is_longer_than_its_limit(value: Any) -> None:
    assert len(text(value)) <= TEXT
    assert len(text(value, 20)) <= 20


@given(_values)
def test_a_digest_is_the_same_for_the_same_value(value: Any) -> None:
    assert digest(value) == digest(value)


@given(_values, _values)
def test_a_digest_differs_where_the_value_does(one: Any, other: Any) -> None:
    if repr(one) != repr(other):
        assert digest(one) != digest(other)


def test_a_long_list_that_has_grown_has_another_digest() -> None:
    long = list(range(100_000))
    before = digest(long)
    assert digest([*long, 1]) != before
    assert digest([*long[:500], "x", *long[501:]]) != before


def test_machinery_is_no_change() -> None:
    logger = logging.getLogger("some")
    before = digest([logger, 1])
    logger.setLevel(logging.ERROR)
    assert digest([logger, 1]) == before
    logger.setLevel(logging.NOTSET)


def test_huge_values_are_shown_at_once() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    wide = {n: dict.fromkeys(range(100), "x" * 1000) for n in range(2_000)}
    started = time.perf_counter()
    for value in (deep, wide, "x" * 10**7, 10**100_000):
        assert len(text(value)) <= TEXT
        digest(value)
    assert time.perf_counter() - started < 1
    while deep:  # taken apart by hand: a destructor a level would be too deep
        [deep] = deep


def test_values_inside_are_found_by_their_path() -> None:
    value = {"a": [1, Point(5, {"z": 9})]}
    assert found(value, (0, 1, 1, 0)) == 9
    [a] = inside(value)
    assert (a.name, a.size, a.path) == ("'a'", 2, (0,))
    assert [(one.name, one.path) for one in inside(found(value, (0, 1)), (0, 1))] == [("x", (0, 1, 0)), ("y", (0, 1, 1))]
    assert [one.name for one in inside(list(range(10)), (), 3, 2)] == ["3", "4"]
    for path in [(1,), (0, 2), (0, 0, 0), (-1,)]:
        with pytest.raises(LookupError):
            found(value, path)


def test_an_errors_causes_are_inside_it() -> None:
    error = LookupError("outer")
    error.__cause__ = error.__context__ = ValueError("inner")
    assert [one.name for one in inside(error)] == ["args", "__cause__", "__context__"]


def test_locals_are_listed_in_their_order() -> None:
    assert [(one.name, one.text, one.path) for one in listed({"b": 1, "a": 2})] == [("b", "1", (0,)), ("a", "2", (1,))]
    assert variable("x", [1]).size == 1
