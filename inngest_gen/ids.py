"""Ids: run and event ids (ULIDs), hashes of steps and defers, seeds. The one file where ids are made.

Promises: `new_id` gives ever greater ids within a process, whatever the clock does and however many threads ask; all else here is a
pure function of its arguments and agrees with Inngest's server and SDKs, byte for byte.
Refuses: python-ulid for the codec: these lines do less, and faster.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import threading
from hashlib import sha256
from typing import Final

try:  # CPython's own: OpenSSL's touches so much memory that it takes three times as long (5 us) where other code runs in between
    from _sha1 import sha1  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from functools import partial
    from hashlib import sha1 as openssl_sha1

    sha1 = partial(openssl_sha1, usedforsecurity=False)  # FIPS builds need the flag

__all__ = ["abort_hash", "deferred_event_id", "event_seed", "new_id", "nth_id", "seed", "step_hash", "ulid_time"]

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]  # ten bits at a time: 13 look-ups an id
_SHIFTS: Final = range(120, -1, -10)
_ULID: Final = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")
_TIME_LIMIT: Final = 1 << 48  # milliseconds: the year 10889
_ENTROPY_BITS: Final = 80

_lock = threading.Lock()
_last = 0  # the greatest ULID made, as a number


def _forget() -> None:
    # A forked child would go on from its parent's last id, as the parent does; and the lock may have been held by a thread that is no more.
    global _lock, _last
    _lock, _last = threading.Lock(), 0


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)


def _write(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def new_id(now: float) -> str:
    """Make a ULID for the moment `now` (seconds since the epoch), greater than all made in this process before. Thread-safe.

    Raises ValueError if `now` is before 1970, after the year 10889, or not finite.
    """
    global _last  # noqa: PLW0603 - see _lock
    if not 0 <= now * 1000 < _TIME_LIMIT:
        raise ValueError(f"{now!r} is no time for an id: it takes seconds since the epoch, 0 or more")
    number = int(now * 1000) << _ENTROPY_BITS | secrets.randbits(_ENTROPY_BITS)
    with _lock:
        # The same millisecond, or a clock that went back: the next number. A carry out of the random bits moves on to the next millisecond.
        if number >> _ENTROPY_BITS <= _last >> _ENTROPY_BITS:
            number = _last + 1
        _last = number
    return _write(number)


def nth_id(now: float, seed: str, number: int) -> str:
    """Give the `number`-th ULID of a stream named `seed`, for the moment `now`: the same each time. Of one moment, later ones are greater."""
    drawn = int.from_bytes(sha256(f"nth-id:{seed}:{number}".encode()).digest()[:6])
    return _write(int(now * 1000) << _ENTROPY_BITS | (number & 0xFFFFFFFF) << 48 | drawn)


def ulid_time(ulid: str) -> float:
    """Give the moment in a ULID, in seconds since the epoch. Raises ValueError if it is no ULID."""
    return _millis(ulid) / 1000


def _millis(ulid: str) -> int:
    if not _ULID.fullmatch(ulid.upper()):
        raise ValueError(f"{ulid!r} is no ULID: it takes 26 characters of {_ALPHABET}, such as 01GQ3HTEZ01M7R8Z9PR1DMHDN1")
    millis = 0
    for letter in ulid[:10].upper():
        millis = millis << 5 | _ALPHABET.index(letter)
    return millis


def step_hash(key: str) -> str:
    """Hash a step's or a defer's id: lowercase hex SHA-1 of its UTF-8. Raises ValueError if it has a lone surrogate."""
    try:
        digest: str = sha1(key.encode()).hexdigest()
    except UnicodeEncodeError:
        raise ValueError(f"the id {key!r} has a lone surrogate, which UTF-8 cannot write: use whole characters") from None
    return digest


def abort_hash(hashed_id: str) -> str:
    """Hash the abort of a defer, given the hash of the defer's id (Inngest's SDKs hash twice)."""
    return step_hash(hashed_id + ":abort")


def deferred_event_id(run_id: str, hashed_id: str) -> str:
    """Give the id of the event that starts a deferred run, from the parent run's id (a ULID) and the hash of the defer's id.

    It is the same however often the parent ends, so that the run starts once; and it is the id Inngest's server uses
    (server: pkg/event/defer.go). Raises ValueError if `run_id` is no ULID.
    """
    entropy = sha256(f"defer-event:{run_id}:{hashed_id}".encode()).digest()[: _ENTROPY_BITS // 8]
    return _write(_millis(run_id) << _ENTROPY_BITS | int.from_bytes(entropy))


def event_seed(run_id: str, hashed_id: str) -> str:
    """Give the seed of which a server makes the ids of the events that a step sends (J03): the same in each attempt of the step.

    So what an attempt sent whose end the server did not hear of is taken once. Raises ValueError if `run_id` is no ULID.
    """
    entropy = sha256(f"send-event:{run_id}:{hashed_id}".encode()).digest()[: _ENTROPY_BITS // 8]
    return f"{_millis(run_id)},{base64.b64encode(entropy).decode()}"


def seed(run_id: str, *parts: str | int) -> int:
    """Give a seed of 128 bits for what a run must see alike in each replay; `parts` tell its streams apart."""
    # With their lengths, so that ("a", "bc") and ("ab", "c") differ.
    text = "".join(f"{len(part)}:{part}" for part in (run_id, *map(str, parts)))
    return int.from_bytes(sha256(text.encode()).digest()[:16])
