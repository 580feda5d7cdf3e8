"""Introspection: what an app tells of itself to a GET (SDK_SPEC 4.5, schema version 2024-05-24).

Promises: a caller who has not shown that it knows the signing key learns how many functions there are, the mode, and which keys are set: no name, no
URL, no hash (K10). The hash of a signing key is told in its first 12 digits only.
"""

from __future__ import annotations

import hashlib
from typing import Any

from inngest_gen.errors import ConfigError
from inngest_gen.options.settings import Settings
from inngest_gen.protocol.sdk import CAPABILITIES, LANGUAGE, VERSION
from inngest_gen.protocol.signature import hashed

__all__ = ["introspection"]

_SHOWN = 12


def introspection(settings: Settings, *, app_id: str, functions: int, framework: str, authenticated: bool | None) -> dict[str, Any]:
    """Give what an app tells of itself, as JSON values.

    `functions` counts the registered functions. `authenticated` says whether the request's signature was verified: None where it had none. In dev
    mode none is looked at, and the caller is nobody (E50).
    """
    if settings.mode == "dev":
        authenticated = None
    told: dict[str, Any] = {
        "authentication_succeeded": authenticated,
        "extra": {},
        "function_count": functions,
        "has_event_key": settings.event_key is not None,
        "has_signing_key": settings.signing_key is not None,
        "has_signing_key_fallback": settings.signing_key_fallback is not None,
        "mode": settings.mode,
        "schema_version": "2024-05-24",
    }
    if authenticated:
        told |= {
            "api_origin": f"{settings.api_url}/",
            "app_id": app_id,
            "capabilities": CAPABILITIES,
            "env": settings.env,
            "event_api_origin": f"{settings.event_url}/",
            "event_key_hash": None if settings.event_key is None else hashlib.sha256(settings.event_key.encode()).hexdigest(),
            "framework": framework,
            "sdk_language": LANGUAGE,
            "sdk_version": VERSION,
            "serve_origin": settings.serve_origin,
            "serve_path": settings.serve_path,
            "signing_key_fallback_hash": _shown(settings.signing_key_fallback),
            "signing_key_hash": _shown(settings.signing_key),
        }
    return told


def _shown(key: str | None) -> str | None:
    if key is None:
        return None
    try:
        return hashed(key).rpartition("-")[2][:_SHOWN]
    except ConfigError:  # a key that is none verifies nothing, and so is never the one that let the caller in
        return None
