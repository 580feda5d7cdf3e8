"""Looking: what the requests do that ask something and move nothing. Each gets the adapter and arguments and gives a body."""

from __future__ import annotations

import pathlib
import re
from typing import Any, Final

from inngest_gen.debugger.commands import COMMANDS, perform, request_of
from inngest_gen.debugger.dap import arguments as args
from inngest_gen.debugger.dap import saying
from inngest_gen.debugger.dap.adapter import Adapter
from inngest_gen.debugger.dap.paths import code_path, is_edited
from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.dap.scopes import scopes_of
from inngest_gen.debugger.dap.strands import Level, Strand
from inngest_gen.debugger.dap.things import Rest, in_frame
from inngest_gen.errors import MisuseError

Body = dict[str, Any]

_ROWS: Final = 1_000
"""So many rows are given at once; who asks for all gets one more, with the rest inside."""
COMMAND: Final = "/"
"""What a command of the debugger's own begins with, in the client's console. No expression does."""
_WORD: Final = re.compile(r"\w*\Z")


async def threads(adapter: Adapter, given: args.Arguments) -> Body:  # noqa: ARG001 - it has none
    """List the branches."""
    return {"threads": [{"id": adapter.numbers.thread(one.key), "name": one.name} for one in adapter.numbers.strands]}


async def stack_trace(adapter: Adapter, given: args.StackTrace) -> Body:
    """List the frames of a branch."""
    strand = adapter.numbers.strand(given.thread_id)
    start = max(given.start_frame or 0, 0)
    stop = min(start + given.levels if given.levels and given.levels > 0 else len(strand.levels), len(strand.levels))
    return {"stackFrames": [_framed(adapter, strand, place) for place in range(start, stop)], "totalFrames": len(strand.levels)}


def _framed(adapter: Adapter, strand: Strand, place: int) -> Body:
    level = strand.levels[place]
    told: Body = {"id": adapter.numbers.frame(strand, place), "name": level.name, "line": 0, "column": 0, "canRestart": _is_flow(level)}
    if level.hint != "normal":
        told["presentationHint"] = level.hint
    if level.file is not None:
        told["source"] = {"name": pathlib.PurePath(level.file).name, "path": level.file}
        if is_edited(level.file):
            told["source"]["origin"] = "edited since it was loaded: restart loads it anew"
        told["line"], told["endLine"] = adapter.line(level.line), adapter.line(max(level.end_line, level.line))
        told["column"] = int(adapter.client.columns_start_at1)
    return told


def _is_flow(level: Level) -> bool:
    return level.frame is not None and level.frame >= 0


async def scopes(adapter: Adapter, given: args.OfFrame) -> Body:
    """List the scopes of a frame."""
    told = []
    for name, thing in scopes_of(adapter.session, adapter.numbers.level(given.frame_id)):
        hint = {"presentationHint": "locals"} if name == "Locals" else {}
        told.append({"name": name, "expensive": False, **adapter.numbers.listed(thing), **hint})
    return {"scopes": told}


async def variables(adapter: Adapter, given: args.Variables) -> Body:
    """List what is inside a scope or a variable."""
    if given.variables_reference == 0:  # of what has nothing inside; some clients ask for every scope
        return {"variables": []}
    thing = adapter.numbers.thing(given.variables_reference)
    if given.filter is not None and (given.filter == "indexed") != thing.indexed:
        return {"variables": []}
    start = max(given.start or 0, 0)
    wanted = given.count if given.count and given.count > 0 else None  # 0 and none: all
    rows = thing.rows(start, min(wanted or _ROWS, _ROWS))
    told = [adapter.numbers.variable(one) for one in rows]
    end = start + len(rows)
    if end < min(thing.size, thing.size if wanted is None else start + wanted):
        told.append({"name": "…", "value": f"{thing.size - end:,} more", **adapter.numbers.listed(Rest(thing, end))})
    return {"variables": told}


async def evaluate(adapter: Adapter, given: args.Evaluate) -> Body:
    """Evaluate an expression in a frame; in the console, carry out a command."""
    typed = given.expression.strip()
    if given.context == "repl" and typed.startswith(COMMAND):
        return await _command(adapter, typed.removeprefix(COMMAND))
    session = adapter.session
    frame = None if given.frame_id is None else adapter.numbers.session_frame(given.frame_id)
    evaluation = session.evaluate(typed, frame)
    if given.context != "hover":
        for one in evaluation.output:
            adapter.say("console" if one.stream == "log" else one.stream, one.text)
    value = evaluation.value
    if value is None:
        raise Refused(evaluation.text)
    row = in_frame(session, session.stop.frames[0].id if frame is None else frame, value, typed)
    return {"result": row.text, "type": value.type, **adapter.numbers.listed(row.inside)}


async def _command(adapter: Adapter, words: str) -> Body:
    if words.strip() in {"", "help", "?"}:
        return {"result": "\n".join(f"{COMMAND}{one.name:<14} {one.help}" for one in COMMANDS), "variablesReference": 0}
    try:
        request = request_of(words)
    except MisuseError as error:
        raise Refused(f"{error} ({COMMAND}help tells all)") from None
    session = adapter.session
    before, history = session.stop, session.history.name
    answer = await perform(session, request)
    if "reloaded" in answer:
        adapter.renew_breakpoints()
    if session.stop is not before:
        adapter.changed(before, history)
    return {"result": adapter.tell(answer), "variablesReference": 0}


async def completions(adapter: Adapter, given: args.Completions) -> Body:
    """List what may be meant: commands, and locals."""
    line = given.text[: max(given.column - int(adapter.client.columns_start_at1), 0)].rpartition("\n")[2]
    if line.startswith(COMMAND):
        names = [f"{COMMAND}{one.name}" for one in COMMANDS]
        return {
            "targets": [{"label": name, "type": "function", "start": 0, "length": len(line)} for name in names if name.startswith(line)]
        }
    found = _WORD.search(line)
    word = found[0] if found is not None else ""
    frame = None if given.frame_id is None else adapter.numbers.session_frame(given.frame_id)
    names = [one.name for one in adapter.session.variables(frame)]
    return {"targets": [{"label": name, "type": "variable"} for name in names if name.startswith(word)]}


async def exception_info(adapter: Adapter, given: args.OfThread) -> Body:  # noqa: ARG001 - one stands for all
    """Tell the error of this stop."""
    told = saying.exception(adapter.session.stop)
    if told is None:
        raise Refused("there is no error at this stop")
    return told


async def source(adapter: Adapter, given: args.SourceOf) -> Body:
    """Give the text of a file as it was loaded."""
    lines = adapter.session.source(code_path((given.source.path if given.source is not None else None) or ""))
    if not lines:
        raise Refused("there is no such source here")
    return {"content": "\n".join(lines) + "\n", "mimeType": "text/x-python"}
