"""Sessions: what is allowed (I25), what a run has (I26), and the two layers on the wire (A60 to A63)."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.errors import ConfigError
from inngest_gen.event import Event
from inngest_gen.sessions import checked_sessions, folded_meta, layered_meta, run_sessions


def event(**sessions: Any) -> Event:
    return Event("e", meta={"sessions": sessions})


def test_a_run_has_the_sessions_that_all_its_events_share() -> None:
    assert run_sessions([event(a="1", b="2")]) == {"a": "1", "b": "2"}
    assert run_sessions([event(a="1", b="2"), event(a="1", b="3"), event(a="1")]) == {"a": "1"}
    assert run_sessions([event(a="1"), Event("e")]) == {}
    assert run_sessions([]) == {}


def test_an_id_that_is_a_number_is_the_same_as_its_text_and_none_is_no_session() -> None:
    assert run_sessions([event(a=1), event(a="1")]) == {"a": "1"}
    assert run_sessions([event(a=None, b="2"), event(a=None, b="2")]) == {"b": "2"}


@pytest.mark.parametrize("meta", [None, {}, {"sessions": None}, {"sessions": "x"}, {"sessions": {"": "x"}}])
def test_an_event_with_other_meta_has_none(meta: Any) -> None:
    assert run_sessions([Event("e", meta=meta)]) == {}


def test_a_run_has_at_most_five_the_first_in_the_order_of_their_bytes() -> None:
    """UTF-8 sorts as code points do, not as UTF-16 does."""
    keys = ["b", "\U0001f600", "\uffff", "a", "é", "Z"]
    assert list(run_sessions([event(**dict.fromkeys(keys, "1"))])) == ["Z", "a", "b", "é", "\uffff"]


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=2), st.sampled_from("12"), max_size=4), min_size=1, max_size=4))
def test_the_order_of_a_batch_does_not_matter(layers: list[dict[str, str]]) -> None:
    events = [event(**layer) for layer in layers]
    assert run_sessions(events) == run_sessions(events[::-1])
    assert all(layer.get(key) == id for key, id in run_sessions(events).items() for layer in layers)


@pytest.mark.parametrize(
    ("written", "text"), [("x", "x"), (5, "5"), (1234567890123456789, "1234567890123456789"), (2.0, "2"), (2.5, "2.5"), (None, None)]
)
def test_ids_become_text_with_every_digit(written: Any, text: str | None) -> None:
    assert checked_sessions({"k": written}, "meta.sessions") == {"k": text}


@pytest.mark.parametrize(
    ("sessions", "message"),
    [
        ("x", "must be a dict of strings, not str"),
        ({"k": True}, "must be a string or number, not bool"),
        ({"k": {}}, "must be a string or number, not dict"),
        ({"k": math.nan}, "finite"),
        ({"": "x"}, "1 to 128 bytes"),
        ({"é" * 65: "x"}, "1 to 128 bytes"),
        ({5: "x"}, "1 to 128 bytes"),
        ({"k": ""}, "1 to 512 bytes"),
        ({"k": "é" * 257}, "1 to 512 bytes"),
        ({"k": "\ud800"}, "surrogate"),
        ({"\ud800": "k"}, "surrogate"),
        ({str(number): "x" for number in range(6)}, "at most 5"),
    ],
)
def test_what_is_no_session_is_refused(sessions: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked_sessions(sessions, "meta.sessions")


def test_the_largest_that_is_allowed_is_taken_and_what_is_cut_does_not_count() -> None:
    most: dict[str, Any] = {**{f"{number}{'k' * 127}": "x" * 512 for number in range(5)}, "cut": None}
    assert checked_sessions(most, "meta.sessions") == most


def test_the_inherited_layer_cuts_nothing() -> None:
    with pytest.raises(ConfigError, match="must be a string or number, not None"):
        layered_meta(None, {"k": None})


def test_what_else_meta_holds_is_kept() -> None:
    assert layered_meta({"note": 1, "sessions": {"a": 1}}, {"b": "2"}) == {
        "note": 1,
        "sessions": {"a": "1"},
        "propagated_sessions": {"b": "2"},
    }
    assert layered_meta({"sessions": {}}, None) is None


def test_what_was_given_is_not_changed() -> None:
    meta = {"sessions": {"a": 1}}
    layered_meta(meta, {"b": "2"})
    assert meta == {"sessions": {"a": 1}}


def test_an_engine_folds_the_layers_as_the_server_does() -> None:
    inherited = {"a": "1", "b": "2"}
    assert folded_meta(None, None) is None
    assert folded_meta(None, inherited) == {"sessions": inherited}
    assert folded_meta({"k": 1}, inherited) == {"k": 1, "sessions": inherited}
    assert folded_meta({"sessions": {"a": "own"}}, inherited) == {"sessions": {"a": "own", "b": "2"}}
    assert folded_meta({"sessions": {"a": None}}, inherited) == {"sessions": {"b": "2"}}
    assert folded_meta({"sessions": None}, inherited) is None
    assert folded_meta({"sessions": None, "k": 1}, inherited) == {"k": 1}
    own = {str(n): "x" for n in range(4)}
    assert folded_meta({"sessions": own}, inherited) == {"sessions": {**own, "a": "1"}}  # five at most
