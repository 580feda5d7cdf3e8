"""A loop in a thread of its own, for frameworks whose requests have none (WSGI).

Promises: one loop a kind and process, begun at the first call and kept for as long as the process lives, so that connections to the server are;
a process that was forked off has loops of its own, whatever its parent was doing; at the process's end what still runs is cancelled, and connections
are closed.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Final, Literal, TypeAlias, TypeVar, get_args

import anyio
from anyio.from_thread import BlockingPortal

from inngest_gen.errors import ConfigError

T = TypeVar("T")

LoopName: TypeAlias = Literal["asyncio", "trio"]

_PATIENCE_S: Final = 2.0
"""So long the end of the process waits for a loop to end: what does not let itself be cancelled is left to die with it."""


class _Background:
    """The loops of a process, by their kinds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._portals: dict[LoopName, BlockingPortal] = {}
        self._threads: list[threading.Thread] = []

    def portal(self, loop: LoopName) -> BlockingPortal:
        with self._lock:
            portal = self._portals.get(loop)
            if portal is None:
                portal, thread = _begin(loop)
                self._portals[loop] = portal
                self._threads.append(thread)
        return portal

    def end(self) -> None:
        for portal in self._portals.values():
            portal.call(portal.stop, True)
        self._portals.clear()
        # A daemon's thread stops wherever it is when the interpreter goes: its loop would not have closed anything.
        for thread in self._threads:
            thread.join(_PATIENCE_S)
        self._threads.clear()


def _begin(loop: LoopName) -> tuple[BlockingPortal, threading.Thread]:
    begun: Future[BlockingPortal] = Future()

    async def main() -> None:
        async with BlockingPortal() as portal:
            begun.set_result(portal)
            await portal.sleep_until_stopped()

    def run() -> None:
        try:
            anyio.run(main, backend=loop)
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for the loop
            if not begun.done():
                begun.set_exception(error)

    # Not anyio's start_blocking_portal: what it gives, when collected, waits for its thread, which a forked process does not have.
    thread = threading.Thread(target=run, name=f"inngest_gen {loop}", daemon=True)
    thread.start()
    return begun.result(), thread


_here: _Background = _Background()
_parents: Final[list[_Background]] = []


def _forked() -> None:
    global _here  # noqa: PLW0603 - the process is another one now
    _parents.append(_here)  # its loops must not be collected here: they share their parents' file descriptors
    _here = _Background()


def checked(loop: LoopName) -> LoopName:
    """Give a loop's name. Raises ConfigError for one that is not known."""
    if loop not in get_args(LoopName):
        raise ConfigError(f'the loop that handlers run in is "asyncio" or "trio", not {loop!r}')
    return loop


def call(function: Callable[..., Awaitable[T]], *args: object, loop: LoopName) -> T:
    """Call an async function in the background loop of a kind; gives what it gives. The calling thread is blocked meanwhile."""
    return _here.portal(loop).call(function, *args)


def _end() -> None:
    _here.end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
atexit.register(_end)
