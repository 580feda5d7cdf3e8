"""Prompts: what keys ask for in the last line, and the requests that are made of the answers. Pure but for questions to the session."""

from __future__ import annotations

from typing import Any, Final

import orjson

from inngest_gen.cli import wording
from inngest_gen.cli.debug import telling
from inngest_gen.cli.debug.terminal.panes import pane
from inngest_gen.cli.debug.terminal.shown import Prompt, Shown
from inngest_gen.debugger.commands import COMMANDS, request_of
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.target import KINDS, STATES
from inngest_gen.errors import MisuseError

PROMPTS: Final = {
    "evaluate": "eval in {frame}> ",
    "goto": "go to stop{default}> ",
    "run_to": "run to> ",
    "back_to": "run back to> ",
    "break": "break at> ",
    "why": "last change of{default}> ",
    "what_if": "{step} gives (JSON, or !Error: text)> ",
    "command": ":",
}


def prompt(action: str, session: Session, shown: Shown, named: int | None) -> Prompt:
    """Give the prompt of an action. `named` is the stop that was told of last. Raises MisuseError where there is nothing to ask for."""
    label, text, default = PROMPTS[action], "", ""
    match action:
        case "evaluate":
            station = shown.station
            if station is None:
                raise MisuseError("there is no frame here to evaluate in: b goes back to one")
            label = label.format(frame=wording.clipped(telling.short(station.function), 24))
        case "goto":
            default = "" if named is None else str(named)
        case "why":
            default = _local(shown)
        case "what_if":
            hash, id = step_chosen(shown)
            label = label.format(step=wording.clipped(id, 24))
            if session.history.has(hash) and not session.history.failed(hash):
                text = wording.compact(session.result(hash))
    return Prompt(action, label.replace("{default}", f" [{default}]" if default else ""), text, default)


def request(action: str, text: str, shown: Shown) -> dict[str, Any]:
    """Make a request of an answer. Raises MisuseError for one that is none."""
    # The innermost is that of the stop where the session will be by then: keys may be ahead of it.
    frame = None if shown.station is None or shown.chosen == 0 else shown.station.frame
    match action:
        case "evaluate":
            return {"command": "evaluate", "expression": text, "frame": frame}
        case "goto":
            if not text.isdigit():
                raise MisuseError(f"a stop's number is wanted, not {text!r}: the timeline has them")
            return {"command": "goto", "number": int(text)}
        case "run_to" | "back_to":
            return {"command": action, "target": text}
        case "break":
            return request_of(f"break {text}")
        case "why":
            return {"command": "last_change", "local": text, "frame": frame}
        case "what_if":
            hash, _ = step_chosen(shown)
            return _what_if(hash, text)
        case _:
            return request_of(text)


def words(action: str, shown: Shown) -> list[str]:
    """List what may be meant at a prompt, for Tab."""
    match action:
        case "evaluate" | "why":
            return sorted({row.names[0] for row in shown.rows})
        case "run_to" | "back_to" | "break":
            ids = {mark.id for mark in shown.marks or () if mark.id is not None and mark.hash is not None}
            kinds = {mark.kind for mark in shown.marks or () if mark.kind in KINDS}
            return [*sorted(ids), *sorted(kinds), *sorted(STATES)]
        case "command":
            return [command.name for command in COMMANDS]
        case _:
            return []


def step_chosen(shown: Shown) -> tuple[str, str]:
    """Give the hash and the id of the step that is meant: that of the timeline's cursor, else that of this stop. Raises MisuseError if none is."""
    if shown.focus == "timeline" and shown.marks:
        mark = shown.marks[pane("timeline", shown).cursor or 0]
        if mark.hash is None or not (mark.kind or "").startswith("step."):
            raise MisuseError(f"stop {mark.number} is not at a step: there is no result to replace")
        return mark.hash, mark.id or ""
    intent = shown.stop.intent
    if intent is None or intent.hash is None or intent.position is None:
        raise MisuseError("this stop is not at a step: go to one, or choose one in the timeline (Tab), and press w")
    return intent.hash, intent.id or ""


def _local(shown: Shown) -> str:
    """Give the local that is likely meant: that of the cursor, else the first that has changed."""
    place = shown.cursor if shown.focus == "locals" and shown.cursor is not None else 0
    return shown.rows[place].names[0] if place < len(shown.rows) else ""


def _what_if(hash: str, text: str) -> dict[str, Any]:
    if text.startswith("!"):
        return {"command": "replace", "step": hash, "error": text[1:].strip() or "Error"}
    try:
        return {"command": "replace", "step": hash, "result": orjson.loads(text)}
    except orjson.JSONDecodeError:
        raise MisuseError(
            f'{wording.clipped(text, 40)!r} is no JSON: texts stand in "quotes"; an error is written !ValueError: too much'
        ) from None
