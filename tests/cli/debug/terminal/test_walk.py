"""A walk through the view on a real terminal of 80 by 24, with and without colours."""

import pathlib
import shlex
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import Cli
from tests.cli.program import COMMAND, PATIENCE_S, Terminal, until

SHOP = """
import inngest_gen as ig

app = ig.App("shop")

async def total(ctx, lines):
    amount = 0
    while lines:
        item = lines.pop()
        amount += yield ctx.step.run("price", len, item)
    yield ig.Done(amount)

@app.function("order", trigger="order/placed")
async def order(ctx):
    lines = yield ctx.step.run("load", list, ctx.data["lines"])
    amount = yield total(ctx, lines)
    parcel = yield ctx.step.run("ship", "parcel of {}".format, lines)
    yield ig.Done([amount, parcel])
"""

Open = Callable[..., Terminal]


@pytest.fixture
def terminal(cli: Cli, home: pathlib.Path, require_tool: Callable[[str, str], str]) -> Iterator[Open]:
    """`terminal("--loop", "trio")` opens the newest run on a terminal; how that is set is written to files before and after."""
    tmux = require_tool("tmux", "make tools")
    (home / "shop.py").write_text(SHOP)
    assert cli("run", "shop.py:app", "order/placed", '{"lines": ["tea", "cups"]}').code == 0
    opened: list[Terminal] = []

    def open_(*arguments: str, before: str = "") -> Terminal:
        command = f"stty -a > before; {before}{shlex.join([*COMMAND, 'debug', 'last', 'shop.py:app', *arguments])}; s=$?; stty -a > after; (exit $s)"
        opened.append(Terminal(tmux, command, home, home / f"tmux-{len(opened)}"))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def is_clean(shown: Terminal, home: pathlib.Path) -> None:
    assert shown.cursor_is_shown()
    assert (home / "before").read_text() == (home / "after").read_text()
    assert "timeline" not in shown.screen()
    assert shown._call("display-message", "-p", "#{alternate_on}").strip() == "0"


def fits(screen: str, width: int, height: int) -> None:
    lines = screen.splitlines()
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(("loop", "colours"), [("asyncio", True), ("trio", False)])
def test_a_walk(terminal: Open, home: pathlib.Path, loop: str, colours: bool) -> None:
    shown = terminal("--loop", loop, before="" if colours else "NO_COLOR=1 ")
    fits(shown.until("stop 0/8 · start", "▶ 0 · start", "before the handler's first line"), 80, 24)
    for number in range(1, 9):
        shown.keys("s")
        fits(shown.until(f"stop {number}/8 · {'end' if number == 9 else 'step'}"), 80, 24)
    shown.until("the handler returned [7, 'parcel of []'], as recorded")
    for number in range(7, -1, -1):
        shown.keys("b")
        shown.until(f"stop {number}/8 · back")
    painted = shown._call("capture-pane", "-p", "-e")
    assert ("\x1b[36m" in painted or "\x1b[96m" in painted or "\x1b[1m\x1b[36m" in painted) == colours
    shown.keys("r")
    shown.until("run to>")
    shown.keys("-l", "price")
    shown.keys("Enter")
    shown.until("stop 3/8 · run to", "step.run 'price' len('cups') in total")
    shown.keys("p")
    shown.keys("-l", "lines + [item]")
    shown.keys("Enter")
    shown.until("lines + [item] = ['tea', 'cups']")
    shown.keys("B")
    shown.keys("-l", "ship")
    shown.keys("Enter")
    shown.until("breakpoint 1 is set: ship")
    shown.keys("c")
    shown.until("stop 6/8 · breakpoint 1", "step.run 'ship' str.format([])", "▶●6 ✓ ship")
    shown.keys("w", "C-u")
    shown.keys("-l", '"nothing"')
    shown.keys("Enter")
    shown.until("stop 6/8 · edited", "history 'what if 1'", "result    'nothing'  (rank 4, replaced)")
    shown.keys("f")
    shown.until("the handler returned [7, 'nothing'], otherwise than recorded")
    shown._call("resize-window", "-x", "130", "-y", "30")
    wide = shown.until("i in  o out", "│─ timeline ")
    fits(wide, 130, 30)
    shown._call("resize-window", "-x", "80", "-y", "24")
    shown.keys("?")
    shown.until("─ keys ─", "s → Space      step: to the next yield")
    shown.keys("q")
    shown.until("stop 8/8 · end")
    shown.keys("q")
    assert shown.until_over() == 0
    is_clean(shown, home)


def test_ctrl_c_and_signals_leave_the_terminal_clean(terminal: Open, home: pathlib.Path) -> None:
    shown = terminal()
    shown.until("stop 0/8 · start")
    shown.keys("C-c")
    assert shown.until_over() == 130
    is_clean(shown, home)
    killed = terminal(before="sh -c 'echo $$ > pid; exec \"$@\"' - ")
    killed.until("stop 0/8 · start")
    killed.keys("s")
    killed.until("stop 1/8 · step")
    import os
    import signal

    os.kill(int((home / "pid").read_text()), signal.SIGTERM)
    assert killed.until_over() == 143
    is_clean(killed, home)


def test_a_dumb_terminal_gets_words_and_is_told_why(terminal: Open, home: pathlib.Path) -> None:
    shown = terminal(before="TERM=dumb ")
    shown.until("TERM is 'dumb': this terminal cannot show the full-screen view; commands are rea", "(debug)")
    shown.keys("-l", "run_to ship")
    shown.keys("Enter")
    until(lambda: "stop 6 · run to" in shown.history(), "the stop", PATIENCE_S)
    shown.keys("q", "Enter")
    assert shown.until_over() == 0
