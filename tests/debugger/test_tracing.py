"""What a run's trace tells of its steps, of a dev server's own answer (trace.json): attempts and times; what it leaves open is unknown."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inngest_gen.debugger.tracing import Traced, spans_by_step, traced
from inngest_gen.ids import step_hash

ROOT = json.loads((Path(__file__).parent / "trace.json").read_bytes())["data"]["rootSpan"]


def of(id: str, kind: str = "step.run", *, failed: bool | None = False) -> Traced:
    return traced(spans_by_step(ROOT)[step_hash(id)], kind, failed=failed)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-29T23:33:{text}").replace(tzinfo=UTC)


def told(found: Traced) -> list[tuple[int, str, datetime | None, datetime | None]]:
    return [(one.number, str(one.error), one.started, one.at) for one in found.attempts]


def test_a_step_that_was_checkpointed_at_once() -> None:
    assert of("price") == Traced(attempt=0, started=at("33.462"), ended=at("33.463"))


def test_failed_attempts_that_the_server_shows_twice_or_in_two_places_are_there_once() -> None:
    first = of("flaky")
    assert told(first) == [
        (0, "ConnectionError: tea is away 1", at("33.477"), at("33.478")),
        (1, "ConnectionError: tea is away 2", at("34.488"), at("34.493")),
    ]
    assert (first.attempt, first.started, first.ended) == (2, at("35.502"), at("35.503"))
    second = of("right")
    assert [one.number for one in second.attempts] == [0, 1]
    assert (second.attempt, second.started, second.ended) == (2, at("37.718"), at("37.723"))


def test_a_step_that_failed_for_good_and_one_that_has_not_ended() -> None:
    stock = of("stock", failed=True)
    assert told(stock) == [(0, "NonRetriableError: out of stock", at("35.554"), at("35.555"))]
    assert stock.attempt == 0
    again = of("stock", failed=None)
    assert (told(again), again.attempt, again.ended) == (told(stock), 0, None)


def test_what_has_no_end_in_the_trace_is_unknown() -> None:
    assert of("left") == Traced()
    assert of("nap", "step.sleep") == Traced(started=at("35.638"))
    assert of("paid", "step.wait_for_event", failed=None) == Traced(started=at("37.778"))


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({"status": "FAILED"}, None),  # the record says that it did not fail
        ({"endedAt": "yesterday"}, None),
        ({"startedAt": None}, None),
        ({"output": None}, 0),
        ({"children": [{"stepId": "h", "status": "RUNNING"}] * 2}, None),
        ({}, 0),
    ],
)
def test_what_does_not_fit_is_no_guess(change: dict[str, Any], known: int | None) -> None:
    span = {"id": "s", "stepId": "h", "status": "COMPLETED", "startedAt": "2026-01-01T00:00:00Z", "endedAt": "2026-01-01T00:00:01Z"}
    assert traced([span | change], "step.run", failed=False).attempt == known


def test_no_trace_has_no_spans() -> None:
    assert spans_by_step(None) == {}
    assert spans_by_step({"stepId": 5, "children": ["x", {"stepId": "h"}]}) == {"h": [{"stepId": "h"}]}
    assert traced([], "step.run", failed=False) == Traced()
