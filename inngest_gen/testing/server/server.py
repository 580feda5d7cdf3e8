"""Server: an Inngest server for tests, in this process, on a loopback port, under asyncio and trio."""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import httpx
from anyio.abc import SocketAttribute

from inngest_gen import durations, jsonvalue
from inngest_gen.clock import Clock, SystemClock, VirtualClock
from inngest_gen.durations import Duration
from inngest_gen.errors import ServerError
from inngest_gen.event import Event
from inngest_gen.testing.server import event as events
from inngest_gen.testing.server.api import ROUTES, Api, route_name
from inngest_gen.testing.server.canonical import canonical, parse
from inngest_gen.testing.server.dispatcher import HOSTS, UNREACHABLE, Dispatcher, told
from inngest_gen.testing.server.faults import CallFault, Fault, Faults, RouteFault
from inngest_gen.testing.server.http import Request, Response, connection
from inngest_gen.testing.server.job import Job
from inngest_gen.testing.server.loop import Loop
from inngest_gen.testing.server.registration import App, Function, Invalid, read_app
from inngest_gen.testing.server.rules import finalize, waits
from inngest_gen.testing.server.run import Call, ServerRun
from inngest_gen.testing.server.signature import sign
from inngest_gen.testing.server.ulid import Ids
from inngest_gen.testing.server.world import World

__all__ = ["Server"]

_HOST: Final = "127.0.0.1"
_REGISTER_S: Final = 30.0

