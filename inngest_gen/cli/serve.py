"""`inngest-gen serve`: an app on a port, for an Inngest server to call."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Final

import click

from inngest_gen.cli import options
from inngest_gen.cli.refusal import INTERRUPTED, OK, Refusal

if TYPE_CHECKING:
    from inngest_gen.app.app import App
    from inngest_gen.serving.endpoint import Endpoint

_GRACE_S: Final = 10.0
_STOPPING: Final = "stopping; calls in flight may end first (a second signal stops at once)"

_HELP = """Serve MODULE:APP to an Inngest server, which calls its functions over HTTP.

    Where the server is, and with what keys, is in the app's settings and in INNGEST_* variables: INNGEST_DEV=1 for a dev server on this machine,
    INNGEST_SIGNING_KEY and INNGEST_EVENT_KEY otherwise. In dev mode the app registers itself when it starts; elsewhere --register asks for that, or a
    PUT to its URL. Ctrl-C and SIGTERM let calls in flight end (10 s), then stop.

    \b
    Examples:
      INNGEST_DEV=1 inngest-gen serve shop.py:app
      inngest-gen serve shop:app --host 0.0.0.0 --port 80 --register \\
          --origin https://shop.example.com

    It needs: pip install 'inngest-gen[server]'. Any ASGI server does the same with `ig.serve(app)`.
    """


@click.command(help=_HELP, short_help="Serve an app to an Inngest server.")
@options.target
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--path", default="/api/inngest", show_default=True, help="Where the app answers.")
@click.option("--origin", help="What the server is to call, https://shop.example.com, where requests do not say.")
@click.option("--register/--no-register", default=None, help="Register with the server at the start (default: in dev mode).")
@options.loop
def serve(target: str, port: int, host: str, path: str, origin: str | None, *, register: bool | None, loop: str) -> int:
    """Serve an app."""
    import anyio

    from inngest_gen.cli import hosting, logs
    from inngest_gen.cli import target as targets
    from inngest_gen.errors import ConfigError

    if not hosting.is_installed():
        raise Refusal("serving over HTTP needs `pip install 'inngest-gen[server]'`")
    app = targets.load(target)
    if app.settings.mode == "cloud" and app.settings.signing_key is None:
        raise Refusal(
            f"app {app.id!r} has no signing key, so it would refuse every call: set INNGEST_SIGNING_KEY, or INNGEST_DEV=1 for a dev server"
        )
    logs.show()
    listener = hosting.listen(host, port)
    try:
        return anyio.run(_serve, app, target, listener, path, origin, register, loop, backend=loop)
    except ConfigError as error:
        raise Refusal(str(error)) from None


async def _serve(app: App, target: str, listener: socket.socket, path: str, origin: str | None, register: bool | None, loop: str) -> int:
    import anyio

    from inngest_gen.cli import hosting
    from inngest_gen.cli.stopping import stop_on_signals
    from inngest_gen.serving.asgi import serve as application

    served = application(app, path=path, origin=origin)
    base = hosting.url_of(listener)
    settings = app.settings
    with stop_on_signals(lambda: _say(_STOPPING)) as stop:
        click.echo(f"inngest-gen serve: {target} on {base}{path}, under {loop}; Ctrl-C stops")
        click.echo(f"  {settings.mode} mode, functions: {len(app.functions)}, server: {settings.api_url}")
        async with anyio.create_task_group() as tasks:
            if register or (register is None and settings.mode == "dev"):
                tasks.start_soon(_register, served.endpoint, base + path)
            await hosting.serve(served, listener, stop.wait, loop=loop, grace_s=_GRACE_S)
            tasks.cancel_scope.cancel()
    return INTERRUPTED if stop.signal == signal.SIGINT else OK


async def _register(endpoint: Endpoint, url: str) -> None:
    from inngest_gen.serving.request import Request

    reply = await endpoint.handle(Request(method="PUT", url=url, framework="asgi"))
    if reply.status == 200:
        click.echo(f"  registered at {endpoint.app.settings.api_url}")
    else:
        _say(f"the app is served, but not registered; once the server is there: curl -X PUT {url}")


def _say(line: str) -> None:
    click.echo(f"inngest-gen: {line}", err=True)
