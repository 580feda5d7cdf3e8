"""Which files have changed."""

import os
import pathlib

from inngest_gen.cli.sources import changed, snapshot


def names(home: pathlib.Path) -> set[str]:
    return {os.path.relpath(path, home) for path in snapshot([home])}


def make(home: pathlib.Path, *paths: str) -> None:
    for path in paths:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("x = 1\n")


def test_python_files_at_any_depth_and_nothing_else(tmp_path: pathlib.Path) -> None:
    make(
        tmp_path,
        "a.py",
        "b/c/d.py",
        "notes.txt",
        "e.pyc",
        ".git/hook.py",
        "b/__pycache__/d.py",
        "node_modules/x.py",
        "lib/site-packages/y.py",
    )
    make(tmp_path, "env/pyvenv.cfg", "env/bin/z.py")
    (tmp_path / "dir.py").mkdir()
    assert names(tmp_path) == {"a.py", "b/c/d.py"}


def test_loops_of_links_end(tmp_path: pathlib.Path) -> None:
    make(tmp_path, "a.py")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    assert names(tmp_path) == {"a.py"}


def test_made_changed_touched_and_removed_files(tmp_path: pathlib.Path) -> None:
    make(tmp_path, "same.py", "longer.py", "touched.py", "removed.py")
    before = snapshot([tmp_path])
    assert changed(before, snapshot([tmp_path])) == []
    (tmp_path / "longer.py").write_text("x = 1000\n")
    os.utime(tmp_path / "touched.py", ns=(0, 10**15))
    (tmp_path / "removed.py").unlink()
    make(tmp_path, "made.py")
    assert [pathlib.Path(path).name for path in changed(before, snapshot([tmp_path]))] == [
        "longer.py",
        "made.py",
        "removed.py",
        "touched.py",
    ]


def test_a_directory_that_is_not_there_has_no_files(tmp_path: pathlib.Path) -> None:
    assert snapshot([tmp_path / "nowhere"]) == {}
