"""Noqa: which findings a comment says to leave alone. `# noqa` means all, `# noqa: IGN101` or `# noqa: E501, IGN1` these codes.

The comment stands on the line of the finding, or on the last line of what is found. Codes are compared by their beginning, as flake8 does.
"""

from __future__ import annotations

import re
from typing import Final

_COMMENT: Final = re.compile(r"#\s*noqa(?::\s*(?P<codes>[A-Z]+[0-9]*(?:[,\s]+[A-Z]+[0-9]+)*))?(?![\w])", re.IGNORECASE)


def is_left_alone(code: str, lines: tuple[str, ...]) -> bool:
    """Say whether one of these lines has a comment that leaves `code` alone."""
    return any(_leaves(code, line) for line in lines if "noqa" in line.lower())


def _leaves(code: str, line: str) -> bool:
    for comment in _COMMENT.finditer(line):
        codes = comment["codes"]
        if codes is None:
            # What looks like a list of codes and is none leaves nothing alone by accident.
            if not line[comment.end() :].lstrip().startswith(":"):
                return True
        elif any(code.startswith(one.upper()) for one in re.split(r"[,\s]+", codes)):
            return True
    return False
