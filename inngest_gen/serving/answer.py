"""From a call request to its reply: what is missing of the request is fetched, and the handler begun.

Promises: data that does not fit, and a handler that cannot be begun, are answered as failures for good (A56).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from inngest_gen.app.function import Function
from inngest_gen.calls.failure import Failure
from inngest_gen.clock import Clock
from inngest_gen.middleware.chain import Chain
from inngest_gen.net.api import Api
from inngest_gen.options.checkpointing import Checkpointing
from inngest_gen.protocol.call import WireCall, memo_of, with_api_state
from inngest_gen.protocol.reply import Reply, error_reply
from inngest_gen.serving.call import Call
from inngest_gen.serving.given import given


async def answer_call(
    function: Function, wire: WireCall, *, api: Api, clock: Clock, chain: Chain | None, threads: Callable[[], anyio.CapacityLimiter]
) -> Reply:
    """Call a function as a request says; gives the reply. Raises BadCall, and what fetching a large record raises."""
    if wire.use_api:
        wire = await _complete(wire, api)
    events = wire.events or (wire.event,)
    call = given(function, events, run_id=wire.run_id, attempt=wire.attempt, max_attempts=wire.max_attempts)
    try:
        data: Any = None
        if chain is None:
            data = call.events[0].data
            if function.schema is not None:
                data = await function.receive(data)
        first = (
            wire.attempt == 0 and not wire.steps and not wire.defers and wire.target is None
        )  # H05; a reply of defers alone comes before (L12)
        execution = function.begin(call, memos=wire.steps, memo_of=memo_of, prior_defers=wire.defers, data=data, chain=chain, first=first)
    except Exception as error:  # noqa: BLE001 - the user's schema, or a handler that cannot be called so
        return error_reply(Failure.of(error, no_retry=True), no_retry=True)
    propagated = call.sessions if function.app.settings.session_propagation else None
    return await Call(function, wire, execution, api, clock, _checkpointing(function, wire), propagated, chain, threads).answer()


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
