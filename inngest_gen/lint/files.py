"""Files: which ones are looked at, and their text. Reads, never writes."""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

_SKIPPED = {"node_modules", "__pycache__", "__pypackages__", "site-packages"}


def find(paths: Iterable[Path], exclude: Sequence[str] = (), root: Path | None = None) -> Iterator[Path]:
    """Give the files that are named, and the `.py` files of the folders that are, sorted and once each.

    Hidden folders, virtual environments and `node_modules` inside a named folder are passed over. `exclude` are glob patterns; what they
    match, from `root` (default: the current directory), or is inside a folder they match, is left out even when it is named.
    Raises FileNotFoundError for a path that is not there.
    """
    root = Path.cwd() if root is None else root
    seen = set()
    for path in paths:
        if path.is_dir():
            found = sorted(_inside(path))
        elif path.exists():
            found = [path]
        else:
            raise FileNotFoundError(f"there is no {str(path)!r}")
        for file in found:
            if file not in seen and not matches(file, exclude, root):
                seen.add(file)
                yield file


def matches(path: Path, patterns: Sequence[str], root: Path) -> bool:
    """Say whether a path, or a folder that it is in, matches a glob pattern as seen from `root`."""
    if not patterns:
        return False
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links, and show another path than the pattern's
    seen = whole.relative_to(root) if whole.is_relative_to(root) else whole
    parts = [seen, *seen.parents]
    return any(fnmatch(part.as_posix(), pattern.rstrip("/").removeprefix("./")) for part in parts for pattern in patterns)


def _inside(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        here = Path(where)
        folders[:] = [
            name for name in folders if not name.startswith(".") and name not in _SKIPPED and not (here / name / "pyvenv.cfg").exists()
        ]
        yield from (here / name for name in files if name.endswith(".py"))


def read(path: Path) -> str:
    """Give a file's text, in the encoding that it declares. Raises OSError, SyntaxError or UnicodeDecodeError."""
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding)
