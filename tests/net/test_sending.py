"""Events are sent with one seed, again and again, until the server has taken them or says no for good."""

from typing import Any

import anyio
import anyio.to_thread
import pytest

import inngest_gen as ig
from inngest_gen.net import events as sending_module
from inngest_gen.net.events import make_seed
from inngest_gen.options.settings import Limits
from tests.net.server import CLOSE, HANG, Server, reply

SEED = "1743130137367,eii2YKXRVTJPuA=="
EVENT = {"name": "order/placed", "data": {"x": 1}, "ts": 5}


def taken(*ids: str) -> bytes:
    return reply(200, {"ids": list(ids), "status": 200})


async def send(server: Server, how: str, *events: dict[str, Any], seed: str | None = None, **settings: Any) -> list[str]:
    """Send in the loop or from a thread without one."""
    api = server.api(**settings)
    if how == "loop":
        return await api.send_events(events, seed=seed)
    api._clients._sleep_here = server.pauses.append
    return await anyio.to_thread.run_sync(lambda: api.send_events_here(events, seed=seed))


BOTH = pytest.mark.parametrize("how", ["loop", "thread"])


@BOTH
async def test_events_are_one_array_under_the_event_key(server: Server, how: str) -> None:
    server.otherwise = taken("a", "b")
    assert await send(server, how, EVENT, {**EVENT, "id": "mine"}, event_key="key/1", env="branch") == ["a", "b"]
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/e/key%2F1")
    assert asked.json == [EVENT, {**EVENT, "id": "mine"}]
    assert asked.headers["x-inngest-env"] == "branch"
    assert "authorization" not in asked.headers


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        reply(500),
        reply(400, {"ids": [], "status": 400, "error": "queue"}),
        reply(200, {"ids": ["a"], "status": 500}),
        reply(200, b"<html>"),
        CLOSE,
    ],
)
async def test_what_may_pass_is_sent_again_with_the_same_seed(server: Server, how: str, fault: bytes) -> None:
    server.script = [fault] * 4 + [taken("a")]
    assert await send(server, how, EVENT) == ["a"]
    assert server.pauses == pytest.approx([0.15, 0.25, 0.45, 0.85])
    assert len({asked.headers["x-inngest-event-id-seed"] for asked in server.asked}) == 1
    assert len({asked.body for asked in server.asked}) == 1


@BOTH
@pytest.mark.parametrize(
    ("fault", "many", "sentence"),
    [
        (
            reply(401, {"error": "Event key not found"}),
            1,
            r"sending 1 event at http.* failed \(401: Event key not found\): check the event key \(INNGEST_EVENT_KEY\)",
        ),
        (reply(413), 1, r"failed \(413: no reason told\)"),
        (reply(400, {"ids": [], "status": 400, "error": "event name is reserved"}), 5, r"failed \(400: event name is reserved\)"),
        (reply(200, {"ids": [], "error": "odd"}), 5, r"failed \(200: odd\)"),
        (reply(200, {"ids": [1]}), 5, r"failed \(200: "),
        (reply(301, location="https://x"), 1, r"it redirects to https://x\): set INNGEST_BASE_URL"),
    ],
)
async def test_what_the_server_does_not_take_is_an_error_in_its_words(
    server: Server, how: str, fault: bytes, many: int, sentence: str
) -> None:
    server.otherwise = fault
    with pytest.raises(ig.ApiError, match=sentence):
        await send(server, how, EVENT)
    assert len(server.asked) == many


@BOTH
async def test_a_server_that_does_not_answer_is_given_up_in_time(server: Server, how: str) -> None:
    server.otherwise = HANG
    with pytest.raises(ig.ApiError, match=r"no whole reply within 0.05 s\): start the dev server"):
        await send(server, how, EVENT, mode="dev", limits=Limits(reply_timeout=0.05))


@BOTH
async def test_a_reply_beyond_the_limit_is_not_read(server: Server, how: str) -> None:
    server.otherwise = reply(200, b"x" * 2000)
    with pytest.raises(ig.ApiError, match="more than 1,000 bytes"):
        await send(server, how, EVENT, limits=Limits(reply_bytes=1000))


async def test_a_dev_server_needs_no_key(server: Server) -> None:
    server.otherwise = taken("a")
    await send(server, "loop", EVENT, mode="dev", event_key=None)
    assert server.asked[0].path == "/e/NO_EVENT_KEY_SET"


async def test_in_cloud_mode_a_missing_key_is_told_before_anything_is_sent(server: Server) -> None:
    with pytest.raises(ig.ConfigError, match=r"set INNGEST_EVENT_KEY or ig.App\(..., event_key=...\)"):
        await send(server, "loop", EVENT, event_key=None)
    assert server.asked == []


@BOTH
async def test_no_events_are_no_request(server: Server, how: str) -> None:
    assert await send(server, how) == []
    assert server.asked == []


async def test_an_event_beyond_the_servers_limit_is_refused_before_any_is_sent(server: Server) -> None:
    with pytest.raises(ig.TooLarge, match="event 'big' has 3,145,7.. bytes; the limit is 3,145,728"):
        await send(server, "loop", EVENT, {"name": "big", "data": {"x": "x" * 3 * 1024 * 1024}})
    assert server.asked == []


async def test_an_event_that_is_no_json_is_named(server: Server) -> None:
    with pytest.raises(ig.NotJSON, match="event 'order/placed'"):
        await send(server, "loop", {"name": "order/placed", "data": {"x": {1}}})


async def test_a_given_seed_is_used(server: Server) -> None:
    server.otherwise = taken("a")
    await send(server, "loop", EVENT, seed=SEED)
    assert server.asked[0].headers["x-inngest-event-id-seed"] == SEED


async def test_many_events_go_in_several_requests_whose_seeds_go_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_module, "EVENTS_PER_REQUEST", 2)
    server.script = [taken("a", "b"), taken("c", "d"), taken("e")]
    events = [{"name": f"e{number}"} for number in range(5)]
    assert await send(server, "loop", *events, seed=make_seed(1.5, bytes(9) + b"\xff")) == ["a", "b", "c", "d", "e"]
    assert [asked.json for asked in server.asked] == [events[:2], events[2:4], events[4:]]
    # The last four bytes count: 0xff, and two and four more.
    assert [asked.headers["x-inngest-event-id-seed"] for asked in server.asked] == [
        make_seed(1.5, bytes(9) + b"\xff"),
        make_seed(1.5, bytes(8) + b"\x01\x01"),
        make_seed(1.5, bytes(8) + b"\x01\x03"),
    ]


async def test_what_was_taken_before_a_failure_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_module, "EVENTS_PER_REQUEST", 1)
    server.script = [taken("a"), reply(401)]
    with pytest.raises(ig.ApiError, match="sending 1 event after 1 that were taken"):
        await send(server, "loop", EVENT, EVENT)


def test_a_seed_is_milliseconds_and_ten_bytes() -> None:
    assert make_seed(1743130137.367, bytes.fromhex("7a28b660a5d155324fb8")) == SEED
