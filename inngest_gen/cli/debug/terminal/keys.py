"""Keys: what each key does, as a table: the bindings, the help and the documentation are made from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Key:
    """A command of a key. `spelled` names the keys as the terminal's library does, `told` as people do; `topic` is the help's heading."""

    action: str
    spelled: tuple[str, ...]
    told: str
    help: str
    topic: str


_MOVE: Final = "Move"
_LOOK: Final = "Look"
_STOP: Final = "Stop at"
_CHANGE: Final = "What if, and edited code"
_REST: Final = "The view"

KEYS: Final[tuple[Key, ...]] = (
    Key("step", ("s", "right", " "), "s → Space", "step: to the next yield, into sub-flows too", _MOVE),
    Key("back", ("b", "left", "backspace"), "b ← Backspace", "back: to the yield before", _MOVE),
    Key("over", ("n",), "n", "next: in this flow, over sub-flows and other branches", _MOVE),
    Key("in", ("i",), "i", "in: in this flow or into its sub-flow", _MOVE),
    Key("out", ("o",), "o", "out: until this flow has ended", _MOVE),
    Key("start", ("0", "home"), "0 Home", "to the start", _MOVE),
    Key("finish", ("f", "$", "end"), "f $ End", "to the last stop", _MOVE),
    Key("goto", ("g",), "g", "go to a stop by its number", _MOVE),
    Key("run_to", ("r",), "r", "run to a target: an id, FILE:LINE, a kind, error, `if EXPR`", _MOVE),
    Key("back_to", ("R",), "R", "run back to a target", _MOVE),
    Key("frontier", ("F",), "F", "to the frontier, the first step without a result", _MOVE),
    Key("divergence", ("D",), "D", "to the first divergence from the record", _MOVE),
    Key("error", ("e",), "e", "to the next error", _MOVE),
    Key("error_back", ("E",), "E", "to the last error before this stop", _MOVE),
    Key("continue", ("c",), "c", "continue: to the next breakpoint", _STOP),
    Key("reverse", ("C",), "C", "reverse continue: to the last breakpoint before", _STOP),
    Key("toggle", ("t",), "t", "breakpoint on this line, or away with it", _STOP),
    Key("break", ("B",), "B", "breakpoint at a target (TARGET if CONDITION)", _STOP),
    Key("breakpoints", ("T",), "T", "list the breakpoints", _STOP),
    Key("evaluate", ("p",), "p", "evaluate an expression in the chosen frame", _LOOK),
    Key("outer", ("u",), "u", "next frame: out to who waits, then other branches", _LOOK),
    Key("inner", ("d",), "d", "the frame before", _LOOK),
    Key("why", ("y",), "y", "why: when did a local last change? (then g Enter)", _LOOK),
    Key("next_pane", ("tab",), "Tab", "into the next pane (S-Tab: the one before)", _LOOK),
    Key("previous_pane", ("s-tab",), "", "into the pane before", _LOOK),
    Key("up", ("up", "k"), "↑ ↓ k j", "move in the pane (PgUp, PgDn)", _LOOK),
    Key("down", ("down", "j"), "", "down in the pane", _LOOK),
    Key("page_up", ("pageup",), "", "up in the pane", _LOOK),
    Key("page_down", ("pagedown",), "", "down in the pane", _LOOK),
    Key("enter", ("enter",), "Enter", "open a value; in the timeline: go there", _LOOK),
    Key("zoom", ("z",), "z", "the pane alone on the screen, and back", _LOOK),
    Key("what_if", ("w",), "w", "another result, or an error, for this step", _CHANGE),
    Key("histories", ("H",), "H", "to the next of the histories", _CHANGE),
    Key("match_by_id", ("m",), "m", "past a divergence: match steps by their ids", _CHANGE),
    Key("live", ("x",), "x", "run this step for real (needs --live)", _CHANGE),
    Key("reload", ("l",), "l", "load the edited code and replay on it", _CHANGE),
    Key("check", ("v",), "v", "does the whole record replay on this code?", _CHANGE),
    Key("command", (":",), ":", "any command by its words (:help)", _REST),
    Key("help", ("?",), "?", "these keys", _REST),
    Key("escape", ("escape",), "Esc", "interrupt what is under way; close what is open", _REST),
    Key("redraw", ("c-l",), "", "draw anew", _REST),
    Key("suspend", ("c-z",), "", "to the shell, until `fg`", _REST),
    Key("quit", ("q",), "q", "quit (Ctrl-C as well)", _REST),
)
"""Every key, in the help's order. One with an empty `told` is told with the key above it, or by other programs' custom."""

HINTS: Final = (
    ("s", "step"), ("b", "back"), ("n", "next"), ("c", "cont"), ("r", "run"), ("y", "why"), ("p", "eval"), ("w", "what if"),
    ("?", "help"), ("q", "quit"),
    ("i", "in"), ("o", "out"), ("t", "break"), ("g", "goto"), ("u", "frames"), ("z", "zoom"), ("l", "reload"),
)  # fmt: skip
"""What the last line reminds of, the most wanted first."""


def help_lines() -> list[str]:
    """Write the help."""
    lines: list[str] = []
    topic = ""
    for key in KEYS:
        if not key.told:
            continue
        if key.topic != topic:
            topic = key.topic
            lines += [*([""] if lines else []), topic]
        lines.append(f"  {key.told:<14} {key.help}")
    return lines
