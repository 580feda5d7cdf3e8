"""The gateway: makes the HTTP requests of `step.fetch` and `step.ai.infer` where no Inngest server makes them.

Promises: what it gives is what the server records (server: pkg/execution/executor, handleGeneratorGateway and handleGeneratorAIGateway), so that a
handler sees the same on both. Refuses: answers beyond the limit of a step's result, before they are read to their end.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any

import httpx

from inngest_gen import jsonvalue
from inngest_gen.errors import TooLarge
from inngest_gen.intents.http import AIInfer, Fetch, Request
from inngest_gen.intents.intent import describe
from inngest_gen.net.limited import read_limited

ANSWER_BYTES = 4 * 1024 * 1024
_TIMEOUT = httpx.Timeout(connect=10, read=600, write=60, pool=None)
"""Seconds. A model may think for minutes before the first byte."""


class GatewayError(Exception):
    """A request got no answer."""


class AIGatewayError(Exception):
    """An inference was not answered with 2xx, or with what is no JSON."""


async def ask(step: Fetch | AIInfer[Any]) -> Any:
    """Make a step's request; gives its result as JSON values.

    Raises GatewayError or AIGatewayError, and TooLarge for an answer of more than 4 MiB.
    """
    request = step.request()
    if isinstance(step, AIInfer):
        return await _infer(request, describe(step))
    try:
        answer, body = await _send(request, describe(step))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise GatewayError(f"Error making gateway request: {_told(error)}") from error
    headers: dict[str, str] = {}
    for key, value in answer.headers.multi_items():
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    text = body.decode(answer.encoding or "utf-8", "replace")
    return {"url": request.url, "headers": headers, "body": text, "status_code": answer.status_code}


async def _infer(request: Request, what: str) -> Any:
    try:
        answer, body = await _send(request, what)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise AIGatewayError(f"Error making AI request: {_told(error)}") from error
    text = body.decode(errors="replace")
    if not answer.is_success:
        raise AIGatewayError(f"Error making AI request: unsuccessful status code: {answer.status_code}: {text[:2000]}")
    try:
        return jsonvalue.decode(text)
    except ValueError as error:
        raise AIGatewayError(f"Error making AI request: the answer is no JSON: {text[:200]!r}") from error


async def _send(request: Request, what: str) -> tuple[httpx.Response, bytes]:
    # A client of its own for each request: they are rare and slow, and a shared one would have to be tied to a loop and closed.
    async with (
        httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True, verify=_tls()) as client,
        client.stream(request.method, request.url, headers=dict(request.headers), content=request.body) as answer,
    ):
        body = await read_limited(answer, ANSWER_BYTES)
        if body is None:
            raise TooLarge(f"the answer to {what}", ANSWER_BYTES + 1, ANSWER_BYTES)
        return answer, body


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # reads the certificates: 20 ms


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
