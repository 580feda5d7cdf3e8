"""Export: a recording, and those of the runs that it started, as one HTML file.

Promises: each run whose function the app has is stepped through from its start to its last stop, as a Session does it; of the others there is what
was recorded. No step's function runs. Refuses nothing that a session takes: what is too much for a page is left out, and the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Unstable, as_json
from inngest_gen.debugger.verdict import function_of
from inngest_gen.debugger.web.excerpt import excerpt
from inngest_gen.debugger.web.page import render
from inngest_gen.debugger.web.picture import moment_of, origin_of, picture
from inngest_gen.debugger.web.pool import Pool, Ref
from inngest_gen.debugger.web.walk import Limits, Walk, Walked, shown
from inngest_gen.errors import MisuseError
from inngest_gen.recording.recording import Recording

_EVENT: Final = 20_000
"""How many characters are shown of an event's data, and of a run's output."""
_UNSTABLE: Final = 100
"""So many values that differ from replay to replay are told."""


async def to_html(recording: Recording, app: App | Function, *, beside: Sequence[Recording] = ()) -> str:
    """Make a self-contained HTML page in which a run can be stepped through, forwards and backwards.

    `beside` are recordings of runs that belong to it, those it deferred and invoked: they are drawn below it, and those whose function `app` has can
    be stepped through as well. Raises MisuseError if the app has no function of `recording`.
    """
    function_of(recording, app)
    return render(await document_of([recording, *_others(recording, beside)], app), f"{recording.function} {recording.run_id}")


async def document_of(recordings: Sequence[Recording], app: App | Function, limits: Limits | None = None) -> dict[str, Any]:
    """Give all that a page shows, as JSON values. The first recording is the one that the page opens with."""
    pool, origin = Pool(), origin_of(recordings)
    files: dict[str, set[int]] = {}
    sources: dict[str, list[str]] = {}
    runs: list[dict[str, Any]] = []
    for recording in recordings:
        session = _session(recording, app)
        walked, more = Walked(), dict[str, Any]()
        if session is not None:
            walked, more = await _walked(session, pool, origin, limits or Limits())
            for file, lines in walked.lines.items():
                files.setdefault(file, set()).update(lines)
                sources.setdefault(file, session.source(file))
        else:
            walked.cut.append(
                f"the app that was given has no function {recording.function!r}: this run is drawn, but cannot be stepped through"
            )
        runs.append(_run(recording, origin, walked, more))
    document = {
        "runs": runs,
        "files": [{"file": file, "pieces": excerpt(sources[file], lines)} for file, lines in files.items()],
    }
    root = pool.put(document)
    return {"version": 1, "root": root, "shapes": pool.shapes, "entries": pool.entries}


def _others(recording: Recording, beside: Sequence[Recording]) -> list[Recording]:
    """Leave out what is there twice."""
    found = {one.run_id: one for one in beside if one.run_id != recording.run_id}
    return list(found.values())


def _session(recording: Recording, app: App | Function) -> Session | None:
    if isinstance(app, Function) and app.slug != recording.function:
        return None
    try:
        return Session(recording, app)
    except MisuseError:
        return None


async def _walked(session: Session, pool: Pool, origin: datetime | None, limits: Limits) -> tuple[Walked, dict[str, Any]]:
    recording = session.recording
    ended = {step.hash: at for step in recording.steps if (at := moment_of(step, origin)) is not None}
    begun = picture(recording, origin)["begun"]
    async with session:
        walked = await Walk(session, pool, limits, ended, begun).through()
        return walked, {"code": session.code, "unstable": as_json(await _unstable(session, len(walked.stops)))}


async def _unstable(session: Session, stops: int) -> list[Unstable]:
    """Walk once more, and tell what is not as it was the first time; what comes after another intent is another story."""
    found: list[Unstable] = []
    stop = await session.start()
    for _ in range(stops):
        found += stop.unstable
        if stop.is_last or len(found) >= _UNSTABLE or any(one.name is None for one in stop.unstable):
            break
        stop = await session.step()
    return found


def _run(recording: Recording, origin: datetime | None, walked: Walked, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": recording.run_id,
        "function": recording.function,
        "app": recording.app,
        "kind": recording.kind,
        "status": recording.status,
        "parent": recording.parent_run_id,
        "created": None if recording.created is None else recording.created.astimezone(UTC).isoformat(timespec="seconds"),
        "attempt": recording.attempt,
        "redacted": list(recording.redacted),
        "made_by": recording.made_by,
        "events": [{"name": event.name, "id": event.id, "data": shown(orjson.dumps(event.data), _EVENT)} for event in recording.events],
        "output": None if recording.output is None else shown(recording.output, _EVENT),
        "error": None if recording.error is None else {"name": recording.error.name, "message": recording.error.message[:_EVENT]},
        "picture": picture(recording, origin, walked.deferred_at),
        "cut": walked.cut,
        "code": "unknown",
        "unstable": [],
        **more,
        "stops": [Ref(number) for number in walked.stops],
    }
