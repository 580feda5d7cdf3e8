"""The kit's tables in memory and those of the engine's file answer alike, whatever is done to them."""

from __future__ import annotations

import functools
import inspect
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from inngest_gen.engine.store.schema import MIGRATIONS
from inngest_gen.engine.store.tables import Tables
from inngest_gen.testing.tables import MemoryTables, Rows

ONLY_IN_FILES = {"data_version", "declare", "take_commands"}
RUNS = (1, 2, 3)
HASHES = ("", "a", "b")

Do = Callable[[Tables], Any]


def do(
    name: str, *arguments: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[str, tuple[Any, ...], Any]]:
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries(named))


run = st.sampled_from(RUNS)
hash = st.sampled_from(HASHES)
now = st.integers(0, 5).map(float)
name = st.sampled_from(("order", "paid"))
maybe = st.none() | st.just(b"{}")
status = st.sampled_from(("running", "blocked"))
kind = st.sampled_from(("plan", "attempt", "result", "error", "handler", "note"))
path = st.sampled_from(("", "data.id"))
defer_status = st.sampled_from(("after_run", "rejected", "dropped"))

CHANGES = st.one_of(
    do("add_event", st.sampled_from("xyz"), name, st.just(b"{}"), st.integers(0, 9), maybe, now, st.none() | st.just(1)),
    st.tuples(name, st.sampled_from((1, 2)), st.none() | run, maybe, now).map(
        lambda one: ("add_run", (f"{one[0]}-{one[1]}", one[0], one[1], "event", 1, one[2], one[3], one[4]), {})
    ),
    do("started", run, now, st.just("")),
    do("set_status", run, status),
    do("set_codes", run, st.just("c")),
    do("set_attempt", run, st.integers(0, 3)),
    do("set_error", run, maybe),
    do("suspend", run),
    do("resume", run),
    do("end", run, st.sampled_from(("completed", "failed")), now, maybe, maybe),
    do("reopen", run),
    do("log", run, now, kind, hash, st.none() | st.integers(0, 2), maybe, maybe),
    do("forget_error", st.integers(1, 8)),
    do("pause", run, hash, st.just("sleep"), now),
    do("pause", run, hash, st.just("event"), now, event=name, path=path, value=st.sampled_from(("", "7"))),
    do("pause", run, hash, st.just("signal"), now | st.none(), signal=st.sampled_from(("s", "t"))),
    do("end_pause", run, hash),
    do("add_defer", run, hash, st.just("d"), st.just("d"), st.none() | name, maybe, maybe, maybe, defer_status, st.none() | st.just("why")),
    do("abort_defer", run, hash),
    do("set_defer", run, hash, st.just("scheduled"), st.none() | st.just("r9"), st.none() | st.just("so")),
)

LOOKS: list[tuple[str, Do]] = [
    ("runs", lambda tx: [{key: row[key] for key in ("status", "attempt", "suspended", "codes", "started", "ended", "output", "error")} for one in RUNS if (row := tx.run(one)) is not None]),
    ("by id", lambda tx: [row and row["run"] for id in ("r1", "order-1", "r9") for row in [tx.run_by_id(id)]]),
    ("events", lambda tx: [tx.event(seq) for seq in (1, 2)]),
    ("known", lambda tx: tx.known_event("e1")),
    ("ended", lambda tx: [tx.has_ended(one) for one in RUNS]),
    ("runnable", lambda tx: tx.runnable()),
    ("functions", lambda tx: sorted(tx.open_functions())),
    ("unfinished", lambda tx: tx.unfinished(1)),
    ("history", lambda tx: [list(tx.history(one)) for one in RUNS]),
    ("last", lambda tx: [tx.last(one, "handler") for one in RUNS]),
    ("errors", lambda tx: [tx.errors(one) for one in RUNS]),
    ("pauses", lambda tx: [sorted(tx.pauses(one)) for one in RUNS]),
    ("due", lambda tx: [tx.due(one, 3.0) for one in RUNS]),
    ("first", lambda tx: tx.first_due()),
    ("timers", lambda tx: sorted(tx.timers())),
    ("paths", lambda tx: [tx.awaited_paths(one) for one in ("order", "paid", "no")]),
    ("waits", lambda tx: [tx.waits(one, at, value) for one in ("order", "paid") for at in ("", "data.id") for value in ("", "7")]),
    ("signals", lambda tx: [tx.waiting_for_signal(one) for one in ("s", "t")]),
    ("totals", lambda tx: [tx.defer_totals(one) for one in RUNS]),
    ("prior", lambda tx: [tx.prior_defers(one) for one in RUNS]),
    ("schedule", lambda tx: [[one[:3] for one in tx.to_schedule(run)] for run in RUNS]),
]  # fmt: skip


