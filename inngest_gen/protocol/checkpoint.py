"""Checkpoints: telling the server of steps while the handler goes on (F02, F03; SDK_SPEC 10.3.1).

The asynchronous mode, for runs that the server started. The synchronous one (F04), where an HTTP endpoint of the user's starts a run itself, has
bodies of its own and is not here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any
from urllib.parse import quote

import orjson

from inngest_gen.protocol.call import WireCall
from inngest_gen.protocol.ops import WireOp

__all__ = ["Verdict", "checkpoint_body", "checkpoint_path", "checkpoint_verdict"]

_OVER = frozenset({408, 425, 429})
"""Refusals that a later attempt may not meet."""


class Verdict(Enum):
    """What a server's reply to a checkpoint means.

    `TAKEN`: it has the steps. `STALE`: it has dispatched the run anew, so this call must stop at once (409, F13). `AGAIN`: another attempt may
    succeed. `REFUSED`: none will; the steps go with the reply.
    """

    TAKEN = "taken"
    STALE = "stale"
    AGAIN = "again"
    REFUSED = "refused"


def checkpoint_path(run_id: str) -> str:
    """Give the path below the API's origin to which a run's checkpoints are posted."""
    return f"/v1/checkpoint/{quote(run_id, safe='')}/async"


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


def checkpoint_verdict(status: int) -> Verdict:
    """Say what the HTTP status of a reply means. A redirect is no answer of an API's."""
    if 200 <= status < 300:
        return Verdict.TAKEN
    if status == 409:
        return Verdict.STALE
    return Verdict.AGAIN if status >= 500 or status in _OVER else Verdict.REFUSED
