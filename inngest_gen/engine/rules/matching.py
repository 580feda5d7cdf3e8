"""Which functions and waits an event is for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from inngest_gen import jsonvalue

MISSING = object()
OWN = "inngest/"
"""How the names of the engine's own events begin."""


def pattern(name: str) -> re.Pattern[str] | None:
    """Make a regular expression of a trigger's name if it has a wildcard: `*` stands for any text. None for a plain name."""
    if "*" not in name:
        return None
    return re.compile("".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", name)), re.DOTALL)


class Triggers:
    """Which functions an event's name starts: exact names by look-up, then wildcards one by one; each function once.

    The engine's own events ("inngest/...") are matched only by wildcards that begin so: "*" stands for what users send.
    """

    def __init__(self, triggers: Iterable[tuple[str, str]]) -> None:
        """Take pairs of a trigger's event name and a function's slug."""
        self._exact: dict[str, list[str]] = {}
        self._wild: list[tuple[re.Pattern[str], str]] = []
        self._wild_own: list[tuple[re.Pattern[str], str]] = []
        for name, slug in triggers:
            wild = pattern(name)
            if wild is None:
                self._exact.setdefault(name, []).append(slug)
            else:
                (self._wild_own if name.startswith(OWN) else self._wild).append((wild, slug))

    def match(self, name: str) -> list[str]:
        """List the slugs of the functions that an event of this name starts."""
        found = list(self._exact.get(name, ()))
        found += [slug for wild, slug in (self._wild_own if name.startswith(OWN) else self._wild) if wild.fullmatch(name)]
        return list(dict.fromkeys(found))


def value_at(event: Mapping[str, Any], path: str) -> Any:
    """Give the value at a path such as "data.order_id" in an event as JSON, or MISSING."""
    value: Any = event
    for part in path.removeprefix("event.").removeprefix("async.").split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def match_key(event: Mapping[str, Any], path: str) -> str | None:
    """Give the text under which a wait with `match=path` is found, or None where the event has nothing there: then nothing ever matches."""
    value = value_at(event, path)
    return None if value is MISSING else jsonvalue.encode(value, f"the value at {path!r}").decode()
