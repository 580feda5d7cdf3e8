"""The tests on the page about testing pass, under both loops."""

import subprocess
import sys
from pathlib import Path

from tests.docs.page import ROOT, Page


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    for block in Page.read(ROOT / "docs" / "testing.md").blocks():
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    without = [argument for name in ("cacheprovider", "asyncio", "trio", "syrupy", "inline_snapshot") for argument in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *without, "-W", "error", "-o", "anyio_mode=auto", "-o", "pythonpath=."]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "10 passed" in told.stdout
