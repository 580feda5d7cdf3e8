"""An app in Flask: a view function. It needs Flask 3.1 or newer.

Promises: every method reaches the app, which answers those it does not know with 405; the app's own limit of a body counts, not Flask's.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from inngest_gen.app.app import App
from inngest_gen.serving import background
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.serving.request import BodyRefused, Request, take_in_now, too_large

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def view(app: App, *, origin: str | None = None, loop: background.LoopName = "asyncio") -> Callable[[], Response]:
    """Make a view function: `web.add_url_rule("/api/inngest", view_func=view(app))`.

    `origin` is as for `ig.serve`; `loop`, "asyncio" or "trio", is under what handlers run: one loop a process, in a thread of its own. Raises
    ConfigError for an origin that is none.
    """
    endpoint, loop = Endpoint(app, origin=origin), background.checked(loop)

    def inngest() -> Response:
        try:
            reply = background.call(endpoint.handle, _request(app), loop=loop)
        except BodyRefused as refused:
            reply = refused.reply
        return Response(reply.body, reply.status, reply.headers)

    # What Flask looks at where a rule does not say: https://flask.palletsprojects.com/en/stable/api/#view-function-options
    vars(inngest).update(methods=_METHODS, provide_automatic_options=False)
    return inngest


def _request(app: App) -> Request:
    limit = app.settings.limits.request_bytes
    request.max_content_length = limit
    try:
        raw = request.get_data()  # also what a function before this one has read
    except RequestEntityTooLarge:
        raise too_large(limit) from None
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = take_in_now([raw], headers, limit)
    return Request(method=request.method, url=request.url, headers=headers, body=body, framework="flask")
