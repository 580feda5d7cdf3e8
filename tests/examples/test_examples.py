"""Every example does what its docstring says, under both loops: played whole, and stopped and restarted after each of its happenings."""

import ast
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from examples import ai_answer, approval, fan_out, order, saga
from inngest_gen.engine.progress import Progress
from tests.examples.rehearsal import START, Rehearsal
from tests.test_typing import Complaints, run_mypy, run_pyright

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))

Check = Callable[[list[ig.Run]], None]


def outcome(run: ig.Run) -> tuple[str, str, Any]:
    return run.function_id, run.status, run.output if run.error is None else str(run.error)


def attempts(run: ig.Run, step: str) -> int:
    [found] = [one for one in run.steps if one.id == step]
    return len(found.attempts)


def paid_order(runs: list[ig.Run]) -> None:
    assert [outcome(run) for run in runs] == [
        ("shop-order-placed", "completed", {"payment": "payment-for-o1", "parcel": "parcel-for-o1"}),
        ("shop-send-mail", "completed", "to o1@example.org: Thanks! You paid 19.5: payment-for-o1."),
    ]
    assert {defer.id: defer.status for defer in runs[0].defers} == {"apology": "aborted", "receipt": "scheduled"}
    assert runs[0].ended is not None
    assert (runs[0].ended - runs[0].created).total_seconds() == pytest.approx(3600)
    assert runs[1].parent_run_id == runs[0].id


def declined_order(runs: list[ig.Run]) -> None:
    assert [outcome(run) for run in runs] == [
        ("shop-order-placed", "failed", "NonRetriableError: the card was declined"),
        ("shop-send-mail", "completed", "to declined@example.org: Sorry, your order did not go through."),
    ]
    assert {defer.id: defer.status for defer in runs[0].defers} == {"apology": "scheduled"}


def imported(runs: list[ig.Run]) -> None:
    assert [outcome(run) for run in runs] == [("catalogue-import", "completed", {"titles": 6, "sources": ["origin", "mirror", "origin"]})]
    steps = {step.id: (step.status, step.path) for step in runs[0].steps}
    assert steps["mirror-1"] == ("completed", "parallel[1]/import_page/race[mirror]/ask_mirror")
    losers = {id: path for id, (status, path) in steps.items() if status == "abandoned"}
    assert losers == {
        "fetch-1": "parallel[1]/import_page/race[origin]",
        "patience-0": "parallel[0]/import_page/race[mirror]/ask_mirror",
        "patience-2": "parallel[2]/import_page/race[mirror]/ask_mirror",
    }


def expired(runs: list[ig.Run]) -> None:
    assert [outcome(run) for run in runs] == [("expenses-approve", "completed", "expired")]
    assert [step.id for step in runs[0].steps] == ["ask", "decision", "remind", "late-decision"]
    assert runs[0].ended is not None
    assert (runs[0].ended - runs[0].created).days == 5


def booked(runs: list[ig.Run]) -> None:
    bookings = {"flight": "flight-Oslo", "train": "train-Oslo", "hotel": "hotel-Oslo"}
    assert [outcome(run) for run in runs] == [("travel-book-trip", "completed", bookings)]
    assert [step.id for step in runs[0].steps] == ["book-flight", "book-train", "book-hotel"]


def undone(runs: list[ig.Run]) -> None:
    assert [outcome(run) for run in runs] == [("travel-book-trip", "failed", "LookupError: no hotel in Oslo")]
    assert [(step.id, step.status) for step in runs[0].steps] == [
        ("book-flight", "completed"),
        ("book-train", "completed"),
        ("book-hotel", "failed"),
        ("cancel-train", "completed"),
        ("cancel-flight", "completed"),
    ]
    assert attempts(runs[0], "book-hotel") == 3


def answered(runs: list[ig.Run]) -> None:
    answer, score = runs
    text = ai_answer.NOTES["step"]
    assert outcome(answer) == (
        "assistant-answer",
        "completed",
        {"question": "What is a durable step?", "text": text, "sources": [text], "tokens": 13},
    )
    assert attempts(answer, "model") == 1
    assert outcome(score) == ("assistant-score-answer", "completed", {"run": answer.id, "relevance": 0.8, "grounded": True})


