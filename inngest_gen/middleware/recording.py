"""RecordingMiddleware: writes a recording of each run that ends, so that it can be debugged where the server has let go of it.

The request in which a run ends replays all of it: what passes by then is the whole record. Attempts, times and the data of defers do not pass again:
those that this process saw are kept until then. Promises: a file is whole or not there; writing holds up no loop, and never fails a run: what goes
wrong is a log line. Refuses: to guess what hooks are not shown; see the recording format for what is null.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import orjson

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.clock import Clock, SystemClock
from inngest_gen.durations import Duration, seconds, utc
from inngest_gen.errors import NonRetriableError, RecordingError
from inngest_gen.event import Event
from inngest_gen.ids import ulid_time
from inngest_gen.middleware.info import DeferInfo, DeferInput, FunctionInput, ReplyInfo, RequestInfo, RunInfo, StepInfo
from inngest_gen.middleware.middleware import Middleware, Next
from inngest_gen.middleware.sightings import RunSeen, Sightings, StepSeen
from inngest_gen.recording.format import dumps
from inngest_gen.recording.recording import RecordedDefer, RecordedNote, RecordedStep, Recording, RunKind, RunStatus
from inngest_gen.recording.redaction import Hook, check_path, redact
from inngest_gen.sessions import run_sessions

_log = logging.getLogger("inngest_gen.recording")

_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
"""A run's id that may be a file's name: it comes from outside."""

_WITH_BODY: Final = frozenset({"step.run", "step.ai.wrap"})
"""The kinds of step whose attempts hooks are told of."""

_UNSEEN: Final = "not all of this run was seen by the process that wrote it: attempts, times and defers are in it as far as they were known"

_GONE: Final = "aborted, or rejected: a call does not tell which"

_Outcome = tuple[bytes | None, Failure | None]


class RecordingMiddleware(Middleware):
    """Writes the recording of each run that completes or fails to `directory` (made if it is not there), as `RUN_ID.json` for its owner alone.

        ig.App("shop", middleware=[ig.RecordingMiddleware("recordings")])

    Declare it first: then it has what the server has, encrypted values as they are, and replays go through the other middleware as the run did.
    With `failed_only` runs that complete leave no file. `redact` are paths whose values are replaced, `hook` gets the path and the value of every
    other one and gives what is written; if it raises, nothing is. `patience` is how long a run's end may wait for the disk.
    Raises RecordingError for a path that is none.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        failed_only: bool = False,
        redact: Sequence[str] = (),
        hook: Hook | None = None,
        patience: Duration = "10s",
        clock: Clock | None = None,
    ) -> None:
        if isinstance(redact, str):
            raise RecordingError(f"redact is a list of paths: redact=[{redact!r}]")
        for path in redact:
            check_path(path)
        self._directory = Path(directory)
        self._failed_only = failed_only
        self._paths = tuple(redact)
        self._hook = hook
        self._patience_s = seconds(patience)
        self._clock = clock or SystemClock()
        self._sightings = Sightings()
        # Of the request:
        self._seen = RunSeen()
        self._run: RunInfo | None = None
        self._call: bytes | None = None
        self._yielded: list[StepInfo] = []
        """The steps in the order of their yields, so that a position is a place here: as they were shown with their results, if they were."""
        self._outcomes: dict[str, _Outcome] = {}
        self._leaving: dict[str, DeferInput] = {}
        self._new: set[str] = set()
        self._output: bytes | None = None

    def __call__(self) -> RecordingMiddleware:
        """Make the middleware of a request."""
        made = RecordingMiddleware(
            self._directory,
            failed_only=self._failed_only,
            redact=self._paths,
            hook=self._hook,
            patience=self._patience_s,
            clock=self._clock,
        )
        made._sightings = self._sightings
        return made

    # What passes by.

    async def wrap_request(self, request: RequestInfo, next: Next[ReplyInfo]) -> ReplyInfo:
        """Keep the call: it tells which defers the server has."""
        self._call = request.body
        return await next()

    def transform_function_input(self, input: FunctionInput) -> FunctionInput:
        """Keep what the run was given."""
        self._run = input.run
        self._seen = self._sightings.of(input.run.run_id)
        return input

    def on_run_start(self, run: RunInfo) -> None:  # noqa: ARG002 - it is the other hooks'
        """Keep when."""
        self._seen.began = self._clock.now()

    async def wrap_function(self, run: RunInfo, next: Next) -> Any:  # noqa: ARG002 - it is the other hooks'
        """Keep the result as it is here: what `on_run_complete` is told of is what the server gets."""
        value = await next()
        self._output = jsonvalue.encode(value, "the run's output")
        return value

    def transform_step_input(self, step: StepInfo) -> StepInfo:
        """Keep which steps are asked for, in their order, and when waits began."""
        self._yielded.append(step)
        if not step.memoized and step.kind not in _WITH_BODY:
            self._seen.asked(step.hash, self._clock.now())
        return step

    def on_step_start(self, step: StepInfo) -> None:
        """Keep when an attempt began."""
        self._seen.attempt_began(step.hash, step.attempt or 0, self._clock.now())

    def on_step_complete(self, step: StepInfo, output: Any) -> None:  # noqa: ARG002 - the result is shown on its way to the handler
        """Keep when it ended."""
        self._seen.attempt_ended(step.hash, self._clock.now())

    def on_step_error(self, step: StepInfo, error: BaseException, final: bool) -> None:
        """Keep when and how it failed."""
        number = step.attempt or 0
        no_retry = final and (number + 1 < step.run.max_attempts or isinstance(error, NonRetriableError))
        self._seen.attempt_failed(step.hash, number, self._clock.now(), Failure.of(error, no_retry=no_retry), final=final)

    async def wrap_step(self, step: StepInfo, next: Next) -> Any:
        """Keep results as they are delivered."""
        if not step.memoized:
            return await next()
        if step.place is not None and step.place.position < len(self._yielded):
            self._yielded[step.place.position] = step  # with the id that it has after all hooks
        if step.hash in self._seen.steps:
            self._seen.has_result(step.hash, self._clock.now())
        try:
            value = await next()
        except Exception as error:
            self._outcomes.setdefault(step.hash, (None, Failure.of(error)))
            raise
        self._outcomes.setdefault(step.hash, (jsonvalue.encode(value, "a step's result"), None))  # at once: the handler may change it
        return value

    def transform_defer_input(self, defer: DeferInput) -> DeferInput:
        """Keep the data as it is here."""
        self._leaving[str(defer.id)] = defer
        return defer

    def on_defer(self, defer: DeferInfo) -> None:
        """Keep what leaves, and what becomes of it."""
        self._new.add(defer.hash)
        data = self._leaving.pop(defer.id, None)
        if defer.status == "aborted" and (known := self._seen.defers.get(defer.hash)) is not None:
            made = dataclasses.replace(known, status="aborted", data=None)
        else:
            made = RecordedDefer(
                id=defer.id,
                name=defer.name or "",
                hash=defer.hash,
                function=defer.function,
                step=defer.step,
                status="after_run" if defer.status == "made" else defer.status,
                reason=defer.reason,
                data=None if data is None else jsonvalue.encode(data.data, "a defer's data"),
                meta=None if data is None else data.meta,
                experiment=defer.experiment,
            )
        self._seen.deferred(made)

    async def on_run_complete(self, run: RunInfo, output: Any) -> None:  # noqa: ARG002 - see wrap_function
        """Write the recording."""
        if not self._failed_only:
            await self._write(run, "completed", self._output, None)
        self._sightings.over(run.run_id)

    async def on_run_error(self, run: RunInfo, error: BaseException, final: bool) -> None:
        """Write the recording, once there is no other attempt."""
        if not final:
            self._seen.handler_failed(run.attempt, self._clock.now(), Failure.of(error))
            return
        await self._write(run, "failed", None, Failure.of(error))
        self._sightings.over(run.run_id)

    # The file.

    async def _write(self, run: RunInfo, status: RunStatus, output: bytes | None, error: Failure | None) -> None:
        with anyio.move_on_after(self._patience_s) as scope:
            await anyio.to_thread.run_sync(self._save, run, status, output, error, abandon_on_cancel=True)
        if scope.cancelled_caught:
            _say(run, f"the disk took longer than {self._patience_s:g} s")

    def _save(self, run: RunInfo, status: RunStatus, output: bytes | None, error: Failure | None) -> None:
        try:
            recording = redact(self._recording(run, status, output, error), self._paths, self._hook, all_found=False)
            _put(self._directory, run.run_id, dumps(recording))
        except Exception as wrong:  # noqa: BLE001 - a full disk, or a hook of the user's: a recording is not worth a run
            _say(run, f"{type(wrong).__name__}: {wrong}")

    def _recording(self, run: RunInfo, status: RunStatus, output: bytes | None, error: Failure | None) -> Recording:
        events = (self._run or run).events  # as they came
        first = events[0] if events else None
        return Recording(
            run_id=run.run_id,
            app=run.app_id,
            function=run.slug,
            kind=_kind(run, first),
            status=status,
            events=events,
            parents=run.parents,
            failure=_handled(run, first),
            parent_run_id=run.parents[0].run_id if run.parents else None,
            sessions=run_sessions(events),
            attempt=run.attempt,
            max_attempts=run.max_attempts,
            code=run.code,
            steps=tuple(self._steps()),
            defers=tuple(self._recorded_defers()),
            notes=tuple(self._notes()),
            output=output,
            error=error,
            created=_created(run.run_id),
            started=_when(self._seen.began),
            ended=utc(self._clock.now()),
            made_by="inngest_gen's RecordingMiddleware",
        )

    def _steps(self) -> list[RecordedStep]:
        ranks = {hash: rank for rank, hash in enumerate(self._outcomes, 1)}
        repeats: Counter[str] = Counter()
        steps = []
        for hash, step in {step.hash: step for step in self._yielded}.items():
            data, error = self._outcomes.get(hash, (None, None))
            index, place = repeats[step.id], step.place
            repeats[step.id] += 1
            seen = self._seen.steps.get(hash) or StepSeen()
            # Where it ended is where its last attempt did: another process may have had that.
            is_last = seen.ended is not None or hash not in ranks
            steps.append(
                RecordedStep(
                    id=step.id,
                    name=step.name,
                    hash=hash,
                    index=index if place is None else place.index,
                    kind=step.kind,
                    position=None if place is None else place.position,
                    path="" if place is None else place.path,
                    at=None if place is None else place.at,
                    options=step.options,
                    status="failed" if error is not None else "completed" if hash in ranks else "abandoned",
                    rank=ranks.get(hash),
                    data=data,
                    error=error,
                    attempts=tuple(one for _, one in sorted(seen.failed.items())),
                    attempt=seen.attempt if is_last else None,
                    started=_when(seen.started) if is_last else None,
                    ended=_when(seen.ended),
                )
            )
        return steps

    def _recorded_defers(self) -> list[RecordedDefer]:
        """List the defers that this process saw leave, after those of which a call tells the hash alone."""
        known = _known(self._call)
        seen = self._seen.defers
        found = [_earlier(hash, one) for hash, one in known.items() if hash not in seen]
        for hash, defer in seen.items():
            if defer.status == "after_run" and known.get(hash) is False:
                found.append(dataclasses.replace(defer, status="aborted", data=None, reason=_GONE))
            elif defer.status == "after_run" and self._call is not None and hash not in known and hash not in self._new:
                found.append(dataclasses.replace(defer, status="dropped", reason="it did not reach the server"))
            else:
                found.append(defer)
        return found

    def _notes(self) -> list[RecordedNote]:
        notes = list(self._seen.notes.values())
        return notes if self._seen.began is not None else [RecordedNote(kind="note", at=None, text=_UNSEEN), *notes]


