"""Draws a result as text: what happened, when in the test's time, in which branch; then the runs that it caused.

Promises: the same run gives the same text, on every machine and in every order of dictionaries; without `lines` it holds no line numbers, so
that a snapshot stays as it is when code moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from inngest_gen.testing.result import DeferResult, Result, StepResult

_LONGEST: Final = 100
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_SIGNS: Final = {
    "completed": "+",
    "scheduled": "+",
    "failed": "x",
    "rejected": "x",
    "dropped": "x",
    "abandoned": "-",
    "aborted": "-",
    "cancelled": "-",
}
_CAUSES: Final = {"invoke": "invoked by", "defer": "deferred by", "failure": "failure handler of", "event": "started by"}


def draw(result: Result, *, lines: bool = False) -> str:
    """Draw a run and the runs that it caused."""
    names = _names([result, *result.runs])
    drawn = ["\n".join(_run(result, names, lines=lines))]
    drawn += ["\n".join(_run(run, names, lines=lines)) for run in _caused(result)]
    return "\n\n".join(drawn)


def _caused(result: Result) -> Iterator[Result]:
    known = {result.run_id}
    for run in result.runs:
        if run.parent_run_id in known or run.parent_run_id is None:
            known.add(run.run_id)
            yield run


def _names(runs: list[Result]) -> dict[str, str]:
    """Name each run by its function, and by a number where there are several."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for run in sorted(runs, key=lambda run: run.run_id):
        count = counts[run.function_id] = counts.get(run.function_id, 0) + 1
        names[run.run_id] = run.function_id if count == 1 else f"{run.function_id} #{count}"
    return names


def _run(run: Result, names: dict[str, str], *, lines: bool) -> Iterator[str]:
    yield f"{names[run.run_id]}: {_ending(run)}"
    cause = "" if run.parent_run_id is None else f", {_CAUSES.get(run.kind, 'caused by')} {names.get(run.parent_run_id, 'another run')}"
    data = {key: value for key, value in run.event.data.items() if key != "_inngest"}
    event = run.event.name if run.kind in {"defer", "failure"} else f"{run.event.name} {_json(data)}"
    yield f"  event {_cut(event)}{cause}"
    began = run.created
    for step in run.steps:
        yield from _step(step, began, lines=lines)
    for defer in run.defers:
        yield f"  {_SIGNS.get(defer.status, '>')} defer {defer.id}: {_defer(defer, names)}"
    for note in run.notes:
        yield f"  ! {_since(note.at, began)} {_cut(note.text)}"


def _ending(run: Result) -> str:
    after = "" if run.ended is None else f" after {_length((run.ended - run.created).total_seconds())}"
    if run.status == "completed":
        return f"completed{after} with {_cut(_json(run.output))}"
    if run.error is not None:
        return f"{run.status}{after} with {_cut(str(run.error))}"
    return f"{run.status}{after}"


def _step(step: StepResult, began: datetime, *, lines: bool) -> Iterator[str]:
    branch = f" in {step.path}" if step.path else ""
    repeat = f" #{step.index}" if step.index else ""
    where = f" ({_short(step.at)})" if lines and step.at else ""
    when = (
        "" if step.started is None else f" {_since(step.started if not step.failures else min(step.started, step.failures[0].at), began)}"
    )
    yield f"  {_SIGNS.get(step.status, '>')}{when} {step.kind} {step.id}{repeat}{branch}: {_came(step)}{where}"
    for failure in step.failures[: None if step.status != "failed" else -1]:
        next_in = "" if failure.retry_at is None else f", next in {_length((failure.retry_at - failure.at).total_seconds())}"
        yield f"      attempt {failure.number} failed with {_cut(str(failure.error))}{next_in}"


def _came(step: StepResult) -> str:
    took = f" after {_length(step.seconds)}" if step.seconds else ""
    match step.status:
        case "completed":
            return f"slept{took}" if step.kind in {"step.sleep", "step.sleep_until"} else f"{_cut(_json(step.result))}{took}"
        case "failed":
            return f"failed with {_cut(str(step.error))}{took}"
        case "waiting" if step.due is not None and step.started is not None:
            return f"waiting, at most {_length((step.due - step.started).total_seconds())}"
        case status:
            return f"{status}{took}"


def _defer(defer: DeferResult, names: dict[str, str]) -> str:
    said = f"{defer.status} {defer.function_id or ''}".strip()
    if defer.run is not None:
        said = f"{defer.status} {names.get(defer.run.run_id, defer.run.function_id)}"
    if defer.reason:
        return f"{said}: {_cut(defer.reason)}"
    return said if defer.data is None else f"{said} {_cut(_json({key: value for key, value in defer.data.items() if key != '_inngest'}))}"


def _since(when: datetime, began: datetime) -> str:
    return f"[{_length((when - began).total_seconds())}]"


def _length(seconds: float) -> str:
    left = round(seconds * 1000)
    parts = []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _short(at: str) -> str:
    file, _, line = at.rpartition(":")
    return f"{Path(file).name}:{line}"
