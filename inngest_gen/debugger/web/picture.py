"""Picture: what is drawn of a run over time, out of its recording: lanes of steps with their attempts and waits, and its defers. Pure.

Promises: times are milliseconds since an origin that all runs of a page share; nothing is drawn where no time was recorded, but for a recording
without any: then steps stand in their order, a "millisecond" each. A failed attempt whose start is not recorded begins where the last step before
ended, or where its retry was due.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from inngest_gen.recording.recording import WAITS, RecordedStep, Recording

_LANES: Final = 300
"""Of a run with more branches and sub-flows than this the steps of the further ones are not drawn."""

Part = tuple[str, float, float | None]
"""A part of a bar: "run", "failed" (an attempt), "pause" (until the next attempt), or "wait"; from when, and until when (None: not yet)."""


def origin_of(recordings: Iterable[Recording]) -> datetime | None:
    """Give the first moment of all runs; None where no times are recorded, or only one that all share."""
    moments = {moment for recording in recordings for moment in _moments(recording)}
    return min(moments) if len(moments) > 1 else None


def picture(recording: Recording, origin: datetime | None, deferred_at: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Give what is drawn of a run. `deferred_at` has the moments at which the handler came to its defers, by hash."""
    timed = origin is not None and any(True for _ in _moments(recording))
    ordered = sorted(recording.steps, key=lambda step: (step.position is None, step.position or 0))
    lanes: dict[str, list[dict[str, Any]]] = {}
    hidden = 0
    for place, step in enumerate(ordered):
        parts = _parts(step, recording, origin) if timed and origin is not None else [_in_order(step, place)]
        if not parts:
            continue
        if step.path not in lanes and len(lanes) >= _LANES:
            hidden += 1
            continue
        lanes.setdefault(step.path, []).append(_bar(step, parts))
    begun = min((part[1] for bars in lanes.values() for bar in bars for part in bar["parts"]), default=None)
    return {
        "timed": timed,
        "created": _ms(recording.created, origin) if timed else 0.0,
        "begun": begun if begun is not None else _ms(recording.started, origin),
        "ended": _ms(recording.ended, origin) if timed else float(len(ordered)),
        "lanes": [{"path": path, "rows": _rows(bars), "bars": bars} for path, bars in lanes.items()],
        "hidden": hidden,
        "defers": [_defer(defer, recording, origin, deferred_at or {}) for defer in recording.defers],
        "marks": [
            {"kind": note.kind, "at": _ms(note.at, origin), "text": note.text} for note in recording.notes if note.at is not None and timed
        ],
    }


def moment_of(step: RecordedStep, origin: datetime | None) -> float | None:
    """Give when a step ended."""
    return _ms(step.ended, origin)


def _bar(step: RecordedStep, parts: list[Part]) -> dict[str, Any]:
    failed = [{"number": one.number, "error": f"{one.error.name}: {one.error.message}"[:200]} for one in step.attempts]
    return {
        "hash": step.hash,
        "id": step.id,
        "index": step.index,
        "kind": step.kind or "step",
        "status": step.status,
        "parts": parts,
        **({"failed": failed} if failed else {}),
        "row": 0,
    }


def _parts(step: RecordedStep, recording: Recording, origin: datetime) -> list[Part]:
    """Divide a step into its attempts and waits. `started` is when its last attempt began."""
    waits = step.kind in WAITS
    started, ended = _ms(step.started, origin), _ms(step.ended, origin)
    found: list[Part] = []
    begin = None if step.attempts else started
    if step.attempts:
        begin = _last_end_before(step, recording, origin)
    retry_at: float | None = None
    for place, attempt in enumerate(step.attempts):
        failed_at = _ms(attempt.at, origin)
        if failed_at is None:
            continue
        if attempt.started is not None:
            begin = _ms(attempt.started, origin)
        if begin is None or begin > failed_at:
            begin = failed_at
        found.append(("failed", begin, failed_at))
        retry_at = _ms(attempt.retry_at, origin)
        is_last = attempt is step.attempts[-1]
        after = started if is_last else _ms(step.attempts[place + 1].started, origin)
        if retry_at is None:
            # Where it was the last for good, `after` is its own start.
            begin = None if after is None or after < failed_at or (is_last and step.error is not None) else after
            if begin is not None:
                found.append(("pause", failed_at, begin))
            continue
        # The next attempt begins when it was to, or when it is recorded to have begun.
        begin = retry_at if after is None else max(retry_at, after)
        under_way = is_last and ended is None and (started is None or started < retry_at)
        found.append(("pause", failed_at, None if under_way else begin))
        if under_way:
            return found
    what = "wait" if waits else "run"
    if step.error is not None and step.attempts and retry_at is None:
        return found  # the last attempt failed for good
    if begin is None:
        begin = ended
    if begin is not None:
        if step.status == "abandoned" and ended is None:
            ended = _ms(recording.ended, origin)  # it lost its race, or the run was over: no later than that
        settled = ended is not None or step.status in {"completed", "failed"}
        found.append(("failed" if step.error is not None and not waits else what, begin, max(begin, ended or begin) if settled else None))
    return found


def _last_end_before(step: RecordedStep, recording: Recording, origin: datetime) -> float | None:
    """Give when the last step ended that had ended before a step's first attempt failed: about then it was asked for."""
    first = step.attempts[0].at
    if first is None:
        return None
    ends = [one.ended for one in recording.steps if one.ended is not None and one.ended <= first and one is not step]
    return _ms(max(ends, default=recording.created), origin)


def _in_order(step: RecordedStep, place: int) -> Part:
    what = "failed" if step.error is not None else "wait" if step.kind in WAITS else "run"
    return (what, float(place), float(place + 1) if step.rank is not None else None)


def _rows(bars: list[dict[str, Any]]) -> int:
    """Give each bar the first row in which nothing else is at its time; returns how many rows there are."""
    ends: list[float] = []
    for bar in sorted(bars, key=lambda one: one["parts"][0][1]):
        start = bar["parts"][0][1]
        end = bar["parts"][-1][2]
        row = next((row for row, until in enumerate(ends) if until <= start), len(ends))
        if row == len(ends):
            ends.append(0.0)
        ends[row] = float("inf") if end is None else end
        bar["row"] = row
    return max(1, len(ends))


def _defer(defer: Any, recording: Recording, origin: datetime | None, deferred_at: Mapping[str, float]) -> dict[str, Any]:
    by = None if defer.step is None else next((step for step in recording.steps if step.hash == defer.step), None)
    at = deferred_at.get(defer.hash) if by is None else _ms(by.ended, origin)
    return {
        "id": defer.id,
        "hash": defer.hash,
        "function": defer.function,
        "status": defer.status,
        "run_id": defer.run_id,
        "by": None if by is None else by.id,
        "at": at,
    }


def _moments(recording: Recording) -> Iterable[datetime]:
    for moment in (recording.created, recording.started, recording.ended):
        if moment is not None:
            yield moment
    for step in recording.steps:
        for moment in (step.started, step.ended):
            if moment is not None:
                yield moment


def _ms(when: datetime | None, origin: datetime | None) -> float | None:
    return None if when is None or origin is None else round((when - origin).total_seconds() * 1000, 3)
