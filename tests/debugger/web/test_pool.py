"""The pool: what goes in comes out, and what is equal is there once."""

import hypothesis
from hypothesis import strategies as st

from inngest_gen.debugger.web.pool import Pool, Ref
from tests.debugger.web.reading import values

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=60,
)


def read(pool: Pool, number: int) -> object:
    return values({"entries": pool.entries, "shapes": pool.shapes, "root": number})


@hypothesis.settings(max_examples=25)
@hypothesis.given(st.lists(JSON, max_size=4))
def test_what_goes_in_comes_out(given: list[object]) -> None:
    pool = Pool()
    numbers = [pool.put(one) for one in given]
    for number, one in zip(numbers, given, strict=True):
        # repr: 1, 1.0 and True are equal to Python and not to JSON
        assert repr(read(pool, number)) == repr(one)


@hypothesis.settings(max_examples=25)
@hypothesis.given(JSON)
def test_equal_values_have_one_number(value: object) -> None:
    pool = Pool()
    first = pool.put({"a": value})
    count = len(pool.entries)
    assert pool.put({"a": value}) == first
    assert len(pool.entries) == count


def test_one_more_item_of_a_long_list_costs_a_piece_of_it() -> None:
    pool = Pool()
    items = [f"item {n}" for n in range(1_000)]
    pool.put(items)
    before = pool.size
    number = pool.put([*items, "another"])
    assert pool.size - before < 700
    assert read(pool, number) == [*items, "another"]


def test_what_is_in_already_stands_by_its_number() -> None:
    pool = Pool()
    inner = pool.ref({"deep": [1, 2]})
    assert isinstance(inner, Ref)
    assert read(pool, pool.put({"one": inner, "two": [inner]})) == {"one": {"deep": [1, 2]}, "two": [{"deep": [1, 2]}]}
