"""The live trees of `run` and `demo`, on a real terminal of 80 by 24."""

import json
import pathlib
import shlex
from collections.abc import Callable, Iterator

import pytest

from tests.cli.program import COMMAND, ORDERS, Terminal

Open = Callable[..., Terminal]


@pytest.fixture
def terminal(home: pathlib.Path, require_tool: Callable[[str, str], str]) -> Iterator[Open]:
    """`terminal("run", ...)` starts a command on a terminal."""
    tmux = require_tool("tmux", "make tools")
    opened: list[Terminal] = []

    def open_(*arguments: str) -> Terminal:
        opened.append(Terminal(tmux, shlex.join([*COMMAND, *arguments]), home, home / f"tmux-{len(opened)}"))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def fits(screen: str) -> None:
    lines = screen.splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)


def held(home: pathlib.Path) -> str:
    return json.dumps({"started": str(home / "started"), "go": str(home / "go")})


def test_the_tree_of_run_moves_and_stays(terminal: Open, home: pathlib.Path, loop: str) -> None:
    shown = terminal("run", ORDERS, "order/held", held(home), "--loop", loop)
    screen = shown.until("● orders-holds  running", "├─ ✓ first", "└─ ● hold  running", "1 run: 1 running · Ctrl-C stops")
    fits(screen)
    assert not shown.cursor_is_shown()
    ticking = next(line for line in screen.splitlines() if "hold  running" in line)
    changed = shown.until("hold  running", "Ctrl-C stops")
    while next(line for line in changed.splitlines() if "hold  running" in line) == ticking:  # a time at its right edge counts up
        changed = shown.until("hold  running", "Ctrl-C stops")
    (home / "go").touch()
    assert shown.until_over() == 0
    over = shown.screen()
    fits(over)
    for text in ("✓ orders-holds  completed", "├─ ✓ first", "└─ ✓ hold", '  "held"'):
        assert text in over
    assert "Ctrl-C stops" not in over
    assert over.count("orders-holds") == 2  # the tree once, and the outcome
    assert shown.cursor_is_shown()


def test_retries_waits_children_and_what_the_app_prints(terminal: Open, loop: str) -> None:
    shown = terminal("run", ORDERS, "order/placed", '{"order_id": "o1", "nap": 1.5}', "--loop", loop)
    screen = shown.until("loading o1", "◷ cool-off  sleep", "in 0.", "→ defer receipt  when this run has ended")
    assert screen.index("loading o1") < screen.index("● orders-placed")  # prints scroll by above
    assert shown.until_over() == 0
    over = shown.history()
    for text in (
        "✓ cool-off  sleep", "✓ charge  attempt 1", "✓ doubled  invoke", "✓ [0] stock", "[1] quote", "✓ rate", "✓ defer receipt  scheduled",
        "✓ orders-double (invoked)  completed 14", "✓ orders-receipt (deferred)  completed",
    ):  # fmt: skip
        assert text in over
    fits(shown.screen())


def test_ctrl_c_on_the_terminal(terminal: Open, home: pathlib.Path, loop: str) -> None:
    shown = terminal("run", ORDERS, "order/held", held(home), "--loop", loop)
    shown.until("● hold  running")
    shown.keys("C-c")
    shown.until("inngest-gen: stopping; steps in flight may end first (Ctrl-C again leaves at on")
    (home / "go").touch()
    assert shown.until_over() == 130
    assert "inngest-gen: stopped: 1 run unfinished, to go on with `inngest-gen dev" in shown.screen()
    assert shown.cursor_is_shown()


def test_a_second_ctrl_c_gives_the_terminal_back(terminal: Open, home: pathlib.Path) -> None:
    shown = terminal("run", ORDERS, "order/held", held(home))
    shown.until("● hold  running")
    shown.keys("C-c")
    shown.until("inngest-gen: stopping")
    shown.keys("C-c")
    assert shown.until_over() == 130
    assert shown.cursor_is_shown()


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(terminal: Open, home: pathlib.Path) -> None:
    shown = terminal("run", ORDERS, "order/lost")
    assert shown.until_over() == 1
    assert "✗ find  failed: ValueError: no such order" in shown.screen()
    dumb = Terminal(
        shown._tmux[0], "TERM=dumb " + shlex.join([*COMMAND, "run", ORDERS, "order/lost", "--db", "other.db"]), home, home / "tmux-dumb"
    )
    try:
        assert dumb.until_over() == 1
        assert "find: failed for good, attempt 1: ValueError: no such order" in " ".join(dumb.history().split())
    finally:
        dumb.close()


def test_the_demo_live(terminal: Open) -> None:
    shown = terminal("demo", "--debug")
    before = shown.until("● shop-order-placed  running", "◷ cool-off  sleep", "the process will be killed midway")
    fits(before)
    retrying = shown.until("↻ charge  attempt 1 failed: PaymentDown")
    fits(retrying)
    killed = shown.until(
        "⚡ shop-order-placed  interrupted", "└─ ⚡ wrap  in flight when the process was killed", "a second process goes on"
    )
    fits(killed)
    assert "has killed itself with SIGKILL, while wrap was in flight." in killed
    again = shown.until("● ship  running", "✓ wrap")
    fits(again)
    shown.until("The proof holds", "Any key opens it; q leaves it")
    shown.keys("x")
    fits(shown.until("shop-order-placed", "stop 0/15 · start", "─ timeline ─"))
    shown.keys("E")
    shown.until("there was no error before this")
    shown.keys("q")
    assert shown.until_over() == 0
    fits(shown.screen())
    history = shown.history()
    assert "The proof holds: 5 steps had finished before the kill, none of them ran twice." in history
    assert history.count("└─ ✓ mail") == 1
    assert all(len(line) <= 80 for line in history.splitlines())
    assert shown.cursor_is_shown()
