"""Hosting: an ASGI application on a listening socket, under either loop, until the command stops. It needs the extra `server` (hypercorn)."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

import anyio

from inngest_gen.cli.refusal import Refusal


def is_installed() -> bool:
    """Say whether the extra is there."""
    return find_spec("hypercorn") is not None and find_spec("starlette") is not None


def listen(host: str, port: int) -> socket.socket:
    """Open a port. Raises Refusal."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        hint = "; another --port, or 0 for a free one" if port else ""
        # A name that is not found has numbers of its own.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Refusal(f"cannot listen on {host}:{port}: {reason}{hint}") from None
    except OverflowError as error:
        raise Refusal(f"cannot listen on {host}:{port}: {error}") from None


def url_of(listener: socket.socket) -> str:
    """Give the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(app: Any, listener: socket.socket, stopping: Callable[[], Awaitable[None]], *, loop: str, grace_s: float = 2.0) -> None:
    """Serve until `stopping` returns; then let requests end for at most `grace_s`. `loop` is "asyncio" or "trio"."""
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = grace_s
    config.errorlog = None
    asked = anyio.Event()

    async def stop() -> None:
        await asked.wait()

    async with anyio.create_task_group() as tasks:

        async def serving() -> None:
            await _server(loop)(app, config, shutdown_trigger=stop)
            tasks.cancel_scope.cancel()

        tasks.start_soon(serving)
        await stopping()
        asked.set()
        # A client that keeps its connection open does not keep the command from stopping.
        await anyio.sleep(grace_s)
        tasks.cancel_scope.cancel()


def _server(loop: str) -> Callable[..., Awaitable[None]]:
    if loop == "trio":
        from hypercorn.trio import serve as serve_trio

        return serve_trio
    from hypercorn.asyncio import serve as serve_asyncio

    return serve_asyncio
