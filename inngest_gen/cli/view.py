"""View: how `run` shows what happens and what came of it: a live tree, plain lines, or JSON lines."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TextIO

import anyio
import click

from inngest_gen.cli import wording
from inngest_gen.cli.board import Board
from inngest_gen.engine.progress import Progress
from inngest_gen.engine.run import Run


class View(Protocol):
    """What `run` needs of a view. `board` is what is known so far."""

    board: Board

    def open(self) -> None:
        """Begin."""

    def watch(self, progress: Progress) -> None:
        """Show a happening."""

    async def keep_drawing(self) -> None:
        """Do what has to be done with time; until cancelled."""

    def say(self, line: str) -> None:
        """Say something about the command itself."""

    def close(self) -> None:
        """End; called once, however the command ends."""

    def results(self, runs: Sequence[Run]) -> None:
        """Show what came of all runs."""


def choose(now: Callable[[], float], *, as_json: bool, stdout: TextIO) -> View:
    """Give the view that fits what stdout is. `now` gives the engine's time."""
    if as_json:
        return JsonView(stdout)
    if stdout.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}:
        return LiveView(now)
    return LineView()


class LiveView:
    """A tree that is redrawn in place."""

    def __init__(self, now: Callable[[], float]) -> None:
        from inngest_gen.cli.screen import Screen

        self._screen = Screen(now, "Ctrl-C stops; runs can go on later")
        self.board: Board = self._screen.board
        self.open: Callable[[], None] = self._screen.open
        self.watch: Callable[[Progress], None] = self._screen.watch
        self.keep_drawing: Callable[[], Coroutine[Any, Any, None]] = self._screen.keep_drawing
        self.say: Callable[[str], None] = self._screen.say
        self.close: Callable[[], None] = self._screen.close

    def results(self, runs: Sequence[Run]) -> None:
        """Print the outputs below the tree."""
        from inngest_gen.cli import outcome

        paper = self._screen.paper
        paper.lines(outcome.lines(runs, paper.width))


class LineView:
    """A line for each happening."""

    def __init__(self) -> None:
        self.board: Board = Board()

    def open(self) -> None:
        """Nothing to begin."""

    def watch(self, progress: Progress) -> None:
        """Print its line."""
        from inngest_gen.cli import lines

        line = lines.line(progress, self.board)
        self.board.apply(progress)
        if line is not None and not self.board.runs[progress.run_id].earlier:
            click.echo(line)

    async def keep_drawing(self) -> None:
        """Nothing changes with time."""
        await anyio.sleep_forever()

    def say(self, line: str) -> None:
        """Print it on stderr."""
        click.echo(line, err=True)

    def close(self) -> None:
        """Nothing to end."""

    def results(self, runs: Sequence[Run]) -> None:
        """Print the outputs."""
        from inngest_gen.cli import outcome
        from inngest_gen.cli.paper import Paper

        paper = Paper()
        paper.lines(outcome.lines(runs, paper.width))


class JsonView:
    """A line of JSON for each happening, then one for each run. What user code prints goes to stderr meanwhile."""

    def __init__(self, stdout: TextIO) -> None:
        self.board: Board = Board()
        self._stdout = stdout
        self._redirected = contextlib.ExitStack()

    def open(self) -> None:
        """Keep stdout for JSON alone."""
        self._redirected.enter_context(contextlib.redirect_stdout(sys.stderr))

    def watch(self, progress: Progress) -> None:
        """Print it."""
        from inngest_gen.cli import document

        self.board.apply(progress)
        self._print(document.of_progress(progress))

    async def keep_drawing(self) -> None:
        """Nothing changes with time."""
        await anyio.sleep_forever()

    def say(self, line: str) -> None:
        """Print it on stderr."""
        click.echo(line, err=True)

    def close(self) -> None:
        """Give stdout back."""
        self._redirected.close()

    def results(self, runs: Sequence[Run]) -> None:
        """Print each run as {"kind": "run", ...}; what kind of run it is stands at "run_kind"."""
        from inngest_gen.cli import document

        for run in runs:
            whole = document.of_run(run)
            self._print({**whole, "kind": "run", "run_kind": whole["kind"]})

    def _print(self, value: object) -> None:
        self._stdout.write(f"{wording.compact(value)}\n")
        self._stdout.flush()
