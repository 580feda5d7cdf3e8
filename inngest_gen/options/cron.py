"""Cron expressions: five fields in UTC or in a zone of their own.

Promises: what is accepted means the same to the server (robfig/cron v3 without seconds and without `@daily`) and to cronsim, which reads the fields
here: neither the one's `?` nor the other's `L`, `#`, `7` and sixth field.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from inngest_gen.errors import ConfigError

__all__ = ["check_cron"]

MAX_LENGTH: Final = 255
"""The server's `inngest.MaxCronLength`."""
_ZONE: Final = re.compile(r"(?:CRON_)?TZ=(\S+)\s+")
_EXAMPLE: Final = "'0 9 * * 1' (Mondays at 9) or 'TZ=Europe/Paris 0 9 * * 1'"


def check_cron(expression: object) -> None:
    """Check a cron expression. Raises ConfigError."""
    if not isinstance(expression, str):
        raise ConfigError(f"a cron expression is a string such as {_EXAMPLE}, not {expression!r}")
    if len(expression) > MAX_LENGTH:
        raise ConfigError(f"the cron expression {expression[:40]!r}... has {len(expression)} characters; the limit is {MAX_LENGTH}")
    zone = _ZONE.match(expression)
    fields = expression[zone.end() if zone else 0 :].split()
    if len(fields) != 5 or fields[0].startswith(("TZ=", "CRON_TZ=")):
        hint = "; names such as @daily are not taken" if expression.lstrip().startswith("@") else ""
        raise _wrong(expression, f"it has {len(fields)} fields, and five are needed (minute, hour, day, month, weekday){hint}")
    if zone is not None:
        _check_zone(expression, zone[1])
    days, weekdays = fields[2], fields[4]
    if "?" in days + weekdays:
        raise _wrong(expression, "for any day write * instead of ?")
    if re.search("[LW#]", f"{days} {re.sub('WED', '', weekdays.upper())}"):
        raise _wrong(expression, "the server knows no L, W and #")
    if any("7" in part.split("/")[0].split("-") for part in weekdays.split(",")):
        raise _wrong(expression, "the server knows no weekday 7: Sunday is 0")
    from cronsim import CronSim, CronSimError

    try:
        CronSim(" ".join(fields), datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise _wrong(expression, str(error)) from None


def _check_zone(expression: str, name: str) -> None:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (ValueError, OSError):
        sound = False
    except KeyError:  # ZoneInfoNotFoundError: also where this machine has no zones at all
        sound = not available_timezones()
    else:
        sound = True
    if not sound:
        raise _wrong(expression, f"there is no timezone {name!r}")


def _wrong(expression: str, reason: str) -> ConfigError:
    return ConfigError(f"the cron expression {expression!r} is none: {reason}; such as {_EXAMPLE}")
