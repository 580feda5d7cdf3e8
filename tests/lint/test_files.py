"""Which files are looked at, and how their text is read."""

from pathlib import Path

import pytest

from inngest_gen.lint.files import find, matches, read


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "shop/orders.py", "shop/inner/mail.py", "shop/notes.txt", ".hidden/a.py", "venv/lib/b.py", "node_modules/c.py", "shop/__pycache__/d.py", "top.py",
        "script", "shop/gen/e_pb2.py",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [path.as_posix() for path in find([Path(path) for path in paths], exclude)]


def test_a_folder_gives_its_python_files_but_what_is_not_the_users(tree: Path) -> None:
    assert found(".") == ["shop/gen/e_pb2.py", "shop/inner/mail.py", "shop/orders.py", "top.py"]


def test_what_is_named_is_looked_at_whatever_it_is_called(tree: Path) -> None:
    assert found("script", ".hidden/a.py", "node_modules") == ["script", ".hidden/a.py", "node_modules/c.py"]


def test_a_file_that_is_named_twice_is_looked_at_once(tree: Path) -> None:
    assert found("shop/orders.py", "shop/inner", "shop/orders.py", "shop") == ["shop/orders.py", "shop/inner/mail.py", "shop/gen/e_pb2.py"]


def test_a_path_that_is_not_there_is_an_error(tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no 'nowhere'"):
        found("nowhere")


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("shop", ["top.py"]),
        ("shop/", ["top.py"]),
        ("./shop/inner", ["shop/gen/e_pb2.py", "shop/orders.py", "top.py"]),
        ("shop/*.py", ["top.py"]),
        ("*_pb2.py", ["shop/inner/mail.py", "shop/orders.py", "top.py"]),
        ("top.py", ["shop/gen/e_pb2.py", "shop/inner/mail.py", "shop/orders.py"]),
        ("op.py", ["shop/gen/e_pb2.py", "shop/inner/mail.py", "shop/orders.py", "top.py"]),
    ],
)
def test_excluded_are_files_and_folders_with_all_in_them(tree: Path, pattern: str, left: list[str]) -> None:
    assert found(".", exclude=(pattern,)) == left


def test_what_is_excluded_is_left_out_even_when_it_is_named(tree: Path) -> None:
    assert found("shop/orders.py", "top.py", exclude=("shop",)) == ["top.py"]


def test_patterns_are_seen_from_the_root_and_absolute_paths_match_too(tree: Path) -> None:
    assert matches(tree / "shop" / "orders.py", ["shop/orders.py"], tree)
    assert not matches(Path("shop/orders.py"), ["orders.py"], tree)
    assert matches(Path("/elsewhere/orders.py"), ["/elsewhere"], tree)


def test_text_is_read_in_the_encoding_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nx = 'ü'\n".encode("latin-1"))
    assert "ü" in read(path)
    path.write_bytes("\ufeffx = 'ü'\n".encode())
    assert read(path) == "x = 'ü'\n"
    path.write_bytes(b"# coding: nothing\n")
    with pytest.raises(SyntaxError):
        read(path)
    path.write_bytes(b"x = '\xff'\n")
    with pytest.raises((SyntaxError, UnicodeDecodeError)):
        read(path)
