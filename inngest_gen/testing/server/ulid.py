"""Ids as Inngest's server makes them, from a random source that is handed in: a seeded one gives the same ids each time.

Written apart from `inngest_gen.ids` on purpose: the tests hold the package against this server, and two readings of the format are worth more
than one.
"""

from __future__ import annotations

import base64
import hashlib
import random
from typing import Final

__all__ = ["Ids", "deterministic", "is_ulid", "seeded", "ulid", "ulid_millis"]

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_ENTROPY: Final = 10  # bytes


def ulid(millis: int, entropy: bytes) -> str:
    """Write the ULID of a moment (epoch milliseconds) and 10 bytes."""
    number = millis << 80 | int.from_bytes(entropy)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Say whether a text is a ULID, in either case."""
    return len(text) == 26 and text[0] in "01234567" and all(letter in _DIGITS for letter in text.upper())


def ulid_millis(text: str) -> int:
    """Give the moment in a ULID, in epoch milliseconds."""
    millis = 0
    for letter in text[:10].upper():
        millis = millis << 5 | _DIGITS.index(letter)
    return millis


def deterministic(millis: int, text: str) -> str:
    """Give the ULID of a moment whose entropy is the beginning of a text's SHA-256 (server: pkg/util/ulid.go)."""
    return ulid(millis, hashlib.sha256(text.encode()).digest()[:_ENTROPY])


def seeded(header: str, index: int) -> str | None:
    """Give the id of the `index`-th event (from 1) of a request with the header `x-inngest-event-id-seed`; None where that is malformed.

    The header is "millis,base64 of 10 bytes"; the index is added to the last four bytes, which wrap around (server: pkg/event/id.go).
    """
    head, comma, tail = header.partition(",")
    if not comma or "," in tail:
        return None
    try:
        millis, entropy = int(head), base64.b64decode(tail, validate=True)
    except ValueError:
        return None
    if not 0 < millis < 1 << 48 or len(entropy) != _ENTROPY:
        return None
    last = (int.from_bytes(entropy[6:]) + index) % (1 << 32)
    return ulid(millis, entropy[:6] + last.to_bytes(4))


class Ids:
    """The server's maker of ids. ULIDs of one maker only grow, as long as the time it is told does not go back."""

    def __init__(self, source: random.Random) -> None:
        """Take the random source."""
        self._random = source
        self._last = 0

    def ulid(self, now: float) -> str:
        """Make a ULID for a moment (seconds since the epoch)."""
        number = int(now * 1000) << 80 | self._random.getrandbits(80)
        if number >> 80 <= self._last >> 80:
            number = self._last + 1
        self._last = number
        return ulid(number >> 80, (number & ((1 << 80) - 1)).to_bytes(_ENTROPY))

    def hex(self, length: int) -> str:
        """Make so many hex digits, as trace and span ids are."""
        return f"{self._random.getrandbits(4 * length):0{length}x}"

    def uuid(self) -> str:
        """Make a random UUID."""
        text = self.hex(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"

    def span(self, flags: str) -> dict[str, str]:
        """Make what the server tells of a span of its traces."""
        trace, span = self.hex(32), self.hex(16)
        return {"dsid": span, "dstp": f"00-{trace}-{self.hex(16)}-00", "tp": f"00-{trace}-{span}-{flags}", "ts": ""}

    def fraction(self) -> float:
        """Give a number from 0 up to 1, for a jitter."""
        return self._random.random()


def named_uuid(name: str) -> str:
    """Give the UUID that a name always has (server: DeterministicSha1UUID)."""
    text = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:32]}"


def short_hash(key: str) -> str:
    """Hash a queue item's key as the server shows it: a 64-bit number in base 36."""
    number, text = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]), ""
    while number:
        number, digit = divmod(number, 36)
        text = _BASE36[digit] + text
    return text
