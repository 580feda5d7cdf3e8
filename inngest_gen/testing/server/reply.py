"""An app's answer to a call, read as the server reads it (behaviours D01 to D19; server: httpdriver.go, parse.go, driver_response.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from inngest_gen.testing.server import timespan
from inngest_gen.testing.server.canonical import canonical, parse
from inngest_gen.testing.server.opcode import Op, read_ops

__all__ = ["BODY_BYTES", "Reply", "no_answer", "read_reply", "standard_error"]

BODY_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. `error` says what is wrong with it, None for one that is fine; `ops` are those of a 206; `output` is the body of any other."""

    status: int | None
    version: int = 0
    no_retry: bool = False
    retry_at: float | None = None
    error: str | None = None
    ops: tuple[Op, ...] = ()
    output: Any = None


def no_answer(reason: str) -> Reply:
    """Make what stands for an answer that did not come."""
    return Reply(status=None, error=reason, output={"error": {"error": reason, "name": "Error", "message": reason}})


@dataclass(slots=True)
class _Raw:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def read_reply(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Reply:
    """Read an answer; header names in lower case."""
    raw = _Raw(status, dict(headers), body)
    if len(body) > BODY_BYTES:
        return no_answer("output_too_large: Your function's response body exceeds the maximum size limit")
    if status == 201:
        try:
            _unwrap(raw)
        except ValueError as error:
            return no_answer(f"error parsing stream: {error}")
    header = raw.headers.get("x-inngest-no-retry", "")
    version = raw.headers.get("x-inngest-req-version", "")
    base = Reply(
        status=raw.status,
        version=int(version) if version.lstrip("-").isdigit() else 0,
        no_retry=header == "true",
        retry_at=timespan.retry_at(raw.headers.get("retry-after", ""), now),
    )
    is_sdk = bool(raw.headers.get("x-inngest-sdk"))
    if raw.status == 206:
        return _read_ops(base, raw.body, is_sdk=is_sdk)
    return _read_result(base, raw.body, is_sdk=is_sdk)


def _unwrap(raw: _Raw) -> None:
    # A streamed answer: 201, with the real status, headers and body inside.
    inner = parse(raw.body)
    if not isinstance(inner, Mapping):
        raise ValueError("error reading response body to check for status code")  # noqa: TRY004 - about the reply
    if inner.get("error") is not None:
        raise ValueError(inner["error"])
    raw.status = int(inner.get("status") or 0)
    raw.headers |= {str(name).lower(): str(value) for name, value in (inner.get("headers") or {}).items()}
    value = inner.get("body")
    # The body may be JSON in a string.
    raw.body = value.encode() if isinstance(value, str) else canonical(value).encode()


def _read_ops(base: Reply, body: bytes, *, is_sdk: bool) -> Reply:
    if not body.strip():
        return replace(base, **_failed("empty response"))
    try:
        ops = read_ops(_parsed(body))
    except ValueError as error:
        return replace(base, **_failed(str(error)))
    if not is_sdk:
        return replace(base, **_failed("not_sdk: the reply has no header X-Inngest-SDK"))
    if base.no_retry:
        ops = tuple(replace(op, error={**(op.error or {}), "noRetry": True}) if op.op == "StepError" else op for op in ops)
    return replace(base, ops=ops)


def _parsed(body: bytes) -> Any:
    try:
        return parse(body)
    except ValueError as error:
        raise ValueError(f"error reading generator opcode response: {error}") from None


def _failed(reason: str) -> dict[str, Any]:
    return {"error": reason, "output": {"error": {"error": reason, "name": "Error", "message": reason}}}


def _read_result(base: Reply, body: bytes, *, is_sdk: bool) -> Reply:
    status = base.status or 0
    error, output = None, _output(body)
    if not 200 <= status <= 299:
        error = f"invalid status code: {status}"
        if not is_sdk:
            message = f"Your server returned HTTP {status} before the SDK responded."
            output = {
                "error": message,
                "name": "Server returned a fatal error",
                "message": message,
                "stack": body[:8192].decode(errors="replace"),
            }
    if base.no_retry:
        error = "NonRetriableError"
    if 200 <= status <= 299 and not is_sdk:
        error = "not_sdk: the reply has no header X-Inngest-SDK"
    return replace(base, error=error, output=output)


def _output(body: bytes) -> Any:
    if not body:
        return None
    try:
        value = parse(body)
    except ValueError:
        return body.decode(errors="replace")
    if isinstance(value, str) and value[:1] == "{" and value[-1:] == "}":
        # An object that was written twice.
        try:
            return parse(value)
        except ValueError:
            return value
    return value


def standard_error(reply: Reply) -> dict[str, Any]:
    """Give the error of a reply as failure events carry it."""
    fields: Any = reply.output if isinstance(reply.output, Mapping) else {"message": reply.output} if reply.output else {}
    for key in ("error", "body"):
        inner = fields.get(key)
        if isinstance(inner, str):
            try:
                inner = parse(inner)
            except ValueError:
                continue
        if isinstance(inner, Mapping):
            fields = inner
            break
    error = {key: fields[key] for key in ("error", "name", "message", "stack") if isinstance(fields.get(key), str) and fields[key]}
    if "cause" in fields:
        error["cause"] = fields["cause"]
    fallback = reply.error or "Function execution error"
    return {"error": fallback, "name": "Error", "message": fallback} | error
