"""The live tree: what it shows, and that it always fits."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inngest_gen.cli import tree
from inngest_gen.cli.board import Board
from inngest_gen.engine.progress import Progress
from tests.cli.happenings import CHILD, DOWN, RUN, begun, board, ended, is_harmless, it, step


def drawn(made: Board, now: float, width: int = 60, height: int | None = None) -> list[str]:
    return [line.plain.rstrip() for line in tree.draw(made, now, width=width, height=height)]


def queued(run_id: str = CHILD, kind: str = "defer", parent: str | None = RUN) -> Progress:
    return it("run.queued", 8, run_id, "shop-receipt", run_kind=kind, parent_run_id=parent)


BUSY = [
    *begun(),
    step("started", 0, "load", attempt=0), step("completed", 0.25, "load", attempt=0),
    step("waiting", 1, "nap", kind="step.sleep", due=4.0),
    step("started", 4, "stock", "parallel[0]", attempt=1),
    step("started", 4, "rate", "parallel[1]/quote", attempt=0), step("completed", 4.5, "rate", "parallel[1]/quote", attempt=2),
    step("started", 5, "round", "parallel[1]/quote", attempt=0),
    step("failed", 6, "round", "parallel[1]/quote", attempt=0, error=DOWN, due=9.0),
    step("waiting", 6, "go", "parallel[2]", "step.wait_for_signal", due=70.0),
    it("defer.added", 6, step_id="receipt"), it("defer.aborted", 6, step_id="survey"),
]  # fmt: skip


def test_a_busy_run() -> None:
    assert drawn(board(*BUSY), 7) == [
        "● shop-placed  running                                 7.0 s",
        "├─ ✓ load                                             250 ms",
        "├─ ✓ nap  sleep                                        3.0 s",
        "├─ parallel",
        "│  ├─ ● [0] stock  attempt 1                           3.0 s",
        "│  ├─ [1] quote",
        "│  │  ├─ ✓ rate  attempt 2                            500 ms",
        "│  │  └─ ↻ round  attempt 0 failed: PaymentDown: …  in 2.0 s",
        "│  └─ ◷ [2] go  signal                          in 1 min 3 s",
        "├─ → defer receipt  when this run has ended",
        "└─ ⊘ defer survey  aborted",
    ]


def test_a_run_that_is_over_with_its_child() -> None:
    made = board(*begun(), step("started", 1, "pay", attempt=0), step("failed", 2, "pay", attempt=0, error=DOWN), queued())
    made.apply(ended(8, "failed", error=DOWN))
    made.apply(it("run.started", 8, CHILD, "shop-receipt"))
    assert drawn(made, 8.5) == [
        "✗ shop-placed  failed: PaymentDown: 503 from the pro…  8.0 s",
        "├─ ✗ pay  failed: PaymentDown: 503 from the provider",
        "└─ ● shop-receipt (deferred)  running                  0.5 s",
    ]


def test_a_handler_before_its_next_attempt() -> None:
    made = board(*begun(), it("handler.failed", 1, attempt=0, error=DOWN, due=4.0))
    assert drawn(made, 2) == ["↻ shop-placed  handler failed: PaymentDown: 503 f…  in 2.0 s"]
    assert drawn(made, 5) == ["↻ shop-placed  handler failed: PaymentDown: 503 fr…  due now"]


def test_a_killed_run() -> None:
    made = board(*begun(), step("started", 1, "pay", attempt=0))
    made.interrupt()
    row, inside = drawn(made, 2)
    assert row.split() == ["⚡", "shop-placed", "interrupted", "2.0", "s"]
    assert inside == "└─ ⚡ pay  in flight when the process was killed"


def test_what_was_there_before_is_left_out_and_counted() -> None:
    made = board(step("started", 1, "a"), it("run.queued", 2, CHILD, "shop-receipt", run_kind="event"))
    assert drawn(made, 2) == ["○ shop-receipt  queued                                 0.0 s"]
    assert tree.summary(made) == "1 run: 1 queued; 1 earlier run on the way too"
    assert tree.summary(board()) == "no run yet"
    assert tree.summary(board(*begun(), it("handler.failed", 1, attempt=0, error=DOWN, due=4.0))) == "1 run: 1 running"


def test_it_moves_as_long_as_something_is_on_its_way() -> None:
    assert tree.is_moving(board(*begun()))
    assert not tree.is_moving(board(*begun(), ended(1)))


def many(count: int) -> list[Progress]:
    return [step(verb, at, f"step {at}") for at in range(count) for verb in ("started", "completed")]


def test_what_does_not_fit_is_folded_then_cut_and_counted() -> None:
    children = [
        queued("child"),
        *(it(one.kind, one.at, "child", step_id=one.step_id) for one in many(4)),
        it("run.ended", 9, "child", status="completed"),
    ]
    made = board(*begun(), *many(3), step("started", 9, "last"), *children)
    whole = drawn(made, 9)
    assert len(whole) == 10
    assert drawn(made, 9, height=10) == whole
    without_ended = drawn(made, 9, height=9)
    assert [line.split()[1:3] for line in without_ended] == [
        ["shop-placed", "running"],
        ["✓", "step"],
        ["✓", "step"],
        ["✓", "step"],
        ["●", "last"],
        ["✓", "shop-receipt"],
    ]
    folded = drawn(made, 9, height=5)
    assert [line.split()[1:4] for line in folded][1:3] == [["✓", "3", "steps"], ["●", "last", "running"]]
    cut = drawn(made, 9, height=3)
    assert cut[0] == "… 2 lines above"
    assert len(cut) == 3
    assert cut[-1].startswith("└─ ✓ shop-receipt")


paths = st.sampled_from(["", "quote", "parallel[0]", "parallel[1]/quote"])
names = st.text(max_size=30)
happenings: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        step,
        st.sampled_from(["started", "completed", "failed", "waiting", "abandoned"]),
        st.floats(0, 100),
        names,
        paths,
        st.sampled_from(["step.run", "step.sleep"]),
        run_id=st.sampled_from([RUN, CHILD]),
        error=st.sampled_from([None, DOWN]),
        due=st.one_of(st.none(), st.floats(0, 1e6)),
    ),
    st.builds(queued),
    st.builds(it, st.sampled_from(["defer.added", "defer.aborted"]), st.floats(0, 100), step_id=names),
    st.builds(ended, st.floats(0, 100), st.sampled_from(["completed", "failed"]), output=st.one_of(st.none(), names)),
)


@given(st.lists(happenings, max_size=25), st.integers(20, 120), st.integers(1, 20))
def test_it_is_never_wider_or_higher_than_asked(told: list[Progress], width: int, height: int) -> None:
    made = board(*begun(), *told)
    lines = tree.draw(made, 50, width=width, height=height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert all(is_harmless(line.plain) for line in lines)
