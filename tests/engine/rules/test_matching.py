"""Which functions and waits an event is for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.engine.rules.matching import MISSING, Triggers, match_key, pattern, value_at


def test_functions_come_in_the_order_of_their_declaration_exact_ones_first_and_once() -> None:
    triggers = Triggers([("a/*", "wild"), ("a/b", "first"), ("a/b", "second"), ("*", "first"), ("a/b", "first")])
    assert triggers.match("a/b") == ["first", "second", "wild"]
    assert triggers.match("a/c") == ["wild", "first"]
    assert triggers.match("b") == ["first"]


@pytest.mark.parametrize(
    ("name", "slugs"),
    [
        ("inngest/function.finished", ["exact", "own"]),
        ("inngest/function.failed", ["own"]),
        ("inngestion", ["all"]),
        ("order", ["all"]),
    ],
)
def test_the_engines_own_events_are_matched_only_by_wildcards_that_name_them(name: str, slugs: list[str]) -> None:
    triggers = Triggers([("*", "all"), ("inngest/*", "own"), ("inngest/function.finished", "exact")])
    assert triggers.match(name) == slugs


@given(st.text(min_size=1))
def test_a_name_without_a_star_is_no_pattern_and_matches_itself_alone(name: str) -> None:
    if "*" in name:
        return
    assert pattern(name) is None
    triggers = Triggers([(name, "f")])
    assert triggers.match(name) == ["f"]
    assert triggers.match(f"{name}x") == []


@given(st.lists(st.text("ab.*/[(\n", max_size=4), min_size=1, max_size=4), st.lists(st.text(max_size=3), min_size=4, max_size=4))
def test_a_star_stands_for_any_text_and_all_else_for_itself(parts: list[str], between: list[str]) -> None:
    plain = [part.replace("*", "") for part in parts]
    name = "".join(text for pair in zip(plain, between, strict=False) for text in pair)
    found = pattern("*".join(plain) + "*")
    assert found is not None
    assert found.fullmatch(name)


EVENT: dict[str, Any] = {"name": "e", "data": {"a": {"b": [10, {"c": None}]}, "0": "zero", "": "empty"}, "id": "i", "ts": 5}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.a.b.0", 10),
        ("data.a.b.1.c", None),
        ("event.data.0", "zero"),
        ("async.data.0", "zero"),
        ("name", "e"),
        ("data.a.b.2", MISSING),
        ("data.a.b.-1", MISSING),
        ("data.a.b.x", MISSING),
        ("data.a.x", MISSING),
        ("data.0.x", MISSING),
        ("nothing", MISSING),
        ("data.", "empty"),
    ],
)
def test_a_path_leads_to_a_value_or_to_nothing(path: str, value: Any) -> None:
    assert value_at(EVENT, path) is value or value_at(EVENT, path) == value


def test_keys_tell_types_apart_and_nothing_from_null() -> None:
    def key(value: Any) -> str | None:
        return match_key({"data": {"x": value}}, "data.x")

    keys = [key(value) for value in (1, "1", True, None, [1], {"a": 1}, "")]
    assert len(set(keys)) == len(keys)
    assert key(1.0) == key(1)
    assert match_key({"data": {}}, "data.x") is None
