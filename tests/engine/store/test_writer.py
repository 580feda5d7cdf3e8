"""The writer's thread, without an engine: order, batches, changes that fail, and patience."""

import logging
import pathlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.engine.store import database
from inngest_gen.engine.store.tables import Tables
from inngest_gen.engine.store.writer import Job, Writer


class Bench:
    """A writer whose results are delivered in its own thread, and what it delivered."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.told: list[Any] = []
        self.wakes = 0
        self.writer = Writer(database.connect(path, durability="process"), path, self._wake, logging.getLogger("test"))

    def _wake(self, callback: Callable[[], Any]) -> None:
        self.wakes += 1
        callback()

    def submit(self, name: str, change: Callable[[Tables], Any] | None = None, *, patient: bool = True) -> threading.Event:
        told = threading.Event()

        def done(job: Job) -> None:
            self.told.append((name, job.error if job.error is not None else job.result))
            told.set()

        self.writer.submit(change or (lambda tx: self.insert(tx, name)), done, patient=patient)
        return told

    @staticmethod
    def insert(tx: Tables, name: str) -> str:
        tx.connection.execute("INSERT INTO meta VALUES (?, 'x')", (name,))
        return name

    def kept(self) -> list[str]:
        with sqlite3.connect(self.path) as connection:
            rows = connection.execute("SELECT key FROM meta WHERE key <> 'holder'").fetchall()
        connection.close()
        return sorted(row[0] for row in rows)

    def hold(self) -> threading.Event:
        """Keep the thread busy until the event that this gives is set, so that what is submitted meanwhile is one batch."""
        entered, free = threading.Event(), threading.Event()

        def wait(_: Tables) -> None:
            entered.set()
            free.wait(20)

        self.writer.submit(wait, lambda _: None)
        assert entered.wait(20)
        return free


@pytest.fixture
def bench(path: pathlib.Path) -> Iterator[Bench]:
    bench = Bench(path)
    yield bench
    bench.writer.close()


def broken(_: Tables) -> None:
    raise KeyError("a change that fails")


def test_what_waits_is_one_commit_and_one_wake(bench: Bench) -> None:
    free = bench.hold()
    commits, wakes = bench.writer.commits, bench.wakes
    events = [bench.submit(f"{n:03}") for n in range(100)]
    free.set()
    assert events[-1].wait(20)
    assert bench.told == [(f"{n:03}", f"{n:03}") for n in range(100)]
    assert bench.writer.commits - commits == 2  # the one that held it, and this
    assert bench.wakes - wakes == 2
    assert bench.kept() == [f"{n:03}" for n in range(100)]


def test_a_result_is_told_after_its_commit(bench: Bench) -> None:
    seen: list[list[str]] = []
    told = threading.Event()

    def done(_: Job) -> None:
        seen.append(bench.kept())
        told.set()

    bench.writer.submit(lambda tx: bench.insert(tx, "a"), done)
    assert told.wait(20)
    assert seen == [["a"]]


def test_a_change_that_fails_takes_no_other_with_it(bench: Bench) -> None:
    def half(tx: Tables) -> None:
        bench.insert(tx, "half")
        raise ValueError("in the middle")

    free = bench.hold()
    all_of_them = [bench.submit(name, change) for name, change in (("a", None), ("bad", broken), ("b", None), ("half", half), ("c", None))]
    free.set()
    assert all_of_them[-1].wait(20)
    assert [name for name, _ in bench.told] == ["a", "bad", "b", "half", "c"]
    assert isinstance(bench.told[1][1], KeyError)
    assert isinstance(bench.told[3][1], ValueError)
    assert bench.kept() == ["a", "b", "c"]


def test_a_batch_has_a_limit(bench: Bench) -> None:
    free = bench.hold()
    commits = bench.writer.commits
    events = [bench.submit(f"{n:04}") for n in range(1300)]
    free.set()
    assert events[-1].wait(20)
    assert bench.writer.commits - commits == 4
    assert [name for name, _ in bench.told] == [f"{n:04}" for n in range(1300)]


def test_what_is_queued_at_the_close_is_made(path: pathlib.Path) -> None:
    bench = Bench(path)
    free = bench.hold()
    for n in range(10):
        bench.submit(f"{n}")
    threading.Timer(0.01, free.set).start()
    bench.writer.close()
    assert bench.kept() == [f"{n}" for n in range(10)]
    assert len(bench.told) == 10


def test_a_loop_that_is_over_is_no_error(path: pathlib.Path) -> None:
    def gone(_: Callable[[], Any]) -> None:
        raise RuntimeError("Event loop is closed")

    writer = Writer(database.connect(path), path, gone, logging.getLogger("test"))
    writer.submit(lambda tx: Bench.insert(tx, "a"), lambda _: None)
    writer.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM meta WHERE key = 'a'").fetchone() == (1,)
    connection.close()


def test_what_follows_from_a_commit_may_fail_without_taking_the_rest_along(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def bad(_: Job) -> None:
        raise RuntimeError("a defect")

    free = bench.hold()
    bench.writer.submit(lambda _: None, bad)
    last = bench.submit("after")
    free.set()
    assert last.wait(20)
    assert "what follows from a commit failed by a defect" in caplog.text


class TestPatience:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "BUSY_MS", 10)

    def test_a_patient_change_waits_until_it_passes_and_an_impatient_one_does_not(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        other = sqlite3.connect(bench.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        impatient = bench.submit("impatient", patient=False)
        assert impatient.wait(20)
        patient = bench.submit("patient")
        assert not patient.wait(0.1)
        # Behind it, and in the same batch: told at once, not when the patient one is through.
        behind = bench.submit("behind", patient=False)
        assert behind.wait(20)
        assert not patient.is_set()
        other.execute("ROLLBACK")
        other.close()
        assert patient.wait(20)
        assert [name for name, _ in bench.told] == ["impatient", "behind", "patient"]
        assert all(isinstance(error, ig.StoreError) for name, error in bench.told if name != "patient")
        assert bench.kept() == ["patient"]
        assert caplog.text.count("trying again until it passes") == 1

    def test_in_one_batch_the_impatient_are_not_held_up_and_results_come_in_the_order_of_commits(self, bench: Bench) -> None:
        attempts: dict[str, int] = {}
        order: list[str] = []

        def change(name: str, failures: int) -> Callable[[Tables], str]:
            def make(tx: Tables) -> str:
                attempts[name] = attempts.get(name, 0) + 1
                if attempts[name] <= failures:
                    error = sqlite3.OperationalError("database or disk is full")
                    error.sqlite_errorcode = sqlite3.SQLITE_FULL
                    raise error
                order.append(name)
                return bench.insert(tx, name)

            return make

        free = bench.hold()
        bench.submit("first", change("first", 2))
        bench.submit("asked", change("asked", 0), patient=False)
        last = bench.submit("last", change("last", 0))
        free.set()
        assert last.wait(20)
        assert [name for name, _ in bench.told] == ["asked", "first", "last"]
        assert order[-3:] == ["asked", "first", "last"]

    def test_hurried_nothing_waits_any_more(self, path: pathlib.Path) -> None:
        bench = Bench(path)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        events = [bench.submit(f"{n}") for n in range(50)]
        assert not events[0].wait(0.1)
        bench.writer.hurry()
        assert events[-1].wait(20)
        bench.writer.close()
        other.execute("ROLLBACK")
        other.close()
        assert len(bench.told) == 50
        assert all(isinstance(error, ig.StoreError) for _, error in bench.told)

    def test_what_will_not_pass_fails_at_once(self, bench: Bench) -> None:
        told = bench.submit("bad", lambda tx: tx.connection.execute("INSERT INTO nowhere VALUES (1)"))
        assert told.wait(20)
        assert isinstance(bench.told[0][1], ig.StoreError)
        assert isinstance(bench.told[0][1].__cause__, sqlite3.Error)