_Scope: TypeAlias = MutableMapping[str, Any]
_Message: TypeAlias = MutableMapping[str, Any]
ASGIApp: TypeAlias = Callable[[_Scope, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]


class Server:
    """An Inngest server for tests: it drives an app over HTTP as the real one does, in this process, without Node or Docker.

    An async context manager. `clock` is a `VirtualClock` (the default, at the present) or a `SystemClock`: on a virtual one sleeps, timeouts and
    retries take no time, and time passes only in `run`, `finish` and `advance`. With `signing_key` it is a server that wants keys, as Inngest's
    cloud; `event_key` is then the one that it takes events with. `port` is a free one, or the one that is given: 8288 is where apps in dev mode
    look without being told. `seed` makes its ids and jitters the same each time; `call_timeout` is how long the app may take to answer, in real
    time; `max_calls` how often it is called for one run.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        signing_key: str | None = None,
        event_key: str | None = None,
        port: int = 0,
        seed: int | None = None,
        call_timeout: Duration = "30s",
        max_calls: int = 5000,
    ) -> None:
        self.clock: Clock = VirtualClock(SystemClock().now()) if clock is None else clock
        self.signing_key: str | None = signing_key
        self.event_key: str | None = event_key
        self.url: str = ""
        self._port = port
        self._timeout = durations.seconds(call_timeout)
        self._world = World(Ids(random.Random(secrets.randbits(64) if seed is None else seed)))  # noqa: S311 - ids of a test
        self._faults = Faults()
        self._loop = Loop(self._world, self.clock)
        self._api = Api(
            world=self._world,
            kind="dev" if signing_key is None else "cloud",
            signing_key=signing_key,
            event_keys=() if event_key is None else (event_key,),
        )
        self._dispatcher = Dispatcher(
            self._world,
            self._faults,
            now=self.clock.now,
            changed=self._loop.changed,
            client_for=self._client_for,
            signing_key=signing_key,
            timeout=self._timeout,
            most_calls=max_calls,
        )
        self._apps: dict[str, ASGIApp] = {}
        self._clients: dict[str, httpx.AsyncClient] = {}

    # Life

    async def __aenter__(self) -> Self:
        if self.url:
            raise ServerError("a Server is entered once: make another one")
        try:
            self._listener = await anyio.create_tcp_listener(local_host=_HOST, local_port=self._port)
        except OSError as error:
            raise ServerError(f"cannot listen on {_HOST}:{self._port}: {error}") from error
        self.url = f"http://{_HOST}:{self._listener.extra(SocketAttribute.local_port)}"  # noqa: S610 - no Django here
        self._unlisten = self.clock.listen(self._loop.poke) if isinstance(self.clock, VirtualClock) else lambda: None
        self._client = self._new_client()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._listen)
        self._tasks.start_soon(self._loop.drive, self._tasks, self._dispatcher.perform)
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._unlisten()
        with anyio.CancelScope(shield=True):
            await self._listener.aclose()  # first: cancelled as somebody connects, asyncio's accept fails (bpo-41317)
        self._tasks.cancel_scope.cancel()
        try:
            # Not told of the user's error: it would come back wrapped in an ExceptionGroup.
            await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                for client in [self._client, *self._clients.values()]:
                    await client.aclose()

    async def _listen(self) -> None:
        try:
            await self._listener.serve(connection(self._respond), self._tasks)
        except* anyio.ClosedResourceError:  # of each of its sockets
            pass

    def _new_client(self, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return httpx.AsyncClient(transport=transport, timeout=self._timeout, trust_env=False, verify=False, limits=limits)  # noqa: S501 - loopback

    def _client_for(self, url: str) -> httpx.AsyncClient:
        return self._clients.get(urlsplit(url).netloc, self._client)

    # What a test reads

    @property
    def runs(self) -> list[ServerRun]:
        """All runs, in the order in which they began."""
        return list(self._world.runs.values())

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """All events, the server's own included, in the order in which they were delivered."""
        return list(self._world.events)

    @property
    def requests(self) -> list[Call]:
        """All requests to its API and their answers, in order."""
        return list(self._world.requests)

    @property
    def functions(self) -> dict[str, Function]:
        """The registered functions by slug."""
        return dict(self._world.functions)

    def get(self, run_id: str) -> ServerRun:
        """Give a run. Raises KeyError."""
        return self._world.runs[run_id]

    def env(self) -> dict[str, str]:
        """Give the environment variables that point an app at this server."""
        if self.signing_key is None:
            return {"INNGEST_DEV": self.url, "INNGEST_EVENT_KEY": self.event_key or "test"}
        keys = {"INNGEST_SIGNING_KEY": self.signing_key, "INNGEST_EVENT_KEY": self.event_key or "test"}
        return {"INNGEST_DEV": "0", "INNGEST_BASE_URL": self.url, **keys}

    def settings(self) -> dict[str, Any]:
        """Give the arguments of `ig.App` that point an app at this server: `ig.App("shop", **server.settings())`."""
        if self.signing_key is None:
            return {"dev": self.url}
        return {"dev": False, "base_url": self.url, "signing_key": self.signing_key, "event_key": self.event_key or "test"}

    # What a test does

    async def register(self, app: str | ASGIApp, *, path: str = "/api/inngest", in_band: bool = False) -> App:
        """Register an app: a URL at which it is served, or an ASGI application, which is then called without a socket at `path`.

        The app is asked to register itself (PUT), as the real server asks; with `in_band` it is asked to answer with its functions. Gives what was
        registered. Raises ServerError, with the app's answer, where that fails.
        """
        url = app if isinstance(app, str) else self._mount(app, path)
        body = canonical({"url": url}).encode()
        headers = {"Content-Type": "application/json", "X-Inngest-Server-Kind": self._api.kind}
        if in_band:
            headers["X-Inngest-Sync-Kind"] = "in_band"
        if self.signing_key is not None:
            headers["X-Inngest-Signature"] = sign(self.signing_key, body, SystemClock().now())
        before = dict(self._world.apps)
        try:
            with anyio.fail_after(_REGISTER_S):
                response = await self._client_for(url).put(url, content=body, headers=headers, timeout=_REGISTER_S)
        except UNREACHABLE as error:
            raise ServerError(f"the app at {url} cannot be reached: {told(error)}") from error
        if response.status_code != 200:
            raise ServerError(f"the app at {url} did not register: it answered {response.status_code} {response.text[:2000]}")
        if in_band and response.headers.get("x-inngest-sync-kind") == "in_band":
            return self._take_in_band(url, response)
        fresh = [one for name, one in self._world.apps.items() if before.get(name) is not one] or [
            one for one in self._world.apps.values() if one.url == url
        ]
        if not fresh:
            raise ServerError(f"the app at {url} answered {response.text[:2000]}, but it has not registered at {self.url}")
        return fresh[0]

    def _mount(self, app: ASGIApp, path: str) -> str:
        host = next((host for host, one in self._apps.items() if one is app), None)
        if host is None:
            host = f"{len(self._apps) + 1}{HOSTS}"
            self._apps[host] = app
            self._clients[host] = self._new_client(httpx.ASGITransport(app=app, raise_app_exceptions=False))
        return f"http://{host}{path}"

    def _take_in_band(self, url: str, response: httpx.Response) -> App:
        try:
            value = parse(response.content)
            app = read_app({**value, "appName": value.get("app_id"), "url": value.get("url") or url})
        except (Invalid, ValueError, AttributeError, TypeError) as error:
            raise ServerError(f"the app at {url} did not register: {error}; it answered {response.text[:2000]}") from error
        self._api.take_app(app)
        return app

    async def send(self, *sent: Event | Mapping[str, Any], after: Duration | None = None) -> list[str]:
        """Send events, now or `after` a while of the server's time; gives their ids. Raises ValueError for one that the server refuses."""
        now = self.clock.now()
        ids = []
        for one in sent:
            event = events.inbound(
                parse(jsonvalue.encode(_plain(one), "the event")), now if after is None else now + durations.seconds(after)
            )
            event["id"] = event["id"] or self._world.ids.ulid(now)
            ids.append(event["id"])
            if after is None:
                self._world.publish(event)
            else:
                self._world.queue.put(Job(kind="event", at=now + durations.seconds(after), event=event))
        self._loop.changed()
        await anyio.lowlevel.checkpoint()
        return ids

    async def run(self, *sent: Event | Mapping[str, Any], timeout: Duration = "30s") -> list[ServerRun]:
        """Send events and let all that begins from now on come to its end; gives these runs, in the order in which they began.

        On a virtual clock time passes as it is needed. Raises RunStuck, with the last calls of each run that has not ended, where nothing is left
        that could bring it forward or where it takes longer than `timeout` (real time).
        """
        known = len(self._world.runs)
        await self.send(*sent)

        def begun() -> list[ServerRun]:
            return self.runs[known:]

        await self._loop.until(lambda: all(run.ended for run in begun()), begun, seconds=durations.seconds(timeout), passing=True)
        return begun()

    async def finish(self, *, timeout: Duration = "30s") -> None:
        """Let all runs come to their ends. Raises RunStuck as `run` does."""
        runs = self._world.runs.values
        await self._loop.until(
            lambda: all(run.ended for run in runs()), lambda: self.runs, seconds=durations.seconds(timeout), passing=True
        )

    async def settle(self, *, timeout: Duration = "30s") -> None:
        """Wait until nothing more happens unless time passes or somebody sends something."""
        await self._loop.until(lambda: True, lambda: self.runs, seconds=durations.seconds(timeout), passing=False)

    async def advance(self, by: Duration, *, timeout: Duration = "30s") -> None:
        """Let time pass, with all that happens meanwhile, in order. On a real clock it is waited for."""
        until = self.clock.now() + durations.seconds(by)

        def arrived() -> bool:
            return self.clock.now() >= until

        await self._loop.until(arrived, lambda: self.runs, seconds=durations.seconds(timeout), passing=True, until=until)

    async def signal(self, signal: str, data: Any = None) -> str | None:
        """Send a signal; gives the id of the run that waited for it, or None."""
        value = parse(jsonvalue.encode(data, f"the data of signal {signal!r}"))
        run_id = waits.resume_by_signal(self._world, signal, value, self.clock.now())
        self._loop.changed()
        await anyio.lowlevel.checkpoint()
        return run_id

    async def cancel(self, run_id: str) -> None:
        """Cancel a run; one that has ended stays as it is. Raises KeyError."""
        finalize.cancel(self._world, self.get(run_id), self.clock.now())
        self._loop.changed()
        await anyio.lowlevel.checkpoint()

    def fault(self, where: str | Callable[[Request], bool], kind: RouteFault, *, times: int | None = 1) -> Fault:
        """Let something go wrong on the server's API, `times` times (None: always).

        `where` is a route ("events", "invoke", "register", "checkpoint", "signals", "batch", "actions", "cancel", "run", "metadata", "event",
        "event-runs") or a function that says whether a `Request` is meant. `kind` is a status to answer, "refuse" (the connection is closed, nothing
        is done), "lose" (it is done, the answer is lost), "hang" (no answer ever) or "garble" (status 200, no JSON). Raises ValueError for a
        route that does not exist.
        """
        if not callable(where) and where not in ROUTES:
            raise ValueError(f"the server has no route {where!r}; its routes are {', '.join(ROUTES)}")
        return self._faults.add_route(kind, times, where if callable(where) else lambda request: route_name(request) == where)

    def fault_call(self, kind: CallFault, *, when: Callable[[Call], bool] | None = None, times: int | None = 1) -> Fault:
        """Let something go wrong when the app is called, `times` times (None: always).

        `kind` is "refuse" (the app cannot be reached), "lose" (its answer does not arrive), "forget" (the server dies with the answer and makes the
        call anew, with the next generation and the attempt that the queue has stored), "overtake" (it makes the call anew while the first is still
        under way, whose checkpoints are then refused, while its answer counts, as on the real server) or "twice" (the call is delivered twice at
        once). `when` says of a `Call` whether it is meant.
        """
        return self._faults.add_call(kind, times, when or (lambda _: True))

    async def _respond(self, request: Request) -> Response | None:
        kind = self._faults.of_route(request)
        response: Response | None = None
        with self._loop.at_work():
            if kind in (None, "lose"):
                response = self._api.respond(request, self.clock.now())
            elif kind not in ("refuse", "hang"):
                response = _spoiled(kind)
            self._api.log(request, response, self.clock.now(), None if kind is None else f"injected fault: {kind}")
            self._loop.changed()
        if kind == "hang":
            await anyio.sleep_forever()
        return None if kind == "lose" else response


def _spoiled(kind: RouteFault) -> Response:
    if isinstance(kind, int):
        error = {"error": "injected fault", "data": None, "status": kind}
        return Response(status=kind, body=canonical(error).encode(), headers={"Content-Type": "application/json"})
    return Response(status=200, body=b"<html>no JSON</html>", headers={"Content-Type": "text/html"})


def _plain(event: Event | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(event, Event):
        given = {"name": event.name, "data": event.data, "id": event.id, "ts": event.ts, "meta": event.meta}
        return {key: value for key, value in given.items() if value is not None}
    return event
