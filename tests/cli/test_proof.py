"""The demo's proof: it holds only where no finished step ran twice."""

import pathlib
import signal

import pytest

from inngest_gen.cli.demo import ledger
from inngest_gen.cli.demo.ledger import Entry
from inngest_gen.cli.demo.proof import prove, table

GOOD = [
    Entry("load", 0, 1), Entry("charge", 0, 1), Entry("charge", 1, 1), Entry("wrap", 0, 1), Entry("wrap", 0, 2), Entry("ship", 0, 2),
]  # fmt: skip


def holds(*entries: Entry, finished: frozenset[str] = frozenset({"load", "charge"})) -> bool:
    verdicts = prove(entries, first=1, second=2, finished=finished, in_flight={"wrap"})
    return all(verdict.holds for verdict in verdicts)


def test_it_holds() -> None:
    assert holds(*GOOD)


@pytest.mark.parametrize(
    "wrong",
    [
        Entry("load", 0, 2),
        Entry("load", 0, 1),
        Entry("charge", 1, 1),
        Entry("charge", 2, 2),
        Entry("wrap", 0, 2),
        Entry("ship", 0, 1),
        Entry("ship", 0, 2),
        Entry("load", 1, 3),
    ],
)
def test_one_run_too_many_breaks_it(wrong: Entry) -> None:
    assert not holds(*GOOD, wrong)


@pytest.mark.parametrize("missing", [GOOD[0], GOOD[3], GOOD[4]])
def test_one_run_too_few_breaks_it(missing: Entry) -> None:
    assert not holds(*(entry for entry in GOOD if entry is not missing))


def test_a_step_that_is_recorded_and_never_ran_breaks_it() -> None:
    assert not holds(*GOOD, finished=frozenset({"load", "charge", "ghost"}))


def test_the_table_fits_and_names_what_is_wrong() -> None:
    verdicts = prove([*GOOD, Entry("load", 0, 2)], first=1, second=2, finished={"load", "charge"}, in_flight={"wrap"})
    lines = [line.plain for line in table(verdicts, first=1234567, second=1234568)]
    assert max(map(len, lines)) <= 80
    assert [" ".join(line.split()) for line in lines] == [
        "STEP PID 1234567 PID 1234568",
        "load once once ✗ WRONG (finished, not run again)",
        "charge 2 attempts - ✓ finished, not run again",
        "wrap once once ✓ in flight, run again",
        "ship - once ✓ not begun yet",
    ]


def test_the_ledger_does_nothing_outside_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ledger.DIRECTORY, raising=False)
    ledger.note("load")
    ledger.kill_once()


def test_the_ledger_keeps_lines_and_kills_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setenv(ledger.DIRECTORY, str(tmp_path))
    monkeypatch.setattr("os.kill", lambda pid, number: killed.append(number))
    monkeypatch.setattr("os.getpid", lambda: 7)
    assert ledger.read(tmp_path) == []
    ledger.note("load")
    ledger.note("charge", 2)
    assert ledger.read(tmp_path) == [Entry("load", 0, 7), Entry("charge", 2, 7)]
    ledger.kill_once()
    ledger.order_kill(tmp_path)
    ledger.kill_once()
    ledger.kill_once()
    assert killed == [signal.SIGKILL]
