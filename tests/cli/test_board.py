"""What a watcher concludes from what it is told."""

import pytest

from inngest_gen.cli.board import Board
from inngest_gen.engine.progress import Progress
from tests.cli.happenings import CHILD, DOWN, RUN, begun, board, ended, it, step


def states(made: Board) -> dict[str, str]:
    return {one.id: one.state for one in made.runs[RUN].steps}


def test_a_run_from_its_queue_to_its_end() -> None:
    made = board(it("run.queued", 1, run_kind="event"))
    assert made.runs[RUN].state == "queued"
    made.apply(it("run.started", 2))
    assert made.runs[RUN].state == "running"
    made.apply(ended(3, output={"a": 1}))
    run = made.runs[RUN]
    assert (run.state, run.since, run.ended, run.output, run.earlier) == ("completed", 1, 3, {"a": 1}, False)


def test_a_step_through_its_attempts() -> None:
    made = board(*begun(), step("started", 1, "pay", attempt=0))
    assert states(made) == {"pay": "running"}
    made.apply(step("failed", 2, "pay", attempt=0, error=DOWN, due=5.0))
    pay = made.runs[RUN].steps[0]
    assert (pay.state, pay.due, pay.error) == ("retrying", 5.0, DOWN)
    made.apply(step("started", 5, "pay", attempt=1))
    assert (pay.state, pay.attempt, pay.due, pay.since) == ("running", 1, None, 5)
    made.apply(step("failed", 6, "pay", attempt=1, error=DOWN))
    assert (pay.state, pay.ended) == ("failed", 6)


def test_a_loop_of_one_id_is_many_steps() -> None:
    made = board(*begun(), *(step(verb, at, "item") for at in (1, 2) for verb in ("started", "completed")))
    assert [one.state for one in made.runs[RUN].steps] == ["completed", "completed"]


@pytest.mark.parametrize(
    ("path", "then", "over"),
    [
        ("", "", True),
        ("", "quote", True),
        ("quote", "", True),
        ("parallel[0]", "parallel[1]", False),
        ("parallel[0]/quote", "parallel[0]/quote", True),
        ("parallel[0]", "", True),
    ],
)
def test_a_wait_is_over_when_its_flow_goes_on(path: str, then: str, over: bool) -> None:
    made = board(*begun(), step("waiting", 1, "nap", path, "step.sleep", due=3.0), step("started", 4, "next", then))
    assert states(made)["nap"] == ("completed" if over else "waiting")
    if over:
        assert made.runs[RUN].steps[0].ended == 3.0


def test_a_wait_that_is_told_to_be_over_is_over_once() -> None:
    made = board(
        *begun(),
        step("waiting", 1, "nap", kind="step.sleep", due=3.0),
        step("started", 4, "next"),
        step("completed", 4, "nap", kind="step.sleep"),
    )
    assert [one.id for one in made.runs[RUN].steps] == ["nap", "next"]


def test_a_loser_may_be_told_of_without_its_path_and_late() -> None:
    waiting = step("waiting", 1, "paid", "race[0]", "step.wait_for_event", due=3600.0)
    made = board(*begun(), waiting, step("abandoned", 2, "paid"))
    assert states(made) == {"paid": "abandoned"}
    assert not made.runs[RUN].open
    made = board(*begun(), step("abandoned", 2, "unknown"))
    assert states(made) == {}


def test_the_loser_of_a_race_has_not_completed() -> None:
    made = board(
        *begun(),
        step("waiting", 1, "paid", "race[0]", "step.wait_for_event", due=3600.0),
        step("waiting", 1, "nap", "race[1]", "step.sleep", due=2.0),
        ended(2),
    )
    assert states(made) == {"paid": "abandoned", "nap": "completed"}


def test_the_end_of_a_run_ends_its_steps() -> None:
    made = board(
        *begun(),
        step("started", 1, "a", "parallel[0]"),
        step("waiting", 1, "b", "parallel[1]", "step.sleep", due=9.0),
        ended(2, "cancelled"),
    )
    assert states(made) == {"a": "abandoned", "b": "abandoned"}
    assert not made.runs[RUN].open


def test_defers_are_scheduled_at_the_end_and_aborts_stay() -> None:
    made = board(
        *begun(), it("defer.added", 1, step_id="receipt"), it("defer.added", 1, step_id="survey"), it("defer.aborted", 2, step_id="survey")
    )
    assert {id: one.state for id, one in made.runs[RUN].defers.items()} == {"receipt": "after_run", "survey": "aborted"}
    made.apply(ended(3))
    assert {id: one.state for id, one in made.runs[RUN].defers.items()} == {"receipt": "scheduled", "survey": "aborted"}


def test_a_blocked_run_has_scheduled_nothing() -> None:
    made = board(*begun(), it("defer.added", 1, step_id="receipt"), it("run.blocked", 2, status="blocked", error=DOWN))
    assert made.runs[RUN].state == "blocked"
    assert made.runs[RUN].defers["receipt"].state == "after_run"


def test_the_handlers_next_attempt_is_waited_for_and_comes() -> None:
    made = board(*begun(), it("handler.failed", 1, attempt=0, error=DOWN, due=4.0))
    assert (made.runs[RUN].state, made.runs[RUN].due) == ("retrying", 4.0)
    made.apply(step("started", 4, "pay"))
    assert (made.runs[RUN].state, made.runs[RUN].due) == ("running", None)


def child(kind: str = "defer") -> Progress:
    return it("run.queued", 2, CHILD, "shop-receipt", run_kind=kind, parent_run_id=RUN)


def test_children_are_below_their_parent() -> None:
    made = board(*begun(), child())
    assert [run.id for run in made.roots()] == [RUN]
    assert made.runs[RUN].children == [CHILD]


def test_what_was_there_before_is_told_apart_with_all_it_makes() -> None:
    made = board(step("started", 1, "a"), child())
    assert all(run.earlier for run in made.runs.values())
    awaited = Board()
    awaited.awaited.add(RUN)
    awaited.apply(step("started", 1, "a"))
    awaited.apply(child())
    assert not any(run.earlier for run in awaited.runs.values())


def test_a_retried_run_is_running_again() -> None:
    made = board(
        *begun(), step("started", 1, "a"), step("failed", 2, "a", error=DOWN), ended(3, "failed", error=DOWN), step("started", 9, "a")
    )
    assert (made.runs[RUN].state, made.runs[RUN].ended) == ("running", None)


def test_a_killed_process_leaves_steps_in_flight() -> None:
    made = board(*begun(), step("started", 1, "a", "parallel[0]"), step("waiting", 1, "b", "parallel[1]", "step.sleep", due=9.0))
    made.interrupt()
    assert states(made) == {"a": "in flight", "b": "waiting"}
    assert made.runs[RUN].state == "interrupted"
    made.apply(step("started", 2, "a", "parallel[0]"))
    assert states(made) == {"a": "running", "b": "waiting"}
    assert made.runs[RUN].state == "running"


def test_with_a_limit_the_oldest_is_forgotten() -> None:
    made = board(*(it("run.queued", n, f"run-{n}") for n in range(5)), limit=3)
    assert list(made.runs) == ["run-2", "run-3", "run-4"]


def test_forgetting_a_child_takes_it_from_its_parent() -> None:
    made = board(*begun(), child())
    made.forget(CHILD)
    assert made.runs[RUN].children == []
    made.forget("unknown")
