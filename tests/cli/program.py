"""Drives `inngest-gen` from outside: as a process with pipes, and on a terminal of 80 by 24 in tmux."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

PATIENCE_S = 30.0
COMMAND = (sys.executable, "-P", "-m", "inngest_gen.cli.main")
ORDERS = str(pathlib.Path(__file__).parent / "apps" / "orders.py")


def until(look: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Look until there is something, and give it; fail when it takes too long."""
    deadline = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:g} s for {what}")
        time.sleep(0.02)


def environment(**more: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("INNGEST_GEN_DB", "NO_COLOR", "FORCE_COLOR", "COLUMNS"))
    }
    return {**kept, "PYTHONUNBUFFERED": "1", "TZ": "UTC", **more}


def run(*arguments: str, cwd: pathlib.Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=environment(**more),
        check=False,
    )


class Program:
    """A command under way, with its output so far. `out` and `err` grow while it runs."""

    def __init__(self, arguments: Sequence[str], cwd: pathlib.Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        self.out = ""
        self.err = ""
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in ("out", "err")]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        for line in stream:
            setattr(self, name, getattr(self, name) + line)

    def until(self, text: str, times: int = 1) -> None:
        """Wait until it has printed something so many times."""
        try:
            until(lambda: (self.out + self.err).count(text) >= times or (self.process.poll() is not None and self._over()), f"{text!r}")
            assert (self.out + self.err).count(text) >= times, "it ended without"
        except AssertionError as error:
            raise AssertionError(f"{error}; stdout:\n{self.out}\nstderr:\n{self.err}") from None

    def _over(self) -> bool:
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return True

    def end(self) -> int:
        """Wait for its end; gives the exit status."""
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; stdout:\n{self.out}\nstderr:\n{self.err}") from None
        self._over()
        return status

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send it a signal and wait for its end."""
        self.process.send_signal(number)
        return self.end()


@contextlib.contextmanager
def started(*arguments: str, cwd: pathlib.Path) -> Iterator[Program]:
    """Start a command; it is killed at the end of the block, if it is still there."""
    program = Program(arguments, cwd)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait()
        program._over()
        for stream in (program.process.stdout, program.process.stderr):
            assert stream is not None
            stream.close()


class Terminal:
    """A shell command on a terminal of 80 by 24."""

    def __init__(self, tmux: str, command: str, cwd: pathlib.Path, socket: pathlib.Path) -> None:
        self._tmux = [tmux, "-f", "/dev/null", "-S", str(socket)]
        self._call("new-session", "-d", "-x", "80", "-y", "24", "-c", str(cwd), f'{command}; echo "exit status $?"; exec cat')

    def _call(self, *arguments: str) -> str:
        result = subprocess.run(
            [*self._tmux, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=environment(TERM="screen-256color"),
            check=True,
        )
        return result.stdout

    def screen(self) -> str:
        """What the terminal shows."""
        return self._call("capture-pane", "-p")

    def history(self) -> str:
        """What the terminal shows and what has scrolled away."""
        return self._call("capture-pane", "-p", "-S", "-1000")

    def cursor_is_shown(self) -> bool:
        return self._call("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def keys(self, *keys: str) -> None:
        self._call("send-keys", *keys)

    def until(self, *texts: str) -> str:
        """Wait until the terminal shows all these at once; gives what it shows."""
        seen = ""

        def look() -> bool:
            nonlocal seen
            seen = self.screen()
            return all(text in seen for text in texts)

        try:
            until(look, f"{texts}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the terminal shows:\n{seen}") from None
        return seen

    def until_over(self) -> int:
        """Wait until the command has ended; gives its exit status."""
        until(lambda: "exit status " in self.history(), "the command's end")
        return int(self.history().partition("exit status ")[2].split()[0])

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=PATIENCE_S, check=False)
