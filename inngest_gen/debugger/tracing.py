"""Tracing: what the trace of a run tells of its steps: when they began and ended, and their failed attempts. Pure.

The server's spans are for looking at: a step may have several, some without an end, and an attempt may be there twice. What they leave open is None,
never a guess. Source: a dev server's answers (REST v2, `GET /v2/runs/{id}/trace`, which it calls beta); server pkg/api/v2, pkg/coreapi/graph/loaders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from inngest_gen.calls.failure import Failure
from inngest_gen.recording.recording import RecordedAttempt

_BODIES: Final = frozenset({"step.run", "step.ai.wrap"})

Span = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What is told of a step: as a RecordedStep's attributes of these names."""

    attempts: tuple[RecordedAttempt, ...] = ()
    attempt: int | None = None
    started: datetime | None = None
    ended: datetime | None = None


def spans_by_step(root: Span | None) -> dict[str, list[Span]]:
    """Give the spans of a trace by the hash of their step."""
    found: dict[str, list[Span]] = {}
    for span in _all(root):
        hash = span.get("stepId")
        if isinstance(hash, str):
            found.setdefault(hash, []).append(span)
    return found


def traced(spans: list[Span], kind: str, *, failed: bool | None) -> Traced:
    """Read what the spans of a step tell. `failed` says of one that has ended how it did; None: it has not."""
    if kind not in _BODIES:
        return Traced(started=min(_times(spans, "startedAt"), default=None), ended=max(_times(spans, "endedAt"), default=None))
    over = sorted(
        (span for span in spans if not _own(span) and _is_over(span)), key=lambda span: (_time(span, "startedAt"), str(span.get("id")))
    )
    is_whole = len(over) >= max((len(_own(span)) for span in spans), default=0)
    failures = tuple(
        RecordedAttempt(number=number, started=_time(span, "startedAt"), at=_time(span, "endedAt"), error=_failure(span))
        for number, span in enumerate(over)
        if span["status"] == "FAILED"
    )
    if not over or not is_whole:
        return Traced(attempts=failures if is_whole else ())
    last = over[-1]
    if failed is not None and (last["status"] == "FAILED") is not failed:
        return Traced(attempts=failures)
    ended = _time(last, "endedAt") if failed is not None else None
    return Traced(attempts=failures, attempt=len(over) - 1, started=_time(last, "startedAt"), ended=ended)


def _all(span: Span | None) -> Iterator[Span]:
    todo = [] if span is None else [span]
    while todo:
        one = todo.pop()
        yield one
        todo += [child for child in one.get("children") or () if isinstance(child, Mapping)]


def _own(span: Span) -> list[Span]:
    """Give the children that are of the same step: its attempts."""
    return [child for child in span.get("children") or () if isinstance(child, Mapping) and child.get("stepId") == span.get("stepId")]


def _is_over(span: Span) -> bool:
    return span.get("status") in {"COMPLETED", "FAILED"} and None not in (_time(span, "startedAt"), _time(span, "endedAt"))


def _failure(span: Span) -> Failure:
    output = span.get("output")
    return Failure.from_json(output if isinstance(output, Mapping) else {})


def _times(spans: list[Span], name: str) -> list[datetime]:
    return [found for span in spans if (found := _time(span, name)) is not None]


def _time(span: Span, name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(span.get(name)))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
