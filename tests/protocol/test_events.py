"""Events on their way to a server: what is filled in, and what is refused before it is sent (I24, J05)."""

from __future__ import annotations

from typing import Any

import pytest

from inngest_gen.errors import ConfigError
from inngest_gen.event import Event
from inngest_gen.protocol.events import wire_event

NOW = 1_700_000_000.1239


def test_what_an_event_does_not_say_is_filled_in() -> None:
    """Behaviour J05: `data` and `ts`; an id is what makes it once, so none is made up."""
    assert wire_event(Event("a/b"), now=NOW) == {"name": "a/b", "data": {}, "ts": 1_700_000_000_123}


def test_what_it_says_is_sent() -> None:
    event = Event("a/b", {"x": 1}, id="once", ts=1_600_000_000_000, meta={"note": True})
    assert wire_event(event, now=NOW) == {"name": "a/b", "data": {"x": 1}, "id": "once", "ts": 1_600_000_000_000, "meta": {"note": True}}


def test_a_runs_sessions_go_beside_those_of_the_event() -> None:
    """Behaviour A62."""
    event = Event("a", meta={"sessions": {"org": 5, "cut": None}})
    sent = wire_event(event, now=NOW, sessions={"org": "acme", "conv": "c"})
    assert sent["meta"] == {"sessions": {"org": "5", "cut": None}, "propagated_sessions": {"org": "acme", "conv": "c"}}
    assert "meta" not in wire_event(Event("a"), now=NOW, sessions={})


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event("inngest/function.failed"), "reserved"),
        (Event("INNGEST/x"), "reserved"),
        (Event("a", ts=0), "between the years 1980 and 2100"),
        (Event("a", ts=1_700_000_000), "between the years 1980 and 2100"),
        (Event("a", ts=4_102_444_800_000), "between the years 1980 and 2100"),
        (Event("\ud800"), "surrogate"),
        (Event("a", id="\ud800"), "surrogate"),
        (Event("é" * 257), "514 bytes; the limit is 512"),
        (Event("a", meta={"sessions": {"k": True}}), "must be a string or number"),
    ],
)
def test_what_the_server_would_refuse_is_refused_here(event: Event, message: str) -> None:
    """Behaviours I24, I25."""
    with pytest.raises(ConfigError, match=message):
        wire_event(event, now=NOW)


@pytest.mark.parametrize("event", [Event("inngest", ts=315_532_800_000), Event("é" * 256), Event("x-inngest/y")])
def test_what_it_takes_is_taken(event: Any) -> None:
    assert wire_event(event, now=NOW)["name"] == event.name
