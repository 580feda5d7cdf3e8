"""Cuts a run after each of its durable writes, as `kill -9` would, and lets it go on: it must end as the run did that was not cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from inngest_gen.app.app import App
from inngest_gen.event import Event
from inngest_gen.testing.engine import MemoryEngine
from inngest_gen.testing.failures import CheckFailed, KillMismatch, is_found
from inngest_gen.testing.given import At
from inngest_gen.testing.result import Result
from inngest_gen.testing.running import prepared
from inngest_gen.testing.standins import Functions, Steps

__tracebackhide__ = is_found  # for pytest: what the kit finds is shown at the test's line

_ULID = re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoints:
    """What `kill_points` has looked at: the `result` without a cut, and `points`, the writes after which it was cut, in words."""

    result: Result
    points: tuple[str, ...]


async def kill_points(
    function: Any,
    event: Any = None,
    *,
    app: App | Sequence[App] | None = None,
    steps: Steps | None = None,
    functions: Functions | None = None,
    events: Sequence[Event | At] = (),
    always_replay: bool = True,
    start: datetime | str | None = None,
    allow_unused: bool = False,
) -> KillPoints:
    """Run a function as `run` does, and then again for each durable write of it, of its steps and of all runs that it causes, cut after that write.

    Whatever is in memory is gone at a cut, and all that is recorded goes on. Raises KillMismatch where a run then ends otherwise: with another
    status, output, error, step result or defer, or where there are other runs. Ids and times are not compared. A body that is under way at the cut
    runs again, as after a crash: its stand-in, or what it does to the world, must bear that.
    """
    options = {"steps": steps, "functions": functions, "events": events, "always_replay": always_replay, "start": start}
    engine, own = prepared(function, app, allow_unused=allow_unused, **options)
    async with engine:
        playing = engine.play(own, event)
        before = engine.store.writes
        engine.store.told = []
        result = await playing.finish()
        told = engine.store.told
    whole = _ends(result)
    for point in range(len(told) + 1):
        engine, own = prepared(function, app, allow_unused=True, **options)
        engine.keeps_time = True
        async with engine:
            playing = engine.play(own, event)
            if point == 0:
                await engine.kill()
            else:
                engine.store.cut_after = before + point
            words = "its event was taken in" if point == 0 else told[point - 1]
            try:
                cut = _ends(await playing.finish())
            except CheckFailed as error:
                error.add_note(f"in a run that was cut after this was written: {words}")
                raise
            _compare(engine, own.id, words, whole, cut)
    return KillPoints(result=result, points=("its event was taken in", *told))


Ends = dict[str, dict[str, Any]]


def _ends(result: Result) -> Ends:
    """Give how each run ended, by its function and a number, in a form that can be compared."""
    found: Ends = {}
    for run in sorted([result, *result.runs], key=lambda run: run.run_id):
        name, number = run.function_id, 1
        while name in found:
            number += 1
            name = f"{run.function_id} #{number}"
        found[name] = {
            "status": run.status,
            "output": _masked(run.output if run.status == "completed" else None),
            "error": None if run.error is None else f"{run.error.name}: {run.error.message}",
            "steps": {
                f"{one.id}:{one.index} {one.path}": [one.status, _masked(one.result)] for one in run.steps if one.status != "abandoned"
            },
            "defers": {one.id: [one.status, _masked(one.data)] for one in run.defers},
        }
    return found


def _masked(value: Any) -> str:
    """Give a value as text, without ids: they are others where something is sent once more."""
    return _ULID.sub("ID", orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode())


def _compare(engine: MemoryEngine, name: str, words: str, whole: Ends, cut: Ends) -> None:
    if whole == cut:
        return
    if whole.keys() != cut.keys():
        what = f"these runs were made: {', '.join(cut)}; and not: {', '.join(whole)}"
    else:
        run = next(run for run in whole if whole[run] != cut[run])
        part = next(part for part in whole[run] if whole[run][part] != cut[run][part])
        what = (
            f"the {part} of {run} {'are' if part.endswith('s') and part != 'status' else 'is'} {cut[run][part]}, and not {whole[run][part]}"
        )
    raise KillMismatch(
        f"{name}: cut after this was written: {words}, it ended otherwise: {what}\n  likely cause: a body that ran again did something that is not"
        " the same when it is done twice (app.send in a body: give the event an id of its own, or use step.send_event), or the handler depends on"
        f" what a process has in memory\n\n{next(iter(engine.results().values())).timeline()}"
    )
