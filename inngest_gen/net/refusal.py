"""Refusals: what a reply that was not hoped for is to the user, a sentence that says what was asked, where, what came of it and what to do."""

from __future__ import annotations

from typing import Final, Literal

import orjson

from inngest_gen.errors import ApiError
from inngest_gen.net.exchange import Answer, Reaction, Silence
from inngest_gen.options.settings import Settings

__all__ = ["failed", "reason"]

_SHOWN: Final = 300
_KEYS: Final = {"event": "the event key (INNGEST_EVENT_KEY)", "signing": "the signing key (INNGEST_SIGNING_KEY)"}
_SILENT: Final = {
    "dev": "start the dev server, or say where it is with INNGEST_DEV or ig.App(..., dev=URL)",
    "cloud": "check the network, and INNGEST_BASE_URL if the server is your own",
}


def failed(what: str, url: str, reaction: Reaction, settings: Settings, *, key: Literal["event", "signing"]) -> ApiError:
    """Make the error for `what` ("sending 2 events"), asked of the server at `url` with that key."""
    if isinstance(reaction, Silence):
        return ApiError(what, url, reason(reaction), hint=None if reaction.final else _SILENT[settings.mode])
    hint = None
    if reaction.status == 401 or (key == "event" and reaction.status in {403, 404}):
        hint = f"check {_KEYS[key]}"
    elif _moved(reaction):
        hint = "set INNGEST_BASE_URL to where the server is now"
    return ApiError(what, url, reason(reaction), status=reaction.status, hint=hint)


def reason(reaction: Reaction) -> str:
    """Say in a few words what a reaction says: the server's own error where it tells one."""
    if isinstance(reaction, Silence):
        return reaction.reason
    if _moved(reaction):
        return f"{reaction.status}: it redirects to {_short(str(reaction.location))}"
    return f"{reaction.status}: {_told(reaction.body) or 'no reason told'}"


def _moved(answer: Answer) -> bool:
    return 300 <= answer.status < 400 and answer.location is not None


def _told(body: bytes) -> str:
    try:
        value = orjson.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict):
        for name in ("error", "message"):
            if isinstance(value.get(name), str) and value[name]:
                return _short(value[name])
    return _short(body[: 4 * _SHOWN].decode("utf-8", "replace"))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
