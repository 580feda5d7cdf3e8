"""An app in Django: an async view; and Django's databases in step functions.

Promises: no CSRF token, log-in or transaction of Django's stands around it; the app's own limit of a body counts, not DATA_UPLOAD_MAX_MEMORY_SIZE;
under WSGI handlers run in a loop that outlives the request. Refuses: hosts that are not among ALLOWED_HOSTS, as all of Django does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import anyio.to_thread
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from inngest_gen.app.app import App
from inngest_gen.serving import background
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.serving.request import BodyRefused, Request, take_in_now

P = ParamSpec("P")
R = TypeVar("R")

_PIECE = 65536


class _EveryDatabase(Container[str]):
    """What ATOMIC_REQUESTS is not for: with checkpointing a request has many steps, and those that were reported must not be rolled back."""

    def __contains__(self, alias: object) -> bool:
        return True


def view(app: App, *, origin: str | None = None) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    """Make a view: `path("api/inngest", view(app))` in a URL configuration.

    `origin` is as for `ig.serve`. It serves under ASGI and under WSGI. Raises ConfigError for an origin that is none.
    """
    endpoint = Endpoint(app, origin=origin)

    async def inngest(request: HttpRequest) -> HttpResponse:
        try:
            asked = _request(request, app.settings.limits.request_bytes)
        except BodyRefused as refused:
            reply = refused.reply
        else:
            if isinstance(request, WSGIRequest):  # this loop is over with the request, and all connections with it
                reply = await anyio.to_thread.run_sync(partial(background.call, endpoint.handle, asked, loop="asyncio"))
            else:
                reply = await endpoint.handle(asked)
        return HttpResponse(reply.body, status=reply.status, headers=reply.headers)

    vars(inngest).update(csrf_exempt=True, login_required=False, _non_atomic_requests=_EveryDatabase())
    return inngest


def database(body: Callable[P, R]) -> Callable[P, R]:
    """Let a sync step function use Django's databases as a view does: `ctx.step.run("load", database(load), ...)`, or as a decorator.

    Step functions run in threads, whose connections Django would not look at: one that has broken would be used for ever. Before the call and after
    it, those that are broken or older than CONN_MAX_AGE are closed.
    """

    @wraps(body)
    def with_connections(*args: P.args, **kwargs: P.kwargs) -> R:
        close_old_connections()
        try:
            return body(*args, **kwargs)
        finally:
            close_old_connections()

    return with_connections


def _request(request: HttpRequest, limit: int) -> Request:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        body = take_in_now(iter(partial(request.read, _PIECE), b""), headers, limit)
    except UnreadablePostError:
        raise BodyRefused(400, "the body did not come to its end") from None
    return Request(method=request.method or "", url=request.build_absolute_uri(), headers=headers, body=body, framework="django")
