"""The endpoint: what an app answers to an Inngest server, from a request value to a reply value, in any framework or none.

GET tells what is here, PUT registers the app, POST calls a function. Promises: in cloud mode nothing runs, and nothing but what introspection
allows is told, for a request that the key's holder did not sign; replies to signed requests are signed. Whatever goes wrong is an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Final

import anyio
from anyio.lowlevel import RunVar

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.clock import Clock, SystemClock
from inngest_gen.errors import ConfigError
from inngest_gen.middleware.chain import Chain
from inngest_gen.middleware.info import ReplyInfo, RequestInfo
from inngest_gen.net.api import Api
from inngest_gen.options.settings import checked_origin
from inngest_gen.protocol.call import BadCall, parse_call, slug_of
from inngest_gen.protocol.reply import Reply, problem_reply, sdk_headers, unauthenticated
from inngest_gen.protocol.signature import SignatureRefused, sign, verify
from inngest_gen.serving.answer import answer_call
from inngest_gen.serving.request import Request
from inngest_gen.serving.sync import introspect, register

_SYNC_BODIES: Final = 1000
"""The server decides how many steps run at once; this keeps a process from drowning in threads."""


class Endpoint:
    """An app's endpoint. `path` and `origin` stand for what requests say of the app's own URL; settings and variables may too (E43)."""

    def __init__(
        self, app: App, *, path: str = "/api/inngest", origin: str | None = None, api: Api | None = None, clock: Clock | None = None
    ) -> None:
        if not isinstance(app, App):
            raise ConfigError(f"what is served is an ig.App, not {app!r}")
        if not isinstance(path, str) or not path.startswith("/") or "?" in path or "#" in path:
            raise ConfigError(f"the path of an app's endpoint begins with a slash and has no ? or #, such as '/api/inngest', not {path!r}")
        if origin is not None and checked_origin(origin, "the origin") is None:
            raise ConfigError(f"the origin is a URL such as https://shop.example.com, not {origin!r}; leave it out where requests say it")
        self.app: App = app
        self._prefix = f"{app.id}-"
        self.path: str = path
        self.origin: str | None = checked_origin(origin, "the origin")
        self.api: Api = api or app.api
        self.clock: Clock = clock or SystemClock()
        self._threads: RunVar[anyio.CapacityLimiter | None] = RunVar("inngest_gen_sync_bodies", None)

    async def handle(self, request: Request) -> Reply:
        """Answer a request."""
        settings = self.app.settings
        key: str | None = None
        authenticated: bool | None = None
        if settings.mode == "cloud":
            keys = [key for key in (settings.signing_key, settings.signing_key_fallback) if key]
            if not keys:
                self.app.logger.error(
                    "app %r is in cloud mode without a signing key: set INNGEST_SIGNING_KEY, or INNGEST_DEV=1 for a dev server", self.app.id
                )
                reply = problem_reply(500, "internal_server_error", "the app is not set up for requests of a server")
                return self._finished(request, reply, None, trusted=False)
            signature = request.headers.get("x-inngest-signature")
            try:
                key = verify(request.body, signature, keys, self.clock.now())
                authenticated = True
            except SignatureRefused as refused:
                authenticated = None if signature is None else False
                if request.method == "POST":
                    self.app.logger.warning("a call of app %r was refused: %s", self.app.id, refused)
        trusted = settings.mode == "dev" or authenticated is True
        try:
            if trusted and request.method == "POST":
                reply = await self._called(request)
            else:
                reply = await self._dispatch(request, authenticated)
        except BadCall as bad:
            reply = problem_reply(bad.status, bad.code, bad.message)
        except Exception as error:
            self.app.logger.exception("app %r failed to answer a request", self.app.id)
            told = f"{type(error).__name__}: {error}" if trusted else "the app failed to answer: its log tells more"
            reply = problem_reply(500, "internal_server_error", told)
        return self._finished(request, reply, key, trusted=trusted)

    async def _dispatch(self, request: Request, authenticated: bool | None) -> Reply:
        match request.method:
            case "GET":
                return introspect(self.app, request, authenticated=authenticated)
            case "PUT":
                return await register(self.app, request, self.api, origin=self.origin, authenticated=authenticated)
            case "POST":
                return problem_reply(401, "sig_verification_failed", "Unauthorized")
            case _:
                return problem_reply(405, "method_not_allowed", "Method not allowed", headers={"allow": "GET, POST, PUT"})

    def _called(self, request: Request) -> Awaitable[Reply]:
        query = request.query
        if "probe" in query:
            return self._probed(query["probe"])
        function = self._function(slug_of(query))
        chain = function.chain()
        return self._call(request, function, query) if chain is None else self._call_within(chain, request, function, query)

    async def _probed(self, probe: str) -> Reply:
        if probe == "trust":
            return Reply(status=200, headers={}, body=b"")
        return problem_reply(400, "unknown_probe", f'Unknown probe "{probe[:100]}"')

    async def _call_within(self, chain: Chain, request: Request, function: Function, query: Mapping[str, str]) -> Reply:
        info = RequestInfo(method=request.method, url=request.url, headers=request.headers, body=request.body, slug=function.slug)

        async def answer() -> ReplyInfo:
            reply = await self._call(request, function, query, chain)
            return ReplyInfo(status=reply.status, headers=reply.headers, body=reply.body)

        replied = await chain.request(info, answer)
        return Reply(status=replied.status, headers=dict(replied.headers), body=replied.body)

    def _call(self, request: Request, function: Function, query: Mapping[str, str], chain: Chain | None = None) -> Awaitable[Reply]:
        wire = parse_call(request.body, query=query, headers=request.headers)
        return answer_call(function, wire, api=self.api, clock=self.clock, chain=chain, threads=self._limiter)

    def _limiter(self) -> anyio.CapacityLimiter:
        """Give what limits the sync bodies in this loop: a limit of their own, so that slow ones do not hold up the rest of a web application."""
        limiter = self._threads.get()
        if limiter is None:
            limiter = anyio.CapacityLimiter(_SYNC_BODIES)
            self._threads.set(limiter)
        return limiter

    def _function(self, slug: str) -> Function:
        prefix = self._prefix
        function = self.app.functions.get(slug[len(prefix) :]) if slug.startswith(prefix) else None
        if function is None:
            raise BadCall(500, "function_not_found", f'Function "{slug}" was not found in this app; is the app synced correctly?')
        return function

    def _finished(self, request: Request, reply: Reply, key: str | None, *, trusted: bool) -> Reply:
        """Add the headers that every reply has, and sign it."""
        headers = sdk_headers(self.app.settings, request.headers, framework=request.framework)
        headers.update(reply.headers)
        if not trusted:
            headers = unauthenticated(headers)
        elif key is not None:
            headers["x-inngest-signature"] = sign(reply.body, key, self.clock.now())
        reply.headers = headers
        return reply
