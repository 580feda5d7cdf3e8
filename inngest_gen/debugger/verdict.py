"""Verdict: whether a recorded run replays on the code as it is now: what `debug check` tells before a deploy.

A replay is held to the record: the same steps, in order, in each branch. Where they differ, the first difference is told with both intents and both
lines. Promises: no step body runs; a record that more than one version of the code made is held to nothing, and what is left over is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.capture import capturing
from inngest_gen.debugger.code import CodeState, code_state
from inngest_gen.debugger.history import History, recorded
from inngest_gen.debugger.replay import Replay
from inngest_gen.debugger.scene import divergence_of, end_of
from inngest_gen.debugger.stop import Divergence, as_json
from inngest_gen.driver.turn import Raised
from inngest_gen.errors import MisuseError
from inngest_gen.recording.recording import RecordedStep, Recording

_PACKAGE: Final = str(Path(__file__).parent.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a recording replays on the code as it is: `divergence` is the first place where it does not.

    `code` says whether the code is that which made the recording. `reached` counts the recorded outcomes that were asked for, of `recorded`.
    `unused` are the ids of steps that were not asked for, `notes` what is worth knowing besides.
    """

    run_id: str
    function: str
    compatible: bool
    code: CodeState = "unknown"
    reached: int = 0
    recorded: int = 0
    unused: tuple[str, ...] = ()
    divergence: Divergence | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.compatible:
            return f"{self.function} {self.run_id}: compatible, {self.reached} of {self.recorded} recorded steps asked for" + _said(
                self.notes
            )
        why = self.divergence.text if self.divergence is not None else "; ".join(self.notes)
        return f"{self.function} {self.run_id}: not compatible: {why}"

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        value: dict[str, Any] = as_json(self)
        return value


def _said(notes: tuple[str, ...]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def function_of(recording: Recording, app: App | Function) -> Function:
    """Find the function that a recording is of. Raises MisuseError."""
    if isinstance(app, Function):
        return app
    for function in app.functions.values():
        if function.slug == recording.function:
            return function
    there = ", ".join(function.slug for function in app.functions.values()) or "none"
    raise MisuseError(f"app {app.id!r} has no function {recording.function!r}, which the recording is of; there are: {there}")


async def check(recording: Recording, app: App | Function) -> Verdict:
    """Replay a whole recording and say whether it still does. Raises MisuseError if the app has no such function."""
    function = function_of(recording, app)
    history = recorded(recording)
    verdict = Verdict(
        run_id=recording.run_id,
        function=recording.function,
        compatible=True,
        code=code_state(recording, function),
        recorded=len(recording.finished()),
    )
    replay = await Replay.begin(history, function)
    try:
        if replay.ended is not None:
            end = end_of(replay)
            if end is not None and end.as_recorded and not recording.steps:
                return verdict
            return replace(verdict, compatible=False, notes=(f"the handler does not begin: {_error(replay)}",))
        with capturing():
            turn = await replay.execution.turn()
        replay.ended = turn.ended
        return _judged(verdict, replay, history)
    finally:
        replay.drop()


def _judged(verdict: Verdict, replay: Replay, history: History) -> Verdict:
    unused = [history.steps[hash] for hash in replay.execution.unused()]
    unused.sort(key=lambda step: -1 if step.position is None else step.position)
    verdict = replace(verdict, reached=verdict.recorded - len(unused), unused=tuple(step.id for step in unused))
    divergence = divergence_of(replay)
    if divergence is not None:
        return replace(verdict, compatible=False, divergence=divergence)
    if unused and history.held:
        return replace(verdict, compatible=False, divergence=_left_behind(unused[0], replay))
    notes: list[str] = []
    if unused:
        notes.append(f"not asked for: {', '.join(verdict.unused)}, but more than one version of the code made this record")
    end = end_of(replay)
    if end is not None and end.as_recorded is False:
        notes.append(f"it ends otherwise than recorded: {end.value if end.how == 'returned' else _error(replay)}")
    elif end is None and history.recording.status in {"completed", "failed"}:
        waits = ", ".join(repr(leaf.op.step.id) for leaf in replay.execution.pending.values())
        if history.recording.status == "failed":  # that is what a repair does; a retry of the run goes on with it
            return replace(
                verdict, notes=(f"the recorded run failed, and the handler goes on from there: it asks for {waits or 'something'}",)
            )
        note = f"the recorded run has ended, but the handler goes on and waits for {waits or 'something'}"
        return replace(verdict, compatible=False, notes=(note,))
    return replace(verdict, notes=tuple(notes))


def _left_behind(step: RecordedStep, replay: Replay) -> Divergence:
    """The divergence of a handler that does not come to a recorded step: it raised, or waits elsewhere."""
    recorded_step = f"{step.kind or 'step'} {step.id!r}"
    at: str | None = None
    position = replay.execution.position
    if isinstance(replay.ended, Raised):
        yielded = f"{_error(replay)} was raised"
        link = replay.ended.error.__traceback__
        while link is not None:
            if not link.tb_frame.f_code.co_filename.startswith(_PACKAGE):
                at = f"{link.tb_frame.f_code.co_filename}:{link.tb_lineno}"
            link = link.tb_next
        cause = "the handler fails where it went on before"
    else:
        leaf = next((leaf for leaf in replay.execution.pending.values() if not replay.history.has(leaf.op.hash)), None)
        yielded = "nothing" if leaf is None else f"{leaf.op.step.kind} {leaf.op.step.id!r}"
        at = None if leaf is None else leaf.op.at
        position = position if leaf is None else leaf.op.position
        cause = "the handler asks for another step first"
    if step.position is not None:  # some recordings do not tell; then it is where the replay has come to
        position = step.position
    text = (
        f"the record holds {recorded_step}{f' at {step.at}' if step.at else ''}, which this replay does not come to: {yielded}"
        f"{f' at {at}' if at else ''}; likely cause: {cause}"
    )
    return Divergence(
        position=position, recorded=recorded_step, recorded_at=step.at, yielded=yielded, yielded_at=at, cause=cause, text=text
    )


def _error(replay: Replay) -> str:
    return str(Failure.of(replay.ended.error)) if isinstance(replay.ended, Raised) else ""
