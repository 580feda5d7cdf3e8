"""Panes: what each part of the screen has to say of a stop, line by line. Pure; what comes from users is made harmless to a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from inngest_gen.cli import wording
from inngest_gen.cli.debug import telling
from inngest_gen.cli.debug.terminal.cells import Line, styled, wrapped
from inngest_gen.cli.debug.terminal.shown import PaneName, Row, Shown
from inngest_gen.cli.outline import parts
from inngest_gen.debugger.stop import Mark

_WIDTH: Final = 1_000
_INDENT: Final = 10
_LABEL: Final = re.compile(r"  (\w+) +(?=\S)")
_LABELS: Final = {
    "result": "class:good", "error": "class:bad", "note": "class:note", "unstable": "class:bad", "printed": "class:printed",
    "logged": "class:printed", "said": "class:printed", "settled": "class:dim", "recorded": "class:good",
    "yielded": "class:bad", "likely": "class:note", "resumes": "class:dim",
}  # fmt: skip
_STATES: Final = {"running": "class:here", "unstarted": "class:dim", "settled": "class:good"}
_NO_FRAME: Final = "none here: b goes back"
_NAMES: Final = {"ig.Done": "Done", "ctx.using": "using"}


@dataclass(frozen=True, slots=True)
class Pane:
    """A part of the screen: `line(n)` gives the n-th of `count` lines; `anchor` is the one that must be seen, `cursor` the one that is chosen."""

    name: PaneName
    title: Line
    count: int
    line: Callable[[int], Line]
    anchor: int = 0
    cursor: int | None = None


def pane(name: PaneName, shown: Shown, width: int = _WIDTH) -> Pane:
    """Make a pane. In those that wrap long lines `width` counts."""
    made = _MAKERS[name](shown, width)
    if shown.focus != name or not made.count:
        return made
    chosen = made.anchor if shown.cursor is None else shown.cursor
    chosen = max(0, min(chosen, made.count - 1))
    return Pane(name, made.title, made.count, made.line, chosen, chosen)


def is_there(name: PaneName, shown: Shown) -> bool:
    """Say whether there is anything to show in a pane that may be left out."""
    match name:
        case "branches":
            tree = shown.told["tree"]
            return tree is not None and telling.has_branches(tree)
        case "defers":
            return bool(shown.stop.lazy)
        case _:
            return True


def _fixed(name: PaneName, title: Line, lines: Sequence[Line], anchor: int = 0) -> Pane:
    return Pane(name, title, len(lines), lambda place: lines[place], anchor)


# Source.


def _source(shown: Shown, _: int) -> Pane:
    station = shown.station
    if station is not None and station.line:
        file, line, last = station.file, station.line, station.end_line
    elif shown.place is not None:
        file, line = shown.place
        last = 0  # nothing is marked
    else:
        return _fixed("source", [("class:title", "source")], [[("class:dim", "no source is known here")]])
    text = shown.source(file)
    if not text:
        return _fixed("source", [("class:title", PurePath(file).name)], [[("class:dim", f"{file} cannot be read")]])
    here = "here" if shown.chosen == 0 else "outer"
    breaks = _break_lines(shown, file)
    digits = len(str(len(text)))

    def one(place: int) -> Line:
        number = place + 1
        current = line <= number <= last
        sign = shown.signs[here] if current else " "
        point = shown.signs[breaks[number]] if number in breaks else " "
        gutter: Line = [
            ("class:here", f"{sign}"),
            ("class:bad", point),
            ("class:here" if current else "class:dim", f"{number:>{digits}} "),
        ]
        return [*gutter, *(styled(text[place], "class:current") if current else text[place])]

    title: Line = [("class:title", PurePath(file).name)]
    if station is not None:
        title.append(("class:dim", f" {wording.one_line(telling.short(station.function))}"))
    return Pane("source", title, len(text), one, max(0, min(line, len(text)) - 1))


def _break_lines(shown: Shown, file: str) -> dict[int, str]:
    """Give the lines of a file at which breakpoints stop, with the sign's name."""
    found: dict[int, str] = {}
    for one in shown.breakpoints:
        sign = "break" if one.enabled else "off"
        if one.target.what == "line" and one.target.value == file:
            found[one.target.line] = sign
        for mark in shown.marks or ():
            if mark.at is not None and one.target.is_at(mark):
                name, _, number = mark.at.rpartition(":")
                if name == file:
                    found.setdefault(int(number), sign)
    return found


# The stop.


def _stop(shown: Shown, width: int) -> Pane:
    stop = shown.stop
    lines: list[Line] = []
    for text in telling.about(shown.told):
        label = _LABEL.match(text)
        if label is not None and label[1] in _LABELS:
            lines.append([("class:dim", f"{label[1]:<9} "), (_LABELS[label[1]], text[label.end() :])])
        else:
            style = "class:bad" if stop.divergence is not None else "class:strong"
            lines.append([(style, text.strip())])
    if stop.state == "start":
        lines.insert(0, [("class:strong", "before the handler's first line")])
    title = "yield" if stop.intent is not None else stop.state
    return _fixed("stop", [("class:title", title)], [part for line in lines for part in wrapped(line, width, _INDENT)])


# Locals.


def _locals(shown: Shown, _: int) -> Pane:
    title: Line = [("class:title", "locals")]
    stack = [station for station in shown.stations if station.in_stack]
    for place, one in enumerate(stack):
        title.append(("class:dim", " of " if place == 0 else " < "))
        title.append(("class:chosen" if place == shown.chosen else "", wording.one_line(telling.short(one.function))))
    station = shown.station
    if station is not None and not station.in_stack:
        title += [("class:dim", " of branch "), ("class:chosen", wording.one_line(telling.short(station.function)))]
    if not shown.rows:
        return _fixed("locals", title, [[("class:dim", _NO_FRAME if station is None else "none")]])
    return _fixed("locals", title, [_row(shown, row) for row in shown.rows])