@functools.cache
def empty() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in MIGRATIONS:
            connection.executescript(migration)
        return connection.serialize()


@contextmanager
def both() -> Iterator[tuple[Tables, MemoryTables, sqlite3.Connection]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(empty())
        tables = Tables(connection), MemoryTables()
        for one in tables:
            for number in (1, 2):
                one.add_event(f"e{number}", "order", b"{}", 0, None, 0.0, None)
            for number in RUNS:
                one.add_run(f"r{number}", f"f{number}", 1, "event", 1, None, None, 0.0)
        yield *tables, connection


def done(tables: Tables, change: tuple[str, tuple[Any, ...], Any]) -> Any:
    called, arguments, named = change
    try:
        return getattr(tables, called)(*arguments, **named)
    except sqlite3.IntegrityError:
        return "refused"
    except KeyError:  # a defer that there is none of: nothing is set
        assert called == "set_defer"
        return None


def same(one: Tables, other: Tables) -> None:
    for what, look in LOOKS:
        assert look(one) == look(other), what


@settings(max_examples=40)
@given(st.lists(CHANGES, max_size=25))
def test_the_tables_in_memory_answer_as_those_of_the_file_do(changes: list[Any]) -> None:
    with both() as (in_file, in_memory, _):
        for change in changes:
            in_memory.begin()
            assert done(in_file, change) == done(in_memory, change), change
        same(in_file, in_memory)


@settings(max_examples=40)
@given(st.lists(CHANGES, max_size=12), st.lists(CHANGES, max_size=12))
def test_a_change_that_fails_leaves_the_tables_as_they_were(before: list[Any], taken_back: list[Any]) -> None:
    with both() as (in_file, in_memory, connection):
        for change in before:
            done(in_file, change)
            done(in_memory, change)
        connection.execute("BEGIN")
        in_memory.begin()
        for change in taken_back:
            done(in_file, change)
            done(in_memory, change)
        connection.execute("ROLLBACK")
        in_memory.take_back()
        same(in_file, in_memory)


@settings(max_examples=40)
@given(st.lists(CHANGES, max_size=25))
def test_rows_are_written_as_they_were(changes: list[Any]) -> None:
    with both() as (in_file, in_memory, _):
        for change in changes:
            done(in_file, change)
            done(in_memory, change)
        rows = Rows(in_memory)
        for number in RUNS:  # what comes later is not in them
            in_memory.log(number, 9.0, "note", None, None, None, None)
            in_memory.set_status(number, "later")
        with both() as (copied, _, connection):
            connection.execute("DELETE FROM runs")
            connection.execute("DELETE FROM events")
            rows.write(connection)
            same(in_file, copied)


@settings(max_examples=40)
@given(st.lists(CHANGES, max_size=25), now)
def test_the_runs_that_are_due_come_in_the_order_of_their_times(changes: list[Any], until: float) -> None:
    with both() as (in_file, in_memory, _):
        for change in changes:
            done(in_file, change)
            done(in_memory, change)
        expected = list(dict.fromkeys(run for _, run in sorted(one for one in in_file.timers() if one[0] <= until)))
        for _ in range(2):  # to look changes nothing
            assert in_memory.due_runs(until) == expected


def test_every_statement_has_its_double() -> None:
    public = {name for name, _ in inspect.getmembers(Tables, inspect.isfunction) if not name.startswith("_")}
    assert {name for name in public if name not in vars(MemoryTables)} == ONLY_IN_FILES
