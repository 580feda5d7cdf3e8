"""Reads the body of an answer up to a limit, and not a byte further into memory."""

from __future__ import annotations

import anyio
import httpx


async def read_limited(answer: httpx.Response, limit: int) -> bytes | None:
    """Read the body of a streamed answer, unpacked; gives None where it has more than `limit` bytes."""
    body = bytearray()
    too_large = False
    # Leaving the loop would leave httpx's nested generators to the garbage collector, which trio warns of. A cancellation arises in the innermost
    # of them, at its next await, and ends each in order.
    with anyio.CancelScope() as scope:
        async for chunk in answer.aiter_bytes():
            if too_large:
                continue
            body += chunk
            if len(body) > limit:
                too_large = True
                body.clear()
                scope.cancel()
    return None if too_large else bytes(body)
