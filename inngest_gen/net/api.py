"""Api: what an app asks of its Inngest server.

Promises: each call is authorized by the signing key's hash, and once more by the fallback's where that is refused (401, 403); what may be repeated
without harm is asked five times before it is given up; errors say what was asked, where, and what to do.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import anyio
import orjson

from inngest_gen import jsonvalue
from inngest_gen.clock import Clock, SystemClock
from inngest_gen.errors import ApiError, ConfigError, InngestGenError
from inngest_gen.net.client import Clients
from inngest_gen.net.events import make_seed, sending
from inngest_gen.net.exchange import Answer, Ask, Exchange, Reaction, Silence, ask, persistently
from inngest_gen.net.headers import authorizations, headers
from inngest_gen.net.refusal import failed, reason
from inngest_gen.options.settings import Settings

__all__ = ["Api", "Registered", "Stale"]

T = TypeVar("T")

_REFUSED: Final = {401, 403}
_DEFERS: Final = "query($id: String!) { run(runID: $id) { defers { hashedDeferID userlandDeferID fnSlug status runID } } }"
_NO_RUN: Final = b"Unable to load function run"
_log = logging.getLogger("inngest_gen.net")


class Stale(InngestGenError):
    """The server has dispatched this call's run anew: what this call would still do has been done, or will be, elsewhere (F13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What the server says to a registration: whether it changed anything, and all of its reply."""

    modified: bool
    told: Mapping[str, Any]


