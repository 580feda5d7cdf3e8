"""Signatures of requests and replies, and the bearer token of API calls (SDK_SPEC 4.1.3, 4.1.4).

Promises: comparison in constant time; a signature counts for five minutes, both ways; a body whose bytes were signed costs one HMAC.
A body which a proxy wrote anew (other spaces, escapes, order of keys) is verified by its canonical form (RFC 8785), and only if what is read from
it is what was signed. Refuses: an empty key, with which anybody could sign; and the package `jcs`, to which the tests hold this: it rounds whole
numbers beyond 2**53, so that a forged digit would go unseen, and to look for them is half of the work.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from inngest_gen.errors import ConfigError, InngestGenError

__all__ = ["FRESH_S", "SignatureRefused", "bearer", "canonical", "hashed", "sign", "verify"]

FRESH_S: Final = 300
"""How many seconds a signature's time may be away from now, in either direction (E05)."""

_PREFIX: Final = re.compile(r"signkey-\w+-", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{1,15}")
_MAC: Final = re.compile(r"[0-9a-f]{64}")
_EXACT: Final = 2**53
_ANEW_BYTES: Final = 1024 * 1024
"""The largest body of which a canonical form is made: anybody may send one with a wrong signature, and this one takes up to 0.2 s."""


class SignatureRefused(InngestGenError):
    """A request whose signature does not count. `reason` says why, for a log; the caller is told nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: str = reason


def sign(body: bytes, key: str, now: float) -> str:
    """Give the header `X-Inngest-Signature` for `body`, signed with `key` at `now` (epoch seconds): `t=<seconds>&s=<hex HMAC-SHA256>` (E01, E04).

    Raises ConfigError for an empty key.
    """
    secret = _secret(key)
    if not secret:
        raise ConfigError("a signing key is empty: anybody could sign with it")
    time = str(int(now))
    return f"t={time}&s={_mac(secret, body, time)}"


def verify(body: bytes, header: str | None, keys: Sequence[str], now: float) -> str:
    """Give the first of `keys` with which `header` signs `body`, at `now` (epoch seconds). `keys` are the signing key and the fallback (E08).

    Raises SignatureRefused.
    """
    if not header:
        raise SignatureRefused("the request has no signature")
    time, mac = _read(header)
    age = now - int(time)
    if abs(age) > FRESH_S:
        when = f"{age:.0f} s ago" if age > 0 else f"{-age:.0f} s from now by this machine's clock"
        raise SignatureRefused(f"the signature has expired: it was made {when}, and {FRESH_S} s are allowed")
    usable = [(key, secret) for key in keys if (secret := _secret(key))]
    if not usable:
        raise SignatureRefused("there is no signing key to verify it with")
    for key, secret in usable:
        if hmac.compare_digest(_mac(secret, body, time), mac):
            return key
    if len(body) > _ANEW_BYTES:
        raise SignatureRefused(
            f"the signature does not match, and a body of more than {_ANEW_BYTES:,} bytes must have the bytes that were signed"
        )
    written = canonical(body)
    if written is not None and written != body:
        for key, secret in usable:
            if hmac.compare_digest(_mac(secret, written, time), mac):
                return key
    raise SignatureRefused("the signature does not match: another signing key, or another body")


def bearer(key: str) -> str:
    """Give the header `Authorization` for an API call: `Bearer <prefix><hex SHA-256>` (E13, keeping the prefix: K00).

    Raises ConfigError for a key that is not hexadecimal after its prefix.
    """
    return f"Bearer {hashed(key)}"


def hashed(key: str) -> str:
    """Give a signing key as it may be told: its prefix, and the hex SHA-256 of the bytes that its hex digits stand for (E13).

    Raises ConfigError for a key that is not hexadecimal after its prefix.
    """
    prefix = _PREFIX.match(key)
    digits = key[prefix.end() :] if prefix else key
    try:
        if not digits.isalnum():  # bytes.fromhex takes spaces
            raise ValueError
        secret = bytes.fromhex(digits)
    except ValueError:
        raise ConfigError(
            "the signing key is not hexadecimal: copy it whole, such as signkey-prod-0123456789abcdef (pairs of digits after the prefix)"
        ) from None
    return f"{prefix[0] if prefix else ''}{hashlib.sha256(secret).hexdigest()}"


def canonical(body: bytes) -> bytes | None:
    """Give JSON in its canonical form (RFC 8785), or None for what is no JSON or reads differently from how it would be signed.

    The second: a whole number beyond 2**53 whose digits a canonical form would change, so that a changed digit would go unseen.
    """
    try:
        # The parser is the one that reads the call: of a key that is there twice, what counts for the signature is what counts for the handler.
        return orjson.dumps(_ordered(orjson.loads(body)))
    except (ValueError, TypeError, RecursionError):
        return None


def _ordered(value: Any) -> Any:
    """Copy a JSON value with the keys in the order of their UTF-16, and the numbers as ECMAScript writes them."""
    cls = value.__class__
    if cls is dict:
        names = sorted(value) if all(map(str.isascii, value)) else sorted(value, key=_utf16)
        return {name: _ordered(value[name]) for name in names}
    if cls is list:
        # Anybody may send millions of small values: those cost no call each.
        return [one if one.__class__ is str or (one.__class__ is int and -_EXACT <= one <= _EXACT) else _ordered(one) for one in value]
    if cls is float:
        return orjson.Fragment(_number(value))
    if cls is int and not -_EXACT <= value <= _EXACT:
        digits = _number(float(value))
        if digits != str(value):
            raise ValueError("a whole number that loses digits")
        return orjson.Fragment(digits)
    return value


def _number(value: float) -> str:
    """Write a number as ECMAScript does: Python's digits, which are the shortest that read back the same, with the point where that puts it."""
    text = repr(value)
    digits, e, exponent = text.partition("e")
    if not e:
        return text.removesuffix(".0") if value else "0"
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    whole, _, rest = digits.partition(".")
    shift = int(exponent)
    if 0 < shift < 21:  # 1.5e+16 is 15000000000000000
        return f"{sign}{whole}{rest.ljust(shift, '0')}"
    if -7 < shift < 0:  # 1.5e-06 is 0.0000015
        return f"{sign}0.{'0' * (-shift - 1)}{whole}{rest}"
    return f"{sign}{digits}e{'+' if shift > 0 else '-'}{abs(shift)}"


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be")


def _secret(key: str) -> bytes:
    prefix = _PREFIX.match(key)
    # The environment may hold bytes that are no UTF-8, which Python hands on as surrogates.
    return (key[prefix.end() :] if prefix else key).encode("utf-8", "surrogateescape")


def _mac(secret: bytes, body: bytes, time: str) -> str:
    mac = hmac.new(secret, body, hashlib.sha256)
    mac.update(time.encode())
    return mac.hexdigest()


def _read(header: str) -> tuple[str, str]:
    fields: dict[str, str] = {}
    for part in header.split("&"):
        name, _, value = part.partition("=")
        if name in fields:
            raise SignatureRefused("the signature header has a field twice")
        fields[name] = value
    time, mac = fields.get("t", ""), fields.get("s", "")
    if not _TIME.fullmatch(time) or not _MAC.fullmatch(mac):
        raise SignatureRefused("the signature header is not t=<seconds>&s=<64 hex digits>")
    return time, mac
