"""Stdio: the process's stdin and stdout as a byte stream, taken away from everybody else in the process.

Promises: what the app and its libraries print goes to stderr, however they print it, and `input()` finds nothing: no byte of theirs gets into the
conversation. Waiting for input costs no thread, so that the process can end while nothing comes.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Final

import anyio
import anyio.abc

_CHUNK: Final = 64 * 1024
_PIECE: Final = getattr(select, "PIPE_BUF", 512)
"""So much can be written to a pipe that is ready without waiting."""


class Pipes(anyio.abc.ByteStream):
    """A byte stream over two file descriptors, which it closes."""

    def __init__(self, read_from: int, write_to: int) -> None:
        self._in = read_from
        self._out = write_to

    async def receive(self, max_bytes: int = _CHUNK) -> bytes:
        """Give the bytes that come next. Raises anyio.EndOfStream when there will be no more."""
        await _ready(anyio.wait_readable, self._in)
        data = os.read(self._in, max_bytes)
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        """Send bytes. Raises anyio.BrokenResourceError if nobody takes them."""
        view = memoryview(item)
        while view:
            await _ready(anyio.wait_writable, self._out)
            try:
                view = view[os.write(self._out, view[:_PIECE]) :]
            except OSError as error:
                raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        if self._out >= 0:
            os.close(self._out)
            self._out = -1

    async def aclose(self) -> None:
        """Close both."""
        await self.send_eof()
        if self._in >= 0:
            os.close(self._in)
            self._in = -1


async def _ready(wait: object, descriptor: int) -> None:
    try:
        await wait(descriptor)  # type: ignore[operator]
    except PermissionError:  # a file, or /dev/null: always ready, and epoll says it so
        await anyio.lowlevel.checkpoint()


def taken() -> Pipes:
    """Take stdin and stdout for a conversation."""
    sys.stdout.flush()
    read_from, write_to = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return Pipes(read_from, write_to)
