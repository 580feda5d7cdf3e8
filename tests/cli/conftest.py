"""The command line in this process, for all that needs no process of its own."""

import io
import pathlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from inngest_gen.cli.main import status
from inngest_gen.engine.store.reader import Reader


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """An empty current directory; what a command does to the import system is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INNGEST_GEN_DB", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "") or "").startswith((str(tmp_path), str(pathlib.Path(__file__).parent))):
            del sys.modules[name]


@pytest.fixture
def cli(home: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("run", ..., stdin="...")` gives exit status and output."""

    def call(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = status(list(arguments))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def read(home: pathlib.Path) -> Iterator[Callable[[], Reader]]:
    """`read()` gives a reader of the default file; it is closed at the end."""
    readers: list[Reader] = []

    def open_() -> Reader:
        readers.append(Reader(home / "inngest-gen.db"))
        return readers[-1]

    yield open_
    for reader in readers:
        reader.close()
