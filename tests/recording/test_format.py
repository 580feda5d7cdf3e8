"""The recording format: what is written is read the same; what is wrong is refused with its place."""

import json
from typing import Any

import pytest
from hypothesis import given

from inngest_gen.calls.failure import Failure
from inngest_gen.errors import RecordingError
from inngest_gen.recording.format import VERSION, document, dumps, loads, read
from inngest_gen.recording.recording import RecordedStep, Recording
from tests.recording.strategies import FULL, recordings


@given(recordings)
def test_what_is_written_is_read_the_same(recording: Recording) -> None:
    assert loads(dumps(recording)) == recording


def test_a_recording_is_indented_json_with_its_format_and_version_first() -> None:
    text = dumps(FULL).decode()
    assert text.startswith('{\n  "format": "inngest_gen recording",\n  "version": 1,\n')
    assert text.endswith("}\n")


def test_a_result_of_null_is_no_missing_result() -> None:
    there = Recording(run_id="r", function="f", steps=(RecordedStep(id="a", hash="h", rank=1, data=b"null"),))
    missing = Recording(run_id="r", function="f", steps=(RecordedStep(id="a", hash="h", status="running"),))
    assert document(there)["steps"][0]["result"] is None
    assert "result" not in document(missing)["steps"][0]
    assert loads(dumps(there)).steps[0].data == b"null"


def test_keys_that_are_not_known_are_skipped() -> None:
    value = document(FULL)
    value["later"] = 1
    for step in value["steps"]:
        step["later"] = {"x": 1}
    assert read(value) == FULL


def test_results_are_fresh_copies() -> None:
    step = FULL.steps[0]
    step.result["card"] = "changed"
    assert step.result == {"card": "4111", "ok": True, "sum": 9.5}


def test_finished_steps_come_in_the_order_of_their_completion() -> None:
    assert [step.id for step in FULL.finished()] == ["charge", "load"]


def test_only_steps_of_branches_have_a_branch() -> None:
    paths = ["", "quote", "parallel[0]", "quote/race[a]/x"]
    assert [RecordedStep(id="a", hash="h", path=path, status="running").branch for path in paths] == [
        None,
        None,
        "parallel[0]",
        "quote/race[a]/x",
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"[]", '"format": "inngest_gen recording"'),
        (b'{"format": "something"}', '"format": "inngest_gen recording"'),
        (b'{"format": "inngest_gen recording"}', "version None, which never was"),
        (b'{"format": "inngest_gen recording", "version": 0}', "version 0, which never was"),
        (b'{"format": "inngest_gen recording", "version": 2}', "version 2, this inngest_gen reads up to 1: upgrade"),
    ],
)
def test_what_is_no_recording_is_refused(data: bytes, words: str) -> None:
    assert VERSION == 1
    with pytest.raises(RecordingError, match=words):
        loads(data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"run_id": None}, "run_id must be a string, not null"),
        ({"status": "asleep"}, 'status must be one of queued, .*, not "asleep"'),
        ({"created": "yesterday"}, 'created must be a time such as .*, not "yesterday"'),
        ({"created": "2026-11-29T16:00:00"}, "created must be a time with its zone"),
        ({"attempt": True}, "attempt must be an integer, not true"),
        ({"steps": {}}, "steps must be a list, not {}"),
        ({"steps": [1]}, r"steps\[0\] must be an object"),
        ({"steps": [{"id": "a"}]}, r"steps\[0\].hash must be a string, not null"),
        ({"events": [{"name": ""}]}, r"events\[0\]: an event's name must be"),
        ({"error": "it broke"}, 'error must be an error or null, not "it broke"'),
        ({"code": "abc"}, 'code must be an object, not "abc"'),
        ({"steps": [{"id": "a", "hash": "h", "status": "failed", "attempts": [{}]}]}, r"steps\[0\].attempts\[0\].error must be an error"),
        ({"steps": [{"id": "a", "hash": "h", "status": "completed", "result": 1}]}, "step 'a' must have a rank where it has a result"),
        ({"steps": [{"id": "a", "hash": "h", "status": "completed", "rank": 1}]}, "step 'a' must have a rank where it has a result"),
        ({"steps": [{"id": "a", "hash": "h", "status": "running"}] * 2}, "two steps with the hash h"),
        ({"run_id": ["x" * 100]}, r'run_id must be a string, not \["x*\.\.\.'),
    ],
)
def test_damage_is_named_with_its_place(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordingError, match=words):
        read(json.loads(json.dumps({**document(FULL), **change})))


def test_a_failure_keeps_its_cause() -> None:
    failure = Failure(name="A", message="a", cause=Failure(name="B", message="b", no_retry=True))
    recording = Recording(run_id="r", function="f", status="failed", error=failure)
    assert loads(dumps(recording)).error == failure