class Api:
    """The server that `settings` name. One for an app, for all its loops and threads.

    `clock`, `sleep` (between attempts), `jitter` (0 to 1) and `entropy` (of so many bytes) are what a test replaces.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        jitter: Callable[[], float] = random.random,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.settings: Settings = settings
        tls = any(url.startswith("https:") for url in (settings.api_url, settings.event_url))
        self._clients = Clients(settings.limits, tls=tls, sleep=sleep)
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._entropy = entropy
        self._headers = headers(settings)
        self._fallback = False  # whether the fallback key was the last that the server took

    def prepare(self) -> None:
        """Do now what would hold up the loop for a moment at the first call (0.1 s): for servers, before they take requests."""
        self._clients.prepare()

    async def checkpoint(self, run_id: str, body: bytes) -> bool:
        """Report steps of a run; says whether the server took them, after five attempts where it does not answer well (F02, F12).

        Raises Stale. What the server refuses is logged with its reason.
        """
        attempt = partial(self._authorized, "POST", f"/v1/checkpoint/{quote(run_id, safe='')}/async", body)
        reaction = await self._clients.carry_out(persistently(attempt, _checkpoint_settled, self._jitter))
        if isinstance(reaction, Answer):
            if _taken(reaction):
                return True
            if reaction.status == 409:
                raise Stale(f"run {run_id} has been dispatched anew ({reason(reaction)})")
        _log.warning("a checkpoint of run %s was not taken (%s): its steps go with the reply instead", run_id, reason(reaction))
        return False

    async def batch(self, run_id: str) -> bytes:
        """Give the events that started a run, as JSON. Raises ApiError."""
        return await self._read(f"/v0/runs/{quote(run_id, safe='')}/batch", f"reading the events of run {run_id}", b"[")

    async def actions(self, run_id: str) -> bytes:
        """Give the recorded steps of a run, as JSON. Raises ApiError."""
        return await self._read(f"/v0/runs/{quote(run_id, safe='')}/actions", f"reading the steps of run {run_id}", b"{")

    async def run(self, run_id: str) -> Mapping[str, Any] | None:
        """Give what the server shows of a run, under way or ended (J07); None where it knows of none. Raises ApiError. It is asked once."""
        reaction = await self._clients.carry_out(self._authorized("GET", f"/v1/runs/{quote(run_id, safe='')}"))
        if isinstance(reaction, Answer):
            shown = (_object(reaction) or {}).get("data") if reaction.fine else None
            if isinstance(shown, dict):
                return shown
            if reaction.status == 404 or (reaction.status == 500 and _NO_RUN in reaction.body):
                return None
        raise self._failed(f"reading run {run_id}", reaction)

    async def trace(self, run_id: str) -> Mapping[str, Any] | None:
        """Give the root of a run's trace, with what its spans gave; None where the server shows none: it is a beta of its API. It is asked once."""
        path = f"/v2/runs/{quote(run_id, safe='')}/trace?includeOutput=true"
        reaction = await self._clients.carry_out(self._authorized("GET", path))
        data = (_object(reaction) or {}).get("data") if isinstance(reaction, Answer) and reaction.fine else None
        root = data.get("rootSpan") if isinstance(data, dict) else None
        return root if isinstance(root, dict) else None

    async def defers(self, run_id: str) -> list[Any] | None:
        """List the defers that a run has made, as a dev server shows them (L10); None where there is none that does. It is asked once."""
        body = orjson.dumps({"query": _DEFERS, "variables": {"id": run_id}})
        reaction = await self._clients.carry_out(self._authorized("POST", "/v0/gql", body))
        answer: Any = _object(reaction) if isinstance(reaction, Answer) and reaction.fine else None
        for key in ("data", "run", "defers"):
            answer = answer.get(key) if isinstance(answer, dict) else None
        return answer if isinstance(answer, list) else None

    async def functions(self, app_id: str) -> list[Any]:
        """List the functions that an app has registered, as the server shows them (pkg/api/apiv1/functions.go). Raises ApiError. It is asked once."""
        reaction = await self._clients.carry_out(self._authorized("GET", f"/v1/apps/{quote(app_id, safe='')}/functions"))
        if isinstance(reaction, Answer) and reaction.fine:
            try:
                listed = orjson.loads(reaction.body)
            except ValueError:
                listed = ...
            if listed is None or isinstance(listed, list):  # Go's nil slice
                return listed or []
        raise self._failed(f"reading the functions of app {app_id!r}", reaction)

    async def send_events(self, events: Sequence[Mapping[str, Any]], *, seed: str | None = None) -> list[str]:
        """Send events, given as JSON objects; gives their ids.

        The same `seed` gives the same ids, so that what is sent again is taken once; None: one is made. Raises ConfigError where cloud mode has no
        event key, NotJSON, TooLarge, ApiError.
        """
        return await self._clients.carry_out(self._sending(events, seed)) if events else []

    def send_events_here(self, events: Sequence[Mapping[str, Any]], *, seed: str | None = None) -> list[str]:
        """Do the same in a thread without a loop, which is blocked meanwhile."""
        return self._clients.carry_out_here(self._sending(events, seed)) if events else []

    async def send_signal(self, signal: str, data: Any = None) -> bool:
        """Send a signal; says whether a run waited for it (I33). Raises NotJSON and ApiError.

        It is asked once: the reply to a second time would tell of no waiter, though the first had found it.
        """
        body = b'{"signal":%b,"data":%b}' % (orjson.dumps(signal), jsonvalue.encode(data, f"the data of signal {signal!r}"))
        reaction = await self._clients.carry_out(self._authorized("POST", "/v1/signals", body))
        if isinstance(reaction, Answer):
            if reaction.status == 404:
                return False
            if reaction.fine and _object(reaction) is not None:
                return True
        raise self._failed(f"sending signal {signal!r}", reaction)

    async def register(
        self, body: bytes, *, deploy_id: str | None = None, framework: str | None = None, expected_server_kind: str | None = None
    ) -> Registered:
        """Register an app (E32). Raises ApiError; its `status` and `reason` are for the reply to whoever asked (E34)."""
        own = {"x-inngest-sync-kind": "out_of_band"}
        if framework is not None:
            own["x-inngest-framework"] = framework
        if expected_server_kind is not None:
            own["x-inngest-expected-server-kind"] = expected_server_kind
        path = "/fn/register" if deploy_id is None else f"/fn/register?{urlencode({'deployId': deploy_id})}"
        reaction = await self._clients.carry_out(self._authorized("POST", path, body, own))
        if isinstance(reaction, Answer) and reaction.fine:
            told = _object(reaction)
            if told is not None and not told.get("error"):
                return Registered(modified=told.get("modified") is True, told=told)
        raise self._failed("registering the app", reaction)

    async def write_metadata(self, run_id: str, body: bytes) -> None:
        """Write metadata of a run, such as a score. Raises ApiError."""
        path = f"/v1/runs/{quote(run_id, safe='')}/metadata"
        attempt = partial(self._authorized, "POST", path, body)
        reaction = await self._clients.carry_out(persistently(attempt, lambda one: _taken(one) or _hopeless(one), self._jitter))
        if not _taken(reaction):
            raise self._failed(f"writing metadata of run {run_id}", reaction)

    async def aclose(self) -> None:
        """Close the connections of the running loop. The next call opens others."""
        await self._clients.aclose()

    def _sending(self, events: Sequence[Mapping[str, Any]], seed: str | None) -> Exchange[list[str]]:
        encoded = [(str(event.get("name")), jsonvalue.encode(event, f"event {event.get('name')!r}")) for event in events]
        seed = seed or make_seed(self._clock.now(), self._entropy(10))
        return sending(encoded, seed, self.settings, jitter=self._jitter)

    async def _read(self, path: str, what: str, first: bytes) -> bytes:
        """Give an answer that begins with `first`, as JSON of that kind does: another is a proxy's, or cut."""

        def sound(reaction: Reaction) -> bool:
            return isinstance(reaction, Answer) and reaction.fine and reaction.body.lstrip().startswith(first)

        attempt = partial(self._authorized, "GET", path)
        reaction = await self._clients.carry_out(persistently(attempt, lambda one: sound(one) or _hopeless(one), self._jitter))
        if isinstance(reaction, Answer) and sound(reaction):
            return reaction.body
        raise self._failed(what, reaction)

    def _authorized(self, method: str, path: str, body: bytes | None = None, own: Mapping[str, str] | None = None) -> Exchange[Reaction]:
        """Ask with the signing key, and where that is refused with the other one.

        What the server took is what the next call begins with: the spec's one-way switch (10.3.4), and the way back when the fallback has expired.
        """
        given = {**self._headers, **(own or {})}
        try:
            values: list[str | None] = [*authorizations(self.settings)] or [None]
        except ConfigError as error:
            return Silence(reason=str(error), final=True)
        fallback_first = self._fallback and len(values) > 1
        if fallback_first:
            values.reverse()
        reaction: Reaction = Silence(reason="nothing was asked")
        for number, value in enumerate(values):
            with_key = given if value is None else {**given, "authorization": value}
            reaction = yield from ask(Ask(method=method, url=f"{self.settings.api_url}{path}", headers=with_key, body=body))
            if isinstance(reaction, Silence):
                break
            if reaction.status not in _REFUSED:
                self._fallback = (number == 1) != fallback_first
                break
        return reaction

    def _failed(self, what: str, reaction: Reaction) -> ApiError:
        return failed(what, self.settings.api_url, reaction, self.settings, key="signing")


def _hopeless(reaction: Reaction) -> bool:
    """Say whether another attempt would fare the same: a refusal does, an overload and an answer that is not the server's may not."""
    if isinstance(reaction, Silence):
        return reaction.final
    return 300 <= reaction.status < 500 and reaction.status not in {408, 425, 429}


def _checkpoint_settled(reaction: Reaction) -> bool:
    # The server says 400 for troubles of its own, too (pkg/api/apiv1/checkpoint.go); 413 is for what is too large.
    return _taken(reaction) or (_hopeless(reaction) and getattr(reaction, "status", None) != 400)


def _taken(reaction: Reaction) -> bool:
    """Say whether the server took what it was sent: it answers with nothing, or with JSON. A proxy's page is no answer of its."""
    if not isinstance(reaction, Answer) or not reaction.fine:
        return False
    if not reaction.body.strip():
        return True
    try:
        orjson.loads(reaction.body)
    except ValueError:
        return False
    return True


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        value = orjson.loads(answer.body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
