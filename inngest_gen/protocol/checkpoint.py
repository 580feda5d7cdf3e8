"""Checkpoints: telling the server of steps while the handler goes on (F02, F03; SDK_SPEC 10.3.1).

The asynchronous mode, for runs that the server started. The synchronous one (F04), where an HTTP endpoint of the user's starts a run itself, has
bodies of its own and is not here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from inngest_gen.protocol.call import WireCall
from inngest_gen.protocol.ops import WireOp

__all__ = ["checkpoint_body"]


def checkpoint_body(call: WireCall, steps: Sequence[WireOp], *, started: float, now: float) -> bytes:
    """Give the body of a checkpoint of `steps`, finished steps first and lazy ops after (A16). `started` is when the call came, in epoch seconds.

    It may hold StepRun, DeferAdd and DeferAbort, and nothing that failed for good or is to be waited for (L13, F15).
    """
    body: dict[str, Any] = {"run_id": call.run_id, "fn_id": call.fn_id, "qi_id": call.qi_id}
    if call.request_id is not None:
        body["request_id"] = call.request_id
    if call.generation_id is not None:
        body["generation_id"] = call.generation_id
    body |= {"request_started_at": int(started * 1000), "steps": steps, "ts": int(now * 1000)}
    return orjson.dumps(body)
