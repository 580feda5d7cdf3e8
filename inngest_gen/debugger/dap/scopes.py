"""Scopes: what is shown of a frame: its locals, the intent, its memo, the lazy lane, the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from inngest_gen import jsonvalue
from inngest_gen.debugger.dap.strands import Level
from inngest_gen.debugger.dap.things import InFrame, Row, Rows, Thing, in_result, plain
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Deferred, Intent, Missing, Node, as_json

_MISSING: Final[dict[Missing, str]] = {
    "frontier": "none yet: this is the frontier; set it to go on",
    "later": "none yet in the record; set it to go on with it",
    "abandoned": "none: the run went on, or ended, without it",
}


def scopes_of(session: Session, level: Level) -> list[tuple[str, Thing]]:
    """List the scopes of a frame, in their order."""
    stop = session.stop
    intent = stop.intent
    own = intent is not None and ((intent.position is not None and level.hash == intent.hash) or _is_innermost(session, level))
    found: list[tuple[str, Thing]] = []
    if level.frame is not None:
        found.append(("Locals", InFrame(session, level.frame, size=len(session.variables(level.frame)))))
    found.append(("Intent", Rows(lambda: _intent(intent) if own and intent is not None else _waits(level.waits_for))))
    hash = intent.hash if own and intent is not None and intent.position is not None else level.hash
    found.append(("Memo", Rows(lambda: memo_rows(session, hash) if hash is not None else _resumes(session) if own else ())))
    found.append(("Lazy ops", Rows(lambda: [_deferred(one) for one in stop.lazy])))
    found.append(("Run", Rows(lambda: _run(session))))
    return found


def _is_innermost(session: Session, level: Level) -> bool:
    frames = session.stop.frames
    return bool(frames) and level.frame == frames[0].id and level.hash is None


def _intent(intent: Intent) -> list[Row]:
    told: dict[str, Any] = as_json(intent)
    del told["memo"]
    return [plain(name, value) for name, value in told.items() if value or value == 0]


def _waits(node: Node | None) -> list[Row]:
    if node is None:
        return []
    told = {"kind": node.kind, "text": node.label, "state": node.state, "path": node.path, "hash": node.hash, "at": node.at}
    return [plain(name, value) for name, value in told.items() if value]


def _resumes(session: Session) -> list[Row]:
    resumes = session.stop.resumes
    return [] if resumes is None else [plain("resumes with", resumes)]


def memo_rows(session: Session, hash: str) -> list[Row]:
    """Describe the outcome of a step. Its result and its error can be set, also where there is none yet."""

    async def fail(typed: str) -> None:
        await session.replace(hash, error=typed)

    outcome = session.history.outcome(hash)
    result = in_result(session, hash, (), "result", session.result(hash))
    if outcome is None:
        stop = session.stop
        missing = stop.intent.missing if stop.intent is not None and stop.intent.hash == hash else None
        missing = missing or session.history.missing(hash, at_frontier=stop.state == "frontier")
        return [Row(name="result", text=_MISSING[missing], set=result.set), Row(name="error", text="none", set=fail)]
    error = outcome.error
    rows = [
        Row(name="result", text="none: it failed", set=result.set) if error is not None else result,
        Row(name="error", text="none", set=fail)
        if error is None
        else Row(name="error", text=f"{error.get('name')}: {error.get('message')}", set=fail, inside=plain("error", error).inside),
    ]
    told = {"how": outcome.how, "rank": outcome.rank, "failed attempts": outcome.failed, "started": outcome.started, "ended": outcome.ended}
    return rows + [plain(name, value) for name, value in told.items() if value is not None]


def _deferred(one: Deferred) -> Row:
    told: dict[str, Any] = {name: value for name, value in as_json(one).items() if value is not None}
    says = one.fate or one.state if one.state == "sent" else f"waits for {one.leaves_with}"
    return Row(name=one.id, text=f"{one.kind}: {says}", inside=plain(one.id, told).inside)


def _run(session: Session) -> Iterable[Row]:
    recording, stop, history = session.recording, session.stop, session.history

    async def switch(typed: str) -> None:
        await session.switch(typed.strip().strip("'\""))

    yield plain("run", recording.run_id)
    yield plain("function", recording.function)
    yield plain("status", recording.status)
    yield plain("stop", stop.number)
    yield plain("code", {"recorded": "as recorded", "changed": "not that which made the recording"}.get(session.code, session.code))
    for event in recording.events[:1]:
        yield plain("event", event.name)
        yield plain("data", event.data)
    if recording.output is not None:
        yield plain("recorded output", jsonvalue.decode(recording.output))
    if recording.error is not None:
        yield plain("recorded error", str(recording.error))
    yield Row(name="history", text=history.name, set=switch)
    yield Row(name="histories", text=f"{len(session.histories)}", inside=Rows(lambda: _histories(session)))
    steps = _Steps(session)
    yield Row(name="steps", text=f"{steps.size}", inside=steps if steps.size else None)


def _histories(session: Session) -> Iterable[Row]:
    for name, history in session.histories.items():
        edits = ", ".join(f"{edit.id} {edit.how}" for edit in history.edits)
        parent = "" if history.parent is None else f"from {history.parent}"
        here = "here" if name == session.history.name else ""
        yield plain(name, "; ".join(part for part in (here, parent, edits) if part) or "as recorded")


class _Steps:
    """All steps that the history knows, in the order of the recording."""

    indexed: bool = True

    def __init__(self, session: Session) -> None:
        self._session = session
        history = session.history
        known = {step.hash: step.id for step in history.recording.steps}
        known.update({edit.hash: edit.id for edit in history.edits})
        self._steps = list(known.items())
        self.size: int = len(self._steps)

    def rows(self, start: int, count: int | None) -> list[Row]:
        """List them."""
        stop = None if count is None else start + count
        return [self._row(start + n, hash, id) for n, (hash, id) in enumerate(self._steps[start:stop])]

    def _row(self, place: int, hash: str, id: str) -> Row:
        outcome = self._session.history.outcome(hash)
        text = "none yet" if outcome is None else outcome.text if outcome.error is None else f"{outcome.error.get('name')}"
        rows = memo_rows(self._session, hash)
        return Row(name=f"{place}: {id}", text=text or "None", inside=Rows(lambda: memo_rows(self._session, hash)), set=rows[0].set)
