"""Runs and happenings as JSON."""

import dataclasses
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from inngest_gen import jsonvalue
from inngest_gen.cli import document, wording
from inngest_gen.engine.progress import Progress
from inngest_gen.errors import StepError
from tests.cli.happenings import DOWN, RUN, it
from tests.cli.records import a_run

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
moments = st.floats(0, 4e9).map(lambda at: round(at, 6))


@given(moments, st.none() | moments, st.none() | st.integers(0, 20), st.text(), values)
def test_a_happening_comes_back_as_it_was(at: float, due: float | None, attempt: int | None, path: str, output: object) -> None:
    told = it("step.failed", at, due=due, attempt=attempt, path=path, output=output, step_id="pay", step_kind="step.run")
    back = document.progress_of(jsonvalue.decode(wording.compact(document.of_progress(told))))
    assert abs(back.at - told.at) < 2e-6
    assert (due is None and back.due is None) or (due is not None and back.due is not None and abs(back.due - due) < 2e-6)
    assert dataclasses.replace(back, at=at, due=due) == told


def test_an_error_comes_back_with_its_cause() -> None:
    error = StepError("A", "b", "Traceback ...", StepError("C", "d"))
    back = document.progress_of(document.of_progress(it("run.ended", 1, error=error))).error
    assert back is not None
    assert (back.name, back.message, back.stack, str(back.cause)) == ("A", "b", "Traceback ...", "C: d")


def test_a_happening_has_the_keys_that_mean_something() -> None:
    told = it("run.queued", 0.5, run_kind="defer", parent_run_id="p")
    assert document.of_progress(told) == {
        "kind": "run.queued", "at": "1970-01-01T00:00:00.500000Z", "run_id": RUN, "function_id": "shop-placed",
        "run_kind": "defer", "parent_run_id": "p",
    }  # fmt: skip
    assert "path" not in document.of_progress(Progress(kind="step.started", at=0, run_id="r", function_id="f", path=""))


def test_a_run_has_every_key_of_its_record() -> None:
    run = a_run()
    whole = document.of_run(run)
    for part, written in (
        (run, whole),
        (run.steps[0], whole["steps"][0]),
        (run.defers[0], whole["defers"][0]),
        (run.notes[0], whole["notes"][0]),
    ):
        assert {field.name for field in dataclasses.fields(part)} == set(written)
    attempt = whole["steps"][1]["attempts"][0]
    assert set(attempt) == {field.name for field in dataclasses.fields(run.steps[1].attempts[0])}
    assert attempt["error"] == {"name": DOWN.name, "message": DOWN.message}
    assert jsonvalue.decode(wording.compact(whole)) == whole


def test_times_are_utc_wherever_the_value_came_from() -> None:
    run = dataclasses.replace(a_run(), created=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert document.of_run(run)["created"] == "2026-01-01T00:00:00.000000Z"
