"""Paths: the files of the code, as the client and as Python name them; and whether they are still as they were loaded."""

from __future__ import annotations

import os
import pathlib
import sys
import tokenize

from inngest_gen.debugger import source


def code_path(path: str) -> str:
    """Give the name under which Python has loaded the file that the client names: they may differ by a symbolic link."""
    name = os.path.basename(path)  # noqa: PTH119 - a path of the client's need not be one of this system
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(name) or pathlib.PurePath(file).name != name:
            continue
        try:
            if file == path or pathlib.Path(file).samefile(path):
                return file
        except (OSError, ValueError):
            continue
    return path


def is_edited(file: str) -> bool:
    """Say whether a file has another text now than that which was loaded."""
    try:
        with tokenize.open(file) as stream:
            return stream.read() != source.text(file)
    except (OSError, SyntaxError, UnicodeDecodeError):
        return False
