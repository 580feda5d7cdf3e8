"""JSON by the server's number rules: what comes out, what is refused with which words, and that one trip settles a value."""

import copy
import dataclasses
import enum
import json
import math
import pickle
from collections import OrderedDict, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.errors import NotJSON
from inngest_gen.jsonvalue import decode, encode

WHAT = "the result of step 'load'"


def refusal(value: object) -> NotJSON:
    with pytest.raises(NotJSON) as caught:
        encode(value, WHAT)
    return caught.value


class Colour(enum.Enum):
    RED = "red"
    TWO = 2.0
    NAN = math.nan
    PAIR = (1, 2)


class Word(enum.StrEnum):
    A = "a"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not this"


class Count(int):
    pass


class Share(float):
    pass


class Point(NamedTuple):
    x: int
    y: float


@dataclasses.dataclass
class Order:
    total: float
    items: list[Any] = dataclasses.field(default_factory=list)
    _note: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    at: datetime


class Model(pydantic.BaseModel):
    total: float
    price: Decimal = Decimal("1.50")


class Struct(msgspec.Struct, rename="camel"):
    unit_price: float
    by_id: dict[int, str] = msgspec.field(default_factory=dict)


@attrs.define
class Attrs:
    total: float
    order: Order | None = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        ("", '""'),
        ("é\u2028\U0001f600", '"é\u2028\U0001f600"'),
        ({"i": 1, "ok": True}, '{"i":1,"ok":true}'),
        ({"b": 1, "a": None}, '{"b":1,"a":null}'),
        ("null .0", '"null .0"'),
        ([], "[]"),
        ({}, "{}"),
        # numbers, as JCS has them
        (2.0, "2"),
        (-0.0, "0"),
        (0.0, "0"),
        (2.5, "2.5"),
        (-1e15, "-1000000000000000"),
        (float(2**53), "9007199254740992"),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        ([1.0, {"a": 3.0}], '[1,{"a":3}]'),
        (5e-324, "5e-324"),
        # beyond plain JSON
        ((1, (2.0,)), "[1,[2]]"),
        (Point(1, 2.0), "[1,2]"),
        (Text("x"), '"x"'),
        ({Text("k"): Text("v")}, '{"k":"v"}'),
        ({Word.A: Word.A}, '{"a":"a"}'),
        (Count(3), "3"),
        (Share(4.0), "4"),
        (Level.LOW, "1"),
        ([Colour.RED, Colour.TWO, Colour.PAIR], '["red",2,[1,2]]'),
        (OrderedDict(z=1, a=2), '{"z":1,"a":2}'),
        (defaultdict(list, a=[1.0]), '{"a":[1]}'),
        (datetime(2026, 1, 31, 9, tzinfo=UTC), '"2026-01-31T09:00:00+00:00"'),
        (date(2026, 1, 31), '"2026-01-31"'),
        (time(9, 30), '"09:30:00"'),
        (UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
        ({"id": UUID(int=5), "x": None}, '{"id":"00000000-0000-0000-0000-000000000005","x":null}'),
        (Order(2.0, [Order(0.5)]), '{"total":2,"items":[{"total":0.5,"items":[],"_note":null}],"_note":null}'),
        (Slotted(datetime(2026, 1, 31, tzinfo=UTC)), '{"at":"2026-01-31T00:00:00+00:00"}'),
        (Model(total=3.0), '{"total":3,"price":"1.50"}'),
        (Struct(1.0, {7: "x"}), '{"unitPrice":1,"byId":{"7":"x"}}'),
        (Attrs(1.0, Order(2.0)), '{"total":1,"order":{"total":2,"items":[],"_note":null}}'),
        ({"rows": [Model(total=1.5)]}, '{"rows":[{"total":1.5,"price":"1.50"}]}'),
    ],
)
def test_what_is_accepted_becomes_json(value: object, text: str) -> None:
    assert encode(value, WHAT) == text.encode()


def test_a_float_beyond_2_to_53_stays_a_float() -> None:
    for number in (1e16, 1.7976931348623157e308, -1e21):
        back = decode(encode(number, WHAT))
        assert type(back) is float
        assert back == number


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def own_tail() -> list[Any]:
    tail: list[Any] = [1]
    tail.append({"again": tail})
    return tail


class Thing:
    pass


async def coroutine() -> None:
    pass


