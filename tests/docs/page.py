"""A page of documentation as data: its code blocks, headings and links, with their lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is that of its first line of text, from 1; `exits` the status that its last command is to end with."""

    language: str
    text: str
    line: int
    exits: int = 0

    @property
    def file(self) -> str | None:
        """The file that the block is to be saved as: its first line is `# name.py`."""
        named = re.match(r"# (\w+\.py)\n", self.text)
        return named and named[1]


@dataclass(frozen=True)
class Page:
    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "Page":
        return cls(path, path.read_text())

    def blocks(self) -> list[Block]:
        """Every fenced block. `<!-- exits: 137 -->` in the line before a block says how its last command ends."""
        blocks = []
        found = re.finditer(r"^(?:<!-- exits: (\d+) -->\n)?```(\w*)\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)
        for one in found:
            exits, language, text = one.groups()
            blocks.append(Block(language, text, self.text.count("\n", 0, one.start(3)) + 1, int(exits or 0)))
        return blocks

    def prose(self) -> str:
        """The text without its fenced blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.DOTALL | re.MULTILINE)

    def headings(self) -> list[str]:
        return [line.lstrip("#").strip() for line in self.prose().splitlines() if re.match(r"#{1,6} ", line)]

    def anchors(self) -> set[str]:
        """What a link may name after `#`: made from the headings as GitHub does."""
        seen: dict[str, int] = {}
        anchors = set()
        for heading in self.headings():
            slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
            anchors.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
            seen[slug] = seen.get(slug, 0) + 1
        return anchors

    def links(self) -> Iterator[str]:
        for one in re.finditer(r"\[[^]]+]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`(?!\])", "", self.prose())):
            yield one[1]
