"""The live tree: a board drawn for a terminal of some width and height. Pure.

Promises: never wider or higher than asked. What does not fit is left out in this order: the insides of runs that have ended, completed steps, the
top; and what was left out is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from inngest_gen.cli import wording
from inngest_gen.cli.board import Board, RunState, StepState
from inngest_gen.cli.outline import Branch, guides, merged, outline

Fold = Literal["nothing", "ended runs", "completed steps"]

_MADE = {"defer": "deferred", "invoke": "invoked", "failure": "failure handler"}


@dataclass(slots=True)
class Row:
    """A row: `sign` and `label` on the left, `detail` after them, `took` at the right edge."""

    depth: int
    state: str
    label: str
    detail: str = ""
    took: str = ""
    strong: bool = False


def draw(board: Board, now: float, *, width: int, height: int | None = None) -> list[Text]:
    """Draw the runs that were not there before; with `height`, in at most as many lines. `now` is in epoch seconds."""
    rows: list[Row] = []
    folds: tuple[Fold, ...] = ("nothing",) if height is None else ("nothing", "ended runs", "completed steps")
    for fold in folds:
        rows = [row for run in board.roots() if not run.earlier for row in _run(board, run, now, fold, 0)]
        if height is None or len(rows) <= height:
            break
    lines = [_text(row, guide, width) for row, guide in zip(rows, guides([row.depth for row in rows]), strict=True)]
    if height is not None and len(lines) > height:
        hidden = len(lines) - height + 1
        lines = [Text(f"… {wording.plural(hidden, 'line')} above", style="dim"), *lines[hidden:]]
    return lines


def summary(board: Board) -> str:
    """Count the runs by state: "3 runs: 1 running, 2 completed"."""
    counts: dict[str, int] = {}
    for run in board.runs.values():
        if not run.earlier:
            state = "running" if run.state == "retrying" else run.state
            counts[state] = counts.get(state, 0) + 1
    total = sum(counts.values())
    listed = ", ".join(f"{count} {state}" for state, count in counts.items())
    earlier = sum(run.earlier and run.ended is None for run in board.runs.values())
    also = f"; {wording.plural(earlier, 'earlier run')} on the way too" if earlier else ""
    return f"{wording.plural(total, 'run')}: {listed}{also}" if total else f"no run yet{also}"


def is_moving(board: Board) -> bool:
    """Whether the drawing changes with time alone: something has a clock beside it."""
    return any(run.ended is None for run in board.runs.values())


def _run(board: Board, run: RunState, now: float, fold: Fold, depth: int) -> list[Row]:
    made = f" ({_MADE[run.kind]})" if run.kind in _MADE else ""
    detail = run.state
    took = wording.length(run.ended - run.since) if run.ended is not None else wording.ticking(now - run.since)
    if run.state == "retrying":
        detail, took = f"handler failed: {_error_text(run)}", _in(run.due, now)
    elif run.error is not None and run.state in {"failed", "blocked"}:
        detail = f"{run.state}: {_error_text(run)}"
    elif run.output is not None:
        detail = f"{run.state} {wording.compact(run.output)}"
    rows = [Row(depth, run.state, f"{run.function_id}{made}", detail, took, strong=True)]
    if fold == "nothing" or run.ended is None:
        rows += _inside(run, now, fold, depth + 1)
    for child in run.children:
        if child in board.runs:
            rows += _run(board, board.runs[child], now, fold, depth + 1)
    return rows


def _inside(run: RunState, now: float, fold: Fold, depth: int) -> list[Row]:
    steps = run.steps
    rows: list[Row] = []
    if fold == "completed steps":
        completed = sum(step.state == "completed" for step in steps)
        if completed:
            rows.append(Row(depth, "completed", wording.plural(completed, "step"), "completed"))
        steps = [step for step in steps if step.state != "completed"]
    for node in outline((step.path, step) for step in steps):
        rows += _node(node, now, depth)
    rows += [Row(depth, defer.state, f"defer {defer.id}", _DEFERS.get(defer.state, defer.state)) for defer in run.defers.values()]
    return rows


_DEFERS = {"after_run": "when this run has ended"}


def _node(node: Branch[StepState] | StepState, now: float, depth: int, before: str = "") -> list[Row]:
    if not isinstance(node, Branch):
        return [_step(node, now, depth, before)]
    label, children, leaf = merged(node)
    if leaf is not None:
        return [_step(leaf, now, depth, f"{label} ")]
    return [Row(depth, "", label), *(row for child in children for row in _node(child, now, depth + 1))]


def _step(step: StepState, now: float, depth: int, before: str) -> Row:
    detail = wording.kind_word(step.kind)
    took = ""
    match step.state:
        case "completed":
            took = wording.length((step.ended or now) - step.since)
            if step.attempt:
                detail = f"{detail} attempt {step.attempt}".strip()
        case "running":
            took = wording.ticking(now - step.since)
            detail = f"attempt {step.attempt}" if step.attempt else "running"
        case "waiting":
            took = _in(step.due, now)
        case "retrying":
            took = _in(step.due, now)
            detail = f"attempt {step.attempt} failed: {step.error}"
        case "failed":
            detail = f"failed: {step.error}"
        case "in flight":
            detail = "in flight when the process was killed"
        case state:
            detail = state
    return Row(depth, step.state, f"{before}{step.id}", detail, took)


def _in(due: float | None, now: float) -> str:
    if due is None:
        return "waiting"
    return f"in {wording.ticking(due - now)}" if due > now else "due now"


def _error_text(run: RunState) -> str:
    return "error" if run.error is None else str(run.error)


def _text(row: Row, guide: str, width: int) -> Text:
    sign = wording.SIGNS.get(row.state, "")
    style = wording.STYLES.get(row.state, "")
    text = Text(no_wrap=True)
    text.append(guide, "dim")
    text.append(f"{sign} " if sign else "", style)
    text.append(wording.one_line(row.label), f"bold {style}".strip() if row.strong else "dim" if not row.state else "")
    if row.detail:
        text.append(f"  {wording.one_line(row.detail)}", style if row.state in {"failed", "blocked", "retrying", "in flight"} else "dim")
    took = f"  {row.took}" if row.took else ""
    room = max(0, width - len(took))
    text.truncate(room, overflow="ellipsis")  # in cells: wide characters take two
    if took:
        text.append(" " * (room - text.cell_len))
        text.append(took, "dim")
    text.truncate(width)
    return text
