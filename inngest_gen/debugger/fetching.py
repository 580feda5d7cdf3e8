"""Fetching: a run that an Inngest server has under way, as a recording.

The server gives the events and the steps' results by hash; what the steps are is found by a replay of the handler over them, as a call of the server
is. Times and failed attempts are those of its trace, and a dev server tells which defers it has. Promises: no step body runs. What the server does
not tell stays unknown, and a note says so. Facts: C07, J07, J09, L10; server pkg/coreapi/coreapi.go, pkg/api/apiv1, pkg/api/v2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from inngest_gen import jsonvalue
from inngest_gen.app.app import App
from inngest_gen.app.function import DeferredFunction, Function
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.memo import Memo
from inngest_gen.calls.request import CallRequest, without_own_keys
from inngest_gen.debugger.capture import Tape, capturing, current_tape, tape_logger
from inngest_gen.debugger.stub import stub_for
from inngest_gen.debugger.tracing import Span, spans_by_step, traced
from inngest_gen.driver.turn import Op
from inngest_gen.errors import ApiError, RecordingError
from inngest_gen.event import Event
from inngest_gen.ids import ulid_time
from inngest_gen.intents.group import Group
from inngest_gen.intents.step import Step
from inngest_gen.net.api import Api
from inngest_gen.protocol.call import BadCall, api_events, api_steps, memo_of
from inngest_gen.recording.recording import WAITS, DeferStatus, RecordedDefer, RecordedNote, RecordedStep, Recording, RunKind, StepStatus
from inngest_gen.serving.given import given

_GONE: Final = 410
_KINDS: Final[Mapping[str, RunKind]] = {"defer": "defer", "failure": "failure"}
_ENDED: Final = (
    "the server lets go of a run's steps when it ends. ig.RecordingMiddleware keeps a recording of each run that ends from now on"
)
_ORDER: Final = "the server does not tell in which order steps ended that were under way at once: here it is that of their yields"
_NO_TRACE: Final = "the server shows no trace of the run: when its steps began and ended, and which attempts failed, is not known"
_NO_DEFERS: Final = "the server does not tell which defers it has: here they wait to be sent, though some may have been"
_FATES: Final[Mapping[str, DeferStatus]] = {"SCHEDULED": "after_run", "ABORTED": "aborted", "REJECTED": "rejected"}


async def fetch(api: Api, app: App, run_id: str) -> Recording:
    """Read a run of `app` that has not ended. Raises RecordingError for a run that has, or that the server does not know, and ApiError."""
    shown = await api.run(run_id)
    if shown is None:
        raise RecordingError(f"the server at {api.settings.api_url} knows no run {run_id}")
    if shown.get("ended_at") is not None:
        raise RecordingError(f"run {run_id} has ended ({str(shown.get('status')).lower()}, {shown['ended_at']}): {_ENDED}")
    function = await _function(api, app, run_id, shown.get("function_id"))
    try:
        events, results = api_events(await api.batch(run_id)), api_steps(await api.actions(run_id))
        call = given(function, events, run_id=run_id)
    except ApiError as error:
        if error.status == _GONE:  # it ended meanwhile, or what is shown of it was kept for a moment (L10)
            raise RecordingError(f"run {run_id} has ended: {_ENDED}") from None
        raise
    except BadCall as bad:
        raise RecordingError(f"what the server says of run {run_id} cannot be read: {bad}") from None
    trace = await api.trace(run_id)
    known = await api.defers(run_id)
    steps, notes = await _steps(function, call, results, spans_by_step(trace))
    notes += [_NO_TRACE] if trace is None else []
    notes += [_NO_DEFERS] if known is None and any(isinstance(one, DeferredFunction) for one in app.functions.values()) else []
    return Recording(
        run_id=run_id,
        app=app.id,
        function=function.slug,
        kind=_KINDS.get(function.kind) or ("invoke" if events[0].name == "inngest/function.invoked" else "event"),
        status="running",
        events=call.events,
        parents=call.parents,
        failure=None if call.error is None else Failure.of(call.error),
        parent_run_id=call.parents[0].run_id if call.parents else _source(events),
        sessions=call.sessions,
        max_attempts=call.max_attempts,
        steps=tuple(steps),
        defers=tuple(_defers(known or [])),
        notes=tuple(RecordedNote(kind="note", at=None, text=text) for text in notes),
        created=_created(run_id),
        started=_time(shown.get("run_started_at")),
        made_by="inngest_gen, from an Inngest server",
    )


async def _function(api: Api, app: App, run_id: str, server_id: object) -> Function:
    """Find the function that the server knows by an id of its own."""
    slugs = {one["id"]: one for one in await api.functions(app.id) if isinstance(one, dict) and one.get("internal_id") == server_id}
    for function in app.functions.values():
        if function.slug in slugs:
            return function
    if slugs:
        raise RecordingError(
            f"run {run_id} is of function {next(iter(slugs))!r}, which this app {app.id!r} has not: is it the code that is served?"
        )
    raise RecordingError(f"run {run_id} is of no function that app {app.id!r} has registered with the server at {api.settings.api_url}")


async def _steps(
    function: Function, call: CallRequest, results: dict[str, Any], spans: Mapping[str, list[Span]]
) -> tuple[list[RecordedStep], list[str]]:
    """Replay the handler over its results to learn what they are of; gives notes, too."""
    ends = {
        hash: max((end for span in spans.get(hash, ()) if (end := _time(span.get("endedAt"))) is not None), default=None)
        for hash in results
    }
    in_order = None not in ends.values()
    if in_order:
        results = dict(sorted(results.items(), key=lambda one: ends[one[0]] or 0.0))
    outcomes: dict[str, tuple[bytes | None, Failure | None]] = {}

    def read(value: Any, step: Step[Any] | None = None) -> Memo:
        memo = memo_of(value, step)
        if step is not None and step.hash is not None:
            outcomes[step.hash] = _outcome(memo)
        return memo

    asked: dict[str, Op] = {}
    has_groups = False
    chain = function.chain()
    if chain is not None:
        chain.mute()
    with capturing():
        try:
            data = None if chain is not None else await function.receive(without_own_keys(call.events[0].data))
            execution = function.begin(call, memos=dict(results), memo_of=read, data=data, chain=chain, enter=_stub, logger=tape_logger())
        except Exception:  # noqa: BLE001 - the user's schema, or a handler of the wrong shape: the session that follows tells of it
            return [_unknown(hash, value, rank) for rank, (hash, value) in enumerate(results.items(), 1)], []
        execution.context.run(current_tape.set, Tape())
        try:
            paused = True
            while paused:
                paused = (await execution.turn(1)).paused
                intent = execution.standing().intent
                has_groups = has_groups or isinstance(intent, Group)
                for hash, leaf in execution.pending.items():
                    asked.setdefault(hash, leaf.op)
        finally:
            execution.drop()
    for hash, op in asked.items():
        if hash not in outcomes and hash in results:  # it is of a branch that has not come to it
            outcomes[hash] = _outcome(memo_of(results[hash], op.step))
    ranks = {hash: rank for rank, hash in enumerate(outcomes if in_order else [hash for hash in asked if hash in outcomes], 1)}
    steps = [_asked(op, outcomes.get(hash), ranks.get(hash), spans.get(hash, [])) for hash, op in asked.items()]
    others = [hash for hash in results if hash not in asked]
    steps += [_unknown(hash, results[hash], len(ranks) + place) for place, hash in enumerate(others, 1)]
    return steps, [_ORDER] if has_groups and not in_order else []


async def _stub(using: Any) -> Any:
    return stub_for(using.manager, lambda _: None)


def _outcome(memo: Memo) -> tuple[bytes | None, Failure | None]:
    # At once: the handler may change what it is given.
    return (None, Failure.of(memo.error)) if memo.error is not None else (jsonvalue.encode(memo.data, "a step's result"), None)


def _asked(op: Op, outcome: tuple[bytes | None, Failure | None] | None, rank: int | None, spans: list[Span]) -> RecordedStep:
    data, error = outcome or (None, None)
    told = traced(spans, op.step.kind, failed=None if outcome is None else error is not None)
    open_status: StepStatus = "waiting" if spans and op.step.kind in WAITS else "running"
    return RecordedStep(
        id=op.step.id,
        name=op.step.name,
        hash=op.hash,
        index=op.index,
        kind=op.step.kind,
        position=op.position,
        path=op.path,
        at=op.at,
        options=op.step.options(),
        status=open_status if outcome is None else "completed" if error is None else "failed",
        rank=rank,
        data=data,
        error=error,
        attempts=told.attempts,
        attempt=told.attempt,
        started=told.started,
        ended=told.ended,
    )


def _defers(known: Sequence[Any]) -> list[RecordedDefer]:
    """Read the defers that a dev server shows. It may show one that is taken back as scheduled."""
    return [
        RecordedDefer(
            id=str(one.get("userlandDeferID") or one["hashedDeferID"]),
            hash=str(one["hashedDeferID"]),
            function=one.get("fnSlug"),
            status=_FATES.get(str(one.get("status")), "after_run"),
            run_id=one.get("runID"),
        )
        for one in known
        if isinstance(one, Mapping) and one.get("hashedDeferID")
    ]


def _unknown(hash: str, value: Any, rank: int) -> RecordedStep:
    """Give a step that the handler, as it is now, does not ask for: only its hash is known."""
    data, error = _outcome(memo_of(value))
    return RecordedStep(id=hash, hash=hash, status="completed" if error is None else "failed", rank=rank, data=data, error=error)


def _source(events: Sequence[Event]) -> str | None:
    """Give the run that invoked this one (I34)."""
    told = events[0].data.get("_inngest") if events else None
    known = told.get("correlation_id") if isinstance(told, Mapping) else None
    return known.partition(".")[0] if isinstance(known, str) else None


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(cast("str", text))
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def _created(run_id: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(ulid_time(run_id), UTC)
    except ValueError:
        return None