def _row(shown: Shown, row: Row) -> Line:
    signs = shown.signs
    sign = " " if row.opened is None else signs["open"] if row.opened else signs["shut"]
    indent = "  " * (len(row.names) - 1)
    line: Line = [
        ("class:changed", signs["changed"] if row.changed else " "),
        ("class:dim", f"{indent}{sign} "),
        ("class:changed" if row.changed else "class:name", wording.one_line(row.variable.name)),
        ("class:dim", " = "),
        ("class:changed" if row.changed else "", wording.one_line(row.variable.text)),
    ]
    if row.before is not None:
        line.append(("class:dim", f"  was {wording.one_line(row.before)}"))
    return line


# Timeline.


def _timeline(shown: Shown, _: int) -> Pane:
    marks = shown.marks
    title: Line = [("class:title", "timeline")]
    if marks is None:
        return _fixed("timeline", title, [[("class:dim", "every stop is being looked at")]])
    here = next((place for place, mark in enumerate(marks) if mark.number == shown.stop.number), 0)
    digits = len(str(marks[-1].number)) if marks else 1
    return Pane("timeline", title, len(marks), lambda place: _mark(shown, marks[place], digits), here)


def _mark(shown: Shown, mark: Mark, digits: int) -> Line:
    signs = shown.signs
    here = mark.number == shown.stop.number
    point = next((one for one in shown.breakpoints if one.target.is_at(mark)), None)
    depth = sum(not part.startswith("[") for part in parts(mark.path)) if mark.kind is not None else 0
    memo, style = _memo(shown, mark)
    line: Line = [
        ("class:here", signs["here"] if here else " "),
        ("class:bad", " " if point is None else signs["break" if point.enabled else "off"]),
        ("class:here" if here else "class:dim", f"{mark.number:>{digits}} "),
        (style, f"{memo} "),
        ("", "  " * min(depth, 6)),
        ("class:here" if here else "", label(mark)),
    ]
    outcome = shown.outcome(mark.hash) if mark.hash is not None and mark.memoized else None
    failed = shown.failures.get(mark.hash or "")
    if failed:
        line.append(("class:note", f" {signs['again']}{failed}"))
    edited = shown.edited.get(mark.hash or "")
    if edited is not None:
        line.append(("class:changed", f" {signs['edited']}{edited}"))
    if outcome is not None and outcome.error is not None:
        line.append(("class:bad", f" {wording.one_line(str(outcome.error['name']))}"))
    elif outcome is not None and (mark.kind == "step.run" or outcome.text != "None"):
        line.append(("class:dim", f" {wording.one_line(outcome.text or '')}"))
    return line


def _memo(shown: Shown, mark: Mark) -> tuple[str, str]:
    signs = shown.signs
    if mark.failed or mark.raised or mark.state == "diverged":
        return signs["failed"], "class:bad"
    if mark.memoized:
        return signs["done"], "class:good"
    if mark.kind == "sub-flow":
        return signs["flow"], "class:dim"
    if mark.state == "frontier" or (mark.kind or "").startswith("step."):
        return signs["none"], "class:note"
    return signs["yield"], "class:dim"


def label(mark: Mark) -> str:
    """Name a stop in a word or two."""
    if mark.kind is None or mark.state == "diverged":
        return {"ended": "raised" if mark.raised else "ended", "diverged": "divergence"}.get(mark.state, mark.state)
    if mark.kind == "step.run":
        return wording.one_line(mark.id or "")
    kind = wording.kind_word(mark.kind) if mark.kind.startswith("step.") else _NAMES.get(mark.kind, mark.kind.removeprefix("group."))
    if mark.kind == "sub-flow":
        return wording.one_line(mark.id or "")
    return wording.one_line(f"{mark.id} {kind}" if mark.kind.startswith("step.") else f"{kind} {mark.id or ''}").strip()


# Branches and defers.


def _branches(shown: Shown, _: int) -> Pane:
    tree = shown.told["tree"]
    lines: list[Line] = []
    anchor = 0
    for depth, node in [] if tree is None else telling.nodes(tree):
        if depth == 0:  # the handler, of which the locals tell
            continue
        memo = "" if node["memoized"] is None else shown.signs["done" if node["memoized"] else "none"] + " "
        if node["state"] == "running":
            anchor = len(lines)
        state = "" if node["kind"] == "step" else f" {shown.signs['dot']} {node['state']}"
        lines.append(
            [("", "  " * (depth - 1)), (_STATES.get(node["state"], ""), f"{memo}{telling.node_label(node)}"), ("class:dim", state)]
        )
    return _fixed("branches", [("class:title", "branches")], lines, anchor)


def _defers(shown: Shown, width: int) -> Pane:
    lines: list[Line] = []
    for one in shown.told["lazy"]:
        waiting = one["state"] == "waiting"
        sign = shown.signs["failed" if one["kind"] == "rejected" else "lost" if one["kind"] == "abort" else "none" if waiting else "sent"]
        what = telling.lane_line(one)
        lines += wrapped([("class:note" if waiting else "class:good", f"{sign} "), ("", what)], width, 4)
    return _fixed("defers", [("class:title", "defers")], lines, max(0, len(lines) - 1))


_MAKERS: Final[dict[PaneName, Callable[[Shown, int], Pane]]] = {
    "source": _source,
    "stop": _stop,
    "locals": _locals,
    "timeline": _timeline,
    "branches": _branches,
    "defers": _defers,
}
