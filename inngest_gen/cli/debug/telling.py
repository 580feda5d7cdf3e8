"""Telling: answers of a debugging session as lines of text. Pure; what comes from users is made harmless to a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from inngest_gen.cli import wording
from inngest_gen.debugger.commands import COMMANDS, usage

Source = Callable[[str], list[str]]
"""Gives the lines of a source file."""

_WIDTH: Final = 160
_AROUND: Final = 2
_SAID: Final = 20
"""Of what was printed and logged on the way to a stop so many lines are told of its beginning, and of its end."""
_CODE: Final = {
    "recorded": "the code is that of the recording",
    "changed": "the code is not that of the recording",
    "unknown": "whether the code is that of the recording is not known",
}
_ONLY_FOR_PROGRAMS: Final = {"source", "result"}
_MISSING: Final = {
    "frontier": "none yet: this is the frontier",
    "later": "none yet in the record",
    "abandoned": "none: the run went on, or ended, without it",
}


def lines(answer: Mapping[str, Any], source: Source) -> Iterator[str]:
    """Tell an answer."""
    error = answer.get("error")
    if error is not None:
        yield f"! {_cut(error['message'])}"
        return
    for key, tell in _TELLERS.items():
        if key in answer:
            yield from tell(answer[key], source)
    if answer.get("command") in {"run_to", "back_to"} and answer["stop"]["reason"] != "run to":
        yield "  note      the target was not met on the way"


def stop_lines(stop: Mapping[str, Any], source: Source) -> Iterator[str]:
    """Tell a stop."""
    history = "" if stop["history"] == "recorded" else f" · history {stop['history']!r}"
    hit = "".join(f" {id}" for id in stop["hit"])
    yield f"stop {stop['number']} · {stop['reason']}{hit}{history}"
    yield from (f"  said      {_cut(said)}" for said in stop["logged"])
    yield from _shortened([*_output_lines([*stop["passed"], *stop["output"]])])
    yield from (f"  settled   {_cut(one['id'])}: {one['how']}" for one in stop["settled"])
    functions = {frame["id"]: short(frame["function"]) for frame in stop["frames"]}
    for change in stop["changed"]:
        before = "" if change["before"] is None else f"  (was {_cut(change['before'], 60)})"
        after = "is gone" if change["after"] is None else f"= {_cut(change['after'], 100)}"
        outer = f" in {functions[change['frame']]}" if change["frame"] != stop["frames"][0]["id"] else ""
        yield f"  changed   {change['name']}{outer} {after}{before}"
    yield from _intent_lines(stop["intent"])
    yield from _place_lines(stop["at"], source)
    if len(stop["frames"]) > 1:
        yield f"  stack     {' < '.join(short(frame['function']) for frame in stop['frames'])}"
    yield from _branch_lines(stop["tree"])
    if stop["resumes"] is not None:
        yield f"  resumes   with {_cut(stop['resumes'])}"
    yield from _lane_lines(stop["lazy"])
    yield from _end_lines(stop)
    yield from (f"  note      {_cut(note)}" for note in stop["notes"])
    yield from _unstable_lines(stop["unstable"])


def about(stop: Mapping[str, Any]) -> Iterator[str]:
    """Tell of a stop what is not a place, a local, a branch or a defer: what came, what it gives, what was printed, what is odd."""
    yield from _intent_lines(stop["intent"])
    if stop["resumes"] is not None:
        yield f"  resumes   with {_cut(stop['resumes'])}"
    yield from _end_lines(stop)
    yield from (f"  said      {_cut(said)}" for said in stop["logged"])
    yield from _output_lines(stop["output"])
    yield from (f"  note      {_cut(note)}" for note in stop["notes"])
    yield from _unstable_lines(stop["unstable"])
    yield from (f"  settled   {_cut(one['id'])}: {one['how']}" for one in stop["settled"])
    yield from _output_lines(stop["passed"])


def _output_lines(outputs: list[Mapping[str, Any]]) -> Iterator[str]:
    for output in outputs:
        name = {"stdout": "printed", "stderr": "printed", "log": "logged"}[output["stream"]]
        yield from (f"  {name:<9} {_cut(line)}" for line in output["text"].splitlines())


def _shortened(said: list[str]) -> list[str]:
    """Leave out the middle of what is too much between two stops of a transcript."""
    gone = len(said) - 2 * _SAID
    return said if gone <= 1 else [*said[:_SAID], f"  ...       {gone:,} more lines", *said[-_SAID:]]


def _intent_lines(intent: Mapping[str, Any] | None) -> Iterator[str]:
    if intent is None:
        return
    where = f" in {_cut(intent['path'])}" if intent["path"] else ""
    yield f"  {_cut(intent['text'])}{where}"
    memo = intent["memo"]
    if memo is not None:
        what = (
            f"{_cut(memo['error']['name'], 60)}: {_cut(memo['error']['message'], 80)}"
            if memo["error"] is not None
            else _cut(memo["text"] or "", 100)
        )
        kind = "error" if memo["error"] is not None else "result"
        more = "" if memo["how"] == "recorded" else f", {memo['how']}"
        attempts = f", after {wording.plural(memo['failed'], 'failed attempt')}" if memo["failed"] else ""
        yield f"  {kind:<9} {what}  (rank {memo['rank']}{attempts}{more})"
    elif intent["missing"] is not None:
        yield f"  result    {_MISSING[intent['missing']]}"


def _place_lines(at: Mapping[str, Any] | None, source: Source) -> Iterator[str]:
    if at is None:
        return
    yield f"  {PurePath(at['file']).name}:{at['line']} in {short(at['function'])}"
    text = source(at["file"])
    for number in range(max(1, at["line"] - _AROUND), min(len(text), at["end_line"] + _AROUND) + 1):
        mark = ">" if at["line"] <= number <= at["end_line"] else " "
        yield f"  {mark} {number:>4} | {wording.visible(text[number - 1].rstrip())[:_WIDTH]}".rstrip()


def _branch_lines(tree: Mapping[str, Any] | None) -> Iterator[str]:
    """Tell the branches of groups; a tree without any is the stack."""
    if tree is not None and has_branches(tree):
        yield "  branches"
        for depth, node in nodes(tree):
            memo = {True: ", has a result", False: ", has none", None: ""}[node["memoized"]]
            at = "" if node["kind"] == "step" or node["at"] is None else f" at {_place(node['at'])}"
            yield f"{'  ' * (depth + 2)}{node_label(node)}{at} · {node['state']}{memo}"


def has_branches(tree: Mapping[str, Any]) -> bool:
    """Say whether a stop's tree has a group in it; one without any is the stack."""
    return any(node["kind"] == "group" for _, node in nodes(tree))


