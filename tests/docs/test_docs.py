"""The documentation does what it says: every Python block runs, the commands end as told, links lead somewhere, names exist.

The blocks of a page run in their order in an empty directory. A block that begins with `# name.py` is saved under that name and loaded;
the others of a page share one namespace. The shell blocks of the README and of the tutorial are run too, command by command.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import inngest_gen as ig
from inngest_gen.cli.main import inngest_gen as command_line
from tests.docs.page import PAGES, ROOT, Block, Page

NAMES = {path: path.relative_to(ROOT).as_posix() for path in PAGES}
each_page = pytest.mark.parametrize("page", [Page.read(path) for path in PAGES], ids=list(NAMES.values()))

FOLLOWED = {"README.md", "docs/debugging.md", "docs/tutorial.md"}
"""The pages whose commands are run; elsewhere commands are forms, such as `inngest-gen runs show RUN`."""
SHELLS = {"sh", "console", "bash"}
# A reader's own affair, or what takes as long as the test suite itself.
NOT_RUN = {"make", "pip", "python -m pip", "git", "cd", "uv", ". .venv/bin/activate"}


def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("INNGEST_")}
    return own | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        # A reader has none of the plugins that are here for tests/testing/test_plugin.py, and one of them warns when it is not set up.
        "PYTEST_ADDOPTS": "-p no:asyncio -p no:trio -p no:syrupy -p no:inline_snapshot",
    }


def run(command: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=where, env=environment(), capture_output=True, text=True, timeout=60, check=False)


def commands(block: Block) -> Iterator[str]:
    """The commands of a shell block, without comments and continued lines joined; of a console block those after a prompt."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        words = shlex.split(line, comments=True)
        if words:
            yield line


def is_run(command: str) -> bool:
    return not any(command == name or command.startswith(f"{name} ") for name in NOT_RUN)


class Reader:
    """Somebody who follows a page to the letter, in an empty directory."""

    def __init__(self, page: Page, where: Path) -> None:
        self.page = page
        self.where = where
        self.dev: subprocess.Popen[str] | None = None

    def follow(self) -> None:
        script = ""
        try:
            for block in self.page.blocks():
                if block.language == "python" and block.file:
                    (self.where / block.file).write_text(block.text)
                    self._run(block, [sys.executable, "-c", f"import runpy; runpy.run_path({block.file!r}, run_name='docs')"], 0)
                elif block.language == "python":
                    # In their own lines, so that an error names the page's.
                    script += "\n" * (block.line - 1 - script.count("\n")) + block.text
                elif block.language in SHELLS and NAMES.get(self.page.path, "README.md") in FOLLOWED:
                    self._shell(block)
            if script:
                path = self.where / f"{self.page.path.stem}_page.py"
                path.write_text(script)
                told = run([sys.executable, str(path)], self.where)
                assert told.returncode == 0, f"{self.page.path}\n{told.stdout}{told.stderr}"
        finally:
            if self.dev is not None:
                self.dev.terminate()
                self.dev.communicate(timeout=30)

    def _shell(self, block: Block) -> None:
        listed = [command for command in commands(block) if is_run(command)]
        for place, command in enumerate(listed):
            if command.startswith("inngest-gen dev "):
                self._start(command)
            else:
                self._run(block, ["bash", "-c", f"{command}\nexit $?"], block.exits if place == len(listed) - 1 else 0)

    def _start(self, command: str) -> None:
        """Start an engine that stays up; it is stopped at the end of the page."""
        assert self.dev is None, "a page starts one engine that stays up"
        self.dev = subprocess.Popen(
            [*shlex.split(command), "--port", "0"],
            cwd=self.where,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.dev.stdout is not None
        assert self.dev.stdout.readline(), f"{command} ended at once"

    def _run(self, block: Block, command: list[str], exits: int) -> None:
        told = run(command, self.where)
        where = f"{self.page.path}:{block.line}: {command[-1]}"
        assert told.returncode == exits, f"{where}: exit status {told.returncode}\n{told.stdout}{told.stderr}"


@each_page
def test_every_block_runs_in_its_order(page: Page, tmp_path: Path) -> None:
    Reader(page, tmp_path).follow()


@each_page
def test_every_block_says_its_language(page: Page) -> None:
    assert [block.line for block in page.blocks() if not block.language] == []
    fences = re.findall(r"^```", page.text, re.MULTILINE)
    assert len(fences) == 2 * len(page.blocks())


@each_page
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = []
    for link in page.links():
        if re.match(r"\w+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        if not path.exists() or (anchor and anchor not in Page.read(path).anchors()):
            broken.append(link)
    assert broken == []


@each_page
def test_every_name_of_the_package_that_is_told_exists(page: Page) -> None:
    told = set(re.findall(r"\big\.(\w+)", page.text))
    assert sorted(name for name in told if not hasattr(ig, name)) == []


def test_every_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    reached = {index.resolve()} | {(index.parent / link.partition("#")[0]).resolve() for link in Page.read(index).links()}
    assert [name for path, name in NAMES.items() if path.is_relative_to(ROOT / "docs") and path.resolve() not in reached] == []


def every_command(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from every_command(found, f"{name} {inner}")
    else:
        yield name, command


@pytest.mark.parametrize(
    ("name", "command"), list(every_command(command_line, "inngest-gen")), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_and_each_of_its_options_is_told_in_the_reference(name: str, command: click.Command) -> None:
    page = Page.read(ROOT / "docs" / "reference" / "cli.md")
    [heading] = [heading for heading in page.headings() if f"{heading.strip('`')} ".startswith(f"{name} ")]
    told = page.text
    assert heading
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden]
    missing = [spelling for option in options for spelling in option.opts if spelling not in told]
    assert missing == []


def test_the_page_of_a_sample_is_read_as_it_stands() -> None:
    page = Page(
        Path("sample.md"),
        "# A `b` c\n\n[x](y.md#z) `[no](link)`\n\n```python\n# f.py\nx = 1\n```\n\n<!-- exits: 3 -->\n```sh\nls  # all\n\nfalse\n```\n\n## A `b` c\n",
    )
    assert page.blocks() == [Block("python", "# f.py\nx = 1\n", 6), Block("sh", "ls  # all\n\nfalse\n", 12, 3)]
    assert [block.file for block in page.blocks()] == ["f.py", None]
    assert list(commands(page.blocks()[1])) == ["ls  # all", "false"]
    assert page.anchors() == {"a-b-c", "a-b-c-1"}
    assert list(page.links()) == ["y.md#z"]


def test_a_reader_stumbles_over_a_block_that_fails(tmp_path: Path) -> None:
    page = Page(tmp_path / "page.md", "```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError, match="line 6"):
        Reader(page, tmp_path).follow()
    page = Page(tmp_path / "page.md", "```sh\nexit 3\n```\n")
    with pytest.raises(AssertionError, match="exit status 3"):
        Reader(page, tmp_path).follow()
