"""Introspection: both forms, and that the one for nobody tells nothing that names, addresses or identifies."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from inngest_gen.options.settings import Settings
from inngest_gen.protocol.introspection import introspection
from inngest_gen.protocol.sdk import VERSION

CLOUD = Settings(
    mode="cloud",
    env="branch",
    serve_origin="https://example.com",
    event_key="event-key",
    signing_key=f"signkey-prod-{'0' * 64}",
    signing_key_fallback=f"signkey-prod-{'1' * 64}",
)


def tell(settings: Settings, authenticated: bool | None) -> dict[str, Any]:
    return introspection(settings, app_id="secret-app", functions=3, framework="asgi", authenticated=authenticated)


def test_dev_mode_tells_the_little_that_anybody_may_know() -> None:
    """Behaviour E50."""
    for authenticated in (None, True, False):
        assert tell(Settings(mode="dev"), authenticated) == {
            "authentication_succeeded": None, "extra": {}, "function_count": 3, "has_event_key": False, "has_signing_key": False,
            "has_signing_key_fallback": False, "mode": "dev", "schema_version": "2024-05-24",
        }  # fmt: skip


def test_a_caller_with_the_key_learns_all() -> None:
    """Behaviours E51, E52."""
    told = tell(CLOUD, True)
    assert told == {
        "authentication_succeeded": True, "extra": {}, "function_count": 3, "has_event_key": True, "has_signing_key": True,
        "has_signing_key_fallback": True, "mode": "cloud", "schema_version": "2024-05-24",
        "api_origin": "https://api.inngest.com/", "event_api_origin": "https://inn.gs/", "app_id": "secret-app",
        "capabilities": {"in_band_sync": "v1", "trust_probe": "v1"}, "env": "branch", "framework": "asgi", "sdk_language": "py", "sdk_version": VERSION,
        "serve_origin": "https://example.com", "serve_path": None,
        "event_key_hash": hashlib.sha256(b"event-key").hexdigest(), "signing_key_hash": "66687aadf862", "signing_key_fallback_hash": "02d449a31fbb",
    }  # fmt: skip


@pytest.mark.parametrize("authenticated", [None, False])
def test_a_caller_without_it_learns_counts_and_flags_only(authenticated: bool | None) -> None:
    """Behaviours K10, E23."""
    told = tell(CLOUD, authenticated)
    assert told.keys() == {
        "authentication_succeeded", "extra", "function_count", "has_event_key", "has_signing_key", "has_signing_key_fallback", "mode", "schema_version",
    }  # fmt: skip
    assert told["authentication_succeeded"] is authenticated
    assert not any(isinstance(value, str) and value not in {"cloud", "2024-05-24"} for value in told.values())


def test_keys_that_are_none_have_no_hash() -> None:
    told = tell(Settings(mode="cloud", signing_key="not hexadecimal"), True)
    assert (told["signing_key_hash"], told["signing_key_fallback_hash"], told["event_key_hash"]) == (None, None, None)
