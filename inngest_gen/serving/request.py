"""Request: one HTTP request to an app, as a value; and how its body is taken in.

Promises: a body is never held, nor unpacked, beyond the limit. Refuses: content encodings other than gzip and deflate.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl

from inngest_gen.protocol.reply import Reply, problem_reply


@dataclass(slots=True)  # not frozen: that costs half a microsecond a request
class Request:
    """An HTTP request. Nobody changes one. `url` is absolute, with its query; `headers` are by lowercase name; `body` is unpacked.

    `framework` names what took the request in, for the server's information ("asgi", "flask", ...).
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    framework: str = "asgi"

    @property
    def query(self) -> Mapping[str, str]:
        """The query's values by name; of several of one name the last."""
        query = self.url.partition("?")[2]
        return _known(query) if len(query) <= _KNOWN_LENGTH else _parsed(query)


_KNOWN_LENGTH: Final = 256
"""Of what anybody may send nothing long is kept."""


def _parsed(query: str) -> Mapping[str, str]:
    return MappingProxyType(dict(parse_qsl(query, keep_blank_values=True)))


_known = lru_cache(maxsize=1024)(_parsed)
"""There is one for each function, and for each step that is planned."""


class BodyRefused(Exception):
    """A body that is not taken in: `status` is the HTTP status to answer, the message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status: int = status
        self.message: str = message

    @property
    def reply(self) -> Reply:
        """The answer."""
        return refusal(self.status, "body_refused", self.message)


def refusal(status: int, code: str, message: str) -> Reply:
    """Reply to a request whose body was not taken in: that it came to an SDK is all that its headers tell (E23)."""
    return problem_reply(status, code, message, headers={"x-inngest-sdk-handled": "true"})


class Intake:
    """Takes in a body piece by piece, and unpacks it: at most `limit` bytes, before and after. Raises BodyRefused, here and in `add` and `whole`."""

    __slots__ = ("_body", "_limit", "_unpack")

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        encoding = headers.get("content-encoding")
        self._unpack: _unpacker | None = None if encoding is None else _unpacker(encoding, limit)
        check_length(headers, limit)
        self._limit = limit
        self._body: bytes | bytearray = b""

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        if self._unpack is not None:
            piece = self._unpack(piece)
        if not self._body:
            self._body = piece  # as a rule there is one, which need not be copied
        elif isinstance(self._body, bytearray):
            self._body += piece
        else:
            self._body = bytearray(self._body) + piece
        if len(self._body) > self._limit:
            raise too_large(self._limit)

    def whole(self) -> bytes:
        """Give the body, after its last piece."""
        rest = b"" if self._unpack is None else self._unpack(None)
        body = self._body if not rest else self._body + rest
        return body if body.__class__ is bytes else bytes(body)


def check_length(headers: Mapping[str, str], limit: int) -> None:
    """Raise BodyRefused where the headers say that the body has more than `limit` bytes."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 18 or int(declared) > limit):
        raise too_large(limit)


def take_in_now(pieces: Iterable[bytes], headers: Mapping[str, str], limit: int) -> bytes:
    """Read and unpack a body of at most `limit` bytes, before and after. Raises BodyRefused."""
    intake = Intake(headers, limit)
    for piece in pieces:
        intake.add(piece)
    return intake.whole()


def too_large(limit: int) -> BodyRefused:
    """Make the refusal of a body of more than `limit` bytes."""
    return BodyRefused(413, f"the request's body is larger than {limit:,} bytes")


class _unpacker:  # noqa: N801 - a function with memory
    def __init__(self, encoding: str, limit: int) -> None:
        encoding = encoding.strip().lower()
        if encoding in {"", "identity"}:
            self._stream = None
        elif encoding in {"gzip", "x-gzip", "deflate"}:
            self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # tells gzip and zlib apart by itself
        else:
            raise BodyRefused(415, f"the content encoding {encoding[:40]!r} is not known here: send gzip, deflate or none")
        self._limit = limit

    def __call__(self, chunk: bytes | None) -> bytes:
        stream = self._stream
        if stream is None:
            return chunk or b""
        try:
            if chunk is not None:
                part = stream.decompress(chunk, self._limit + 1)
                if stream.unconsumed_tail:
                    raise too_large(self._limit)
                return part
            rest = stream.flush()
        except zlib.error as error:
            raise BodyRefused(400, f"the body is not packed as its content encoding says: {error}") from error
        if not stream.eof:
            raise BodyRefused(400, "the packed body ends too early")
        return rest
