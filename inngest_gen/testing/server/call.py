"""A call request: what the server sends to an app, byte for byte (behaviours C01 to C12; server: driver.go, httpdriver.go)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from inngest_gen.testing.server import event as events
from inngest_gen.testing.server.canonical import canonical
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.run import ServerRun
from inngest_gen.testing.server.signature import sign
from inngest_gen.testing.server.ulid import deterministic

__all__ = ["REQUEST_BYTES", "CallRequest", "make_call", "queue_reference"]

REQUEST_BYTES: Final = 4 * 1024 * 1024
"""A body may be so long; a longer one leaves out events and steps, which the app then fetches."""

_ACCOUNT: Final = "00000000-0000-4000-a000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """What is sent. `version` and `plan_only` are the run's as they were then: what comes of the answer depends on them."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    version: int
    plan_only: bool


def queue_reference(job: Job) -> str:
    """Give what calls carry as `qi_id` and checkpoints give back."""
    return base64.b64encode(f"{job.id}::default".encode()).decode()


def make_call(url: str, run: ServerRun, job: Job, now: float, *, signing_key: str | None, wall: float) -> CallRequest:
    """Make the call of a job. `wall` is the time by which signatures are judged."""
    request_id = deterministic(int(now * 1000), f"{job.id}:{job.generation}")
    body = _body(run, job, request_id).encode()
    step = job.target or "step"
    headers = {
        "User-Agent": "Inngest",
        "Account-Id": _ACCOUNT,
        "Content-Type": "application/json",
        "X-Inngest-Generation-Id": str(job.generation),
        "X-Inngest-Job-Id": job.id,
        "X-Inngest-Req-Version": str(run.book.version),
        "X-Inngest-Step-Id": step,
        "X-Request-Id": request_id,
        "X-Run-Id": run.id,
    }
    if signing_key is not None:
        headers["X-Inngest-Signature"] = sign(signing_key, body, wall)
    parts = urlsplit(url)
    query = sorted({**dict(parse_qsl(parts.query, keep_blank_values=True)), "stepId": step}.items())
    return CallRequest(
        url=urlunsplit(parts._replace(query=urlencode(query))),
        headers=headers,
        body=body,
        request_id=request_id,
        version=run.book.version,
        plan_only=run.book.plan_only,
    )


def _body(run: ServerRun, job: Job, request_id: str) -> str:
    use_api = run.book.state_bytes > REQUEST_BYTES - 1024
    body = _write(run, job, request_id, use_api=use_api, events_too=True)
    if len(body.encode()) > REQUEST_BYTES:
        body = _write(run, job, request_id, use_api=True, events_too=False)
    return body


def _write(run: ServerRun, job: Job, request_id: str, *, use_api: bool, events_too: bool) -> str:
    current = run.stack.index(job.outgoing) + 1 if job.outgoing in run.steps else 0
    ctx = {
        "attempt": job.attempt,
        "disable_immediate_execution": run.book.plan_only,
        "env": "",
        "fn_id": run.book.function_id,
        "generation_id": job.generation,
        "job_id": job.id,
        "max_attempts": run.book.max_attempts,
        "qi_id": queue_reference(job),
        "request_id": request_id,
        "run_id": run.id,
        "stack": {"current": current, "stack": run.stack},
        "step_id": "step",
        "use_api": use_api,
    }
    memos = {} if use_api else run.steps
    steps = ",".join([memos[hash].member for hash in sorted(memos)])
    defers = {hash: {"abortable": entry.status == "after_run"} for hash, entry in run.defers.items()}
    shown = [canonical(events.shown(event)) for event in run.events]
    return (
        f'{{"ctx":{canonical(ctx)},"defers":{canonical(defers)},"event":{shown[0]},"events":[{",".join(shown) if events_too else ""}],'
        f'"steps":{{{steps}}},"use_api":{canonical(use_api)},"version":{run.book.version}}}'
    )
