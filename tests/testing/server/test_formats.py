"""The server's own reading of the formats: ids, canonical JSON, signatures, durations, expressions."""

import math
import random
from typing import Any

import jcs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.ids import deferred_event_id, ulid_time
from inngest_gen.testing.server import timespan
from inngest_gen.testing.server.canonical import canonical, parse
from inngest_gen.testing.server.expression import Expression, UnknownExpression
from inngest_gen.testing.server.sessions import resolve
from inngest_gen.testing.server.signature import hashed, sign, verify
from inngest_gen.testing.server.ulid import Ids, deterministic, is_ulid, seeded, ulid_millis

NOW = 1_790_000_000.5
RUN = "01GQ3HTEZ01M7R8Z9PR1DMHDN1"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_canonical_json_is_that_of_another_implementation(value: Any) -> None:
    assert canonical(value).encode() == jcs.canonicalize(value)


@given(json_values)
def test_canonical_json_reads_back_the_same(value: Any) -> None:
    assert canonical(parse(canonical(value))) == canonical(value)


@pytest.mark.parametrize(
    ("value", "text"), [(2**53 + 1, "9007199254740992"), (10**30, "1e+30"), (1e-7, "1e-7"), (-0.0, "0"), ("é\u2028", '"é\u2028"')]
)
def test_numbers_are_doubles(value: Any, text: str) -> None:
    assert canonical(value) == text


def test_what_is_no_json_is_refused() -> None:
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="JSON has no"):
            canonical(bad)
    with pytest.raises(TypeError, match="is no JSON"):
        canonical({1, 2})
    with pytest.raises(ValueError, match="JSON has no NaN"):
        parse("[NaN]")
    with pytest.raises(ValueError, match="nested too deep"):
        parse("[" * 100_000)


def test_seeded_ids_are_those_of_the_real_server() -> None:
    header = "1743130137367,eii2YKXRVTJPuA=="
    assert [seeded(header, n) for n in (1, 2)] == ["01JQDAE4RQF8MBCR55T5AK4KXS", "01JQDAE4RQF8MBCR55T5AK4KXT"]


@pytest.mark.parametrize(
    "header", ["", "x", "1,2,3", "0,eii2YKXRVTJPuA==", "-5,eii2YKXRVTJPuA==", "1743130137367,eii2", "1743130137367,!!!!"]
)
def test_malformed_seeds_are_ignored(header: str) -> None:
    assert seeded(header, 1) is None


@pytest.mark.parametrize(("name", "event_id"), [("foo", "01GQ3HTEZ0R23Q05KVX8WM89AK"), ("send", "01GQ3HTEZ0ETEQCSEYDHDWDX3T")])
def test_deferred_event_ids_are_those_of_the_real_server_and_of_the_package(name: str, event_id: str) -> None:
    from tests.testing.server.scripted import sha

    assert deterministic(ulid_millis(RUN), f"defer-event:{RUN}:{sha(name)}") == event_id == deferred_event_id(RUN, sha(name))


@given(st.lists(st.floats(0, 2e9), max_size=20), st.integers())
def test_a_maker_s_ulids_only_grow(moments: list[float], seed: int) -> None:
    ids = Ids(random.Random(seed))
    made = [ids.ulid(now) for now in sorted(moments)]
    assert made == sorted(set(made))
    assert all(is_ulid(one) for one in made)
    assert [ulid_time(one) for one in made[:1]] == [int(now * 1000) / 1000 for now in sorted(moments)[:1]]


def test_what_is_no_ulid() -> None:
    assert not any(map(is_ulid, ["", RUN[:-1], "8" + RUN[1:], RUN[:-1] + "U"]))
    assert is_ulid(RUN.lower())


@pytest.mark.parametrize(
    ("key", "t", "body", "mac"),
    [
        (
            "signkey-test-f00f3005a3666b359a79c2bc3380ce2715e62727ac461ae1a2618f8766029c9f",
            1687306735,
            (
                '{"ctx":{"fn_id":"local-testing-local-cron","run_id":"01GQ3HTEZ01M7R8Z9PR1DMHDN1","step_id":"step"},"event":{"data":{},"id":"",'
                '"name":"demo/event.sent","ts":1674082830001,"v":"1"},"events":[{"data":{},"id":"","name":"demo/event.sent","ts":1674082830001,'
                '"v":"1"}],"steps":{},"use_api":false}'
            ),
            "a060f245a5d0c3c779ef65fd15b2ac06e4ab98dd8cc9860aa0722c8481ae02ab",
        ),
        ("signkey-test-abc123", 1234567890, "hello world", "038b2065d99431f34b7d85b98e6b481c04c3ee249671c9fb38f764e0d8b68535"),
        ("signkey-test-abc123", 1234567890, "", "ea1cbc12e31e8be80b32f591df8784d248223c5acb45aac46ac1b38d18ad8f9e"),
        ("signkey-prod-000000", 1700000000, "", "f2cd337e0d6a8aa00b85440db039d48e4e20330c4f691e378f85cef0793599a7"),
    ],
)
def test_signatures_are_those_of_the_real_server(key: str, t: int, body: str, mac: str) -> None:
    header = sign(key, body.encode(), t)
    assert header == f"t={t}&s={mac}"
    assert verify(header, body.encode(), ("other", key), t + 300) is None
    assert verify(header, body.encode(), (key,), t + 301) == "it is 301 s old"
    assert verify(header, body.encode() + b" ", (key,), t) == "it does not fit the body"
    assert verify(f"s={mac}&t=", b"", (key,), t) is not None


