"""The view on a terminal: keys come in, a screen comes out, and whatever ends it, the terminal is as it was before."""

import contextlib
import functools
import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from inngest_gen.cli.debug.hanging import HandlerHangs
from inngest_gen.cli.debug.terminal import layout
from inngest_gen.cli.debug.terminal.window import Window
from inngest_gen.debugger import Recording, Session
from tests.cli.debug.terminal import rig
from tests.cli.program import until

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class Pane:
    """A terminal of 80 by 24 in memory."""

    def __init__(self, window: Window, keys: PipeInput, out: io.StringIO) -> None:
        self.window = window
        self.type = keys.send_text
        self._out = out

    def written(self) -> str:
        return self._out.getvalue()

    def run(self) -> int:
        return self.window.run()


@contextlib.contextmanager
def opened(loop: str, recording: Recording | None = None) -> Iterator[Pane]:
    session = Session(recording or rig.recorded("order/placed"), rig.app)
    out = io.StringIO()
    with start_blocking_portal(backend=loop) as portal, create_pipe_input() as keys:
        portal.call(session.start)
        output = Vt100_Output(out, lambda: Size(rows=24, columns=80), term="xterm")
        yield Pane(Window(session, portal, keys, output), keys, out)
        session.close()


def test_keys_and_prompts_reach_the_session_in_their_order(loop: str) -> None:
    with opened(loop) as pane:
        pane.type("sssplines\rb")

        def leave() -> None:
            with contextlib.suppress(AssertionError):
                until(lambda: hasattr(pane.window, "steering") and "> back" in pane.window.steering.log, "the last move", rig.PATIENCE_S)
            pane.type("q")

        leaver = threading.Thread(target=leave)
        leaver.start()
        assert pane.run() == 0
        leaver.join()
        assert [line for line in pane.window.steering.log if line[0] == ">"] == ["> step", "> step", "> step", "> evaluate lines", "> back"]
        assert "  ['tea', 'tea']" in pane.window.steering.log
        written = pane.written()
        assert written.index(ENTER) < written.rindex(LEAVE)
        assert "\x1b[?25h" in written[written.rindex(LEAVE) :] or written.rstrip().endswith("\x1b[?25h")


def test_tab_completes_what_may_be_meant(loop: str) -> None:
    with opened(loop) as pane:

        def type_() -> None:
            until(lambda: hasattr(pane.window, "steering") and pane.window.steering.shown.marks, "the timeline", rig.PATIENCE_S)
            for keys, seen in (("rpr\t\r", "> run_to pr"), ("plen(li\t)\r", "> evaluate len(li"), (":his\t\r", "> his")):
                for key in keys:
                    pane.type(key)
                    time.sleep(0.05)
                    if key == "\t":  # Enter must not come before what it has found
                        with contextlib.suppress(AssertionError):
                            until(lambda: pane.window._buffer.complete_state is not None, "a completion", 5)
                with contextlib.suppress(AssertionError):
                    until(functools.partial(said, seen), seen, 5)
            pane.type("q")

        def said(begins: str = "> ") -> list[str]:
            return [line for line in pane.window.steering.log.copy() if line.startswith(begins)]

        typist = threading.Thread(target=type_)
        typist.start()
        assert pane.run() == 0
        typist.join()
        assert said() == ["> run_to price", "> evaluate len(lines)", "> histories histories"]


@pytest.mark.parametrize(("keys", "status"), [("q", 0), ("\x03", 130), ("p\x03\x03", 130), ("p\x04\x04", 0), ("?qq", 0), (":quit\r", 0)])
def test_ways_out(keys: str, status: int) -> None:
    with opened("asyncio") as pane:
        pane.type(keys)
        assert pane.run() == status
        assert pane.written().rstrip().count(ENTER) == pane.written().count(LEAVE) == 1


def test_a_crash_of_the_view_gives_the_terminal_back_before_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*_: object) -> None:
        raise ZeroDivisionError("drawing")

    with opened("asyncio") as pane:
        monkeypatch.setattr(layout, "draw", draw)
        with pytest.raises(ZeroDivisionError, match="drawing"):
            pane.run()
        assert pane.written().count(LEAVE) == 1


def test_a_crash_of_a_key_does_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened("trio") as pane:

        def press(_: str) -> None:
            raise ZeroDivisionError("pressing")

        pane.type("s")
        monkeypatch.setattr("inngest_gen.cli.debug.terminal.steering.Steering.press", lambda _, action: press(action))
        with pytest.raises(ZeroDivisionError, match="pressing"):
            pane.run()
        assert pane.written().count(LEAVE) == 1


@pytest.mark.parametrize(("keys", "status"), [("ffq", 0), ("f\x03\x03", 130)])
def test_a_handler_that_does_not_come_back_can_be_left(loop: str, keys: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = rig.recorded("long", 10)
    free = threading.Event()
    monkeypatch.setattr(rig, "SLOW", lambda: free.wait(rig.PATIENCE_S))
    monkeypatch.setattr("inngest_gen.cli.debug.terminal.window._PATIENCE_S", 0.05)
    try:
        with opened(loop, recording) as pane:
            pane.type(keys)
            with pytest.raises(HandlerHangs) as left:
                pane.run()
            assert left.value.status == status
            assert pane.written().count(LEAVE) == 1
            free.set()
    finally:
        free.set()


def test_without_colours_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with opened("asyncio") as pane:
        pane.type("ssq")
        pane.run()
        codes = {code for found in re.findall(r"\x1b\[([\d;]*)m", pane.written()) for code in found.split(";")}
        assert codes <= {"", "0", "1", "2", "4", "7"}
        assert "7" in codes  # the title, reversed
    monkeypatch.delenv("NO_COLOR")
    with opened("asyncio") as pane:
        pane.type("ssq")
        pane.run()
        assert re.search(r"\x1b\[[\d;]*(?:3[0-7]|9[0-7])[;m]", pane.written())


PRINTS = """
import os, sys, warnings
from inngest_gen.cli.debug.terminal.strays import kept_away

print("before")
with kept_away() as strays:
    print("a module's print")
    print("to stderr", file=sys.stderr)
    os.write(1, b"by its number\\n")
    seen = strays.lines()
    strays.terminal.write("the view\\n")
print("after", sorted(seen))
with kept_away():
    print("last words")
    raise SystemExit(3)
"""


def test_what_others_print_does_not_reach_the_terminal_but_after_an_error() -> None:
    told = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, text=True, timeout=rig.PATIENCE_S)
    assert (told.returncode, told.stderr) == (3, "last words\n")
    assert told.stdout.splitlines() == ["before", "the view", f"after {['a module' + chr(39) + 's print', 'by its number', 'to stderr']}"]
