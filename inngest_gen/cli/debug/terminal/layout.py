"""Layout: the whole screen, from what is shown and the terminal's size. Pure: a list of lines, each as wide as the terminal.

At 80 columns the source has the whole width, with the timeline beside the locals below; from 120 on the timeline stands beside everything.
"""

from __future__ import annotations

import re
import textwrap
from typing import Final

from inngest_gen.cli import wording
from inngest_gen.cli.debug.terminal import keys
from inngest_gen.cli.debug.terminal.cells import Line, cells, cells_of, cut, fit, styled, wrapped
from inngest_gen.cli.debug.terminal.panes import Pane, is_there, pane
from inngest_gen.cli.debug.terminal.shown import PaneName, Shown

WIDE: Final = 120
_NARROW: Final = 36
_LOW: Final = 12
_MESSAGE: Final = 4
_COLUMNS: Final = re.compile(r" *\S.{5,}?  +(?=\S)")
_MORE: Final = " ... (:log shows all)"
_SPINNER: Final = "|/-\\"


def draw(shown: Shown, width: int, height: int) -> list[Line]:
    """Draw the screen in `height` lines; the last one is for prompts."""
    width, height = max(width, 1), max(height, 2)
    body = height - 2
    if shown.pager is not None:
        lines = _pager(shown, width, body)
    else:
        message = _message(shown, width, max(1, min(_MESSAGE, body // 3)))
        room = body - len(message)
        lines = [*_panes(shown, width, room), *message]
    return [_title(shown, width), *lines[:body], *([fit([], width)] * (body - len(lines))), _last(shown, width)]


def _panes(shown: Shown, width: int, height: int) -> list[Line]:
    if height < 1:
        return []
    if shown.zoomed or width < _NARROW or height < _LOW:
        name: PaneName = shown.focus if shown.zoomed or shown.focus != "source" else "stop"
        return _column(shown, [(name, height)], width)
    if width >= WIDE:
        right = max(36, width // 3)
        stop = max(4, height // 6, _needed(shown, width - right - 1, height))
        lower = max(5, (height - stop) * 2 // 5)
        left_column = _column(shown, [("source", height - stop - lower), ("stop", stop), ("locals", lower)], width - right - 1)
        return _beside(shown, left_column, _sided(shown, [("timeline", "branches"), (None, "defers")], right, height))
    stop = max(4, height // 5, _needed(shown, width, height))
    lower = max(5, (height - stop) * 9 // 20)
    right = max(26, min(44, width * 2 // 5))
    upper = _column(shown, [("source", height - stop - lower), ("stop", stop)], width)
    left_column = _sided(shown, [("locals", "defers")], width - right - 1, lower)
    right_column = _sided(shown, [("timeline", "branches")], right, lower)
    return [*upper, *_beside(shown, left_column, right_column)]


def _needed(shown: Shown, width: int, height: int) -> int:
    """Say how many lines the stop needs where it is a divergence, which must be read whole; elsewhere its pane does not change its size."""
    return min(1 + pane("stop", shown, width).count, height * 2 // 5) if shown.stop.divergence is not None else 0


def _sided(shown: Shown, pairs: list[tuple[PaneName | None, PaneName]], width: int, height: int) -> list[Line]:
    """Draw a column of one pane, and those below it that have something to say, in as few lines as they need."""
    main = next(name for name, _ in pairs if name is not None)
    below = [name for _, name in pairs if is_there(name, shown)]
    heights: list[tuple[PaneName, int]] = []
    left = height
    for name in below:
        wanted = 1 + min(pane(name, shown, width).count, max(2, height // 2))
        if left - wanted < 3:
            continue
        heights.append((name, wanted))
        left -= wanted
    return _column(shown, [(main, left), *heights], width)


def _column(shown: Shown, heights: list[tuple[PaneName, int]], width: int) -> list[Line]:
    lines: list[Line] = []
    for name, height in heights:
        if height > 0:
            lines += _framed(shown, pane(name, shown, width), width, height)
    return lines


def _beside(shown: Shown, left: list[Line], right: list[Line]) -> list[Line]:
    bar = ("class:rule", shown.signs["bar"])
    return [[*one, bar, *other] for one, other in zip(left, right, strict=True)]


def _framed(shown: Shown, one: Pane, width: int, height: int) -> list[Line]:
    """Draw a pane under its rule."""
    rule = shown.signs["rule"]
    focused = shown.focus == one.name
    first = _first(one, height - 1)
    rest = one.count - (first + height - 1)
    title: Line = [("class:rule", rule)]
    title += styled([("", " "), *one.title, ("", " ")], "class:focused") if focused else [("", " "), *one.title, ("", " ")]
    more = f" +{rest} " if rest > 0 else ""
    title = fit(title, width - len(more), "class:rule") if cells_of(title) > width - len(more) else title
    title.append(("class:rule", rule * max(0, width - cells_of(title) - len(more) - bool(more))))
    if more:
        title += [("class:dim", more), ("class:rule", rule)]
    lines = [fit(title, width)]
    for place in range(first, first + height - 1):
        if place >= one.count:
            lines.append(fit([], width))
        elif place == one.cursor:
            lines.append(styled(fit(one.line(place), width), "class:cursor"))
        else:
            lines.append(fit(one.line(place), width))
    return lines


def _first(one: Pane, height: int) -> int:
    """Choose the first line to show, so that the one that must be seen is a little above the middle."""
    if one.count <= height:
        return 0
    return max(0, min(one.anchor - height * 2 // 5, one.count - height))


def _title(shown: Shown, width: int) -> Line:
    stop = shown.stop
    dot = f" {shown.signs['dot']} "
    last = "" if not shown.marks else f"/{shown.marks[-1].number}"
    hit = "".join(f" {id}" for id in stop.hit)
    left = f" {wording.one_line(shown.run)}{dot}stop {stop.number}{last}{dot}{stop.reason}{hit}"
    right = ""
    if shown.histories > 1:
        right += f"history {wording.one_line(stop.history)!r} "
    if shown.code == "changed":
        right += f"{dot.lstrip() if right else ''}code changed "
    gap = width - cells(left) - cells(right)
    return fit([("class:bar", left), ("class:bar", " " * max(1, gap)), ("class:bar", right)], width, "class:bar")


def _message(shown: Shown, width: int, height: int) -> list[Line]:
    style = "class:bad" if shown.failed else "class:message"
    lines: list[str] = []
    for text in shown.message:
        lines += textwrap.wrap(text, max(10, width), subsequent_indent="  ", drop_whitespace=False) or [""]
    if len(lines) > height:
        lines = [*lines[: height - 1], f"{cut(lines[height - 1], width - cells(_MORE))}{_MORE}"]
    return [fit([(style, line)], width) for line in lines or [""]]


def _pager(shown: Shown, width: int, height: int) -> list[Line]:
    pager = shown.pager
    assert pager is not None
    lines: list[Line] = []
    for text in pager.lines[shown.top : shown.top + height - 1]:
        lines += wrapped([("class:title" if text and text[0] != " " and pager.has_topics else "", text)], width, _hanging(text))
    head: Line = [("class:rule", shown.signs["rule"]), ("class:title", f" {pager.title} ")]
    head.append(("class:rule", shown.signs["rule"] * max(0, width - cells_of(head))))
    return [fit(head, width), *(fit(line, width) for line in lines)]


def _hanging(text: str) -> int:
    """Say how far what a line explains is indented, where it has two columns."""
    columns = _COLUMNS.match(text)
    return min(columns.end(), 40) if columns is not None else 2


def _last(shown: Shown, width: int) -> Line:
    if shown.busy is not None:
        turn = _SPINNER[int(shown.busy.seconds * 8) % len(_SPINNER)]
        hint = "interrupted; q leaves: the handler is busy" if shown.busy.ending else "Esc interrupts"
        steps = f", {wording.plural(shown.busy.reached, 'step')}" if shown.busy.reached else ""
        return fit([("class:busy", f"{turn} {shown.busy.what}: {shown.busy.seconds:.1f} s{steps}"), ("class:dim", f"   {hint}")], width)
    if shown.pager is not None:
        more = len(shown.pager.lines) - shown.top > 0
        return fit(
            [("class:key", "q"), ("class:dim", " close   "), *([("class:key", "↑↓"), ("class:dim", " move")] if more else [])], width
        )
    line: Line = []
    for key, what in keys.HINTS:
        piece: Line = [("class:key", key), ("class:dim", f" {what}  ")]
        if cells_of(line) + cells_of(piece) - 2 > width:
            break
        line += piece
    if line:
        line[-1] = line[-1][0], line[-1][1].rstrip()
    return fit(line, width)
