"""Typed results and schemas: the value is the same live and replayed, and what does not fit fails where it is made."""

import dataclasses
import enum
import functools
import gc
import math
import subprocess
import sys
import types
import typing
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Optional, TypedDict, TypeVar, Union
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen import codecs
from inngest_gen.codecs import Schema, encode_result, result_decoder, type_decoder
from inngest_gen.errors import NotJSON, SchemaError
from inngest_gen.jsonvalue import decode

WHAT = "the result of step 'load'"
T = TypeVar("T")
UserId = NewType("UserId", str)
Number = NewType("Number", Decimal)


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


@dataclasses.dataclass
class Order:
    id: str
    email: str
    total: float
    qty: int


@dataclasses.dataclass(frozen=True, slots=True)
class Basket:
    orders: tuple[Order, ...]
    at: datetime
    tags: frozenset[str] = frozenset()


@dataclasses.dataclass
class Tree:
    name: str
    children: list["Tree"] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Box(typing.Generic[T]):
    content: T


class Receipt(pydantic.BaseModel):
    to: str
    body: str = ""


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, frozen=True)
    at: datetime
    ids: set[UUID]


class Aliased(pydantic.BaseModel):
    order_id: str = pydantic.Field(alias="orderId")


class WireAliased(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(serialize_by_alias=True)
    order_id: str = pydantic.Field(alias="orderId")


class Names(pydantic.RootModel[list[str]]):
    pass


class ByName(pydantic.RootModel[dict[str, int]]):
    pass


class Point(NamedTuple):
    x: int
    y: float


class Movie(TypedDict):
    title: str
    seen: NotRequired[date]


class NewMovie(typing_extensions.TypedDict, total=False):
    title: typing_extensions.Required[str]
    parts: list[date]


class Mixed(typing_extensions.TypedDict):
    movie: Movie


class Struct(msgspec.Struct, rename="camel"):
    unit_price: float
    at: datetime
    by_id: dict[int, str] = msgspec.field(default_factory=dict)


class Row(msgspec.Struct, array_like=True):
    a: int


@attrs.define
class Parcel:
    weight: float
    _code: str
    due: date | None = None
    inner: "list[Parcel]" = attrs.Factory(list)
    volume: float = attrs.field(init=False, default=0.0)


class Thing:
    pass


MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def live(tp: Any, value: object) -> Any:
    """Give what a handler sees after one trip through JSON."""
    read = type_decoder(tp)
    json = decode(encode_result(tp, value, WHAT))
    return read(json) if read else json


ROUND_TRIPS: list[tuple[Any, Any]] = [
    (float, 2.0),
    (float, 2.5),
    (Order, Order("o-1", "a@b.c", 12.0, 3)),
    (Basket, Basket((Order("o-1", "a", 1.0, 1),), MOMENT, frozenset("ab"))),
    (Tree, Tree("root", [Tree("leaf")])),
    (Box[int], Box(1)),
    (Box[Order], Box(Order("o", "e", 1.0, 1))),
    (Receipt, Receipt(to="a")),
    (Strict, Strict(at=MOMENT, ids={UUID(int=1)})),
    (Aliased, Aliased(orderId="x")),
    (WireAliased, WireAliased(orderId="x")),
    (Names, Names(["a"])),
    (Point, Point(1, 2.0)),
    (Movie, {"title": "M", "seen": date(2026, 1, 31)}),
    (Movie, {"title": "M"}),
    (NewMovie, {"title": "M", "parts": [date(2026, 1, 31)]}),
    (list[Movie], [{"title": "M", "seen": date(2026, 1, 31)}]),
    (Struct, Struct(1.0, MOMENT, {7: "x"})),
    (Parcel, Parcel(1.0, "c", date(2026, 1, 31), [Parcel(2.0, "d")])),
    (list[Struct], [Struct(1.0, MOMENT)]),
    (dict[str, Parcel], {"a": Parcel(1.0, "c", inner=[Parcel(0.5, "d")])}),
    (Struct | None, Struct(1.0, MOMENT)),
    (Parcel | None, None),
    (tuple[Struct, Parcel], (Struct(1.0, MOMENT), Parcel(1.0, "c", date(2026, 1, 31)))),
    (Annotated[list[Parcel], "doc"], [Parcel(1.0, "c")]),
    (set[int], {1, 2}),
    (frozenset[str], frozenset("ab")),
    (set, {1}),
    (tuple[int, ...], (1, 2)),
    (tuple[int, str], (1, "a")),
    (tuple, (1, "a")),
    (bytes, b"\xff\x00"),
    (dict[str, bytes], {"a": b"\xff"}),
    (Decimal, Decimal("1.50")),
    (Number, Decimal(1)),
    (dict[int, str], {1: "a"}),
    (dict[UUID, float], {UUID(int=1): 1.0}),
    (list[float], [1.0, 2.5]),
    (float | None, 1.0),
    (datetime, MOMENT),
    (date, date(2026, 1, 31)),
    (timedelta, timedelta(days=1, milliseconds=1)),
    (UUID, UUID(int=1)),
    (Path, Path("a/b")),
    (Colour, Colour.BLUE),
    (Literal["a", 1], 1),
    (Literal[Colour.RED], Colour.RED),
    (Order | Receipt | None, Receipt(to="a")),
    (Union[int, str, None], "1"),  # noqa: UP007
    (Annotated[int, pydantic.Field(gt=0)], 1),
    (Sequence[Order], [Order("o", "e", 1.0, 1)]),
    (Iterable[Order], [Order("o", "e", 1.0, 1)]),
    (Mapping[str, date], {"a": date(2026, 1, 31)}),
]


@pytest.mark.parametrize(("tp", "value"), ROUND_TRIPS)
def test_a_result_reads_back_as_its_declared_type(tp: Any, value: Any) -> None:
    once = live(tp, value)
    assert once == value
    assert type(once) is type(value)
    assert repr(live(tp, once)) == repr(once)


@pytest.mark.parametrize(("tp", "value"), ROUND_TRIPS)
def test_a_function_counts_as_what_it_returns(tp: Any, value: Any) -> None:
    async def body() -> Any: ...

    body.__annotations__["return"] = tp
    assert encode_result(body, value, WHAT) == encode_result(tp, value, WHAT)
    assert result_decoder(body) is type_decoder(tp)


@given(st.recursive(st.builds(Tree, st.text()), lambda inner: st.builds(Tree, st.text(), st.lists(inner, max_size=3)), max_leaves=8))
def test_a_recursive_dataclass_is_the_same_live_and_replayed(tree: Tree) -> None:
    assert live(Tree, tree) == tree


parcels = st.builds(Parcel, st.floats(allow_nan=False, allow_infinity=False), st.text(), st.none() | st.dates())


@given(
    st.recursive(parcels, lambda inner: st.builds(Parcel, st.just(1.0), st.text(), st.none(), st.lists(inner, max_size=3)), max_leaves=6)
)
def test_a_recursive_attrs_class_is_the_same_live_and_replayed(parcel: Parcel) -> None:
    assert live(Parcel, parcel) == parcel
    assert live(list[Parcel], [parcel]) == [parcel]


@given(st.lists(st.tuples(st.binary(), st.sets(st.integers(-(2**53), 2**53)), st.decimals(allow_nan=False, allow_infinity=False))))
def test_bytes_sets_and_decimals_are_the_same_live_and_replayed(rows: list[tuple[bytes, set[int], Decimal]]) -> None:
    assert live(list[tuple[bytes, set[int], Decimal]], rows) == rows


TRIVIAL: list[Any] = [
    Any, None, object, str, int, bool, dict, list, dict[str, Any], dict[str, int], list[str], list[dict[str, list[int]]], int | None,
    Optional[str], Union[int, str, None], typing.Dict[str, int], typing.List[str], T, types.GenericAlias(list, T),  # noqa: UP006, UP007, UP045
    UserId, Mapping[str, Any], Sequence[int],
    Iterable[int], AsyncGenerator[Any, Any], AsyncIterator[int], Iterator[Order], typing.NoReturn, Thing, typing.Self,
]  # fmt: skip


@pytest.mark.parametrize("tp", TRIVIAL)
def test_what_json_has_already_is_left_alone(tp: Any) -> None:
    assert type_decoder(tp) is None
    assert encode_result(tp, {"a": 2.0}, WHAT) == b'{"a":2}'


# --- of which callable


def plain() -> Order:
    raise NotImplementedError


async def coroutine_function(x: "NoSuchType") -> Order:  # type: ignore[name-defined]  # noqa: F821
    raise NotImplementedError


def quoted() -> "Order | None":
    raise NotImplementedError


def nested_quote() -> "list['Order']":
    raise NotImplementedError


def gives_awaitable() -> Awaitable[Order]:
    raise NotImplementedError


def gives_coroutine() -> Coroutine[Any, Any, Order]:
    raise NotImplementedError


@functools.lru_cache
def cached_by_functools() -> Order:
    raise NotImplementedError


def decorated(fn: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> T:
        return fn(*args)

    return wrapper


class Shop:
    def load(self) -> Order:
        raise NotImplementedError

    @classmethod
    def make(cls) -> Order:
        raise NotImplementedError

    @staticmethod
    async def fetch() -> Order:
        raise NotImplementedError

    def __call__(self, n: int) -> Order:
        raise NotImplementedError


ORDER = {"id": "o", "email": "e", "total": 2, "qty": 1}


@pytest.mark.parametrize(
    "fn",
    [
        plain, coroutine_function, quoted, gives_awaitable, gives_coroutine, cached_by_functools, decorated(plain),
        functools.partial(plain), functools.partial(functools.partial(coroutine_function), 1), Shop().load, Shop.load, Shop.make,
        Shop.fetch, Shop(), functools.partial(Shop().load), Order,
    ],
)  # fmt: skip
def test_every_kind_of_callable_tells_what_it_returns(fn: Callable[..., Any]) -> None:
    for _ in range(2):  # looked up, then found
        read = result_decoder(fn)
        assert read is not None
        assert read(ORDER) == Order("o", "e", 2.0, 1)
        assert decode(encode_result(fn, Order("o", "e", 2.0, 1), WHAT)) == ORDER


def test_a_quote_inside_a_type_is_resolved() -> None:
    read = result_decoder(nested_quote)
    assert read is not None
    assert read([ORDER]) == [Order("o", "e", 2.0, 1)]


def unresolvable() -> "NoSuchType":  # type: ignore[name-defined]  # noqa: F821
    raise NotImplementedError


def not_annotated():  # type: ignore[no-untyped-def]
    raise NotImplementedError


def quoted_none() -> "None":
    raise NotImplementedError


async def streaming() -> AsyncGenerator[int, Any]:
    yield 1


@pytest.mark.parametrize("fn", [unresolvable, not_annotated, quoted_none, streaming, lambda: 1, print, len, dict, int, "".join, [].append])
def test_without_a_usable_annotation_json_stays_as_it_is(fn: Callable[..., Any]) -> None:
    assert result_decoder(fn) is None
    assert encode_result(fn, [2.0], WHAT) == b"[2]"


FUTURE = """
from __future__ import annotations
import dataclasses
@dataclasses.dataclass
class Order:
    id: str
def load() -> Order: ...
def nested():
    @dataclasses.dataclass
    class Local:
        id: str
    async def body() -> Local:
        return Local("x")
    return body
"""


def test_annotations_from_the_future_are_resolved_where_the_function_is_defined() -> None:
    module: dict[str, Any] = {"__name__": __name__}
    exec(FUTURE, module)
    for fn in (module["load"], module["nested"]()):
        read = result_decoder(fn)
        assert read is not None
        assert read({"id": "x"}).id == "x"
    assert type(result_decoder(module["load"])({"id": "x"})) is module["Order"]  # type: ignore[misc]


def test_a_reloaded_function_is_not_taken_for_its_former_self() -> None:
    kinds = set()
    for _ in range(3):
        module: dict[str, Any] = {"__name__": __name__}
        exec(FUTURE, module)
        read = result_decoder(module["load"])
        assert read is not None
        kinds.add(type(read({"id": "x"})))
        assert type(read({"id": "x"})) is module["Order"]
    assert len(kinds) == 3


def test_functions_of_one_decorator_are_told_apart() -> None:
    assert result_decoder(decorated(plain)) is not None
    assert result_decoder(decorated(quoted_none)) is None


def test_a_function_that_was_looked_at_is_not_kept() -> None:
    before = len(codecs._known)

    def look() -> "weakref.ref[Any]":
        def body() -> Order:
            raise NotImplementedError

        cycle = [body]
        cycle.append(cycle)  # type: ignore[arg-type]
        assert result_decoder(body) is not None
        assert result_decoder(functools.partial(body)) is not None
        return weakref.ref(body)

    reference = look()
    gc.collect()
    assert reference() is None
    assert len(codecs._known) == len(codecs._references) <= before


def test_pydantic_is_imported_at_first_need() -> None:
    code = """
import sys
from inngest_gen.codecs import encode_result, result_decoder
def load() -> dict[str, list[int] | None]: ...
result_decoder(load), encode_result(load, {"a": 1.0}, "it")
assert not {"pydantic", "msgspec", "attrs", "attr"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


# --- what does not fit


@pytest.mark.parametrize(
    ("tp", "value", "path", "type_name", "reason"),
    [
        (Order, Order("o", 5, 1.0, 1), ".email", "int", "declared type Order: Input should be a valid string"),  # type: ignore[arg-type]
        (Order, None, "", "NoneType", "declared type Order: Input should be a"),
        (list[Order], [Order("o", "e", 1.0, 1), {"id": "x", "email": "e", "total": 1, "qty": "many"}], "[1].qty", "str", "valid integer"),
        (Receipt, {"body": "x"}, ".to", "dict", "declared type Receipt: Field required"),
        (set[int], {"a"}, None, "str", "declared type set[int]: Input should be a valid integer"),
        (Decimal, "abc", "", "str", "valid decimal"),
        (Annotated[int, pydantic.Field(gt=0)], 0, "", "int", "greater than 0"),
        (Literal["a"], "b", "", "str", "'a'"),
        (Colour, "green", "", "str", "'red' or 2"),
        (Struct, {"unitPrice": "x"}, "", "dict", "Expected `float`"),
        (list[Struct], [{"unitPrice": "x"}], "[0]", "dict", "Expected `float`"),
        (Parcel, {"weight": 1}, "._code", "dict", "Field required"),
        (Parcel, [1], "", "list", "declared type Parcel"),
        (Movie, {"titel": "x"}, ".title", "dict", "Field required"),
        (list[float], [1.0, math.nan], "[1]", "float", "JSON has no nan"),
        (Order, Order("o", "e", math.inf, 1), ".total", "float", "JSON has no inf"),
        (Receipt, Thing(), "", "Thing", "declared type Receipt"),
        (Box[Thing], Box(Thing()), "", "Box", "cannot be read from JSON"),
        (list[Thing], [], "", "list", "cannot be read from JSON"),
        (Thing, Thing(), "", "Thing", "JSON has nothing for it"),
        (dict[tuple[int, int], str], {(1, 2): "a"}, None, "str", "Input should be a valid"),
    ],
)
def test_a_result_that_does_not_fit_its_declared_type_fails_there(
    tp: Any, value: Any, path: str | None, type_name: str, reason: str
) -> None:
    with pytest.raises(NotJSON) as caught:
        encode_result(tp, value, WHAT)
    error = caught.value
    assert reason in error.reason
    assert error.what == WHAT
    assert error.type_name == type_name
    assert path is None or error.path == path


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes both kinds of TypedDict from Python 3.12 on")
def test_a_typed_dict_that_pydantic_cannot_read_is_refused_with_its_advice() -> None:
    with pytest.raises(NotJSON, match=r"cannot be read from JSON: Please use `typing_extensions.TypedDict`"):
        encode_result(Mixed, {"movie": {"title": "M"}}, WHAT)


def test_an_error_counts_the_misfits_it_does_not_show() -> None:
    with pytest.raises(NotJSON, match=r"Field required \(and 3 more\)"):
        encode_result(Order, {}, WHAT)


def test_a_value_for_which_there_is_a_way_into_the_type_is_taken() -> None:
    assert live(Order, ORDER) == Order("o", "e", 2.0, 1)
    assert live(Parcel, {"weight": 1, "_code": "c"}) == Parcel(1.0, "c")
    assert live(Struct, {"unitPrice": 1, "at": MOMENT}) == Struct(1.0, MOMENT)
    assert live(set[int], [1, 1]) == {1}
    assert live(Decimal, 1) == Decimal(1)


def test_a_type_with_something_unhashable_in_it_serves_as_well() -> None:
    assert live(Annotated[set[int], ["unhashable"]], {1}) == {1}


# --- schemas


def lower(data: dict[str, Any]) -> dict[str, Any]:
    return {"to": data["to"].lower()}


def look(data: dict[str, Any]) -> None:
    if not data.get("to"):
        raise ValueError("to is missing")


async def slow_look(data: dict[str, Any]) -> None:
    look(data)


class Checker:
    async def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        return lower(data)


SCHEMAS: list[tuple[Any, Any, dict[str, Any]]] = [
    (Receipt, Receipt(to="a"), {"to": "a", "body": ""}),
    (Order, Order("o", "e", 2.0, 1), ORDER),
    (Strict, Strict(at=MOMENT, ids={UUID(int=1)}), {"at": "2026-01-31T09:30:00Z", "ids": [str(UUID(int=1))]}),
    (WireAliased, WireAliased(orderId="x"), {"orderId": "x"}),
    (ByName, ByName({"a": 1}), {"a": 1}),
    (Movie, {"title": "M", "seen": date(2026, 1, 31)}, {"title": "M", "seen": "2026-01-31"}),
    (NewMovie, {"title": "M"}, {"title": "M"}),
    (Struct, Struct(1.0, MOMENT, {1: "x"}), {"unitPrice": 1, "at": "2026-01-31T09:30:00Z", "byId": {"1": "x"}}),
    (Parcel, Parcel(1.0, "c"), {"weight": 1, "_code": "c", "due": None, "inner": []}),
    (Receipt | Order, Receipt(to="a"), {"to": "a", "body": ""}),
    (Annotated[Receipt, "doc"], Receipt(to="a"), {"to": "a", "body": ""}),
    (Box[int], Box(1), {"content": 1}),
    (dict, {"a": 2.0}, {"a": 2}),
    (dict[str, date], {"a": date(2026, 1, 31)}, {"a": "2026-01-31"}),
]


@pytest.mark.parametrize(("tp", "instance", "json"), SCHEMAS)
async def test_a_type_is_a_schema(tp: Any, instance: Any, json: dict[str, Any]) -> None:
    schema = Schema.of(tp)
    assert not schema.is_async
    assert schema.check(instance) == json
    assert await schema.acheck(instance) == json
    assert schema.load(json) == await schema.aload(json)
    assert schema.load(json) == (json if tp is dict else instance)
    assert schema.check(schema.load(json)) == json


def test_a_dict_is_checked_too_and_what_ships_is_what_the_schema_makes_of_it() -> None:
    """Behaviour A54."""
    assert Schema.of(Receipt).check({"to": "a", "more": 1}) == {"to": "a", "body": ""}
    assert Schema.of(Order).check({"id": "o", "email": "e", "total": "2.0", "qty": 1}) == ORDER
    assert Schema.of(Strict).check({"at": MOMENT, "ids": {UUID(int=1)}})["at"] == "2026-01-31T09:30:00Z"


@pytest.mark.parametrize(
    ("tp", "data", "reason"),
    [
        (Receipt, {"body": "x"}, "Field required at .to"),
        (Receipt, None, "valid dictionary or instance of Receipt"),
        (Receipt, [1], "valid dictionary"),
        (Order, Order("o", 5, 1.0, 1), "valid string at .email"),  # type: ignore[arg-type]
        (Order, Receipt(to="x"), "Order"),
        (Movie, {"title": 1}, "valid string at .title"),
        (Struct, {"unitPrice": "x"}, "Expected `float`"),
        (Parcel, {"weight": "heavy", "_code": "c"}, "unable to parse string as a number at .weight"),
        (dict, [1], "must be a JSON object, not [1]"),
        (dict, None, "must be a JSON object, not None"),
        (dict, {"a": {1}}, "it cannot become JSON: a set has no order"),
        (Order, Order("o", "e", math.nan, 1), "JSON has no nan"),
        (dict[str, int], {"a": "x"}, "unable to parse string as an integer at .a"),
    ],
)
async def test_data_that_does_not_fit_a_type_is_refused(tp: Any, data: Any, reason: str) -> None:
    schema = Schema.of(tp)
    with pytest.raises(SchemaError) as caught:
        schema.check(data)
    with pytest.raises(SchemaError) as caught_later:
        await schema.acheck(data)
    assert reason in caught.value.reason
    assert (caught.value.schema, caught.value.reason) == (schema.name, caught_later.value.reason)


@pytest.mark.parametrize("json", [{"body": "x"}, None, [1], "x"])
async def test_what_was_received_is_checked_again(json: Any) -> None:
    with pytest.raises(SchemaError):
        Schema.of(Receipt).load(json)
    with pytest.raises(SchemaError):
        await Schema.of(Receipt).aload(json)


async def test_a_callable_is_a_schema() -> None:
    schema = Schema.of(lower)
    assert (schema.name, schema.is_async) == ("lower", False)
    assert schema.check({"to": "A"}) == await schema.acheck({"to": "A"}) == {"to": "a"}
    assert schema.load({"to": "A"}) == await schema.aload({"to": "A"}) == {"to": "a"}


async def test_a_callable_that_gives_nothing_leaves_the_data_as_it_is() -> None:
    schema = Schema.of(look)
    assert schema.check({"to": "A"}) == schema.load({"to": "A"}) == {"to": "A"}


def test_a_callable_may_give_an_instance() -> None:
    schema = Schema.of(Receipt.model_validate)
    assert schema.check({"to": "a"}) == {"to": "a", "body": ""}
    assert schema.load({"to": "a"}) == Receipt(to="a")


@pytest.mark.parametrize(("fn", "name"), [(slow_look, "slow_look"), (functools.partial(slow_look), "slow_look"), (Checker(), "Checker")])
async def test_a_callable_may_be_async(fn: Any, name: str) -> None:
    schema = Schema.of(fn)
    assert schema.is_async
    assert schema.name == name
    assert (await schema.acheck({"to": "a"}), await schema.aload({"to": "a"})) == ({"to": "a"}, {"to": "a"})
    with pytest.raises(SchemaError):
        await schema.acheck({})
    for call in (schema.check, schema.load):
        with pytest.raises(SchemaError, match="it is asynchronous"):
            call({"to": "a"})


async def test_a_callable_that_turns_out_to_be_async_is_found_out() -> None:
    schema = Schema.of(lambda data: slow_look(data))
    assert not schema.is_async
    with pytest.raises(SchemaError, match="it is asynchronous"):
        schema.check({"to": "a"})
    assert await schema.acheck({"to": "a"}) == {"to": "a"}


@pytest.mark.parametrize("answer", [[1], "x", 5, True])
def test_what_a_callable_gives_must_be_an_object(answer: Any) -> None:
    with pytest.raises(SchemaError, match="must be a JSON object"):
        Schema.of(lambda _: answer).check({})


@pytest.mark.parametrize(
    ("error", "reason"), [(ValueError("bad"), "bad"), (KeyError("to"), "KeyError: 'to'"), (AssertionError(), "AssertionError: ")]
)
async def test_whatever_a_callable_raises_is_a_schema_error(error: Exception, reason: str) -> None:
    def raises(data: Any) -> None:
        raise error

    schema = Schema.of(raises)
    with pytest.raises(SchemaError) as caught:
        schema.check({})
    assert caught.value.reason == reason
    assert caught.value.__cause__ is error
    with pytest.raises(SchemaError) as caught_later:
        await schema.aload({})
    assert caught_later.value.reason == reason


@pytest.mark.parametrize(
    "obj",
    [
        int,
        str,
        list[str],
        list,
        None,
        Names,
        Point,
        Row,
        Colour,
        Thing,
        Order | None,
        dict[int, str],
        tuple[int, str],
        5,
        "x",
        Any,
        UUID,
        type(None),
        int | Order,
        bytes,
    ],
)
def test_what_describes_no_json_object_is_refused_at_declaration(obj: Any) -> None:
    with pytest.raises(TypeError, match="it must describe a JSON object"):
        Schema.of(obj)


def test_a_schema_shows_itself() -> None:
    assert repr(Schema.of(Receipt)) == "Schema.of(Receipt)"