def nodes(node: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """List the nodes of a stop's tree, each with its depth."""
    yield depth, node
    for child in node["children"]:
        yield from nodes(child, depth + 1)


def node_label(node: Mapping[str, Any]) -> str:
    """Name a node of a stop's tree, with its branch's key."""
    return _cut(node["label"]) if node["key"] is None else f"[{node['key']}] {_cut(node['label'])}"


def _lane_lines(lane: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in lane:
        yield f"  {'abort' if one['kind'] == 'abort' else 'defer':<9} {lane_line(one)}"


def lane_line(one: Mapping[str, Any]) -> str:
    """Tell of an operation of the lazy lane what has become of it."""
    by = "" if one["by"] is None else f" by step {one['by']!r}"
    if one["state"] == "waiting":
        fate = f"waits for {one['leaves_with']}"
    else:
        fate = {"after_run": "sent, starts when the run ends"}.get(one["fate"], f"sent, {one['fate']}")
    run = "" if one["run_id"] is None else f" as {wording.short(one['run_id'])}"
    reason = "" if one["reason"] is None else f": {_cut(one['reason'], 80)}"
    return f"{_cut(one['id'], 40)}{by}: {fate}{run}{reason}"


def _end_lines(stop: Mapping[str, Any]) -> Iterator[str]:
    end = stop["end"]
    if end is not None:
        what = (
            f"returned {_cut(end['value'])}"
            if end["how"] == "returned"
            else f"raised {_cut(end['error']['name'], 60)}: {_cut(end['error']['message'])}"
        )
        recorded = {True: ", as recorded", False: ", otherwise than recorded", None: ""}[end["as_recorded"]]
        yield f"  the handler {what}{recorded}"
    divergence = stop["divergence"]
    if divergence is not None:
        yield f"  the replay leaves the record at position {divergence['position']}"
        yield from _both_sides(divergence)
    elif stop["state"] == "frontier":
        yield "  the record ends here"


def _both_sides(divergence: Mapping[str, Any]) -> Iterator[str]:
    """Tell both intents with both lines: a record of an Inngest server's run does not tell its own."""
    sides = ("recorded", divergence["recorded"] or "nothing"), ("yielded", divergence["yielded"] or "nothing more")
    for name, what in sides:
        at = divergence[f"{name}_at"]
        yield f"  {name:<9} {_cut(what)}{'' if at is None else f' at {_place(at)}'}"
    yield f"  likely    {_cut(divergence['cause'], 400)}"


def _unstable_lines(unstable: list[Mapping[str, Any]]) -> Iterator[str]:
    """Tell each difference once, with the first stop that has it: a local keeps its value over many."""
    stops: dict[tuple[Any, ...], list[int]] = {}
    for one in unstable:
        stops.setdefault((one["frame"], one["name"], one["first"], one["now"]), []).append(one["number"])
    for (_, name, first, now), numbers in stops.items():
        what = "the intent" if name is None else name
        later = "" if len(numbers) == 1 else f"; the same at {wording.plural(len(numbers) - 1, 'later stop')}"
        yield f"  unstable  at stop {numbers[0]} {what} was {_cut(first, 60)}, and is now {_cut(now, 60)}{later}"


# Other answers.


def _variables(variables: list[Mapping[str, Any]], _: Source) -> Iterator[str]:
    for one in variables:
        more = f"  [{'.'.join(map(str, one['path']))}]" if one["size"] else ""
        yield f"  {one['name']} = {_cut(one['text'])}{more}"
    if not variables:
        yield "  nothing"


def _evaluation(evaluation: Mapping[str, Any], _: Source) -> Iterator[str]:
    for output in evaluation["output"]:
        yield from (f"  printed   {_cut(line)}" for line in output["text"].splitlines())
    error = evaluation["error"]
    yield f"  {evaluation['value']['text']}" if error is None else f"! {error['name']}: {_cut(error['message'])}"


def _breakpoints(breakpoints: list[Mapping[str, Any]], _: Source) -> Iterator[str]:
    for one in breakpoints:
        more = "".join(f" {name} {one[name]}" for name in ("condition", "hits", "log") if one[name] is not None)
        yield f"  {one['id']}: {one['target']}{more.replace(' condition ', ' if ')}"
    if not breakpoints:
        yield "  no breakpoints"


def _change(change: Mapping[str, Any] | None, _: Source) -> Iterator[str]:
    if change is None:
        yield "  there never was such a local"
        return
    mark = change["mark"]
    what = "came" if change["before"] is None else "went" if change["after"] is None else "changed"
    at = f" at {_place(mark['at'])}" if mark["at"] else ""
    yield f"  {change['name']} last {what} before stop {change['number']}, {_named(mark)}{at}"
    yield f"  {_cut(change['before'] or 'nothing', 70)} -> {_cut(change['after'] or 'nothing', 70)}"


def _changes(changes: list[Mapping[str, Any]], _: Source) -> Iterator[str]:
    for one in changes:
        yield f"  {one['name']}: {_cut(one['before'] or 'nothing', 70)} -> {_cut(one['after'] or 'nothing', 70)}"
    if not changes:
        yield "  nothing has changed"


def _marks(marks: list[Mapping[str, Any]], _: Source) -> Iterator[str]:
    for mark in marks:
        sign = "✗" if mark["failed"] or mark["raised"] else "✓" if mark["memoized"] else " "
        path = f" in {_cut(mark['path'])}" if mark["path"] else ""
        yield f"  {mark['number']:>4} {sign} {_named(mark)}{path}  {_place(mark['at']) if mark['at'] else ''}".rstrip()


def _histories(histories: list[Mapping[str, Any]], _: Source) -> Iterator[str]:
    for one in histories:
        edits = ", ".join(f"{edit['id']} {edit['how']}" for edit in one["edits"])
        parent = "" if one["parent"] is None else f" from {one['parent']!r}"
        yield f"  {'>' if one['current'] else ' '} {_cut(one['name'])}{parent}{f': {_cut(edits)}' if edits else ''}"


def verdict_lines(verdict: Mapping[str, Any], _: Source) -> Iterator[str]:
    """Tell whether a recording replays."""
    divergence = verdict["divergence"]
    if verdict["compatible"]:
        yield f"  compatible: {verdict['reached']} of {verdict['recorded']} recorded steps were asked for; {_CODE[verdict['code']]}"
    elif divergence is not None:
        yield f"  not compatible: at position {divergence['position']}"
        yield from (f"  {line}" for line in _both_sides(divergence))
    else:
        yield "  not compatible"
    yield from (f"  note      {_cut(note, 400)}" for note in verdict["notes"])


def _reloaded(reloaded: Mapping[str, Any], source: Source) -> Iterator[str]:
    yield from verdict_lines(reloaded["verdict"], source)
    yield from stop_lines(reloaded["stop"], source)


def _unstable(unstable: list[Mapping[str, Any]], _: Source) -> Iterator[str]:
    yield from _unstable_lines(unstable) if unstable else ["  two replays were the same"]


_TELLERS: Final[dict[str, Callable[[Any, Source], Iterator[str]]]] = {
    "stop": stop_lines,
    "variables": _variables,
    "evaluation": _evaluation,
    "breakpoint": lambda one, source: _breakpoints([one], source),
    "breakpoints": _breakpoints,
    "cleared": lambda _, __: iter(["  cleared"]),
    "change": _change,
    "changes": _changes,
    "marks": _marks,
    "histories": _histories,
    "verdict": verdict_lines,
    "reloaded": _reloaded,
    "unstable": _unstable,
    "result": lambda value, _: iter(wording.pretty(value).splitlines()),
    "lines": lambda lines, _: (f"  {number:>4} | {wording.visible(line)}" for number, line in enumerate(lines, 1)),
}


def help_lines() -> Iterator[str]:
    """List the commands."""
    for command in COMMANDS:
        if command.name in _ONLY_FOR_PROGRAMS:
            continue
        short = f" ({', '.join(command.short)})" if command.short else ""
        yield f"  {usage(command) + short:<44} {command.help}"
    yield f"  {'walk':<44} print all stops to the end"
    yield f"  {'quit (q)':<44} leave"
    yield "  an empty line repeats the last command"


def _named(mark: Mapping[str, Any]) -> str:
    if mark["kind"] is None:
        return str(mark["state"])
    return f"{mark['kind']} {mark['id']!r}" if mark["id"] is not None else str(mark["kind"])


def _place(at: str) -> str:
    file, _, line = at.rpartition(":")
    return f"{PurePath(file).name}:{line}"


def short(function: str) -> str:
    """Name a function without the function that it was made in."""
    return function.rpartition("<locals>.")[2]


def _cut(text: str, width: int = _WIDTH) -> str:
    return wording.clipped(text, width)
