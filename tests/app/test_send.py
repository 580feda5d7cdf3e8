"""`app.send` finds its way: to the engine in this process, else to the server; and says what to do where there is neither."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import inngest_gen as ig
from tests.net.server import Server, reply, serving

EVENT = ig.Event("order/placed", {"id": "o1"})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        running.otherwise = reply(200, {"ids": ["a"], "status": 200})
        yield running


async def send(app: ig.App, how: str, *events: Any) -> list[str]:
    return await app.send(*events) if how == "loop" else await anyio.to_thread.run_sync(app.send_sync, *events)


BOTH = pytest.mark.parametrize("how", ["loop", "thread"])


@BOTH
async def test_without_an_engine_events_go_to_the_server(server: Server, how: str) -> None:
    app = ig.App("shop", dev=server.url)
    assert await send(app, how, EVENT) == ["a"]
    [asked] = server.asked
    assert asked.path == "/e/NO_EVENT_KEY_SET"
    [sent] = asked.json
    assert sent.pop("ts") > 1_700_000_000_000
    assert sent == {"name": "order/placed", "data": {"id": "o1"}}


@BOTH
async def test_with_an_engine_they_go_there(server: Server, how: str, tmp_path: Path) -> None:
    app = ig.App("shop", dev=server.url)
    async with ig.Engine(tmp_path / "shop.db", apps=[app], durability="process"):
        [id] = await send(app, how, EVENT)
        assert len(id) == 26
    assert server.asked == []
    assert await send(app, how, EVENT) == ["a"]


@BOTH
async def test_an_event_keeps_what_it_was_given(server: Server, how: str) -> None:
    app = ig.App("shop", base_url=server.url, event_key="k", env="branch")
    await send(app, how, ig.Event("e", id="mine", ts=1_700_000_000_001, meta={"sessions": {"chat": "c1"}}))
    [asked] = server.asked
    assert (asked.path, asked.headers["x-inngest-env"]) == ("/e/k", "branch")
    assert asked.json == [{"name": "e", "data": {}, "id": "mine", "ts": 1_700_000_000_001, "meta": {"sessions": {"chat": "c1"}}}]


@BOTH
async def test_no_events_are_sent_nowhere(server: Server, how: str) -> None:
    assert await send(ig.App("shop"), how) == []
    assert await send(ig.App("shop", dev=server.url), how) == []
    assert server.asked == []


@BOTH
async def test_with_neither_engine_nor_key_it_says_what_to_do(how: str) -> None:
    with pytest.raises(ig.ConfigError) as caught:
        await send(ig.App("shop"), how, EVENT)
    told = str(caught.value)
    assert told.startswith("no engine runs app 'shop' in this process, and for an Inngest server there is no event key: open an engine")
    assert "INNGEST_EVENT_KEY" in told
    assert "INNGEST_DEV=1" in told


@BOTH
async def test_a_dev_server_that_does_not_answer_is_named(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = ig.App("shop", dev="http://127.0.0.1:1")

    async def no_pause(seconds: float) -> None:
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(app.api._clients, "_sleep", no_pause)
    monkeypatch.setattr(app.api._clients, "_sleep_here", lambda seconds: None)
    with pytest.raises(
        ig.ApiError, match=r"sending 1 event at http://127.0.0.1:1 failed \(no connection: Connection refused\): start the dev server"
    ):
        await send(app, how, EVENT)


@BOTH
@pytest.mark.parametrize(
    ("event", "error", "sentence"),
    [
        ({"name": "e"}, TypeError, r"send takes ig.Event values, such as ig.Event\('order/placed', \{...\}\), not dict"),
        (ig.Event("inngest/x"), ig.ConfigError, "the event name 'inngest/x' is reserved"),
        (ig.Event("e", ts=5), ig.ConfigError, "between the years 1980 and 2100"),
        (ig.Event("e", {"x": {1}}), ig.NotJSON, "event 'e'"),
    ],
)
async def test_what_the_server_would_refuse_is_not_sent(
    server: Server, how: str, event: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        await send(ig.App("shop", dev=server.url), how, event)
    assert server.asked == []


async def test_send_sync_does_not_block_a_loop(server: Server) -> None:
    with pytest.raises(ig.MisuseError, match="app.send_sync would block the event loop"):
        ig.App("shop", dev=server.url).send_sync(EVENT)


def test_the_log_level_is_that_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("inngest_gen")
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    monkeypatch.setenv("INNGEST_LOG_LEVEL", "error")
    ig.App("shop")
    assert logger.level == logging.ERROR


def test_an_apps_api_is_made_once() -> None:
    app = ig.App("shop", dev="http://dev:1")
    assert app.api is app.api
    assert app.api.settings is app.settings
