"""Framing of the Debug Adapter Protocol: bytes <-> messages. A header with Content-Length, an empty line, that many bytes of JSON.

https://microsoft.github.io/debug-adapter-protocol/overview#base-protocol. Pure. Promises: no more than a message of LIMIT bytes is ever kept; a
message that is too long, or no JSON, is told and passed over, and the next one is read. Refuses: to guess where the next message begins after a
header that is none: `Lost` ends the conversation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import orjson

LIMIT: Final = 16 * 1024 * 1024
"""How many bytes a message may have."""
HEADER_LIMIT: Final = 4 * 1024
"""How many bytes a header may have."""
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length"


class Lost(Exception):
    """The other side sends what is no header: where the next message begins is unknown."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that cannot be read; `why` says what is wrong with it."""

    why: str


class Decoder:
    """Gets bytes as they come and gives the messages in them."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._length: int | None = None
        self._skip = 0

    def feed(self, data: bytes) -> list[Any]:
        """Take bytes; give the messages that are complete now, as JSON values, or as Malformed. Raises Lost."""
        self._buffer += data
        found: list[Any] = []
        while True:
            if self._skip:
                passed = min(self._skip, len(self._buffer))
                del self._buffer[:passed]
                self._skip -= passed
                if self._skip:
                    return found
            if self._length is None:
                length = self._header()
                if length is None:
                    return found
                if length > self._limit:
                    found.append(Malformed(f"a message of {length:,} bytes is too long: at most {self._limit:,} are read"))
                    self._skip = length
                    continue
                self._length = length
            if len(self._buffer) < self._length:
                return found
            content = bytes(memoryview(self._buffer)[: self._length])
            del self._buffer[: self._length]
            self._length = None
            found.append(_read(content))

    def _header(self) -> int | None:
        """Take a header off the buffer and give its Content-Length; None if it is not complete yet."""
        end = self._buffer.find(_END, 0, HEADER_LIMIT)
        if end < 0:
            if len(self._buffer) >= HEADER_LIMIT:
                raise Lost(f"there is no end of a header within {HEADER_LIMIT:,} bytes")
            return None
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + len(_END)]
        for line in lines:
            name, _, value = line.partition(b":")
            if name.strip().lower() == _LENGTH:
                value = value.strip()
                if not value.isdigit() or len(value) > 18:
                    raise Lost(f"Content-Length is no number of bytes: {value[:40]!r}")
                return int(value)
        raise Lost(f"a header without Content-Length: {lines[0][:80]!r}")


def _read(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return Malformed(f"the content is no JSON: {error}")


def encode(message: dict[str, Any]) -> bytes:
    """Write a message with its header."""
    try:
        content = orjson.dumps(message)
    except TypeError:  # half a surrogate pair in some text of the user's: orjson refuses what JSON can escape
        content = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(content), content)
