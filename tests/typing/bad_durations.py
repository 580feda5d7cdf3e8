"""A moment is no duration, nor the other way round."""

from datetime import UTC, datetime, timedelta

from inngest_gen.durations import moment, seconds

seconds(datetime(2026, 1, 1, tzinfo=UTC))  # error
seconds(None)  # error
moment(timedelta(days=2))  # error
text: str = seconds("1h")  # error
