"""Rows: the lines of a frame's locals, with what is inside those that are open."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from inngest_gen.cli.debug.terminal.shown import Row
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Change, Stop
from inngest_gen.debugger.variables import Variable
from inngest_gen.errors import MisuseError

_INSIDE: Final = 200
"""So many of the values inside another are listed."""


def rows(session: Session | None, stop: Stop, frame: int, opened: AbstractSet[tuple[int, tuple[str, ...]]]) -> tuple[Row, ...]:
    """List the locals of a frame; `opened` names those whose insides are listed. What has changed since the stop before comes first.

    Without a session, as while it moves, they are what the stop tells.
    """
    try:
        variables = None if session is None else session.variables(frame)
    except MisuseError:  # the replay was interrupted
        variables = None
    if session is None or variables is None:
        told = next((one.locals for one in stop.frames if one.id == frame), ())
        return tuple(Row(one, (one.name,), None) for one in told)
    changes = {one.name: one for one in stop.changed if one.frame == frame}
    listed = sorted(variables, key=lambda one: (one.name not in changes, one.type == "Context"))
    made = [row for one in listed for row in _rows(session, frame, one, (one.name,), opened, changes.get(one.name))]
    gone = [one for one in changes.values() if one.after is None]
    made += [
        Row(Variable(name=one.name, text="(gone)", type="", size=0, path=()), (one.name,), None, changed=True, before=one.before)
        for one in gone
    ]
    return tuple(made)


def _rows(
    session: Session,
    frame: int,
    one: Variable,
    names: tuple[str, ...],
    opened: AbstractSet[tuple[int, tuple[str, ...]]],
    change: Change | None,
) -> Iterator[Row]:
    is_open = (frame, names) in opened
    before = None if change is None else change.before
    yield Row(one, names, is_open if one.size else None, changed=change is not None, before=before)
    if not (is_open and one.size):
        return
    for inner in session.variables(frame, one.path, count=_INSIDE):
        yield from _rows(session, frame, inner, (*names, inner.name), opened, None)
    if one.size > _INSIDE:
        more = Variable(name="…", text=f"{one.size - _INSIDE:,} more", type="", size=0, path=())
        yield Row(more, (*names, "…"), None)
