"""Progress as plain lines: for logs, pipes and `dev`. Pure: a happening and the board before it make a line, or none."""

from __future__ import annotations

from typing import Final

from inngest_gen.cli import wording
from inngest_gen.cli.board import Board, RunState
from inngest_gen.engine.progress import Progress
from inngest_gen.errors import StepError

_OUTPUT: Final = 200
"""How many characters of an output or an error a line shows."""

_WAITS: Final = {
    "step.wait_for_event": "waits for an event",
    "step.wait_for_signal": "waits for a signal",
    "step.invoke": "waits for the invoked run",
}

_MADE: Final = {"defer": "deferred by", "invoke": "invoked by", "failure": "failure handler of"}


def line(progress: Progress, before: Board) -> str | None:
    """Write a happening. What says nothing that another line does not say (queued, a step's first start) gives None."""
    said = _said(progress, before.runs.get(progress.run_id), before)
    if said is None:
        return None
    return f"{wording.time_of_day(progress.at)}  {progress.function_id} {wording.short(progress.run_id)}  {said}"


def _said(progress: Progress, run: RunState | None, board: Board) -> str | None:
    match progress.kind:
        case "run.queued":
            return None
        case "run.started":
            return f"started{_by(run, board)}"
        case "run.ended" | "run.blocked":
            return _ended(progress, run)
        case "handler.failed":
            return f"handler failed, attempt {progress.attempt}: {_error(progress.error)}{_next(progress)}"
        case "defer.added" | "defer.aborted" | "defer.rejected" | "defer.dropped":
            return f"defer {wording.one_line(progress.step_id or '')}: {progress.kind.partition('.')[2]}"
        case _:
            return _step(progress, run)


def _by(run: RunState | None, board: Board) -> str:
    if run is None or run.kind not in _MADE:
        return ""
    parent = board.runs.get(run.parent or "")
    return f" ({_MADE[run.kind]} {parent.function_id if parent else 'run'} {wording.short(run.parent or '')})"


def _ended(progress: Progress, run: RunState | None) -> str:
    status = progress.status or "blocked"
    took = "" if run is None or run.earlier or status == "blocked" else f" after {wording.length(progress.at - run.since)}"
    if progress.error is not None:
        return f"{status}{took}: {_error(progress.error)}"
    return f"{status}{took}" if progress.output is None else f"{status}{took}: {wording.clipped(wording.compact(progress.output), _OUTPUT)}"


def _step(progress: Progress, run: RunState | None) -> str | None:
    name = step_name(progress.path, progress.step_id or "")
    known = None if run is None else run.open.get((progress.path, progress.step_id or ""))
    match progress.kind:
        case "step.started":
            return f"{name}: attempt {progress.attempt}" if progress.attempt else None
        case "step.completed":
            took = "" if known is None else f" ({wording.length(progress.at - known.since)})"
            return f"{name}: completed{took}"
        case "step.failed" if progress.due is not None:
            return f"{name}: attempt {progress.attempt} failed: {_error(progress.error)}{_next(progress)}"
        case "step.failed":
            attempt = f", attempt {progress.attempt}" if progress.attempt else ""
            return f"{name}: failed for good{attempt}: {_error(progress.error)}"
        case "step.waiting":
            return f"{name}: {_waits(progress)}"
        case _:
            return f"{name}: {progress.kind.partition('.')[2]}"


def step_name(path: str, id: str) -> str:
    """Name a step with the branch it is in: "parallel[1]/quote/rate"."""
    return wording.one_line(f"{path}/{id}" if path else id)


def _waits(progress: Progress) -> str:
    if progress.step_kind in {"step.sleep", "step.sleep_until"}:
        return f"sleeps, wakes{_until(progress)}"
    word = _WAITS.get(progress.step_kind or "", "waits")
    return word if progress.due is None else f"{word}, gives up{_until(progress)}"


def _until(progress: Progress) -> str:
    if progress.due is None:
        return ""
    left = max(0.0, progress.due - progress.at)
    return f" in {left:.1f} s" if left < 60 else f" in {wording.length(left)}, at {wording.moment(progress.due)}"


def _next(progress: Progress) -> str:
    return "" if progress.due is None else f"; next{_until(progress)}"


def _error(error: StepError | None) -> str:
    return "error" if error is None else wording.clipped(str(error), _OUTPUT)
