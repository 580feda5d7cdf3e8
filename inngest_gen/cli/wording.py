"""How times, ids, values and states are written for people. Pure; what comes from users is made harmless to a terminal."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import orjson

from inngest_gen.durations import utc

SIGNS: Final = {
    "queued": "○",
    "running": "●",
    "waiting": "◷",
    "retrying": "↻",
    "completed": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "blocked": "‼",
    "abandoned": "⊘",
    "in flight": "⚡",
    "interrupted": "⚡",
    "scheduled": "✓",
    "after_run": "→",
    "aborted": "⊘",
    "rejected": "✗",
    "dropped": "✗",
}
"""One sign a state; the word stands beside it wherever the sign alone could be misread."""

STYLES: Final = {
    "queued": "dim",
    "running": "cyan",
    "waiting": "blue",
    "retrying": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
    "blocked": "red",
    "abandoned": "dim",
    "in flight": "yellow",
    "interrupted": "yellow",
    "scheduled": "green",
    "after_run": "cyan",
    "aborted": "dim",
    "rejected": "red",
    "dropped": "red",
}

_KINDS: Final = {
    "step.run": "",
    "step.sleep": "sleep",
    "step.sleep_until": "sleep",
    "step.wait_for_event": "event",
    "step.wait_for_signal": "signal",
    "step.send_event": "send",
    "step.send_signal": "signal sent",
    "step.invoke": "invoke",
}


def length(seconds: float) -> str:
    """Write a length of time: "12 ms", "1.2 s", "3 min 4 s", "2 h 5 min", "3 d 4 h"."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, part, part_size in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count} {unit} {rest // part_size} {part}" if rest >= part_size else f"{count} {unit}"
    return f"{whole} s"


def age(seconds: float) -> str:
    """Write a length of time roughly, in its largest unit: "48 s", "2 min", "3 h", "4 d"."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def ticking(seconds: float) -> str:
    """Write a length of time that is still changing: to the tenth of a second below a minute."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 59.95 else length(seconds)


def time_of_day(at: float) -> str:
    """Write a moment (epoch seconds) as a time of this day, local, to the millisecond."""
    return _local(at).strftime("%H:%M:%S.%f")[:-3]


def moment(when: datetime | float) -> str:
    """Write a moment with its date, local, to the second."""
    return _local(when.timestamp() if isinstance(when, datetime) else when).strftime("%Y-%m-%d %H:%M:%S")


def moment_and_zone(when: datetime) -> str:
    """Write a moment with its date and the name of the local zone."""
    return _local(when.timestamp()).strftime("%Y-%m-%d %H:%M:%S %Z")


def _local(at: float) -> datetime:
    when = utc(at)
    try:
        return when.astimezone()
    except (OverflowError, OSError, ValueError):  # the last or the first day there is, in a zone where it is over or not yet there
        return when


def short(run_id: str) -> str:
    """Give the end of a run's id: enough to tell runs apart, and `runs show` takes it."""
    return run_id[-6:]


def visible(text: str) -> str:
    """Make control characters (escape sequences among them) visible; line feeds and tabs are kept."""
    return _escaped(text, lambda char: char.encode("unicode_escape").decode())


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(escape(char) if char not in "\n\t" and _controls(char) else char for char in text)


def _controls(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] == "C" or category in {"Zl", "Zp"}


def one_line(text: str) -> str:
    """Give a text on one line: its line breaks become spaces."""
    return " ".join(visible(text).split())


def clipped(text: str, width: int) -> str:
    """Give a text on one line of at most `width` characters, with an ellipsis where something is left out."""
    line = one_line(text)
    return line if len(line) <= width else f"{line[: width - 1]}…" if width > 0 else ""


def compact(value: Any) -> str:
    """Write a JSON value on one line, still as JSON: control characters become its escapes."""
    return _escaped(orjson.dumps(value).decode(), _json_escape)


def pretty(value: Any) -> str:
    """Write a JSON value on several lines, indented."""
    return _escaped(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), _json_escape)


def _json_escape(char: str) -> str:
    return json.dumps(char)[1:-1]


def kind_word(kind: str | None) -> str:
    """Give the word for a step's kind where it is worth one; a `step.run` has none."""
    return "" if kind is None else _KINDS.get(kind, kind.removeprefix("step."))


def plural(count: int, noun: str) -> str:
    """Count: "1 run", "2 runs"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
