"""What is drawn of a run: bars out of recorded times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.web.picture import origin_of, picture
from inngest_gen.recording.recording import RecordedAttempt, RecordedDefer, RecordedStep, Recording

START = datetime(2026, 1, 1, tzinfo=UTC)
FAILURE = Failure(name="ValueError", message="no")


def at(ms: float) -> datetime:
    return START + timedelta(milliseconds=ms)


def step(id: str, position: int, **options: Any) -> RecordedStep:
    options = {"kind": "step.run", "rank": position + 1, "data": b"1", **options}
    return RecordedStep(id=id, hash=id, position=position, **options)


def drawn(*steps: RecordedStep, **options: Any) -> dict[str, Any]:
    options = {"status": "completed", "created": at(0), "started": at(10), "ended": at(9_000), "output": b"1", **options}
    recording = Recording(run_id="R", function="shop-order", steps=steps, **options)
    return picture(recording, origin_of([recording]))


def parts(picture: dict[str, Any]) -> dict[str, list[tuple[str, float, float | None]]]:
    return {bar["id"]: bar["parts"] for lane in picture["lanes"] for bar in lane["bars"]}


def test_a_step_is_a_bar_from_its_start_to_its_end() -> None:
    found = drawn(step("load", 0, started=at(10), ended=at(50)), step("nap", 1, kind="step.sleep", started=at(60), ended=at(8_000)))
    assert parts(found) == {"load": [("run", 10, 50)], "nap": [("wait", 60, 8_000)]}
    assert (found["created"], found["begun"], found["ended"], found["timed"]) == (0, 10, 9_000, True)


def test_failed_attempts_and_the_time_between_them_are_parts_of_a_bar() -> None:
    attempts = (
        RecordedAttempt(number=0, at=at(100), error=FAILURE, retry_at=at(500)),
        RecordedAttempt(number=1, at=at(600), error=FAILURE, retry_at=at(1_500)),
    )
    found = drawn(step("load", 0, started=at(10), ended=at(50)), step("charge", 1, attempts=attempts, started=at(1_510), ended=at(1_700)))
    # The first attempt's start is not recorded: it is the end of the step before.
    assert parts(found)["charge"] == [
        ("failed", 50, 100),
        ("pause", 100, 500),
        ("failed", 500, 600),
        ("pause", 600, 1_510),
        ("run", 1_510, 1_700),
    ]
    assert found["lanes"][0]["bars"][1]["failed"] == [{"number": n, "error": "ValueError: no"} for n in (0, 1)]


def test_attempts_whose_start_is_recorded_are_drawn_from_there_also_where_no_retry_was_told() -> None:
    attempts = tuple(
        RecordedAttempt(number=n, started=at(start), at=at(end), error=FAILURE) for n, (start, end) in enumerate([(60, 100), (500, 600)])
    )
    found = drawn(step("load", 0, started=at(10), ended=at(50)), step("charge", 1, attempts=attempts, started=at(1_510), ended=at(1_700)))
    assert parts(found)["charge"] == [
        ("failed", 60, 100),
        ("pause", 100, 500),
        ("failed", 500, 600),
        ("pause", 600, 1_510),
        ("run", 1_510, 1_700),
    ]
    found = drawn(step("charge", 0, data=None, error=FAILURE, status="failed", attempts=attempts, started=at(500), ended=at(600)))
    assert parts(found)["charge"] == [("failed", 60, 100), ("pause", 100, 500), ("failed", 500, 600)]


def test_a_step_that_failed_for_good_ends_with_its_last_attempt() -> None:
    last = RecordedAttempt(number=0, at=at(100), error=FAILURE)
    found = drawn(step("charge", 0, data=None, error=FAILURE, status="failed", attempts=(last,), started=at(20), ended=at(101)))
    assert parts(found)["charge"] == [("failed", 0, 100)]
    found = drawn(step("charge", 0, data=None, error=FAILURE, status="failed", started=at(20), ended=at(101)))
    assert parts(found)["charge"] == [("failed", 20, 101)]


def test_what_has_not_ended_is_open() -> None:
    attempt = RecordedAttempt(number=0, at=at(100), error=FAILURE, retry_at=at(500))
    waiting: dict[str, Any] = {"rank": None, "data": None, "ended": None}
    found = drawn(
        step("nap", 0, kind="step.sleep", status="waiting", started=at(10), due=at(9_000), **waiting),
        step("charge", 1, status="running", attempts=(attempt,), started=at(20), path="parallel[1]", **waiting),
        status="running", ended=None, output=None,
    )  # fmt: skip
    assert parts(found) == {"nap": [("wait", 10, None)], "charge": [("failed", 0, 100), ("pause", 100, None)]}
    assert found["ended"] is None


def test_a_step_that_was_given_up_ends_with_its_run() -> None:
    found = drawn(step("long", 0, kind="step.sleep", status="abandoned", rank=None, data=None, started=at(10)))
    assert parts(found) == {"long": [("wait", 10, 9_000)]}


def test_each_path_is_a_lane_and_what_overlaps_in_one_has_rows() -> None:
    found = drawn(
        step("a", 0, started=at(0), ended=at(100), path="parallel[0]"),
        step("b", 1, started=at(0), ended=at(40), path="parallel[1]"),
        step("c", 2, started=at(40), ended=at(80), path="parallel[1]"),
        step("d", 3, started=at(60), ended=at(90), path="parallel[1]"),
    )
    assert [(lane["path"], lane["rows"], [bar["row"] for bar in lane["bars"]]) for lane in found["lanes"]] == [
        ("parallel[0]", 1, [0]),
        ("parallel[1]", 2, [0, 0, 1]),
    ]


def test_without_times_steps_stand_in_their_order() -> None:
    found = drawn(step("a", 0), step("b", 1, kind="step.sleep"), created=None, started=None, ended=None)
    assert found["timed"] is False
    assert parts(found) == {"a": [("run", 0, 1)], "b": [("wait", 1, 2)]}
    # One moment for all is no time either: a virtual clock did not move.
    still = drawn(step("a", 0, started=at(5), ended=at(5)), created=at(5), started=at(5), ended=at(5))
    assert (still["timed"], still["ended"]) == (False, 1)


def test_a_defer_stands_where_it_was_made() -> None:
    recording = Recording(
        run_id="R", function="f", created=at(0), ended=at(100), status="completed", output=b"1",
        steps=(step("load", 0, started=at(10), ended=at(50)),),
        defers=(RecordedDefer(id="by-step", hash="x", step="load"), RecordedDefer(id="by-handler", hash="y"), RecordedDefer(id="unknown", hash="z")),
    )  # fmt: skip
    found = picture(recording, at(0), {"y": 50.0})
    assert [(one["id"], one["by"], one["at"]) for one in found["defers"]] == [
        ("by-step", "load", 50),
        ("by-handler", None, 50),
        ("unknown", None, None),
    ]


def test_lanes_are_limited() -> None:
    found = drawn(*[step(f"s{n}", n, path=f"parallel[{n}]", started=at(n), ended=at(n + 1)) for n in range(400)])
    assert (len(found["lanes"]), found["hidden"]) == (300, 100)
