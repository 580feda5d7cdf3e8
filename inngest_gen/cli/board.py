"""Board: what a watcher knows of an engine's runs, built from Progress alone.

Steps that only wait may be told when they begin to and not when they are over: the board concludes that from the next thing the same flow does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from inngest_gen.cli.outline import parts
from inngest_gen.engine.progress import Progress
from inngest_gen.errors import StepError

OVER: Final = frozenset({"completed", "failed", "abandoned"})


@dataclass(slots=True)
class StepState:
    """A step: `state` is "running", "waiting", "retrying", "completed", "failed", "abandoned" or "in flight" (when its process was killed)."""

    id: str
    kind: str | None
    path: str
    state: str
    since: float
    attempt: int = 0
    due: float | None = None
    ended: float | None = None
    error: StepError | None = None


@dataclass(slots=True)
class DeferState:
    """A defer: `state` is "after_run", "scheduled", "aborted", "rejected" or "dropped"."""

    id: str
    state: str


@dataclass(slots=True)
class RunState:
    """A run: `state` is a run's status, or "retrying" before the handler's next attempt, or "interrupted"."""

    id: str
    function_id: str
    since: float
    state: str = "queued"
    kind: str | None = None
    parent: str | None = None
    ended: float | None = None
    due: float | None = None
    error: StepError | None = None
    output: Any = None
    earlier: bool = False
    """Whether it was there before anyone watched: it was not seen being queued."""
    steps: list[StepState] = field(default_factory=list)
    defers: dict[str, DeferState] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)
    open: dict[tuple[str, str], StepState] = field(default_factory=dict)
    """The steps that are not over, by path and id: in one flow one after the other, so no two at once."""


class Board:
    """The runs that have been seen, in the order in which they were. With `limit`, the oldest is forgotten when there are more."""

    def __init__(self, limit: int | None = None) -> None:
        self.runs: dict[str, RunState] = {}
        self.awaited: set[str] = set()
        """Ids of runs that were there before and are not `earlier` all the same: they are what is waited for."""
        self._limit = limit

    def roots(self) -> list[RunState]:
        """List the runs that no other run here has made."""
        return [run for run in self.runs.values() if run.parent is None or run.parent not in self.runs]

    def _is_earlier(self, run_id: str | None) -> bool:
        return run_id is not None and run_id in self.runs and self.runs[run_id].earlier

    def apply(self, progress: Progress) -> None:
        """Take one happening in."""
        run = self.runs.get(progress.run_id)
        if run is None:
            run = self.runs[progress.run_id] = RunState(progress.run_id, progress.function_id, progress.at)
            if self._limit is not None and len(self.runs) > self._limit:
                self.forget(next(iter(self.runs)))
            run.earlier = run.id not in self.awaited and (progress.kind != "run.queued" or self._is_earlier(progress.parent_run_id))
        noun, _, verb = progress.kind.partition(".")
        if noun == "step":
            self._step(run, progress, verb)
        elif noun == "defer":
            id = progress.step_id or ""
            run.defers[id] = DeferState(id, "after_run" if verb == "added" else verb)
        elif progress.kind == "handler.failed":
            run.state, run.error, run.due = "retrying", progress.error, progress.due
        else:
            self._run(run, progress)

    def _run(self, run: RunState, progress: Progress) -> None:
        match progress.kind:
            case "run.queued":
                run.since, run.kind, run.parent = progress.at, progress.run_kind, progress.parent_run_id
                parent = self.runs.get(run.parent or "")
                if parent is not None and run.id not in parent.children:
                    parent.children.append(run.id)
            case "run.started":
                run.state = "running"
            case _:
                run.state = progress.status or "blocked"
                run.ended, run.due, run.error, run.output = progress.at, None, progress.error, progress.output
                for step in list(run.open.values()):
                    waited = step.state == "waiting" and run.state == "completed"
                    self._close(run, step, _concluded(step, progress.at) if waited else "abandoned", progress.at)
                for defer in run.defers.values():
                    if defer.state == "after_run" and run.state != "blocked":
                        defer.state = "scheduled"

    def _step(self, run: RunState, progress: Progress, verb: str) -> None:
        run.state, run.ended, run.due = "running", None, None
        id, path, at = progress.step_id or "", progress.path, progress.at
        for other in list(run.open.values()):
            if other.state == "waiting" and (other.path, other.id) != (path, id) and _same_flow(other.path, path):
                self._close(run, other, _concluded(other, at), at)
        step = run.open.get((path, id))
        if step is None and verb not in {"started", "waiting"}:
            step = next((one for one in reversed(run.steps) if one.id == id and path in {"", one.path}), None)
            if step is None and verb == "abandoned":
                return
        if step is None:
            step = run.open[path, id] = StepState(id, progress.step_kind, path, "running", at)
            run.steps.append(step)
        step.attempt = step.attempt if progress.attempt is None else progress.attempt
        match verb:
            case "started":
                step.state, step.since, step.due = "running", at, None
            case "waiting":
                step.state, step.due = "waiting", progress.due
            case "failed" if progress.due is not None:
                step.state, step.due, step.error = "retrying", progress.due, progress.error
            case _:
                step.error = progress.error
                self._close(run, step, verb, at)

    def _close(self, run: RunState, step: StepState, state: str, at: float) -> None:
        run.open.pop((step.path, step.id), None)
        is_sleep = step.kind in {"step.sleep", "step.sleep_until"}
        step.state = state
        step.ended = max(step.since, min(at, step.due)) if is_sleep and step.due is not None else at
        step.due = None

    def interrupt(self) -> None:
        """Note that the process which ran all this is gone: steps that were running were in flight."""
        for run in self.runs.values():
            if run.state == "running":
                run.state = "interrupted"
            for step in run.open.values():
                if step.state == "running":
                    step.state = "in flight"

    def forget(self, run_id: str) -> None:
        """Drop a run."""
        run = self.runs.pop(run_id, None)
        parent = self.runs.get(run.parent or "") if run is not None else None
        if parent is not None and run_id in parent.children:
            parent.children.remove(run_id)


def _concluded(step: StepState, at: float) -> str:
    """How a wait has ended, of which nothing was told: in a race it may have lost."""
    lost = "race" in parts(step.path) and (step.due is None or step.due > at)
    return "abandoned" if lost else "completed"


def _same_flow(one: str, other: str) -> bool:
    """Whether a flow at one path has to be over its step for the other path to go on: the one is inside the other."""
    first, second = parts(one), parts(other)
    return all(a == b for a, b in zip(first, second, strict=False))
