"""Headers of requests to the Inngest server (SDK_SPEC 4.1.4)."""

from __future__ import annotations

from inngest_gen.errors import ConfigError
from inngest_gen.options.settings import Settings
from inngest_gen.protocol.sdk import SDK
from inngest_gen.protocol.signature import bearer

__all__ = ["authorizations", "headers"]


def headers(settings: Settings) -> dict[str, str]:
    """Give the headers of every request, but for Authorization."""
    result = {"content-type": "application/json", "user-agent": SDK, "x-inngest-sdk": SDK, "x-inngest-req-version": "2"}
    if settings.env is not None:
        result["x-inngest-env"] = settings.env
    if settings.platform is not None:
        result["x-inngest-platform"] = settings.platform
    return result


def authorizations(settings: Settings) -> list[str]:
    """Give the values of the header Authorization, in the order in which they are tried (E15): empty without a signing key.

    A key that is none is left out; where no other is left, cloud mode raises ConfigError.
    """
    given = [key for key in (settings.signing_key, settings.signing_key_fallback) if key is not None]
    values: list[str] = []
    wrong: ConfigError | None = None
    for key in given:
        try:
            values.append(bearer(key))
        except ConfigError as error:
            wrong = wrong or error
    if wrong is not None and not values and settings.mode == "cloud":
        raise wrong
    return values
