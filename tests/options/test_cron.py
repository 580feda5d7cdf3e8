"""What is taken as a cron expression means the same to the server and here."""

from zoneinfo import available_timezones

import pytest

import inngest_gen as ig


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *", "0 9 * * 1", "*/15 * * * *", "5/15 0-8,20-23/2 1,15 * *", "0 9 * jan-MAR mon-FRI", "0  9 * *  1", "0 0 29 2 *", "0 9 * * WED",
        "0 9 */7 * */2", "TZ=Europe/Paris 0 9 * * 1", "CRON_TZ=Asia/Tokyo 0 9 * * 1", "TZ=UTC 0 9 * * 1",
    ],
)  # fmt: skip
def test_five_fields_are_taken(expression: str) -> None:
    assert ig.Cron(expression).expression == expression


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "it has 0 fields, and five are needed (minute, hour, day, month, weekday)"),
        ("0 9 * *", "it has 4 fields"),
        ("0 0 9 * * 1", "it has 6 fields"),
        ("@daily", "it has 1 fields, and five are needed (minute, hour, day, month, weekday); names such as @daily are not taken"),
        ("@every 1h", "names such as @daily are not taken"),
        ("0 9 * * 7", "the server knows no weekday 7: Sunday is 0"),
        ("0 9 * * 5-7", "the server knows no weekday 7: Sunday is 0"),
        ("0 0 ? * *", "for any day write * instead of ?"),
        ("0 0 L * *", "the server knows no L, W and #"),
        ("0 0 LW * *", "the server knows no L, W and #"),
        ("0 0 * * 5#2", "the server knows no L, W and #"),
        ("0 0 * * 5L", "the server knows no L, W and #"),
        ("60 * * * *", "Bad minute"),
        ("* 24 * * *", "Bad hour"),
        ("* * 0 * *", "Bad day-of-month"),
        ("* * * 13 *", "Bad month"),
        ("* * * * FOO", "Bad day-of-week"),
        ("0 22-2 * * *", "Bad hour"),
        ("*/0 * * * *", "Bad minute"),
        ("0 0 31 2 *", "Bad day-of-month"),
        ("TZ=Europe/Atlantis 0 9 * * 1", "there is no timezone 'Europe/Atlantis'"),
        ("TZ=../etc 0 9 * * 1", "there is no timezone '../etc'"),
        ("TZ= 0 9 * * 1", "it has 6 fields"),
        ("TZ=UTC", "it has 1 fields"),
        ("TZ=UTC 0 9 * *", "it has 4 fields"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(expression: str, reason: str) -> None:
    with pytest.raises(ig.ConfigError) as caught:
        ig.Cron(expression)
    told = str(caught.value)
    assert told.startswith(f"the cron expression {expression!r} is none: ")
    assert reason in told
    assert "such as '0 9 * * 1'" in told


def test_an_expression_beyond_the_servers_limit_is_refused() -> None:
    ig.Cron("0 9 * * " + ",".join("1" for _ in range(123)))
    with pytest.raises(ig.ConfigError, match="has 256 characters; the limit is 255"):
        ig.Cron("0 9 * *  " + ",".join("1" for _ in range(124)))


def test_what_is_no_string_is_refused() -> None:
    with pytest.raises(ig.ConfigError, match="a cron expression is a string such as"):
        ig.Cron(5)


def test_this_machine_knows_timezones() -> None:
    assert available_timezones()
