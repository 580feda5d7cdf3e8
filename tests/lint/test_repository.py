"""No false alarm: on the examples, on the blocks of the docs, on this repository's tests (`make lint` looks at those, too)."""

from pathlib import Path

import pytest

from inngest_gen.lint.check import check
from inngest_gen.lint.files import find, read
from inngest_gen.lint.settings import Settings
from tests.docs.page import PAGES, ROOT, Page

ON_PURPOSE = {
    ("docs/handlers.md", "IGN402", "with anyio.move_on_after(5):"),
    ("docs/handlers.md", "IGN501", "yield ig.Done(1)"),
    ("docs/testing.md", "IGN601", 'yield ctx.step.run("double", double, values)'),
    ("docs/handlers.md", "IGN110", 'yield ctx.step.run(f"visit-{visits}", work, visits)'),
    ("docs/tutorial.md", "IGN105", 'if not Path("killed").exists():'),  # a handler that kills itself, once
    ("docs/tutorial.md", "IGN105", 'Path("killed").touch()'),
    ("docs/tutorial.md", "IGN105", "os.kill(os.getpid(), signal.SIGKILL)"),
    ("docs/tutorial.md", "IGN104", "os.kill(os.getpid(), signal.SIGKILL)"),
}
"""What pages show to be wrong: page, code, line."""


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_are_clean(path: Path) -> None:
    assert check(path.read_text(), str(path)) == []


def test_the_pages_are_clean_but_for_what_they_show_to_be_wrong() -> None:
    told = set()
    for path in PAGES:
        if path.name == "lint.md":  # its examples are wrong and right by turns: tests/lint/test_pages.py
            continue
        script = ""
        page = Page.read(path)
        for block in (block for block in page.blocks() if block.language == "python"):
            if block.file:
                told |= findings(path, block.text, block.text.splitlines())
            else:  # the others of a page are one program
                script += "\n" * (block.line - 1 - script.count("\n")) + block.text
        told |= findings(path, script, script.splitlines())
    assert told == ON_PURPOSE


def findings(path: Path, text: str, lines: list[str]) -> set[tuple[str, str, str]]:
    name = path.relative_to(ROOT).as_posix()
    return {(name, one.code, lines[one.line - 1].strip()) for one in check(text, name)}


def test_the_tests_are_clean_but_for_what_is_wrong_on_purpose() -> None:
    settings = Settings.near(ROOT)
    looked_at = list(find([ROOT / "tests"], settings.exclude, ROOT))
    assert len(looked_at) > 100
    told = [finding for path in looked_at for finding in check(read(path), str(path), rules=settings.rules(path))]
    assert told == []