PLAYS = {
    "order": (order.app, "order/placed", {"order_id": "o1"}, paid_order),
    "order, declined": (order.app, "order/placed", {"order_id": "declined"}, declined_order),
    "fan_out": (fan_out.app, "catalogue/import", {"pages": 3}, imported),
    "approval, expired": (approval.app, "expense/submitted", {"expense_id": "e1", "amount": 40}, expired),
    "saga": (saga.app, "trip/requested", {"city": "Oslo", "hotels": 1}, booked),
    "saga, undone": (saga.app, "trip/requested", {"city": "Oslo", "hotels": 0}, undone),
    "ai_answer": (ai_answer.app, "question/asked", {"text": "What is a durable step?"}, answered),
}
play = pytest.mark.parametrize(("app", "name", "data", "check"), PLAYS.values(), ids=PLAYS.keys())


@play
async def test_example_gives_what_it_says(app: ig.App, name: str, data: dict[str, Any], check: Check, tmp_path: Path) -> None:
    check(await Rehearsal(app, ig.Event(name, data, id="e1"), tmp_path / "whole.db").whole())


@play
async def test_example_gives_the_same_through_a_restart_at_any_point(
    app: ig.App, name: str, data: dict[str, Any], check: Check, tmp_path: Path
) -> None:
    event = ig.Event(name, data, id="e1")
    whole = Rehearsal(app, event, tmp_path / "whole.db")
    await whole.whole()
    for happenings in range(1, whole.happenings + 1):
        stopped = Rehearsal(app, event, tmp_path / f"stopped-{happenings}.db")
        check(await stopped.stopped_after(happenings))
        assert set(stopped.completed.values()) == {1}, "a finished step ran again"


@pytest.mark.parametrize(("approved", "output"), [(True, "40.0 paid for e1"), (False, "rejected")])
async def test_approval_goes_on_with_the_answer_that_matches_also_after_a_restart(approved: bool, output: str, tmp_path: Path) -> None:
    clock = ig.VirtualClock(START)
    waits = anyio.Event()

    def watch(progress: Progress) -> None:
        if progress.kind == "step.waiting":
            waits.set()

    async with ig.Engine(tmp_path / "e.db", apps=[approval.app], clock=clock, watch=watch) as engine:
        await engine.send(ig.Event("expense/submitted", {"expense_id": "e1", "amount": 40}))
        with anyio.fail_after(60):
            await waits.wait()
    async with ig.Engine(tmp_path / "e.db", apps=[approval.app], clock=clock) as engine:
        [run] = await engine.runs()
        await engine.send(ig.Event("expense/decided", {"expense_id": "e2", "approved": not approved}))
        await engine.send(ig.Event("expense/decided", {"expense_id": "e1", "approved": approved}))
        with anyio.fail_after(60):
            assert (await engine.wait(run.id)).output == output


def told_commands() -> list[list[str]]:
    """The `inngest-gen run` commands of the docstrings."""
    docstrings = [ast.get_docstring(ast.parse(path.read_text())) or "" for path in EXAMPLES]
    return [shlex.split(line) for text in docstrings for line in text.splitlines() if line.startswith("    inngest-gen run ")]


def test_each_example_tells_how_to_run_it() -> None:
    assert {command[2] for command in told_commands()} == {f"examples/{path.name}:app" for path in EXAMPLES}


@pytest.mark.parametrize("command", told_commands(), ids=" ".join)
def test_told_command_runs(command: list[str], tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "inngest_gen.cli.main", *command[1:], "--db", str(tmp_path / "e.db")],
        cwd=EXAMPLES[0].parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    fails = "declined" in command[4] or '"hotels": 0' in command[4]
    assert told.returncode == (1 if fails else 0), told.stdout + told.stderr


@pytest.mark.parametrize("check", [run_mypy, run_pyright], ids=["mypy", "pyright"])
def test_examples_are_typed(check: Callable[[list[Path]], Complaints]) -> None:
    complaints = check(EXAMPLES)
    assert {path.name: complaints[path] for path in EXAMPLES if path in complaints} == {}
