"""How times, values and foreign text are written."""

import time
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.cli import wording
from inngest_gen.engine.progress import Progress
from tests.cli.happenings import is_harmless


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (-1, "0 ms"), (0.0123, "12 ms"), (0.9994, "999 ms"), (0.9999, "1.0 s"), (1.25, "1.2 s"), (59.9, "59.9 s"), (59.99, "1 min"),
        (61, "1 min 1 s"), (3599.7, "1 h"), (3661, "1 h 1 min"), (86_400, "1 d"), (2 * 86_400 + 3 * 3600, "2 d 3 h"),
    ],
)  # fmt: skip
def test_lengths(seconds: float, text: str) -> None:
    assert wording.length(seconds) == text


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_moment_that_no_datetime_holds_is_written_all_the_same(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert wording.moment(1e18).startswith("9999-12-31 ")
        assert wording.moment_and_zone(datetime.max.replace(tzinfo=UTC)).startswith("9999-12-31 ")
        assert wording.moment(-1e18).startswith("1-01-01 ") or wording.moment(-1e18).startswith("0001-01-01 ")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (90_000, "1 d")])
def test_ages(seconds: float, text: str) -> None:
    assert wording.age(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0.0 s"), (0.04, "0.0 s"), (3.14, "3.1 s"), (59.97, "1 min"), (75, "1 min 15 s")])
def test_what_still_changes_ticks_in_tenths(seconds: float, text: str) -> None:
    assert wording.ticking(seconds) == text


@given(st.floats(min_value=0, max_value=1e8))
def test_lengths_never_tell_a_unit_too_many(seconds: float) -> None:
    parts = wording.length(seconds).split()
    assert len(parts) in {2, 4}
    for count, limit in (("60", "s"), ("60", "min"), ("24", "h")):
        assert (count, limit) not in zip(parts[::2], parts[1::2], strict=True)


@given(st.text(), st.integers(min_value=-1, max_value=50))
def test_foreign_text_is_harmless_on_one_line(text: str, width: int) -> None:
    line = wording.clipped(text, width)
    assert len(line) <= max(0, width)
    assert is_harmless(line)


def test_escape_sequences_become_visible() -> None:
    assert wording.visible("red \x1b[31m\n\ttext\r") == "red \\x1b[31m\n\ttext\\r"


def test_values_are_json() -> None:
    assert wording.compact({"a": [1, "é"]}) == '{"a":[1,"é"]}'
    assert wording.pretty({"a": 1}).splitlines() == ["{", '  "a": 1', "}"]


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_written_as_json_stays_json_and_harmless(value: object) -> None:
    for written in (wording.compact(value), wording.pretty(value)):
        assert orjson.loads(written) == value
        assert is_harmless(written.replace("\n", ""))


def test_moments_are_local() -> None:
    when = datetime(2026, 11, 23, 1, 2, 3, 456_000, tzinfo=UTC)
    local = when.astimezone()
    assert wording.moment(when) == wording.moment(when.timestamp()) == local.strftime("%Y-%m-%d %H:%M:%S")
    assert wording.time_of_day(when.timestamp()) == local.strftime("%H:%M:%S.456")
    assert wording.moment_and_zone(when).endswith(local.strftime(" %Z"))


def test_counting() -> None:
    assert [wording.plural(n, "run") for n in (0, 1, 2, 1000)] == ["0 runs", "1 run", "2 runs", "1,000 runs"]


def test_every_state_has_a_sign_and_a_style() -> None:
    assert wording.SIGNS.keys() == wording.STYLES.keys()
    for status in (
        "queued",
        "running",
        "completed",
        "failed",
        "cancelled",
        "blocked",
        "waiting",
        "abandoned",
        "scheduled",
        "after_run",
        "aborted",
    ):
        assert status in wording.SIGNS


def test_step_kinds_have_words() -> None:
    assert [wording.kind_word(kind) for kind in ("step.run", "step.sleep", "step.fetch", None)] == ["", "sleep", "fetch", ""]
    assert Progress.__dataclass_fields__["step_kind"].default is None
