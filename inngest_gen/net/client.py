"""Clients: carry out exchanges over HTTP, in a loop or without one.

Promises: one httpx client a loop, made on first use and closed by `aclose` or, without a word, when its loop ends; no reply is read beyond its limit,
and none is waited for beyond its time; redirects are not followed, so that a key goes to nobody else.
Refuses: HTTP/2, and compression other than gzip and deflate.
"""

from __future__ import annotations

import functools
import os
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel

from inngest_gen.clock import SystemClock
from inngest_gen.durations import seconds
from inngest_gen.loops import waker
from inngest_gen.net.exchange import Answer, Ask, Exchange, Pause, Reaction, Silence
from inngest_gen.options.settings import Limits

if TYPE_CHECKING:
    import httpx  # 60 ms: whoever sends nothing need not wait for it

__all__ = ["Clients"]

T = TypeVar("T")


class Clients:
    """HTTP clients within `limits`: one a loop, and short-lived ones for threads without a loop.

    `tls` says whether a server is reached over https. `sleep` is what a Pause does in a loop, and `sleep_here` what it does in a thread.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        tls: bool,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        sleep_here: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tls = tls
        self._reply_bytes = limits.reply_bytes
        self._reply_s = seconds(limits.reply_timeout)
        self._connect_s = min(seconds(limits.connect_timeout), self._reply_s)
        self._sleep = sleep
        self._sleep_here = sleep_here
        self._held: anyio.lowlevel.RunVar[_Held | None] = anyio.lowlevel.RunVar("inngest_gen_client", None)

    def prepare(self) -> None:
        """Do now what would hold up the loop at the first exchange: import what is needed, and read the certificates."""
        import httpx

        httpx.Client(**self._options(httpx)).close()

    async def carry_out(self, exchange: Exchange[T]) -> T:
        """Carry out an exchange in the running loop; gives what it gives."""
        reaction: Reaction | None = None
        while True:
            try:
                wanted = exchange.send(reaction)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(wanted, Pause):
                await self._sleep(wanted.seconds)
                reaction = None
            else:
                reaction = await self._ask(wanted)

    def carry_out_here(self, exchange: Exchange[T]) -> T:
        """Carry out an exchange in this thread, which is blocked meanwhile; gives what it gives."""
        import httpx

        reaction: Reaction | None = None
        with httpx.Client(**self._options(httpx)) as client:
            while True:
                try:
                    wanted = exchange.send(reaction)
                except StopIteration as end:
                    result: T = end.value
                    return result
                if isinstance(wanted, Pause):
                    self._sleep_here(wanted.seconds)
                    reaction = None
                else:
                    reaction = self._ask_here(client, wanted)

    async def aclose(self) -> None:
        """Close the running loop's client, if there is one. The next exchange makes another."""
        held = self._held.get()
        if held is not None:
            self._held.set(None)
            await held.aclose()

    async def _ask(self, wanted: Ask) -> Reaction:
        import httpx

        from inngest_gen.net.limited import read_limited

        try:
            with anyio.fail_after(self._reply_s):
                async with self._client(httpx).stream(wanted.method, wanted.url, headers=_raw(wanted), content=wanted.body) as reply:
                    body = await read_limited(reply, self._reply_bytes)
        except TimeoutError:
            return self._too_late()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._failed(error)
        return self._too_large() if body is None else _answer(reply, body)

    def _ask_here(self, client: httpx.Client, wanted: Ask) -> Reaction:
        import httpx

        clock = SystemClock()
        late = clock.now() + self._reply_s
        try:
            with client.stream(wanted.method, wanted.url, headers=_raw(wanted), content=wanted.body) as reply:
                body = bytearray()
                for chunk in reply.iter_bytes():
                    body += chunk
                    if len(body) > self._reply_bytes:
                        return self._too_large()
                    if clock.now() > late:
                        return self._too_late()
                return _answer(reply, bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._failed(error)

    def _client(self, http: Any) -> httpx.AsyncClient:
        held = self._held.get()
        if held is None:
            held = _Held(http.AsyncClient(**self._options(http)))
            self._held.set(held)
        return held.client

    def _options(self, http: Any) -> dict[str, Any]:
        # In a loop the time for all of a reply is counted around it; a read timeout alone would wait for ever for one that trickles.
        return {
            "timeout": http.Timeout(self._reply_s, connect=self._connect_s, pool=None),
            "headers": {"accept-encoding": "gzip, deflate"},
            "follow_redirects": False,
            "http2": False,
            "verify": _trusting() if self._tls else _trusting_nobody(),
        }

    def _too_large(self) -> Silence:
        return Silence(reason=f"its reply has more than {self._reply_bytes:,} bytes", final=True)

    def _too_late(self) -> Silence:
        return Silence(reason=f"no whole reply within {self._reply_s:g} s")

    def _failed(self, error: Exception) -> Silence:
        import httpx

        if isinstance(error, httpx.ConnectTimeout):
            return Silence(reason=f"no connection within {self._connect_s:g} s")
        if isinstance(error, httpx.TimeoutException):
            return self._too_late()
        if isinstance(error, httpx.ConnectError):
            return Silence(reason=f"no connection: {_root(error)}")
        return Silence(reason=_root(error))


class _Held:
    """A client, and a suspended generator that closes it when the loop ends: both loops end what generators they know."""

    __slots__ = ("_keeper", "client")

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._keeper = _closing(client)
        # A handler's turn has hooks of its own for generators; a callback of the loop's has the loop's.
        waker()(self._begin)

    def _begin(self) -> None:
        try:
            self._keeper.asend(None).send(None)
        except (StopIteration, StopAsyncIteration):  # it is at its yield; or it was closed meanwhile
            pass

    async def aclose(self) -> None:
        await self._keeper.aclose()
        await self.client.aclose()  # where it had not begun


async def _closing(client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await client.aclose()


@functools.cache
def _trusting() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()  # reads the certificates: 20 ms


def _trusting_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _raw(wanted: Ask) -> list[tuple[bytes, bytes]]:
    # As bytes: httpx would refuse the name of a branch that is no ASCII.
    return [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in wanted.headers.items()]


def _answer(reply: httpx.Response, body: bytes) -> Answer:
    return Answer(status=reply.status_code, body=body, location=reply.headers.get("location"))


def _root(error: BaseException) -> str:
    """Give the text of the error at the bottom: the others only say that something failed."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    if isinstance(error, BaseExceptionGroup):
        return _root(error.exceptions[-1])
    if isinstance(error, OSError) and error.errno is not None:
        # Each loop words it in its own way; the look-up of a name has numbers of its own, below 0.
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    return str(error) or type(error).__name__
