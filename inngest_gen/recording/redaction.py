"""Redaction: a recording without the values that others must not see, so that a production run can be shared.

A path names values inside what users put into a run, part by part: `events.0.data.email`, `steps.charge.result.card`, `**.password`. `*` stands
for any one part, `**` for any number of them; a step or a defer is named by its id or its number; a dot in a key is written `\\.`.
Promises: what a path names is replaced with all that is in it, and its shape kept (text by "[redacted]", numbers by 0, lists and objects by the same
with redacted values), so that the handler still replays; a path that names nothing is an error, since a slip would publish a secret.
Refuses: to touch what a replay is held to: ids, hashes, kinds, positions, times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from inngest_gen.errors import RecordingError
from inngest_gen.recording.format import document, read
from inngest_gen.recording.recording import Recording

Hook = Callable[[str, Any], Any]
"""Gets a value's path and the value (text, a number, a bool or None) and gives what is to stand there instead, the value itself to keep it."""

MARK: Final = "[redacted]"

_PARTS: Final = re.compile(r"(?:\\.|[^.\\])+")
_ROOTS: Final = (
    "events.*.data", "events.*.meta", "sessions", "failure", "parents.*.experiment",
    "steps.*.result", "steps.*.error", "steps.*.options", "steps.*.attempts.*.error",
    "defers.*.data", "defers.*.meta", "defers.*.experiment", "defers.*.reason",
    "notes.*.text", "output", "error",
)  # fmt: skip
"""Where a recording holds what users put into it."""


def redact(recording: Recording, paths: Sequence[str] = (), hook: Hook | None = None, *, all_found: bool = True) -> Recording:
    """Give the recording with the values at `paths` replaced, and every other value as `hook` gives it.

    Raises RecordingError for a path that is none, or, with `all_found`, that names nothing.
    """
    patterns = {path: _parsed(path) for path in paths}
    found: set[str] = set()
    whole = document(recording)

    def replaced(value: Any, place: tuple[str, ...], other: tuple[str, ...], *, hidden: bool) -> Any:
        if not hidden:
            matching = [path for path, pattern in patterns.items() if _matches(pattern, place) or _matches(pattern, other)]
            found.update(matching)
            hidden = bool(matching)
        if isinstance(value, dict):
            return {key: replaced(inner, (*place, key), (*other, key), hidden=hidden) for key, inner in value.items()}
        if isinstance(value, list):
            return [replaced(inner, (*place, str(n)), (*other, str(n)), hidden=hidden) for n, inner in enumerate(value)]
        if hidden:
            return _blank(value)
        return value if hook is None else hook(".".join(_escaped(part) for part in place), value)

    for holder, key, place, other in _user_values(whole):
        holder[key] = replaced(holder[key], place, other, hidden=False)
    unused = sorted(set(patterns) - found)
    if unused and all_found:
        raise RecordingError(f"no value of the recording is at {', '.join(unused)}: nothing was written, so that no secret slips through")
    whole["redacted"] = list(dict.fromkeys([*recording.redacted, *paths, *(["(hook)"] if hook is not None else [])]))
    return read(whole)


def _user_values(whole: dict[str, Any]) -> Iterator[tuple[Any, Any, tuple[str, ...], tuple[str, ...]]]:
    """Walk the values of users: (holder, key, place, the same place with list items by their number)."""
    for root in _ROOTS:
        yield from _walk(whole, root.split("."), (), ())


def _walk(
    value: Any, parts: Sequence[str], place: tuple[str, ...], other: tuple[str, ...]
) -> Iterator[tuple[Any, Any, tuple[str, ...], tuple[str, ...]]]:
    part, rest = parts[0], parts[1:]
    if part == "*":
        for n, inner in enumerate(value):
            name = inner["id"] if place in {("steps",), ("defers",)} else str(n)
            yield from _walk(inner, rest, (*place, name), (*other, str(n)))
    elif value.get(part) is not None:
        if rest:
            yield from _walk(value[part], rest, (*place, part), (*other, part))
        else:
            yield value, part, (*place, part), (*other, part)


def check_path(path: str) -> None:
    """Raise RecordingError for a path that is none."""
    _parsed(path)


def _parsed(path: str) -> tuple[str, ...]:
    parts = _PARTS.findall(path)
    if not parts or ".".join(parts) != path:
        raise RecordingError(f"{path!r} is no path: write parts with dots between them, such as steps.charge.result.card or **.password")
    return tuple(parts)


def _matches(pattern: tuple[str, ...], place: tuple[str, ...]) -> bool:
    if not pattern:
        return not place
    if pattern[0] == "**":
        return any(_matches(pattern[1:], place[n:]) for n in range(len(place) + 1))
    if not place:
        return False
    return (pattern[0] == "*" or pattern[0].replace("\\", "") == place[0]) and _matches(pattern[1:], place[1:])


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace(".", "\\.")


def _blank(value: Any) -> Any:
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return 0
    return MARK if isinstance(value, str) else value
