"""Signing keys: what the server signs calls with, and what it accepts on its API (sections E1 and E2 of the behaviours)."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import parse_qsl

__all__ = ["hashed", "sign", "verify"]

_PREFIX: Final = re.compile(r"^signkey-\w+-")
_FRESH_S: Final = 300


def _mac(key: str, body: bytes, t: str) -> str:
    return hmac.new(_PREFIX.sub("", key).encode(), body + t.encode(), hashlib.sha256).hexdigest()


def sign(key: str, body: bytes, now: float) -> str:
    """Give the header `X-Inngest-Signature` for a body."""
    t = str(int(now))
    return f"t={t}&s={_mac(key, body, t)}"


def verify(header: str, body: bytes, keys: tuple[str, ...], now: float) -> str | None:
    """Say what is wrong with a reply's signature; None: nothing."""
    parts = dict(parse_qsl(header))
    t, s = parts.get("t", ""), parts.get("s", "")
    if not (t.isdigit() and s):
        return f"the header {header!r} is no signature"
    if abs(now - int(t)) > _FRESH_S:
        return f"it is {now - int(t):.0f} s old"
    if not any(hmac.compare_digest(s, _mac(key, body, t)) for key in keys):
        return "it does not fit the body"
    return None


def hashed(key: str) -> str:
    """Hash a signing key as it is sent in `Authorization: Bearer`: the prefix stays, the rest is read as hex and hashed with SHA-256."""
    found = _PREFIX.match(key)
    prefix = found[0] if found else ""
    rest = key[len(prefix) :]
    try:
        raw = bytes.fromhex(rest)
    except ValueError:
        raw = rest.encode()
    return prefix + hashlib.sha256(raw).hexdigest()
