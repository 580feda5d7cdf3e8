"""Screen: the live tree on a terminal, redrawn in place while the loop runs, and left there whole at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import anyio
from rich.console import Group
from rich.live import Live
from rich.text import Text

from inngest_gen.cli import tree
from inngest_gen.cli.board import Board
from inngest_gen.cli.paper import Paper
from inngest_gen.engine.progress import Progress

_INTERVAL_S = 0.1
_WHOLE = 200
"""The longest tree that is left there; `runs show` has it all."""
_MARGIN = 3
"""Lines kept free below the tree: the footer, and the cursor's own."""


class Screen:
    """Draws a board. `now` gives the engine's time. What else is printed meanwhile scrolls by above."""

    def __init__(self, now: Callable[[], float], footer: str, paper: Paper | None = None) -> None:
        self.paper: Paper = paper or Paper()
        self.board: Board = Board()
        self.footer = footer
        self._now = now
        self._changed = True
        self._live = Live(
            console=self.paper, auto_refresh=False, transient=True, vertical_overflow="crop", redirect_stdout=True, redirect_stderr=True
        )

    def watch(self, progress: Progress) -> None:
        """Take a happening in."""
        self.board.apply(progress)
        self._changed = True

    def open(self) -> None:
        """Begin to draw."""
        self._live.start()

    async def keep_drawing(self) -> None:
        """Redraw until cancelled; seldom where drawing is dear."""
        while True:
            started = time.perf_counter()
            self.refresh()
            await anyio.sleep(max(_INTERVAL_S, 10 * (time.perf_counter() - started)))

    def refresh(self) -> None:
        """Redraw now, if anything is different."""
        if self._changed or tree.is_moving(self.board):
            self._changed = False
            self._live.update(self._frame(), refresh=True)

    def say(self, line: str) -> None:
        """Print a line above the tree."""
        self.paper.lines([Text(line)])

    def pause(self, seconds: float) -> None:
        """Leave the drawing as it is for a while, outside a loop."""
        self.refresh()
        time.sleep(seconds)

    def close(self) -> None:
        """Stop drawing and leave the whole tree on the terminal."""
        if self._live.is_started:
            self._live.update(Text())
            self._live.stop()
            sys.stdout.flush()
            self.paper.lines(tree.draw(self.board, self._now(), width=self.paper.width, height=_WHOLE))

    def _frame(self) -> Group:
        size = self.paper.size
        lines = tree.draw(self.board, self._now(), width=size.width, height=max(1, size.height - _MARGIN))
        footer = Text(f"{tree.summary(self.board)} · {self.footer}", style="dim", no_wrap=True, overflow="ellipsis")
        return Group(*lines, footer)