@pytest.mark.parametrize(
    ("key", "digest"),
    [
        ("signkey-prod-12345678", "signkey-prod-b2ed992186a5cb19f6668aade821f502c1d00970dfd0e35128d51bac4649916c"),
        ("deadbeef", "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953"),
    ],
)
def test_hashed_keys_are_those_of_the_real_server(key: str, digest: str) -> None:
    assert hashed(key) == digest


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1h30m", 5400), ("1d", 86_400), ("2w", 1_209_600), ("500ms", 0.5), ("1.5h", 5400), ("0", 0), ("-1s", -1)],
)
def test_durations(text: str, seconds: float) -> None:
    assert timespan.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "10", "1 h", "1y", "soon", "-", "1h30"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        timespan.duration(text)


def test_a_sleep_ends_at_a_moment_or_after_a_duration_and_never_before_now() -> None:
    assert timespan.sleep_end("10s", NOW) == NOW + 10
    assert timespan.sleep_end("2030-01-01T00:00:00Z", NOW) == 1_893_456_000
    assert timespan.sleep_end("2020-01-01T00:00:00Z", NOW) == NOW
    assert timespan.sleep_end("", NOW) == NOW
    assert timespan.sleep_end("-5s", NOW) == NOW


@pytest.mark.parametrize(
    ("header", "at"),
    [
        ("", None),
        ("soon", None),
        ("0", None),
        ("10", 1_790_000_010),
        ("1", 1_790_000_001),
        ("999999", 1_790_000_000 + 86_400),
        ("2026-09-21T14:13:50Z", 1_790_000_030),
        ("2020-01-01T00:00:00Z", 1_790_000_001),
        ("Mon, 21 Sep 2026 14:13:50 GMT", 1_790_000_030),
    ],
)
def test_retry_after(header: str, at: float | None) -> None:
    assert timespan.retry_at(header, NOW) == at


EVENT = {"data": {"id": "a", "n": 3, "big": 2.5, "none": None, "on": True, "list": [{"x": 1}], "a b": 1}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.data.id == async.data.id", True),
        ("event.data.id == 'a' && event.data.n >= 3", True),
        ("event.data.id == 'b' || event.data.big > 2", True),
        ("!(event.data.id == 'a')", False),
        ("event.data.missing == null", True),
        ("event.data.missing == async.data.missing", True),
        ("event.data.missing == 'x'", False),
        ("event.data.none == null", True),
        ("event.data.on == true", True),
        ("event.data.n == true", False),
        ("event.data.n != 4", True),
        ("event.data.n < 'x'", False),
        ("event.data.n > null", True),
        ("null > 0", False),
        ('event.data["a b"] == 1', True),
        ("event.data.list[0].x == 1.0", True),
        ("event.data.list[5].x == null", True),
        ("'it\\'s' == \"it's\"", True),
        ("event.data.n", False),
        ("event.data.on", True),
        ("event.data.n == 3 && event.data.id == 'z' || true", True),
    ],
)
def test_expressions(text: str, expected: bool) -> None:
    assert Expression(text).matches(event=EVENT, async_={"data": {"id": "a"}}) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "size(event.data.x)",
        "event.data.x in [1]",
        "event.data.n + 1 == 2",
        "a == b",
        "event.data.x ==",
        "(true",
        "true)",
        "eventual.x == 1",
        "event.data.has(1)",
        "'open",
    ],
)
def test_the_rest_of_cel_is_refused(text: str) -> None:
    with pytest.raises(UnknownExpression, match="the test server does not understand"):
        Expression(text)


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        Expression(text).matches(event=EVENT, async_=EVENT)
    except UnknownExpression:
        pass


@pytest.mark.parametrize(
    ("meta", "folded"),
    [
        (None, {}),
        ({}, {}),
        ({"sessions": {"a": 1}}, {"a": "1"}),
        ({"sessions": None, "propagated_sessions": {"a": "1"}}, {}),
        ({"sessions": {"a": None}, "propagated_sessions": {"a": "1", "b": "2"}}, {"b": "2"}),
        ({"sessions": {"z": "9"}, "propagated_sessions": dict.fromkeys("fedcba", "1")}, {"z": "9", "a": "1", "b": "1", "c": "1", "d": "1"}),
    ],
)
def test_sessions(meta: Any, folded: dict[str, str]) -> None:
    assert resolve(meta) == folded


@pytest.mark.parametrize(
    "meta",
    [
        "text",
        {"sessions": "text"},
        {"sessions": {"a": []}},
        {"sessions": {"": "x"}},
        {"sessions": {"k" * 129: "x"}},
        {"sessions": {"a": ""}},
        {"sessions": {"a": "x" * 513}},
        {"propagated_sessions": {"a": None}},
    ],
)
def test_what_are_no_sessions(meta: Any) -> None:
    with pytest.raises(ValueError, match="event (meta|session)"):
        resolve(meta)
