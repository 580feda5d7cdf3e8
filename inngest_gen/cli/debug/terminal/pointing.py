"""Pointing: moves the focus, the cursor and the page over what is shown. It asks the session nothing."""

from __future__ import annotations

from typing import Final

from inngest_gen.cli.debug.terminal.panes import is_there, pane
from inngest_gen.cli.debug.terminal.shown import PANES, PaneName, Shown

PAGE: Final = 10
"""How many lines a page is."""
_BY: Final = {"up": -1, "down": 1, "page_up": -PAGE, "page_down": PAGE}


def visible(shown: Shown) -> list[PaneName]:
    """List the panes that have something to show."""
    return [name for name in PANES if is_there(name, shown)]


def focus(shown: Shown, by: int) -> None:
    """Go to another pane."""
    names = visible(shown)
    place = names.index(shown.focus) if shown.focus in names else 0
    shown.focus, shown.cursor = names[(place + by) % len(names)], None


def move(shown: Shown, action: str) -> None:
    """Move the cursor of the focused pane."""
    here = pane(shown.focus, shown)
    shown.cursor = max(0, min((here.cursor or 0) + _BY[action], here.count - 1))


def turn(shown: Shown, action: str) -> bool:
    """Move in the pager, or close it; says whether the key is done with. One that is not has another work, and closes it."""
    if action in _BY:
        count = 0 if shown.pager is None else len(shown.pager.lines)
        shown.top = max(0, min(shown.top + _BY[action], count - PAGE))
    elif action not in {"zoom", "next_pane", "previous_pane"}:
        shown.pager = None
        return action in {"escape", "quit", "enter", "help"}
    return True
