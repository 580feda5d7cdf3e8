"""Sending events to the server: what is asked, how often, and what the replies mean (J01 to J05).

Promises: all attempts carry one seed, of which the server makes the events' ids, so that an event whose acknowledgement was lost is taken once; ids
are given in the events' order. Events beyond one request's number go in several, with seeds that go on from one to the next.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

import orjson

from inngest_gen.errors import ConfigError, TooLarge
from inngest_gen.net.exchange import Answer, Ask, Exchange, Reaction, Silence, ask, persistently
from inngest_gen.net.headers import headers
from inngest_gen.net.refusal import failed
from inngest_gen.options.settings import Settings

__all__ = ["EVENTS_PER_REQUEST", "EVENT_BYTES", "make_seed", "sending"]

EVENTS_PER_REQUEST: Final = 5000
"""The server's `consts.MaxEvents`."""
EVENT_BYTES: Final = 3 * 1024 * 1024
"""The server's `consts.AbsoluteMaxEventSize`; a plan may have a lower limit."""
NO_KEY: Final = "NO_EVENT_KEY_SET"
"""What stands for the key in a dev server's URL (E64)."""
_FINAL: Final = {401, 403, 404, 413}


def sending(events: Sequence[tuple[str, bytes]], seed: str, settings: Settings, *, jitter: Callable[[], float]) -> Exchange[list[str]]:
    """Send events, each with its name and as JSON; gives their ids.

    Raises ConfigError where cloud mode has no event key, TooLarge for an event beyond 3 MiB, ApiError where the server does not take them all.
    """
    key = settings.event_key
    if key is None and settings.mode == "cloud":
        raise ConfigError(
            "sending events to Inngest needs an event key: set INNGEST_EVENT_KEY or ig.App(..., event_key=...); "
            "for a dev server set INNGEST_DEV=1"
        )
    for name, body in events:
        if len(body) > EVENT_BYTES:
            raise TooLarge(f"event {name!r}", len(body), EVENT_BYTES)
    url = f"{settings.event_url}/e/{quote(key or NO_KEY, safe='')}"
    ids: list[str] = []
    for start in range(0, len(events), EVENTS_PER_REQUEST):
        some = events[start : start + EVENTS_PER_REQUEST]
        request = Ask(
            method="POST",
            url=url,
            headers={**headers(settings), "x-inngest-event-id-seed": _later(seed, start)},
            body=b"[%b]" % b",".join(body for _, body in some),
        )
        reaction = yield from persistently(lambda request=request: ask(request), _settled, jitter)  # type: ignore[misc]
        taken = _ids(reaction)
        if taken is None:
            what = f"sending {len(some)} event{'' if len(some) == 1 else 's'}" + (f" after {len(ids)} that were taken" if ids else "")
            raise failed(what, settings.event_url, reaction, settings, key="event")
        ids += taken
    return ids


def make_seed(now: float, entropy: bytes) -> str:
    """Give a seed for the ids of the events of one `sending`: `now` in epoch seconds, `entropy` of ten random bytes (J03)."""
    return f"{int(now * 1000)},{base64.b64encode(entropy).decode()}"


def _later(seed: str, by: int) -> str:
    """Give the seed whose first event has the id that `seed` gives its event number `by` + 1."""
    if by == 0:
        return seed
    millis, _, encoded = seed.partition(",")
    entropy = base64.b64decode(encoded)
    last = (int.from_bytes(entropy[-4:]) + by) % 2**32
    return f"{millis},{base64.b64encode(entropy[:-4] + last.to_bytes(4)).decode()}"


def _settled(reaction: Reaction) -> bool:
    if isinstance(reaction, Silence):
        return reaction.final
    # The server says 400 for its own troubles, too (pkg/api/api.go).
    return reaction.status in _FINAL or 300 <= reaction.status < 400 or _ids(reaction) is not None


def _ids(reaction: Reaction) -> list[str] | None:
    """Give the ids in a reply that says that all is well, else None."""
    if not isinstance(reaction, Answer) or reaction.status != 200:
        return None
    try:
        told = orjson.loads(reaction.body)
    except ValueError:
        return None
    if not isinstance(told, dict) or told.get("error") or told.get("status", 200) != 200:
        return None
    ids = told.get("ids")
    return ids if isinstance(ids, list) and all(isinstance(id, str) for id in ids) else None
