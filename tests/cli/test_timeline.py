"""The timeline of `runs show`, and the outcome that `run` prints."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.cli import outcome, wording
from inngest_gen.cli.timeline import timeline
from inngest_gen.engine.run import Note, Run
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from tests.cli.happenings import CHILD, DOWN, RUN, is_harmless
from tests.cli.records import NOW, START, a_child, a_defer, a_run, a_step, after, an_attempt


def drawn(run: Run, *made: Run, width: int = 80, parent: Run | None = None) -> list[str]:
    return [line.plain.rstrip() for line in timeline(run, made, now=NOW, width=width, parent=parent)]


def section(name: str, run: Run, *made: Run) -> list[str]:
    lines = drawn(run, *made)
    begin = lines.index(name) + 1
    rest = lines[begin:]
    return rest[: rest.index("")] if "" in rest else rest


def words(line: str) -> str:
    return " ".join(line.split())


def test_a_completed_run_whole() -> None:
    assert drawn(a_run(), a_child()) == [
        "✓ shop-placed  completed",
        f"  run      {RUN}",
        '  event    order/placed {"order_id":"o1"}',
        f"  created  {wording.moment_and_zone(START)}",
        "  took     1 min 1 s",
        "",
        "steps",
        "  ✓ load                                                        +1.0 s    500 ms",
        "  ✓ pay                                                         +1.0 s    500 ms",
        "      attempt 0 failed: PaymentDown: 503 from",
        "      the provider (next after 2.0 s)",
        "      attempt 1 failed: PaymentDown: 503 from",
        "      the provider (next after 2.0 s)",
        "",
        "defers",
        "  ✓ receipt  scheduled: WF8 completed · shop-receipt".replace("WF8", CHILD[-6:]),
        "",
        "notes",
        "  +3.0 s  retried (failed before)",
        "",
        "output",
        '  {"paid":true}',
    ]


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"status": "queued", "started": None, "ended": None}, "queued for 1 min 40 s"),
        ({"status": "running", "ended": None}, "for 1 min 40 s"),
        ({"attempt": 2}, "attempt 2 of the handler"),
        ({"parent_run_id": CHILD, "kind": "defer"}, f"parent deferred by {CHILD}"),
        ({"parent_run_id": CHILD, "kind": "invoke"}, f"parent invoked by {CHILD}"),
        ({"event": Event("x", {"a": 1, "_inngest": {"b": 2}})}, 'event x {"a":1}'),
    ],
)
def test_facts_in_the_header(facts: dict[str, Any], line: str) -> None:
    assert line in [words(one) for one in drawn(a_run(**facts))]


def test_the_parent_is_named_where_it_is_known() -> None:
    assert f"parent deferred by shop-placed {RUN}" in [words(one) for one in drawn(a_child(), parent=a_run())]


def test_branches_and_sub_flows_are_indented_by_their_paths() -> None:
    steps = (
        a_step("load"), a_step("stock", path="parallel[0]"), a_step("rate", path="parallel[1]/quote"), a_step("round", path="parallel[1]/quote"),
        a_step("pay"),
    )  # fmt: skip
    shown = [line[:30].rstrip() for line in section("steps", a_run(steps=steps))]
    assert shown == ["  ✓ load", "  parallel", "    ✓ [0] stock", "    [1] quote", "      ✓ rate", "      ✓ round", "  ✓ pay"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (a_step("nap", kind="step.sleep"), "✓ nap slept"),
        (a_step("paid", kind="step.wait_for_event", result={"name": "x"}), "✓ paid event"),
        (a_step("paid", kind="step.wait_for_event"), "✓ paid event: none came in time"),
        (a_step("go", kind="step.wait_for_signal"), "✓ go signal: none came in time"),
        (a_step("ask", kind="step.invoke"), "✓ ask invoked"),
        (a_step("tell", kind="step.send_event"), "✓ tell sent"),
        (a_step("pay", "running"), "● pay running or to be run"),
        (a_step("ask", "running", kind="step.invoke"), "● ask on its way"),
        (a_step("pay", "waiting", due=after(160)), f"↻ pay next attempt in 1 min, at {wording.moment(after(160))}"),
        (a_step("nap", "waiting", kind="step.sleep", due=after(90)), f"◷ nap wakes now, since {wording.moment(after(90))}"),
        (
            a_step("paid", "waiting", kind="step.wait_for_event", due=after(160)),
            f"◷ paid event: waiting, gives up in 1 min, at {wording.moment(after(160))}",
        ),
        (a_step("ask", "waiting", kind="step.invoke"), "◷ ask invoke: waiting"),
        (a_step("slow", "abandoned", kind="step.wait_for_event"), "⊘ slow event abandoned"),
        (a_step("pay", "failed", error=DOWN), "✗ pay failed"),
        (a_step("s", name="Shown as"), "✓ Shown as (s)"),
        (a_step("item", index=3), "✓ item #3"),
    ],
)
def test_how_a_step_stands(step: Any, said: str) -> None:
    (line,) = section("steps", a_run(status="running", ended=None, steps=(step,)))
    assert words(line).startswith(said)
    waits = step.status == "waiting"
    assert words(line).removeprefix(said) == ("" if waits else " +1.0 s 500 ms" if step.ended else " +1.0 s")


def test_a_step_left_over_at_the_end_is_not_called_running() -> None:
    steps = (a_step("a", "running", path="race[0]"), a_step("b", "waiting", kind="step.sleep", path="race[1]", due=after(900)))
    assert [words(line)[:44] for line in section("steps", a_run(steps=steps))][1:] == [
        "⊘ [0] a unfinished when the run ended +1.0 s",
        "⊘ [1] b sleep unfinished when the run ended",
    ]


def test_the_last_attempt_of_a_failed_step_says_so() -> None:
    step = a_step("pay", "failed", attempts=(an_attempt(0), an_attempt(1, None)), error=DOWN)
    text = words(" ".join(section("steps", a_run(steps=(step,)))))
    assert "attempt 0 failed: PaymentDown: 503 from the provider (next after 2.0 s)" in text
    assert "attempt 1 failed: PaymentDown: 503 from the provider (no further attempt)" in text


def test_what_became_of_each_defer() -> None:
    defers = (
        a_defer("a", "after_run"), a_defer("b", "aborted"),
        a_defer("c", "rejected", function_id=None, reason="data does not fit Receipt: to is missing"),
        a_defer("d", "dropped", reason="the run had ended"), a_defer("e", "scheduled", run_id="01M82ZKT104F0KCTJW8FZZZZZZ"),
        a_defer("f", "aborted", name="Shown as"),
    )  # fmt: skip
    assert [words(line) for line in section("defers", a_run(defers=defers))] == [
        "→ a to be scheduled when this run has ended · shop-receipt",
        "⊘ b aborted · shop-receipt",
        "✗ c rejected",
        "data does not fit Receipt: to is missing",
        "✗ d dropped · shop-receipt",
        "the run had ended",
        "✓ e scheduled: ZZZZZZ · shop-receipt",
        "⊘ Shown as (f) aborted · shop-receipt",
    ]


def test_runs_it_made_that_are_no_defers() -> None:
    invoked = a_child(id="01M82ZKT104F0KCTJW8FZZZZZZ", kind="invoke", function_id="shop-double", status="failed")
    failure = a_child(id="01M82ZKT104F0KCTJW8FYYYYYY", kind="failure", function_id="shop-placed-failure")
    assert [words(line) for line in section("runs it made", a_run(), a_child(), invoked, failure)] == [
        f"✗ shop-double failed, invoked: {invoked.id}",
        f"✓ shop-placed-failure completed, failure handler: {failure.id}",
    ]


STACK = (
    "Traceback (most recent call last):\n"
    + "".join(f'  File "shop.py", line {n}, in f{n}\n    call()\n' for n in range(9))
    + "PaymentDown: 503"
)


def test_an_error_with_the_last_frames_of_its_stack_and_its_cause() -> None:
    error = StepError("PaymentDown", "503", STACK, StepError("OSError", "reset"))
    assert section("error", a_run(status="failed", error=error, output=None)) == [
        "  PaymentDown: 503",
        "    … 5 frames above",
        *(line for n in range(5, 9) for line in (f'    File "shop.py", line {n}, in f{n}', "      call()")),
        "  caused by",
        "  OSError: reset",
    ]


def test_what_a_stack_of_another_make_gives_is_nothing() -> None:
    assert section("error", a_run(status="failed", error=StepError("E", "m", "at f (shop.js:1)"))) == ["  E: m"]


def test_a_long_output_is_indented_and_cut() -> None:
    shown = section("output", a_run(output={"lines": list(range(200))}))
    assert shown[:3] == ["  {", '    "lines": [', "      0,"]
    assert shown[-1] == "  … 164 lines more: --json gives all"
    assert len(shown) == 41


def test_why_a_run_is_blocked_is_told_whole_once() -> None:
    error = StepError("NonDeterminismError", "long " * 40)
    run = a_run(status="blocked", error=error, output=None, notes=(Note(kind="blocked", at=after(3), text=str(error)),))
    (note,) = section("notes", run)
    assert note.startswith("  +3.0 s blocked: NonDeterminismError: long")
    assert note.endswith("…")
    assert " ".join(section("error", run)).count("long") == 40


def test_a_run_without_steps_has_no_empty_sections() -> None:
    assert drawn(a_child())[-2:] == ["output", "  null"]
    assert "steps" not in drawn(a_child())


texts = st.text(st.characters(max_codepoint=0x2FF), max_size=120)


@given(
    st.integers(60, 160),
    texts,
    texts,
    st.lists(texts, max_size=3),
    st.sampled_from(["completed", "failed", "waiting", "running", "abandoned"]),
)
def test_steps_defers_and_notes_never_pass_the_edge(width: int, id: str, message: str, notes: list[str], status: str) -> None:
    error = StepError("E", message)
    step = a_step(id, status, attempts=(an_attempt(0, error=error),), path="parallel[0]/quote", due=after(500))
    run = a_run(
        steps=(step,), defers=(a_defer(id, "rejected", reason=message),), notes=tuple(Note(kind="note", at=after(1), text=text) for text in notes),
        status="running", ended=None, output=None,
    )  # fmt: skip
    for line in timeline(run, [], now=NOW, width=width):
        assert len(line.plain) <= width
        assert is_harmless(line.plain)


def test_wide_characters_take_two_cells() -> None:
    (line,) = timeline(a_run(steps=(a_step("注" * 60),)), [], now=NOW, width=80)[7:8]
    assert line.cell_len == 80
    assert line.plain.endswith("…     +1.0 s    500 ms")


def test_the_outcome_shows_outputs_of_what_events_started_and_every_failure() -> None:
    failed = a_child(status="failed", error=StepError("E", "m"), id="01M82ZKT104F0KCTJW8FZZZZZZ")
    blocked = a_run(status="blocked", error=StepError("NonDeterminismError", "other"), id="01M82ZKT104F0KCTJW8FYYYYYY")
    lines = [line.plain for line in outcome.lines([a_run(), a_child(output=3), a_run(output=None), failed, blocked], 80)]
    assert lines == [
        "", f"✓ shop-placed {RUN} completed", '  {"paid":true}',
        "", f"✗ shop-receipt {failed.id} failed", "  E: m",
        "", f"‼ shop-placed {blocked.id} blocked", "  NonDeterminismError: other",
        "  repair the code, then: inngest-gen runs retry YYYYYY",
    ]  # fmt: skip
