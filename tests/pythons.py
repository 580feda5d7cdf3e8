"""Runs tests on every CPython 3.11 or newer that this machine offers: `python -m tests.pythons tests/driver`.

Looks on the PATH and among pyenv's versions, takes one interpreter for each minor version, and makes `.venv-3.N` for it.
Runs in development mode (`-X dev`, by its variable, which reaches the workers too): unawaited coroutines, unclosed files and slow callbacks are
reported, and warnings are errors.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
OWN = sys.version_info[:2]  # needs no other venv than the one that runs this
ASK = "import sys; print(sys.implementation.name, sys.version_info.releaselevel, *sys.version_info[:2])"


def candidates() -> Iterator[Path]:
    """Every file named like an interpreter, in the order of the PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for folder in [*on_path, *sorted(pyenv.glob("versions/*/bin"))]:
        if folder.is_dir():
            yield from sorted(file for file in folder.iterdir() if re.fullmatch(r"python3\.\d+", file.name))


def interpreters() -> dict[tuple[int, int], Path]:
    """One released CPython that starts, for each minor version from 3.11; a shim for a version not chosen does not start."""
    found: dict[tuple[int, int], Path] = {}
    for path in candidates():
        answer = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False)
        if answer.returncode:
            continue
        implementation, level, major, minor = answer.stdout.split()
        version = int(major), int(minor)
        if implementation == "cpython" and level == "final" and version >= (3, 11):
            found.setdefault(version, path)
    return found


def prepare(interpreter: Path, venv: Path) -> Path:
    """The venv's interpreter, with the package and its test dependencies installed since pyproject.toml last changed."""
    python, stamp, project = venv / "bin/python", venv / ".test", ROOT / "pyproject.toml"
    if not stamp.exists() or stamp.stat().st_mtime < project.stat().st_mtime:
        subprocess.run([interpreter, "-m", "venv", "--clear", venv], check=True)
        install: list[str | Path] = [python, "-m", "pip", "install", "-qq", "--upgrade"]
        subprocess.run([*install, "pip>=25.1"], check=True)
        subprocess.run([*install, "--editable", ROOT, "--group", f"{project}:test"], check=True)
        stamp.touch()
    return python


def main(tests: list[str]) -> int:
    """The number of Pythons on which the tests failed."""
    failed = 0
    for version, interpreter in sorted({**interpreters(), OWN: Path(sys.executable)}.items()):
        name = f"{version[0]}.{version[1]}"
        python = interpreter if version == OWN else prepare(interpreter, ROOT / f".venv-{name}")
        print(f"-- Python {name}", flush=True)
        # No cache: several Pythons would share it.
        command: list[str | Path] = [python, "-m", "pytest", "-n", "auto", "-p", "no:cacheprovider", *tests]
        failed += subprocess.run(command, cwd=ROOT, check=False, env=os.environ | {"PYTHONDEVMODE": "1"}).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
