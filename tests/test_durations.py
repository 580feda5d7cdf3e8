"""Durations and moments: what is accepted, what is refused and with which words, and how they go on the wire."""

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.durations import moment, seconds, utc, wire


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1h30m", 5400.0),
        ("2d", 172_800.0),
        ("500ms", 0.5),
        ("1w", 604_800.0),
        ("90s", 90.0),
        ("1d 2h", 93_600.0),
        ("  3 h  5 m ", 11_100.0),
        ("1.5h", 5400.0),
        ("0.1s", 0.1),
        ("30m1h", 5400.0),
        ("1m1ms", 60.001),
        ("0s", 0.0),
        (0, 0.0),
        (90, 90.0),
        (0.25, 0.25),
        (timedelta(days=2), 172_800.0),
        (timedelta(milliseconds=1), 0.001),
    ],
)
def test_a_duration_is_a_string_a_number_or_a_timedelta(value: Any, expected: float) -> None:
    length = seconds(value)
    assert length == expected
    assert type(length) is float


@pytest.mark.parametrize("text", ["90", "1.5", " 7 "])
def test_a_bare_number_in_a_string_is_asked_for_its_unit(text: str) -> None:
    with pytest.raises(ValueError, match=rf"has no unit: add one \(\"{text.strip()}s\""):
        seconds(text)


@pytest.mark.parametrize(
    "text", ["", " ", "1x", "h", "1 hour", "1H", "-5s", "1h-5m", "1h,5m", "1h30", "٣s", "1e3s", ".5s", "1..5s", "1h\n", "inf"]
)
def test_text_that_is_no_duration_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape('is no duration; allowed are a string such as "1h30m"')):
        seconds(text)


def test_a_unit_is_given_once() -> None:
    with pytest.raises(ValueError, match="the unit 'h' twice"):
        seconds("1h2h")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "9" * 400 + "d"])
def test_a_duration_is_finite(value: Any) -> None:
    with pytest.raises(ValueError, match="is not finite"):
        seconds(value)


def test_an_int_beyond_all_floats_is_refused_without_being_printed() -> None:
    with pytest.raises(ValueError, match="too long") as caught:
        seconds(10**10_000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [1e18, "400000d", timedelta.max, 31_557_600_001])
def test_a_duration_is_at_most_1000_years(value: Any) -> None:
    assert seconds("365250d") == 31_557_600_000
    with pytest.raises(ValueError, match="too long; the longest is 1,000 years"):
        seconds(value)


@pytest.mark.parametrize("value", [-1, -0.001, timedelta(seconds=-1)])
def test_a_duration_is_not_negative(value: Any) -> None:
    with pytest.raises(ValueError, match="is negative"):
        seconds(value)


@pytest.mark.parametrize("value", [True, None, b"1h", ["1h"], datetime.now(UTC), 1j])
def test_other_types_are_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match=rf"\(type {type(value).__name__}\) is no duration"):
        seconds(value)


@pytest.mark.parametrize(
    "when",
    [
        "2026-01-31T09:00:00Z",
        "2026-01-31t09:00:00z",
        "2026-01-31 09:00:00+00:00",
        "2026-01-31T10:30:00+01:30",
        "2026-01-31T09:00:00.000Z",
        datetime(2026, 1, 31, 9, tzinfo=UTC),
        datetime(2026, 1, 31, 4, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_a_moment_is_an_aware_datetime_or_rfc_3339(when: Any) -> None:
    assert moment(when) == 1_769_850_000.0


@pytest.mark.parametrize("when", [0.0, 1_769_850_000.25, -62_135_596_800.0, 253_402_300_799.0])
def test_epoch_seconds_are_a_datetime_of_the_same_moment(when: float) -> None:
    assert (utc(when).timestamp(), utc(when).tzinfo) == (when, UTC)


def test_what_no_datetime_can_hold_is_the_last_or_the_first_moment() -> None:
    assert utc(1e18).year == 9999
    assert utc(-1e18) == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize("when", [datetime(2026, 1, 31), "2026-01-31T09:00:00", "2026-01-31"])  # noqa: DTZ001 - naive on purpose
def test_a_naive_moment_is_asked_for_its_timezone(when: Any) -> None:
    with pytest.raises(ValueError, match=re.escape("add one, as in datetime.now(timezone.utc)")):
        moment(when)


@pytest.mark.parametrize("when", ["", "tomorrow", "2026-13-01T00:00:00Z", "1h"])
def test_text_that_is_no_moment_is_refused(when: str) -> None:
    with pytest.raises(ValueError, match="is no moment; allowed are"):
        moment(when)


@pytest.mark.parametrize("when", [1_769_850_000, 1.5, True, None, date(2026, 1, 31), timedelta(1)])
def test_other_types_are_no_moment(when: Any) -> None:
    with pytest.raises(TypeError, match=rf"\(type {type(when).__name__}\) is no moment"):
        moment(when)


@given(st.datetimes(timezones=st.timezones()))
def test_an_iso_string_is_the_moment_it_was_made_from(when: datetime) -> None:
    assert moment(when.isoformat()) == moment(when)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (5400, "1h30m"),
        (0, "1s"),
        (0.001, "1s"),
        (1, "1s"),
        (1.5, "2s"),
        (65.5, "1m6s"),
        (90, "1m30s"),
        (86_400, "1d"),
        (694_861, "1w1d1h1m1s"),
        (3600.0000001, "1h"),  # what is left of an hour, by the difference of two epoch times
    ],
)
def test_the_wire_has_whole_seconds_rounded_up_and_at_least_one(length: float, text: str) -> None:
    """Behaviour K12, on the side that inngest_gen takes."""
    assert wire(length) == text


@pytest.mark.parametrize("length", [-1.0, math.nan, math.inf])
def test_what_is_no_duration_does_not_go_on_the_wire(length: float) -> None:
    with pytest.raises(ValueError, match="must be finite and not negative"):
        wire(length)


@given(st.floats(min_value=0, max_value=1e9))
def test_the_wire_never_shortens_and_adds_less_than_a_second(length: float) -> None:
    sent = seconds(wire(length))
    assert sent == int(sent) >= 1
    assert length - 1e-6 <= sent < max(length, 0) + 1 + 1e-6


@given(st.integers(min_value=1, max_value=10**9))
def test_whole_seconds_come_back_from_the_wire(length: int) -> None:
    assert seconds(wire(length)) == length
