"""Listening: a port of this machine's loopback on which one client after another debugs."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.abc

from inngest_gen.debugger.dap.adapter import Opener, Tell
from inngest_gen.debugger.dap.conversation import Conversation
from inngest_gen.debugger.dap.framing import encode

_HOST = "127.0.0.1"


async def listen(port: int, opener: Opener, *, loop: str, tell: Tell, ready: Callable[[int], None]) -> None:
    """Serve clients on a port (0: any that is free) until one of them, attached, terminates; `ready` gets the port. Raises OSError."""
    listener = await anyio.create_tcp_listener(local_host=_HOST, local_port=port)
    served = 0
    busy = False

    async def serve(stream: anyio.abc.SocketStream) -> None:
        nonlocal served, busy
        async with stream:
            if busy:
                text = "another client is debugging here: one at a time\n"
                await stream.send(encode({"seq": 1, "type": "event", "event": "output", "body": {"category": "important", "output": text}}))
                return
            busy, served = True, served + 1
            try:
                over = await Conversation(stream, opener, loop=loop, tell=tell, reload=served > 1).run()
            finally:
                busy = False
        if over:
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks, listener:
        ready(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610 - a typed attribute of anyio, no SQL
        await listener.serve(serve, tasks)
