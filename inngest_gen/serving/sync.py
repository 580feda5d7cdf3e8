"""Registration and introspection: an app tells the server, and who else may ask, what is here.

Promises: a registration that the server refuses is answered with the server's status and reason (E34); out of band anybody may ask for one unless the
settings forbid it, in band only the key's holder.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import orjson

from inngest_gen.app.app import App
from inngest_gen.app.function import Function
from inngest_gen.errors import ApiError
from inngest_gen.net.api import Api
from inngest_gen.protocol.introspection import introspection
from inngest_gen.protocol.registration import (
    AppEntry,
    FunctionEntry,
    asks_in_band,
    deploy_id,
    in_band_reply,
    in_band_url,
    register_body,
    registered_reply,
)
from inngest_gen.protocol.reply import Reply, problem_reply
from inngest_gen.serving.request import Request


def introspect(app: App, request: Request, *, authenticated: bool | None) -> Reply:
    """Answer a GET (E50, E51)."""
    return Reply(status=200, body=orjson.dumps(_inspected(app, request, authenticated)))


async def register(app: App, request: Request, api: Api, *, origin: str | None, authenticated: bool | None) -> Reply:
    """Answer a PUT: register the app, in the reply or by a request to the server (E30 to E35). Raises BadCall."""
    settings = app.settings
    trusted = settings.mode == "dev" or authenticated is True
    if settings.in_band_sync and asks_in_band(request.headers):
        if not trusted:
            return problem_reply(401, "sig_verification_failed", "Unauthorized")
        url = _own_url(in_band_url(request.body), app, origin)
        inspection = _inspected(app, request, authenticated)
        return in_band_reply(_entry(app, url, request.framework), inspection, env=settings.env, platform=settings.platform)
    if not trusted and not settings.unauthed_sync:
        return problem_reply(401, "sig_verification_failed", "Unauthorized")
    deploy = deploy_id(request.query)
    entry = _entry(app, _own_url(request.url, app, origin), request.framework)
    try:
        registered = await api.register(
            register_body(entry, deploy=deploy),
            deploy_id=deploy,
            framework=request.framework,
            expected_server_kind=request.headers.get("x-inngest-server-kind"),
        )
    except ApiError as error:
        app.logger.error("registering app %r failed: %s", app.id, error)
        status = error.status if error.status is not None and error.status >= 400 else 500  # also where a proxy said 200
        return registered_reply(status, f"Failed to register; {error}" if trusted else "Failed to register", modified=False)
    return registered_reply(200, "Successfully registered", modified=registered.modified)


def _inspected(app: App, request: Request, authenticated: bool | None) -> dict[str, object]:
    return introspection(
        app.settings, app_id=app.id, functions=len(app.functions), framework=request.framework, authenticated=authenticated
    )


def _entry(app: App, url: str, framework: str) -> AppEntry:
    return AppEntry(
        id=app.id,
        url=url,
        framework=framework,
        functions=[_function(one) for one in app.functions.values()],
        version=app.settings.app_version,
    )


def _function(function: Function) -> FunctionEntry:
    options = function.options
    return FunctionEntry(
        slug=function.slug,
        name=options.name,
        kind=function.kind,
        triggers=options.triggers,
        retries=options.retries,
        flow=options.flow,
    )


def _own_url(asked: str, app: App, origin: str | None) -> str:
    """Give the URL under which the server is to call the app: as it was asked, but for what is set (E43)."""
    parts = urlsplit(asked)._replace(fragment="", query="")
    settings = app.settings
    set_origin, set_path = origin or settings.serve_origin, settings.serve_path
    if set_origin is not None:
        given = urlsplit(set_origin)
        parts = parts._replace(scheme=given.scheme, netloc=given.netloc)
    if set_path is not None:
        parts = parts._replace(path=f"/{set_path.lstrip('/')}")
    return urlunsplit(parts)
