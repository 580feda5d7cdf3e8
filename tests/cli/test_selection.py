"""RUN on the command line, to a run's id."""

import pathlib
from collections.abc import Iterator

import pytest

from inngest_gen.cli.refusal import Refusal
from inngest_gen.cli.selection import select
from inngest_gen.engine.store import database
from inngest_gen.engine.store.reader import Reader
from inngest_gen.engine.store.tables import Tables

OLD = "01HAAAAAAAAAAAAAAAAAAAAAX7"
NEW = "01HBBBBBBBBBBBBBBBBBBBBBX7"
NEWEST = "01JCCCCCCCCCCCCCCCCCCCCCZ9"


@pytest.fixture
def tables(tmp_path: pathlib.Path) -> Iterator[Tables]:
    connection = database.connect(tmp_path / "x.db")
    tables = Tables(connection)
    assert tables.add_event("e", "x", b"{}", 0, None, 0, None) == 1
    for id in (OLD, NEW, NEWEST):
        add(tables, id)
    yield tables
    connection.close()


def add(tables: Tables, id: str) -> None:
    assert tables.add_run(id, f"function-{id}", 1, "event", 1, None, None, 0) is not None


@pytest.fixture
def reader(tables: Tables, tmp_path: pathlib.Path) -> Iterator[Reader]:
    reader = Reader(tmp_path / "x.db")
    yield reader
    reader.close()


@pytest.mark.parametrize(
    ("text", "id"),
    [("last", NEWEST), (OLD, OLD), (NEW.lower(), NEW), ("01HA", OLD), ("01j", NEWEST), ("z9", NEWEST), ("BX7", NEW)],
)
def test_the_whole_its_beginning_its_end_in_any_case(reader: Reader, text: str, id: str) -> None:
    assert select(reader, text) == id


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("01H", f"'01H' could be more than one run: {NEW}, {OLD}"),
        ("x7", f"'x7' could be more than one run: {NEW}, {OLD}"),
        ("BBB", "no run's id begins or ends with 'BBB'"),
        ("_" * 26, "no run's id begins or ends with"),
        ("%", "no run's id begins or ends with '%'"),
        ("", "no run's id begins or ends with ''"),
        ("newest", "no run's id begins or ends with 'newest' (inngest-gen runs list)"),
    ],
)
def test_none_or_several(reader: Reader, text: str, line: str) -> None:
    with pytest.raises(Refusal) as refused:
        select(reader, text)
    assert str(refused.value).startswith(line)


def test_many_are_cut(reader: Reader, tables: Tables) -> None:
    for number in range(9):
        add(tables, f"01K{number}")
    with pytest.raises(Refusal, match=r"could be more than one run: 01K8, 01K7, 01K6, 01K5, 01K4, \.\.\."):
        select(reader, "01K")
