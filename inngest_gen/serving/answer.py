"""From a call request to its reply: what the handler is given, made of the request, and the handler begun.

Promises: data that does not fit, and a handler that cannot be begun, are answered as failures for good (A56).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.request import CallRequest, Parent
from inngest_gen.clock import Clock
from inngest_gen.errors import StepError
from inngest_gen.event import Event
from inngest_gen.middleware.chain import Chain
from inngest_gen.net.api import Api
from inngest_gen.options.checkpointing import Checkpointing
from inngest_gen.protocol.call import BadCall, WireCall, memo_of, with_api_state
from inngest_gen.protocol.reply import Reply, error_reply
from inngest_gen.serving.call import Call
from inngest_gen.sessions import run_sessions

_ENGINE_KEYS = ("_inngest", "_inngestExperiment")
"""What the server adds to an event's data (A72, L06)."""


async def answer_call(
    function: Function, wire: WireCall, *, api: Api, clock: Clock, chain: Chain | None, threads: Callable[[], anyio.CapacityLimiter]
) -> Reply:
    """Call a function as a request says; gives the reply. Raises BadCall, and what fetching a large record raises."""
    if wire.use_api:
        wire = await _complete(wire, api)
    events = wire.events or (wire.event,)
    parents = tuple(_parent(event, function) for event in events) if function.kind == "defer" else ()
    sessions = run_sessions(events)
    call = CallRequest(
        run_id=wire.run_id,
        events=tuple(_cleaned(event) for event in events),
        attempt=wire.attempt,
        max_attempts=function.options.retries + 1 if wire.max_attempts is None else wire.max_attempts,
        sessions=dict(sessions),
        error=_error(events[0]) if function.kind == "failure" else None,
        parents=parents,
    )
    try:
        data = None if chain is not None else await function.receive(call.events[0].data)
        first = (
            wire.attempt == 0 and not wire.steps and not wire.defers and wire.target is None
        )  # H05; a reply of defers alone comes before (L12)
        execution = function.begin(call, memos=wire.steps, memo_of=memo_of, prior_defers=wire.defers, data=data, chain=chain, first=first)
    except Exception as error:  # noqa: BLE001 - the user's schema, or a handler that cannot be called so
        return error_reply(Failure.of(error, no_retry=True), no_retry=True)
    propagated = sessions if function.app.settings.session_propagation else None
    return await Call(
        function,
        wire,
        execution,
        api=api,
        clock=clock,
        checkpointing=_checkpointing(function, wire),
        sessions=propagated,
        chain=chain,
        threads=threads,
    ).answer()


def _checkpointing(function: Function, wire: WireCall) -> Checkpointing | None:
    """Say whether this call may checkpoint, and how (F01)."""
    if wire.target is not None or wire.disable_immediate_execution or not wire.fn_id or not wire.qi_id:
        return None
    return function.options.checkpointing


async def _complete(wire: WireCall, api: Api) -> WireCall:
    """Fetch the events and the record of a run that are too large for a request (C07)."""
    parts: dict[str, bytes] = {}

    async def fetch(name: str, get: Any) -> None:
        parts[name] = await get(wire.run_id)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch, "batch", api.batch)
            tasks.start_soon(fetch, "actions", api.actions)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None  # both say what is wrong with the server
    return with_api_state(wire, parts["batch"], parts["actions"])


def _cleaned(event: Event) -> Event:
    if not any(key in event.data for key in _ENGINE_KEYS):
        return event
    data = {key: value for key, value in event.data.items() if key not in _ENGINE_KEYS}
    return Event(event.name, data, id=event.id, ts=event.ts, meta=event.meta)


def _parent(event: Event, function: Function) -> Parent:
    """Give the run that deferred this one (A73). Raises BadCall."""
    told = event.data.get("_inngest")
    told = told if isinstance(told, Mapping) else {}
    slug, run_id = told.get("parent_fn_slug"), told.get("parent_run_id")
    if not isinstance(slug, str) or not isinstance(run_id, str):
        raise BadCall(
            400, "parent_missing", f"deferred function {function.slug!r} was called with an event that names no parent run in data._inngest"
        )
    return Parent(run_id, slug, event.data.get("_inngestExperiment"))


def _error(event: Event) -> StepError | None:
    """Give the error of the run that failed, for its failure handler (I43)."""
    error = event.data.get("error")
    return Failure.from_json(error).error() if isinstance(error, Mapping) else None
