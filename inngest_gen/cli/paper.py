"""Paper: a rich console as all commands use it. Colours follow NO_COLOR and the terminal; lines are printed as they are drawn, not wrapped again."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


class Paper(Console):
    """Prints drawn lines on stdout, as it is when this is made."""

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def lines(self, lines: Iterable[Text]) -> None:
        """Print lines."""
        for line in lines:
            self.print(line, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Leave it to the command line's entry what happens when nobody reads any more; rich would exit with status 1."""
        raise BrokenPipeError
