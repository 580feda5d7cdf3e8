"""The two corpora: mistakes from public issue trackers, and handlers after public examples."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Mistake:
    """A handler with a mistake: what it is, with which product and where it was seen, and the rules that find it (none: only a replay does)."""

    path: Path
    text: str
    says: str
    product: str
    link: str
    codes: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "Mistake":
        text = path.read_text()
        told = ast.get_docstring(ast.parse(text)) or ""
        facts = dict(re.findall(r"^(Seen with|Seen in|Found by): (.+)$", told, re.MULTILINE))
        codes = tuple(code for code in facts["Found by"].split() if code != "replay")
        return cls(path, text, told.split("\n\n")[0].replace("\n", " "), facts["Seen with"], facts["Seen in"], codes)

    @property
    def marked(self) -> list[int]:
        """The lines that are wrong."""
        return [number for number, line in enumerate(self.text.split("\n"), 1) if line.endswith("# wrong")]


MISTAKES = [Mistake.read(path) for path in sorted((HERE / "buggy").glob("*.py"))]
PUBLIC = sorted((HERE / "public").glob("*.py"))
