"""Performs jobs: calls the app, makes the requests of gateway ops, hands the answers to the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import anyio
import httpx

from inngest_gen.clock import SystemClock
from inngest_gen.testing.server.call import CallRequest, make_call
from inngest_gen.testing.server.canonical import canonical, parse
from inngest_gen.testing.server.faults import CallFault, Faults
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.opcode import Op
from inngest_gen.testing.server.reply import Reply, no_answer, read_reply
from inngest_gen.testing.server.rules.answer import Failure, Turn, answer, conclude, end_gateway
from inngest_gen.testing.server.rules.begin import begin
from inngest_gen.testing.server.rules.memo import note
from inngest_gen.testing.server.run import Call, ServerRun
from inngest_gen.testing.server.signature import verify
from inngest_gen.testing.server.world import World

__all__ = ["Dispatcher"]

HOSTS: Final = ".app.test"
"""How the names of hosts end that stand for apps without a socket."""

UNREACHABLE: Final = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, AssertionError)
"""What a request may end with where there is no answer. (httpx asserts that an ASGI application has answered in the end.)"""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Dispatcher:
    """Performs the jobs of a world. `client_for` gives the HTTP client for a URL."""

    def __init__(
        self,
        world: World,
        faults: Faults,
        *,
        now: Callable[[], float],
        changed: Callable[[], None],
        client_for: Callable[[str], httpx.AsyncClient],
        signing_key: str | None,
        timeout: float,
        most_calls: int,
    ) -> None:
        """Take what it needs. `changed` is called whenever the rules have changed the world."""
        self._world = world
        self._faults = faults
        self._now = now
        self._changed = changed
        self._client_for = client_for
        self._signing_key = signing_key
        self._timeout = timeout
        self._most_calls = most_calls
        self._wall = SystemClock()  # signatures are judged by real time, whatever the server's clock says

    async def perform(self, job: Job) -> None:
        """Do what a due job asks for, to its end."""
        world, run = self._world, job.run
        wanted = begin(world, job, world.functions, self._now())
        self._changed()
        if not wanted or run is None:
            return
        run.book.requests += 1
        if run.book.requests > self._most_calls:
            note(run, f"the app was called {self._most_calls} times for this run; the server calls it no more")
            return
        function = world.functions.get(run.function)
        if function is None:
            note(run, f"function {run.function} is not registered any more")
            return
        request = make_call(function.url, run, job, self._now(), signing_key=self._signing_key, wall=self._wall.now())
        call = self._log(run, job, request)
        kind = self._faults.of_call(call)
        failure: Failure | None = None
        if kind in ("forget", "overtake"):
            await self._redo(job, request, call, overtaken=kind == "overtake")
            return
        if kind == "twice":
            second = self._log(run, job, request)
            async with anyio.create_task_group() as both:
                both.start_soon(self._deliver, run, job, request, second)
                failure = await self._deliver(run, job, request, call)
        else:
            failure = await self._deliver(run, job, request, call, kind)
        conclude(world, job, failure, self._now())
        self._changed()

    def _log(self, run: ServerRun, job: Job, request: CallRequest) -> Call:
        call = Call(
            direction="app",
            url=request.url,
            step=job.target or "step",
            attempt=job.attempt,
            generation=job.generation,
            at=self._now(),
            headers=request.headers,
            body=request.body,
        )
        run.calls.append(call)
        return call

    async def _redo(self, job: Job, request: CallRequest, call: Call, *, overtaken: bool) -> None:
        """Let the call be made anew from what the queue has: as if the executor had died with the answer, or had lost its lease meanwhile.

        An executor that has lost its lease still does what the answer says, though not to the queue (server: process.go).
        """
        assert job.run is not None
        if not overtaken:
            await self._send(request, call)
        anew = replace(job, attempt=job.stored, generation=job.generation + 1, at=self._now())
        self._world.items[job.id] = anew
        self._world.queue.put(anew)
        self._changed()
        if overtaken:
            await self._deliver(job.run, job, request, call)
        call.error = f"injected fault: {'overtake' if overtaken else 'forget'}"
        call.handled = True

    async def _deliver(self, run: ServerRun, job: Job, request: CallRequest, call: Call, fault: CallFault | None = None) -> Failure | None:
        reply = no_answer("Unable to reach SDK URL: EOF")
        if fault != "refuse":
            arrived = await self._send(request, call)
            reply = arrived if fault is None else reply
        if fault is not None:
            call.error = f"injected fault: {fault}"
        turn = Turn(world=self._world, run=run, job=job, request=request, reply=reply, now=self._now())
        answered = answer(turn)
        failure = answered.failure
        self._changed()
        for op in answered.gateways:
            result, error = await self._gateway(op)
            turn.now = self._now()
            failure = end_gateway(turn, op, result, error) or failure
            self._changed()
        call.handled = True
        return failure

    async def _send(self, request: CallRequest, call: Call) -> Reply:
        try:
            with anyio.fail_after(self._timeout):  # httpx's own does not hold where there is no socket
                response = await self._client_for(request.url).post(request.url, content=request.body, headers=request.headers)
        except UNREACHABLE as error:
            call.error = told(error)
            return no_answer(f"Unable to reach SDK URL: {call.error}")
        call.status, call.reply, call.reply_headers = response.status_code, response.content, dict(response.headers)
        if self._signing_key is not None:
            header = response.headers.get("x-inngest-signature", "")
            call.signature_problem = verify(header, call.reply, (self._signing_key,), self._wall.now())
        return read_reply(response.status_code, call.reply_headers, response.content, self._now())

    async def _gateway(self, op: Op) -> tuple[Mapping[str, Any], str | None]:
        method, url, headers, body = _gateway_request(op)
        what = "AI" if op.op == "AIGateway" else "gateway"
        try:
            if urlsplit(url).hostname not in _LOOPBACK and not urlsplit(url).netloc.endswith(HOSTS):
                return {}, f"Error making {what} request: the test server makes requests to loopback only, not to {url!r}"
            with anyio.fail_after(self._timeout):
                response = await self._client_for(url).request(method, url, content=body, headers=headers)
        except UNREACHABLE as error:
            return {}, f"Error making {what} request: {told(error)}"
        text = response.text
        if op.op == "Gateway":
            shown = {"url": url, "headers": dict(response.headers), "body": text, "status_code": response.status_code}
            return {"data": shown}, None
        try:
            value: Any = parse(text)
        except ValueError:
            value = text
        if response.status_code > 299:
            return {"data": value, "stack": text}, f"Error making AI request: unsuccessful status code: {response.status_code}"
        return {"data": value}, None


def told(error: Exception) -> str:
    """Say what a request ended with."""
    if isinstance(error, TimeoutError):
        return "the answer did not come in time"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _gateway_request(op: Op) -> tuple[str, str, dict[str, str], bytes]:
    opts = op.opts
    url, body = str(opts.get("url") or ""), opts.get("body")
    given = opts.get("headers")
    headers = {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
    if op.op == "Gateway":
        text = body if isinstance(body, str) else "" if body is None else canonical(body)
        return str(opts.get("method") or "POST"), url, headers, text.encode()
    key, form = str(opts.get("auth_key") or ""), opts.get("format")
    if form == "gemini":
        url += f"{'&' if '?' in url else '?'}{urlencode({'key': key})}"
    else:
        header, value = {"anthropic": ("x-api-key", key), "bedrock": ("Authorization", key)}.get(
            str(form), ("Authorization", f"Bearer {key}")
        )
        headers = {header: value, **headers} if key else headers
    return "POST", url, {"content-type": "application/json", **headers}, canonical(body).encode()