def _say(run: RunInfo, reason: str) -> None:
    _log.error("the recording of run %s was not written: %s", run.run_id, reason, extra={"run_id": run.run_id})


def _put(directory: Path, run_id: str, data: bytes) -> None:
    """Write a file, whole or not at all."""
    if not _NAME.fullmatch(run_id):
        raise ValueError(f"the run's id {run_id[:80]!r} cannot be a file's name")
    directory.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{run_id}.", dir=directory)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / f"{run_id}.json")
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _kind(run: RunInfo, event: Event | None) -> RunKind:
    match run.kind:
        case "defer" | "failure":
            return run.kind
        case "main":
            return "invoke" if event is not None and event.name == "inngest/function.invoked" else "event"


def _handled(run: RunInfo, event: Event | None) -> Failure | None:
    """Give the error that a failure handler handles (I43)."""
    error = event.data.get("error") if event is not None and run.kind == "failure" else None
    return Failure.from_json(error) if isinstance(error, Mapping) else None


def _known(call: bytes | None) -> dict[str, bool]:
    """Give the defers that a call tells of, and whether they can be aborted (A34)."""
    told = None if call is None else orjson.loads(call).get("defers")
    if not isinstance(told, dict):
        return {}
    return {hash: not (isinstance(one, dict) and one.get("abortable") is False) for hash, one in told.items()}


def _earlier(hash: str, abortable: bool) -> RecordedDefer:
    return RecordedDefer(id=hash, hash=hash, status="after_run" if abortable else "aborted", reason=None if abortable else _GONE)


def _when(at: float | None) -> datetime | None:
    return None if at is None else utc(at)


def _created(run_id: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(ulid_time(run_id), UTC)
    except ValueError:
        return None
