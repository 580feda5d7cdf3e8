"""`inngest-gen demo`: an order that survives `kill -9`, shown live and proven.

Two child processes run `inngest-gen run`, one after the other, on one file; this process draws what they tell and judges.
"""

from __future__ import annotations

import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import OK, RUN_FAILED, Refusal

if TYPE_CHECKING:
    from inngest_gen.cli.board import Board
    from inngest_gen.engine.run import Run

_SHOP: Final = "inngest_gen.cli.demo.shop:app"
_PATIENCE_S: Final = 20.0
_TICK_S: Final = 0.1
_LOOK_S: Final = 1.2
"""How long the killed tree stands still on a terminal, for people to see it."""

_HELP = """Watch an order survive `kill -9`.

    A small shop takes an order: steps, a sleep, a flaky payment, parallel work and two deferred runs, one of which is taken back. Midway its
    process kills itself with SIGKILL; a second one goes on where it was. Then a file of side effects proves that no finished step ran twice. Takes
    about ten seconds; exit status 0 only if the proof holds.

    \b
    Examples:
      inngest-gen demo
      inngest-gen demo --loop trio --keep
      inngest-gen demo --debug

    The shop's code: inngest_gen/cli/demo/shop.py
    """


@click.command(help=_HELP, short_help="Watch an order survive `kill -9`.")
@options.file("Use this file instead of a temporary one, and keep it.", None)
@click.option("--keep", is_flag=True, help="Keep the temporary files and say where they are.")
@click.option("--debug", "then_debug", is_flag=True, help="Then step through the order's run, forwards and backwards.")
@options.loop
def demo(db: pathlib.Path | None, *, keep: bool, then_debug: bool, loop: str) -> int:
    """Watch an order survive."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="inngest-gen-demo-"))
    try:
        played = _Demo(directory, directory / "shop.db" if db is None else db, loop)
        status = played.play(keep=keep, own_db=db is not None)
        return played.debug() if then_debug and status == OK else status
    finally:
        if keep:
            click.echo(f"\nkept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


class _View(Protocol):
    board: Board
    footer: str

    def open(self) -> None: ...
    def watch(self, progress: Any) -> None: ...
    def say(self, line: str) -> None: ...
    def refresh(self) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def close(self) -> None: ...


class _Demo:
    def __init__(self, directory: pathlib.Path, db: pathlib.Path, loop: str) -> None:
        from inngest_gen.cli.demo import ledger
        from inngest_gen.cli.paper import Paper
        from inngest_gen.clock import SystemClock
        from inngest_gen.ids import new_id

        self._directory = directory
        self._db = db
        self._loop = loop
        self._clock = SystemClock()
        self._paper = Paper()
        self._event_id = f"demo-{new_id(self._clock.now())}"
        self._command = [
            sys.executable, "-P", "-m", "inngest_gen.cli.main", "run", _SHOP, "order/placed", '{"order_id": "o-1815"}',
            "--id", self._event_id, "--json", "--timeout", str(_PATIENCE_S), "--db", str(db), "--loop", loop,
        ]  # fmt: skip
        self._environment = {**os.environ, ledger.DIRECTORY: str(directory)}
        self._child: subprocess.Popen[bytes] | None = None

    def play(self, *, keep: bool, own_db: bool) -> int:
        from inngest_gen.cli.demo import ledger, proof

        ledger.order_kill(self._directory)
        shown = self._view()
        shown.open()
        try:
            shown.say(f"A shop on {self._db}. An order comes in.")
            first, code = self._run_child(shown, "Process {pid} runs it.")
            if code != -signal.SIGKILL:
                raise Refusal(f"the first process ended with status {code}, and not by SIGKILL: {self._last_words()}", code=RUN_FAILED)
            finished, in_flight = self._recorded()
            shown.board.interrupt()
            shown.say(
                f"⚡ Process {first} has killed itself with SIGKILL, while {' and '.join(sorted(in_flight)) or 'nothing'} was in flight."
            )
            shown.footer = "a second process goes on"
            shown.pause(_LOOK_S)
            second, code = self._run_child(shown, "Process {pid} starts on the same file, replays what is recorded, and goes on.")
            shown.say(f"Process {second} has ended with status {code}.\n")
        finally:
            self._end_child()
            shown.close()
        if code != 0:
            raise Refusal(f"the second process ended with status {code}: {self._last_words()}", code=RUN_FAILED)
        verdicts = proof.prove(ledger.read(self._directory), first=first, second=second, finished=finished, in_flight=in_flight)
        runs = self._runs()
        self._show(verdicts, first, second, runs)
        holds = (
            bool(finished)
            and all(verdict.holds for verdict in verdicts)
            and all(run.status == "completed" for run in runs)
            and len(runs) == 2
        )
        click.echo()
        if not holds:
            raise Refusal(
                "the proof does not hold: this is a defect in inngest-gen, please report it (--keep keeps the files)", code=RUN_FAILED
            )
        click.echo(f"The proof holds: {len(finished)} steps had finished before the kill, none of them ran twice.")
        if keep or own_db:
            click.echo(f"Look again with: inngest-gen runs show {runs[0].id[-6:]} --db {self._db}")
            click.echo(
                f"or in a browser:  inngest-gen debug {runs[0].id[-6:]} inngest_gen.cli.demo.shop:app --db {self._db} --html order.html"
            )
        return OK

    def debug(self) -> int:
        """Step through the order's run; where nobody can type, tell every stop."""
        from inngest_gen.cli.debug.open import debug
        from inngest_gen.cli.demo.shop import app
        from inngest_gen.engine.store.reader import Reader

        reader = Reader(self._db)
        try:
            recording = reader.recording(reader.caused(self._event_id)[0])
        finally:
            reader.close()
        assert recording is not None
        is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        click.echo("\nThe order's run, to be stepped through:\n")
        if is_terminal:  # the proof stays to be read for as long as its reader likes
            click.pause("Any key opens it; q leaves it, ? helps, Ctrl-C ends here.")
        return debug(recording, app, () if is_terminal else ("walk",), loop=self._loop)

    # The children.

    def _run_child(self, shown: _View, announced: str) -> tuple[int, int]:
        """Start a child and show what it tells until it ends; gives its process id and exit status."""
        import orjson

        from inngest_gen.cli import document

        with (self._directory / "errors.txt").open("wb") as errors:
            child = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, env=self._environment)  # noqa: S603
        self._child = child
        shown.say(announced.format(pid=child.pid))
        told: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

        def listen() -> None:
            assert child.stdout is not None
            with child.stdout:
                for line in child.stdout:
                    told.put(line)
            told.put(None)

        threading.Thread(target=listen, name="inngest_gen demo", daemon=True).start()
        deadline = self._clock.now() + _PATIENCE_S
        while True:
            try:
                line = told.get(timeout=_TICK_S)
            except queue.Empty:
                line = b""
            if line is None:
                break
            if line.endswith(b"\n"):  # the last one may be half a line: the process was killed
                value = orjson.loads(line)
                if value["kind"] != "run":
                    shown.watch(document.progress_of(value))
            shown.refresh()
            if self._clock.now() > deadline:
                raise Refusal(f"the demo takes longer than {_PATIENCE_S:g} s: {self._last_words()}", code=RUN_FAILED)
        return child.pid, child.wait()

    def _end_child(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def _last_words(self) -> str:
        path = self._directory / "errors.txt"
        lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
        return lines[-1] if lines else "it said nothing"

    # The record.

    def _runs(self) -> list[Run]:
        from inngest_gen.engine.store.reader import Reader

        reader = Reader(self._db)
        try:
            return [run for run in map(reader.get, reader.caused(self._event_id)) if run is not None]
        finally:
            reader.close()

    def _recorded(self) -> tuple[set[str], set[str]]:
        """Give the names of the steps that the record has as finished, and of those whose bodies ran without that."""
        from inngest_gen.cli.demo import ledger

        steps = [step for run in self._runs() for step in run.steps if step.kind == "step.run"]
        finished = {step.id for step in steps if step.status == "completed"}
        return finished, {entry.step for entry in ledger.read(self._directory)} - finished

    # What is shown.

    def _view(self) -> _View:
        if self._paper.is_terminal:
            from inngest_gen.cli.screen import Screen

            return Screen(self._clock.now, "the process will be killed midway", self._paper)
        return _Lines()

    def _show(self, verdicts: Any, first: int, second: int, runs: list[Run]) -> None:
        from rich.text import Text

        from inngest_gen.cli.demo import proof
        from inngest_gen.cli.timeline import timeline

        lines = [Text(), Text("How often each step's body ran, by the file of side effects:", style="bold"), Text()]
        lines += proof.table(verdicts, first=first, second=second)
        lines += [Text(), Text("What is recorded (inngest-gen runs show):", style="bold"), Text()]
        lines += timeline(runs[0], runs[1:], now=self._clock.now(), width=self._paper.width)
        self._paper.lines(lines)


class _Lines:
    """A line for each happening, where stdout is no terminal."""

    def __init__(self) -> None:
        from inngest_gen.cli.board import Board

        self.board = Board()
        self.footer = ""

    def open(self) -> None:
        pass

    def watch(self, progress: Any) -> None:
        from inngest_gen.cli.lines import line

        text = line(progress, self.board)
        self.board.apply(progress)
        if text is not None:
            click.echo(text)

    def say(self, line: str) -> None:
        click.echo(line)

    def refresh(self) -> None:
        pass

    def pause(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass
