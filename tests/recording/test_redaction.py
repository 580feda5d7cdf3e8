"""Redaction: what is named is gone from the file, its shape is kept, and what a replay is held to stays."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from inngest_gen.errors import RecordingError
from inngest_gen.recording.format import document, dumps
from inngest_gen.recording.recording import Recording
from inngest_gen.recording.redaction import MARK, redact
from tests.recording.strategies import FULL, recordings

SECRETS = ["ada@example.com", "4111"]


def held_to(recording: Recording) -> list[Any]:
    """What a replay is held to."""
    return [
        recording.run_id, recording.code,
        [(step.id, step.hash, step.index, step.kind, step.position, step.path, step.status, step.rank, step.at) for step in recording.steps],
        [(defer.id, defer.hash, defer.step, defer.status, defer.run_id) for defer in recording.defers],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "of", "becomes"),
    [
        ("events.0.data.email", lambda whole: whole["events"][0]["data"]["email"], MARK),
        ("events.*.data.lines", lambda whole: whole["events"][0]["data"]["lines"], [{"sku": MARK, "price": 0}]),
        (r"events.0.data.a\.b", lambda whole: whole["events"][0]["data"]["a.b"], 0),
        ("steps.load.result.card", lambda whole: whole["steps"][0]["result"], {"card": MARK, "ok": True, "sum": 9.5}),
        ("steps.0.result", lambda whole: whole["steps"][0]["result"], {"card": MARK, "ok": False, "sum": 0}),
        ("steps.charge.attempts.*.error.message", lambda whole: whole["steps"][1]["attempts"][0]["error"]["message"], MARK),
        ("defers.mail.data", lambda whole: whole["defers"][0]["data"], {"to": MARK}),
        ("**.price", lambda whole: whole["events"][0]["data"]["lines"][0], {"sku": "a", "price": 0}),
        ("error.message", lambda whole: whole["error"], {"name": "StepError", "message": MARK}),
    ],
)
def test_a_path_replaces_what_it_names_and_nothing_else(path: str, of: Any, becomes: Any) -> None:
    whole = document(redact(FULL, [path]))
    assert of(whole) == becomes
    before = document(FULL)
    changed = [key for key in whole if whole[key] != before[key]]
    assert changed == sorted({"redacted", path.split(".")[0].replace("**", "events")}, key=list(whole).index)
    assert whole["redacted"] == [path]


def test_everything_that_users_put_in_can_be_hidden_at_once() -> None:
    hidden = redact(FULL, ["**"])
    text = dumps(hidden).decode()
    assert [secret for secret in SECRETS if secret in text] == []
    assert held_to(hidden) == held_to(FULL)


@given(recordings)
def test_what_a_replay_is_held_to_stays(recording: Recording) -> None:
    try:
        hidden = redact(recording, ["**"])
    except RecordingError:  # there was nothing to hide
        hidden = recording
    assert held_to(hidden) == held_to(recording)


@pytest.mark.parametrize("path", ["steps.lode.result", "**.nothing", "steps.*.hash", "run_id", "steps.load"])
def test_a_path_that_names_nothing_is_refused(path: str) -> None:
    with pytest.raises(RecordingError, match="nothing was written"):
        redact(FULL, ["error", path])


@pytest.mark.parametrize("path", ["", ".", "a..b", ".a", "a."])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(RecordingError, match="is no path"):
        redact(FULL, [path])


def test_a_hook_sees_each_value_that_is_left_with_its_path() -> None:
    seen: dict[str, Any] = {}

    def hook(path: str, value: Any) -> Any:
        seen[path] = value
        return value.replace("4111", "****") if isinstance(value, str) else value

    hidden = redact(FULL, ["**.email"], hook)
    assert seen["steps.load.result.card"] == "4111"
    assert seen[r"events.0.data.a\.b"] == 1
    assert "events.0.data.email" not in seen
    assert hidden.steps[0].result["card"] == "****"
    assert hidden.error is not None
    assert hidden.error.message == "card **** declined"
    assert hidden.redacted == ("**.email", "(hook)")


def test_what_was_redacted_before_is_still_told() -> None:
    assert redact(redact(FULL, ["error"]), ["**.sku"]).redacted == ("error", "**.sku")


def test_without_paths_and_hook_nothing_changes() -> None:
    assert redact(FULL) == replace(FULL)
