"""The timeline of a run, for `runs show`: what happened, in what order, how long it took. Pure: a run and what it made give lines.

Promises: every step, attempt, wait, defer, note and run it made is told; it reads well at 80 columns and without colour, for states are words or
have one beside them. Steps stand in the order of their positions, inside the branch or sub-flow they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich.text import Text

from inngest_gen.cli import wording
from inngest_gen.cli.outline import Branch, merged, outline
from inngest_gen.engine.run import DeferRecord, Note, Run, StepRecord
from inngest_gen.errors import StepError

_STACK_FRAMES: Final = 4
_MAX_OUTPUT_LINES: Final = 40

_MADE: Final = {"defer": "deferred by", "invoke": "invoked by", "failure": "failure handler of", "event": "started by"}

_DONE: Final = {
    "step.sleep": "slept",
    "step.sleep_until": "slept",
    "step.wait_for_event": "event",
    "step.wait_for_signal": "signal",
    "step.send_event": "sent",
    "step.send_signal": "signal sent",
    "step.invoke": "invoked",
}


def timeline(run: Run, made: Sequence[Run], *, now: float, width: int, parent: Run | None = None) -> list[Text]:
    """Draw a run. `made` are the runs that it invoked, deferred or whose failure started them; `now` is in epoch seconds."""
    runs = {child.id: child for child in made}
    lines = _header(run, parent, now, width)
    if run.steps:
        lines += [Text(), _title("steps")]
        for node in outline((step.path, step) for step in run.steps):
            lines += _node(node, run, now, width, 1)
    if run.defers:
        lines += [Text(), _title("defers")]
        for defer in run.defers:
            lines += _defer(defer, runs, width)
    deferred = {defer.run_id for defer in run.defers}
    others = [child for child in made if child.id not in deferred]
    if others:
        lines += [Text(), _title("runs it made")]
        lines += [_made(child, width) for child in others]
    if run.notes:
        lines += [Text(), _title("notes")]
        for note in run.notes:
            lines += _note(note, run, width)
    lines += _outcome(run, width)
    return lines


def _title(text: str) -> Text:
    return Text(text, style="bold")


# The header.


def _header(run: Run, parent: Run | None, now: float, width: int) -> list[Text]:
    first = Text(no_wrap=True)
    first.append(f"{_sign(run.status)} ", wording.STYLES.get(run.status, ""))
    first.append(wording.one_line(run.function_id), "bold")
    first.append(f"  {run.status}", wording.STYLES.get(run.status, ""))
    lines = [first, _fact("run", run.id)]
    data = {key: value for key, value in run.event.data.items() if not key.startswith("_inngest")}
    lines.append(_fact("event", wording.clipped(f"{run.event.name} {wording.compact(data)}", width - 9)))
    if run.parent_run_id is not None:
        by = run.parent_run_id if parent is None else f"{parent.function_id} {parent.id}"
        lines.append(_fact("parent", f"{_MADE.get(run.kind, 'made by')} {by}"))
    lines.append(_fact("created", wording.moment_and_zone(run.created)))
    if run.ended is not None:
        lines.append(_fact("took", wording.length((run.ended - run.created).total_seconds())))
    elif run.status == "queued":
        lines.append(_fact("queued", f"for {wording.length(now - run.created.timestamp())}"))
    else:
        lines.append(_fact("for", wording.length(now - run.created.timestamp())))
    if run.attempt:
        lines.append(_fact("attempt", f"{run.attempt} of the handler"))
    return lines


def _fact(name: str, value: str) -> Text:
    text = Text(no_wrap=True)
    text.append(f"  {name:<9}", "dim")
    text.append(wording.one_line(value))
    return text


# Steps.


def _node(node: Branch[StepRecord] | StepRecord, run: Run, now: float, width: int, depth: int) -> list[Text]:
    if not isinstance(node, Branch):
        return _step(node, run, now, width, depth, "")
    label, children, leaf = merged(node)
    if leaf is not None:
        return _step(leaf, run, now, width, depth, f"{label} ")
    title = Text(f"{'  ' * depth}{wording.one_line(label)}", style="cyan", no_wrap=True)
    return [title, *(line for child in children for line in _node(child, run, now, width, depth + 1))]


def _step(step: StepRecord, run: Run, now: float, width: int, depth: int, before: str) -> list[Text]:
    status = "retrying" if step.status == "waiting" and step.kind == "step.run" else step.status
    if run.has_ended and step.status in {"running", "waiting"}:
        status = "abandoned"
    name = f"{before}{step.name}" + (f" ({step.id})" if step.name != step.id else "") + (f" #{step.index}" if step.index else "")
    lines = [_row(f"{'  ' * depth}", status, name, _step_detail(step, run, now), _when(step, run), width)]
    last = len(step.attempts) - 1
    for place, attempt in enumerate(step.attempts):
        for_good = place == last and step.status == "failed"
        after = "no further attempt" if for_good else ""
        if attempt.retry_at is not None:
            after = f"next after {wording.length((attempt.retry_at - attempt.at).total_seconds())}"
        detail = f"attempt {attempt.number} failed: {attempt.error}" + (f" ({after})" if after else "")
        lines += _wrapped(f"{'  ' * depth}    ", detail, width, "red" if for_good else "yellow")
    return lines


def _step_detail(step: StepRecord, run: Run, now: float) -> str:
    kind = wording.kind_word(step.kind)
    if run.has_ended and step.status in {"running", "waiting"}:
        return f"{kind} unfinished when the run ended".strip()
    match step.status:
        case "completed":
            word = _DONE.get(step.kind, "")
            if step.kind in {"step.wait_for_event", "step.wait_for_signal"} and step.result is None:
                return f"{word}: none came in time"
            return word
        case "waiting":
            return _waiting(step, kind, now)
        case "running":
            return "running or to be run" if step.kind == "step.run" else "on its way"
        case status:
            return f"{kind} {status}".strip()


def _waiting(step: StepRecord, kind: str, now: float) -> str:
    word = {"step.run": "next attempt", "step.sleep": "wakes", "step.sleep_until": "wakes"}.get(step.kind)
    if step.due is None:
        return f"{kind}: waiting"
    left = step.due.timestamp() - now
    when = f"in {wording.length(left)}, at {wording.moment(step.due)}" if left > 0 else f"now, since {wording.moment(step.due)}"
    return f"{word} {when}" if word else f"{kind}: waiting, gives up {when}"


def _when(step: StepRecord, run: Run) -> str:
    if step.started is None or step.status == "waiting":
        return ""  # what waits tells until when, and that needs the room
    since = (step.started - run.created).total_seconds()
    took = "" if step.ended is None else wording.length((step.ended - step.started).total_seconds())
    return f"{f'+{wording.length(since)}':>9} {took:>9}"


# Defers, runs, notes.


def _defer(defer: DeferRecord, runs: Mapping[str, Run], width: int) -> list[Text]:
    said = {"after_run": "to be scheduled when this run has ended"}.get(defer.status, defer.status)
    child = runs.get(defer.run_id or "")
    if defer.run_id is not None:
        said = f"{said}: {wording.short(defer.run_id)}" + (f" {child.status}" if child is not None else "")
    name = defer.id if defer.name == defer.id else f"{defer.name} ({defer.id})"
    function = f" {defer.function_id}" if defer.function_id else ""
    lines = [_row("  ", defer.status, name, f"{said}{' ·' if function else ''}{function}", "", width)]
    if defer.reason:
        lines += _wrapped("      ", defer.reason, width, "red" if defer.status == "rejected" else "yellow")
    return lines


def _made(child: Run, width: int) -> Text:
    how = {"invoke": "invoked", "failure": "failure handler", "defer": "deferred"}.get(child.kind, child.kind)
    return _row("  ", child.status, child.function_id, f"{child.status}, {how}: {child.id}", "", width)


def _note(note: Note, run: Run, width: int) -> list[Text]:
    since = wording.length((note.at - run.created).total_seconds())
    style = {"handler": "red", "blocked": "red", "retry": "yellow", "cancel": "magenta"}.get(note.kind, "")
    text = f"+{since}  {note.text}"
    if note.kind == "blocked":  # the error below says it whole
        text = wording.clipped(f"+{since}  blocked: {note.text}", width - 2)
    return _wrapped("  ", text, width, style)


# The end.


def _outcome(run: Run, width: int) -> list[Text]:
    if run.error is not None:
        return [Text(), _title("error"), *error_lines(run.error, width)]
    if run.status != "completed":
        return []
    pretty = wording.compact(run.output)
    shown = [pretty] if len(pretty) <= width - 2 else wording.pretty(run.output).splitlines()
    cut = len(shown) - _MAX_OUTPUT_LINES
    if cut > 1:
        shown = [*shown[:_MAX_OUTPUT_LINES], f"… {wording.plural(cut, 'line')} more: --json gives all"]
    return [Text(), _title("output"), *(Text(f"  {line}") for line in shown)]


def error_lines(error: StepError, width: int, indent: str = "  ") -> list[Text]:
    """Draw an error: its sentence, the last frames of its stack, its causes."""
    lines = _wrapped(indent, str(error), width, "red")
    if error.stack:
        lines += [Text(f"{indent}{wording.visible(line)}", style="dim") for line in _last_frames(error.stack)]
    if error.cause is not None:
        lines += [Text(f"{indent}caused by", style="dim"), *error_lines(error.cause, width, indent)]
    return lines


def _last_frames(stack: str) -> list[str]:
    """Give the last frames of a traceback text, without the header and without the closing line, which says what the error says."""
    lines = stack.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith('  File "')]
    if not starts:
        return []
    first = starts[-_STACK_FRAMES] if len(starts) > _STACK_FRAMES else starts[0]
    end = starts[-1] + 1
    while end < len(lines) and lines[end].startswith("    "):
        end += 1
    left_out = len(starts) - _STACK_FRAMES
    return ([f"  … {wording.plural(left_out, 'frame')} above"] if left_out > 0 else []) + lines[first:end]


# Rows.


def _sign(status: str) -> str:
    return wording.SIGNS.get(status, "·")


def _row(indent: str, status: str, name: str, detail: str, right: str, width: int) -> Text:
    style = wording.STYLES.get(status, "")
    text = Text(no_wrap=True)
    text.append(f"{indent}{_sign(status)} ", style)
    text.append(wording.one_line(name))
    if detail:
        text.append(f"  {wording.one_line(detail)}", style if status in {"failed", "retrying", "waiting", "rejected", "dropped"} else "dim")
    room = width - (len(right) + 2 if right else 0)
    text.truncate(room, overflow="ellipsis")  # in cells: wide characters take two
    if right:
        text.append(" " * (room + 2 - text.cell_len))
        text.append(right, "dim")
    text.rstrip()
    return text


def _wrapped(indent: str, text: str, width: int, style: str) -> list[Text]:
    import textwrap

    room = max(20, width - len(indent))
    lines = [piece for line in wording.visible(text).splitlines() for piece in (textwrap.wrap(line, room) or [""])]
    return [Text(f"{indent}{line}", style=style) for line in lines]
