"""Happenings as plain lines."""

import pytest

from inngest_gen.cli import wording
from inngest_gen.cli.lines import line
from inngest_gen.engine.progress import Progress
from tests.cli.happenings import CHILD, DOWN, RUN, begun, board, ended, it, step

STARTED = [*begun(), step("started", 1, "pay", attempt=0)]
DAY = 86_400.0
ERROR = "PaymentDown: 503 from the provider"


@pytest.mark.parametrize(
    ("before", "happening", "said"),
    [
        ([], it("run.queued", 0), None),
        (begun()[:1], it("run.started", 1), "started"),
        (begun(), step("started", 1, "pay", attempt=0), None),
        (begun(), step("started", 1, "pay", attempt=2), "pay: attempt 2"),
        (STARTED, step("completed", 1.5, "pay", attempt=0), "pay: completed (500 ms)"),
        ([], step("completed", 1.5, "pay", attempt=0), "pay: completed"),
        (STARTED, step("failed", 2, "pay", attempt=0, error=DOWN, due=2.5), f"pay: attempt 0 failed: {ERROR}; next in 0.5 s"),
        (STARTED, step("failed", 2, "pay", attempt=0, error=DOWN), f"pay: failed for good: {ERROR}"),
        (STARTED, step("failed", 2, "pay", attempt=4, error=DOWN), f"pay: failed for good, attempt 4: {ERROR}"),
        (STARTED, step("abandoned", 2, "pay", "race[0]"), "race[0]/pay: abandoned"),
        (begun(), step("waiting", 1, "nap", kind="step.sleep", due=2.5), "nap: sleeps, wakes in 1.5 s"),
        (begun(), step("waiting", 0, "nap", "quote", kind="step.sleep_until", due=DAY), f"quote/nap: sleeps, wakes in 1 d, at {wording.moment(DAY)}"),
        (begun(), step("waiting", 1, "paid", kind="step.wait_for_event", due=3.0), "paid: waits for an event, gives up in 2.0 s"),
        (begun(), step("waiting", 1, "go", kind="step.wait_for_signal", due=3.0), "go: waits for a signal, gives up in 2.0 s"),
        (begun(), step("waiting", 1, "ask", kind="step.invoke"), "ask: waits for the invoked run"),
        (begun(), step("waiting", 1, "x", kind="step.later", due=2.0), "x: waits, gives up in 1.0 s"),
        (begun(), it("handler.failed", 1, attempt=0, error=DOWN, due=2.0), f"handler failed, attempt 0: {ERROR}; next in 1.0 s"),
        (begun(), it("defer.added", 1, step_id="receipt"), "defer receipt: added"),
        (begun(), it("defer.rejected", 1, step_id="receipt"), "defer receipt: rejected"),
        (begun(), ended(2.0, output={"a": 1}), 'completed after 2.0 s: {"a":1}'),
        (begun(), ended(2.0), "completed after 2.0 s"),
        ([step("started", 1, "pay")], ended(2.0), "completed"),
        (begun(), ended(2.0, "failed", error=DOWN), f"failed after 2.0 s: {ERROR}"),
        (begun(), ended(2.0, "cancelled"), "cancelled after 2.0 s"),
        (begun(), it("run.blocked", 2, status="blocked", error=DOWN), f"blocked: {ERROR}"),
    ],
)  # fmt: skip
def test_what_is_said(before: list[Progress], happening: Progress, said: str | None) -> None:
    text = line(happening, board(*before))
    assert text == (None if said is None else f"{wording.time_of_day(happening.at)}  shop-placed QC8C1Y  {said}")


@pytest.mark.parametrize(("kind", "words"), [("defer", "deferred by"), ("invoke", "invoked by"), ("failure", "failure handler of")])
def test_a_run_that_another_made_says_so(kind: str, words: str) -> None:
    queued = it("run.queued", 2, CHILD, "shop-receipt", run_kind=kind, parent_run_id=RUN)
    begin = it("run.started", 3, CHILD, "shop-receipt")
    assert str(line(begin, board(*begun(), queued))).endswith(
        f"shop-receipt FXX0WF8  started ({words} shop-placed QC8C1Y)".replace("FXX0WF8", CHILD[-6:])
    )
    assert str(line(begin, board(queued))).endswith(f"started ({words} run QC8C1Y)")


def test_foreign_text_cannot_break_the_line() -> None:
    text = str(line(ended(1, output={"a": "x\x1b[31m\n" + "y" * 500}), board(*begun())))
    assert text.isprintable()
    assert len(text) < 280
