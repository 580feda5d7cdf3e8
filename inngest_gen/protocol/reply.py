"""Replies to a call: status, headers and body as the server reads them.

Promises: every failure says whether it may be retried, and when, on replies of one op and of several alike (L11); a body is JSON whatever went wrong.
Facts: section D of the protocol notes; server pkg/execution/driver/httpdriver (ParseRetry, ShouldRetry).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from inngest_gen.calls.failure import Failure
from inngest_gen.options.settings import Settings
from inngest_gen.protocol.ops import WireOp, error_json, wire_moment
from inngest_gen.protocol.sdk import SDK

__all__ = [
    "Reply",
    "error_reply",
    "ops_reply",
    "problem_reply",
    "result_reply",
    "retry_after_text",
    "sdk_headers",
    "step_not_found_reply",
    "unauthenticated",
]

_NO_RETRY: Final = "x-inngest-no-retry"
_RETRY_AFTER: Final = "retry-after"
_HANDLED: Final = "x-inngest-sdk-handled"
_LONGEST_S: Final = 9_999_999
"""More digits are read as a date, and fail as one; the server retries within a day anyway."""
_SHOWN_STEPS: Final = 25
_ECHOED: Final = (
    ("x-inngest-expected-server-kind", "x-inngest-server-kind"),
    ("traceparent", "traceparent"),
    ("tracestate", "tracestate"),
)
"""Headers of a reply, each with that of the request whose value it has."""
_ALWAYS: Final = {
    "content-type": "application/json",
    "user-agent": SDK,
    "x-inngest-sdk": SDK,
    _HANDLED: "true",
    "x-inngest-framework": "",
    "x-inngest-req-version": "2",
}


@dataclass(slots=True)  # not frozen: that costs half a microsecond a call
class Reply:
    """A reply: its HTTP `status`, `headers` (with lower-case names, as ASGI has them), and `body`."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def result_reply(data: bytes) -> Reply:
    """Reply that the function has ended with a result, as JSON (200). Not for a run with lazy ops left: those go before a RunComplete."""
    return Reply(status=200, body=data)


def ops_reply(ops: Sequence[WireOp], *, no_retry: bool | None = None, retry_after: float | datetime | None = None) -> Reply:
    """Reply with ops (206). Where one is a failure, `no_retry` says whether it is the last, and `retry_after` when to try again (D04, D05)."""
    headers = {} if no_retry is None and retry_after is None else _retry_headers(no_retry=no_retry, retry_after=retry_after)
    return Reply(206, headers, orjson.dumps(ops))


def error_reply(failure: Failure, *, no_retry: bool, retry_after: float | datetime | None = None) -> Reply:
    """Reply that the function itself failed: 400 for good, 500 to be tried again (D02, D03, D06)."""
    return Reply(
        status=400 if no_retry else 500,
        headers=_retry_headers(no_retry=no_retry, retry_after=retry_after),
        body=orjson.dumps(error_json(failure)),
    )


def problem_reply(status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> Reply:
    """Reply that the request could not be served. The server tries again: nothing of the function's has failed."""
    text = message if message.isascii() else message.encode("utf-8", "backslashreplace").decode()
    body = orjson.dumps({"code": code, "message": text, "name": "Error"})
    return Reply(status=status, headers={"content-type": "application/json", **(headers or {})}, body=body)


def step_not_found_reply(hash: str, found: Sequence[tuple[str, str, str]]) -> Reply:
    """Reply that the step which was asked for did not come up (C75). `found` are those that did and have no result: (hash, name, display name)."""
    shown = sorted(found)[:_SHOWN_STEPS]
    names = ", ".join(f"{display or name} ({id})" for id, name, display in shown) or "none"
    body = {
        "error": f'Could not find step "{hash}" to run. Found new steps: {names}',
        "name": "StepNotFound",
        "message": f'Could not find step "{hash}" to run: the function\'s code has changed, or is not the same in each replay. New steps: {names}',
        "requestedStep": hash,
        "foundSteps": [{"id": id, "name": name, "displayName": display} for id, name, display in shown],
        "totalFoundSteps": len(found),
    }
    return Reply(status=500, headers={_NO_RETRY: "false"}, body=orjson.dumps(body))


def retry_after_text(after: float | datetime) -> str:
    """Write the header `retry-after`: whole seconds, rounded up, at least 1; or a moment in RFC 3339 (D08a).

    Raises ValueError for a moment without a timezone, and for seconds that are not finite.
    """
    if isinstance(after, datetime):
        if after.utcoffset() is None:
            raise ValueError(f"{after!r} has no timezone")
        return wire_moment(after.astimezone(UTC).timestamp())
    if not math.isfinite(after):
        raise ValueError(f"{after!r} s is no time to retry after")
    return str(min(max(1, math.ceil(round(after, 6))), _LONGEST_S))


def sdk_headers(settings: Settings, request: Mapping[str, str], *, framework: str) -> dict[str, str]:
    """Give the headers that every reply has (E24, E27). `request` are the request's, with lower-case names."""
    headers = _ALWAYS.copy()
    headers["x-inngest-framework"] = framework
    if settings.env:
        # Headers are written as latin-1: so it goes as UTF-8, as it does in requests to the server.
        headers["x-inngest-env"] = settings.env.encode("utf-8", "surrogateescape").decode("latin-1")
    if settings.platform:
        headers["x-inngest-platform"] = settings.platform
    for name, asked in _ECHOED:
        value = request.get(asked)
        if value:
            headers[name] = value
    return headers


def unauthenticated(headers: Mapping[str, str]) -> dict[str, str]:
    """Give those of a reply's headers that a caller may see who has not shown that it knows the signing key (E23)."""
    return {
        name: value for name, value in headers.items() if name == _HANDLED or not (name.startswith("x-inngest-") or name == "user-agent")
    }


def _retry_headers(*, no_retry: bool | None, retry_after: float | datetime | None) -> dict[str, Any]:
    headers: dict[str, str] = {}
    if retry_after is not None and not no_retry:
        headers[_RETRY_AFTER] = retry_after_text(retry_after)
        no_retry = False
    if no_retry is not None:
        headers[_NO_RETRY] = "true" if no_retry else "false"
    return headers
