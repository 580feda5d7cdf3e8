"""A duration is text, a number of seconds or a timedelta; a moment is a datetime or text."""

from datetime import UTC, datetime, timedelta
from typing import assert_type

from inngest_gen.durations import moment, seconds

assert_type(seconds("1h30m"), float)
assert_type(seconds(90), float)
assert_type(seconds(timedelta(days=2)), float)
assert_type(moment(datetime(2026, 1, 1, tzinfo=UTC)), float)