@pytest.mark.parametrize(
    ("value", "path", "type_name", "reason"),
    [
        (math.nan, "", "float", "JSON has no nan"),
        ({"a": [1, math.inf]}, ".a[1]", "float", "JSON has no inf"),
        ({"items": [0, 1, 2, {"price": -math.inf}]}, ".items[3].price", "float", "JSON has no -inf"),
        (Order(1.5, [Order(math.nan)]), ".items[0].total", "float", "JSON has no nan"),
        ([Model.model_construct(total=math.nan)], "[0].total", "float", "JSON has no nan"),
        (Struct(math.nan), ".unitPrice", "float", "JSON has no nan"),
        (Attrs(math.nan), ".total", "float", "JSON has no nan"),
        ({"c": Colour.NAN}, ".c", "float", "JSON has no nan"),
        (Share("nan"), "", "Share", "JSON has no nan"),
        (2**53 + 1, "", "int", "beyond 2**53"),
        ({"id": -(2**53) - 1}, ".id", "int", "beyond 2**53"),
        ([2**70], "[0]", "int", "beyond 2**53"),
        (Count(2**60), "", "Count", "beyond 2**53"),
        ({"a": {1: 2}}, ".a", "int", "it has the key 1"),
        ({None: 1}, "", "NoneType", "it has the key None"),
        ({"a b": {"": [{1}]}}, "['a b'][''][0]", "set", "a set has no order"),
        (frozenset(), "", "frozenset", "has no order"),
        ([b"x"], "[0]", "bytes", "base64"),
        ((1, bytearray()), "[1]", "bytearray", "base64"),
        (Decimal("1.5"), "", "Decimal", "use str or float"),
        (timedelta(1), "", "timedelta", "total_seconds"),
        (1j, "", "complex", "pair of floats"),
        ((i for i in "x"), "", "generator", "collect its items"),
        ({"a": Thing()}, ".a", "Thing", "JSON has nothing for it"),
        (Thing, "", "type", "JSON has nothing for it"),
        (Order, "", "type", "JSON has nothing for it"),
        (ValueError("x"), "", "ValueError", "JSON has nothing for it"),
        ({"a": "\ud800"}, ".a", "str", "lone surrogate"),
        ({"\udfff": 1}, "", "str", "lone surrogate"),
        (Text("\ud800"), "", "Text", "lone surrogate"),
        (own_tail(), "[1].again", "list", "it contains itself"),
        (nested(256), None, "list", "nested more than 254 deep"),
        ([Model.model_construct(total=object())], "[0]", "Model", "PydanticSerializationError"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(value: object, path: str | None, type_name: str, reason: str) -> None:
    error = refusal(value)
    assert reason in error.reason
    assert error.type_name == type_name
    assert error.what == WHAT
    assert path is None or error.path == path
    assert str(error).startswith(f"{WHAT} cannot become JSON: ")
    assert len(str(error)) < 400
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_coroutine_that_was_not_awaited_is_named_as_such() -> None:
    forgotten = coroutine()
    assert "not awaited" in refusal({"x": forgotten}).reason
    forgotten.close()


@pytest.mark.parametrize("leaf", [1, 2.0, None])
def test_depth_is_limited_alike_whatever_is_inside(leaf: object) -> None:
    deepest: Any = leaf
    for _ in range(254):
        deepest = [deepest]
    assert decode(encode(deepest, WHAT)) == deepest
    refusal([deepest])


def test_what_is_too_deep_for_pythons_own_stack_is_refused_as_well() -> None:
    value = Order(1.5)
    for _ in range(5000):
        value = Order(1.5, [value])
    assert "nested" in refusal(value).reason


def test_the_same_part_twice_is_no_circle() -> None:
    part = {"x": None}
    assert encode([part, part, {"p": part}], WHAT) == b'[{"x":null},{"x":null},{"p":{"x":null}}]'


@pytest.mark.parametrize("data", [b"", b"{", b"NaN", b"[1,]", b'"\xff"', "{'a':1}", b"x" * 1000])
def test_text_that_is_no_json_is_refused_with_the_place(data: bytes | str) -> None:
    with pytest.raises(NotJSON, match="it is not valid") as caught:
        decode(data)
    assert len(str(caught.value)) < 250


def test_json_is_read_from_bytes_and_from_text() -> None:
    assert decode(b'{"a":[1,2.5,null]}') == decode('{"a":[1,2.5,null]}') == {"a": [1, 2.5, None]}


scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner), max_leaves=20)


@given(values)
def test_one_trip_settles_a_value(value: Any) -> None:
    once = decode(encode(value, WHAT))
    again = decode(encode(once, WHAT))
    assert again == once
    assert repr(again) == repr(once)  # types too: 2 and 2.0 are equal


@given(values)
def test_a_value_equals_what_is_read_back_and_is_left_alone(value: Any) -> None:
    before = copy.deepcopy(value)
    assert decode(encode({"v": value}, WHAT)) == json.loads(json.dumps({"v": value}))
    assert repr(value) == repr(before)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_an_int_where_javascript_would_not_tell(number: float) -> None:
    back = decode(encode(number, WHAT))
    assert back == number
    assert (type(back) is int) == (number.is_integer() and abs(number) <= 2**53)


@given(st.recursive(scalars | st.just(math.nan), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)))
def test_nan_never_becomes_null(value: Any) -> None:
    if "nan" in repr(value) and not _same(value):
        assert "JSON has no nan" in refusal({"v": value, "none": None}).reason
    else:
        encode({"v": value, "none": None}, WHAT)


def _same(value: Any) -> bool:
    match value:
        case list():
            return all(map(_same, value))
        case dict():
            return all(map(_same, value.values()))
        case _:
            return bool(value == value)  # noqa: PLR0124 - NaN does not equal itself
