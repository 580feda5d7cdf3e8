"""HTTP for `dev`: which requests become events, and what the others are told."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from inngest_gen.cli import hosting, server
from inngest_gen.engine.sent import checked_event
from inngest_gen.event import Event

URL = "http://127.0.0.1:8288"


class Engine:
    """Takes events as the engine does."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def send(self, *events: Event) -> list[str]:
        for event in events:
            checked_event(event)
        self.events += events
        return [event.id or f"id-{place}" for place, event in enumerate(events)]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(server.application(engine.send, lambda: {"app": "shop"}))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


@pytest.mark.parametrize("path", ["/e/dev", "/e/any-key", "/events"])
async def test_one_event(client: httpx.AsyncClient, engine: Engine, path: str) -> None:
    body = {"name": "order/placed", "data": {"order_id": "o1"}, "id": "e1", "ts": 1_700_000_000_000, "meta": {"sessions": {"a": "b"}}}
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()) == (200, {"ids": ["e1"], "status": 200})
    assert engine.events == [Event("order/placed", {"order_id": "o1"}, id="e1", ts=1_700_000_000_000, meta={"sessions": {"a": "b"}})]


async def test_a_list_of_events_in_order(client: httpx.AsyncClient, engine: Engine) -> None:
    answer = await client.post("/e/dev", json=[{"name": "a", "id": "1"}, {"name": "b"}, {"name": "c", "data": None, "user": {}, "v": "1"}])
    assert (answer.status_code, answer.json()) == (200, {"ids": ["1", "id-1", "id-2"], "status": 200})
    assert [event.name for event in engine.events] == ["a", "b", "c"]


async def test_an_empty_list_is_no_event(client: httpx.AsyncClient) -> None:
    assert (await client.post("/e/dev", json=[])).json() == {"ids": [], "status": 200}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not valid JSON"),
        (b'{"name": ', "the body is not valid JSON"),
        (b"7", "the event must be a JSON object"),
        (b"[7]", "event 0 must be a JSON object"),
        (b'[{"name": "a"}, {}]', "event 1 has no name"),
        (b'{"data": {}}', "the event has no name"),
        (b'{"name": ""}', "non-empty string"),
        (b'{"name": 7}', "non-empty string"),
        (b'{"name": "a", "dta": {}}', "the event has keys that no event has: dta"),
        (b'{"name": "a", "data": [1]}', "must be a JSON object (a dict), not list"),
        (b'{"name": "a", "ts": "now"}', "epoch milliseconds"),
        (b'{"name": "a", "ts": 7}', "between the years 1980 and 2100"),
        (b'{"name": "a", "id": 7}', "the id of event 'a'"),
        (b'{"name": "inngest/x"}', "reserved"),
        (b'{"name": "a", "data": {"n": 99999999999999999}}', "an integer beyond 2**53"),
        (b'{"name": "a", "data": {"n": "' + b"x" * 4_194_304 + b'"}}', "the limit is 4,194,304"),
        (b"[" + b'{"name": "a"},' * 5000 + b'{"name": "a"}]', "at most 5,000 events, not 5,001"),
    ],
)
async def test_what_is_no_event_gets_400_and_a_reason_and_nothing_is_taken(
    client: httpx.AsyncClient, engine: Engine, body: bytes, reason: str
) -> None:
    answer = await client.post("/e/dev", content=body)
    assert (answer.status_code, answer.json()["status"], answer.json()["ids"]) == (400, 400, [])
    assert reason in answer.json()["error"]
    assert engine.events == []


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
async def test_forms_are_refused(client: httpx.AsyncClient, content_type: str) -> None:
    answer = await client.post("/e/dev", content=b'{"name": "a"}', headers={"content-type": content_type})
    assert answer.status_code == 400
    assert "sent as JSON" in answer.json()["error"]


async def test_more_than_fits_is_refused_while_it_arrives(engine: Engine) -> None:
    arrived = 0
    answered: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal arrived
        arrived += 1
        return {"type": "http.request", "body": b" " * 1024 * 1024, "more_body": True}

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": "/events", "headers": [], "query_string": b"", "http_version": "1.1"}
    await server.application(engine.send, dict[str, Any])(scope, receive, send)
    assert (answered[0]["status"], arrived) == (413, 33)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200), ("http://localhost:3000", 200), ("http://127.0.0.1:8288", 200), ("http://[::1]:1", 200),
        ("https://evil.example", 403), ("null", 403), ("http://127.0.0.1.evil.example", 403),
    ],
)  # fmt: skip
async def test_pages_from_elsewhere_cannot_send_events(client: httpx.AsyncClient, engine: Engine, origin: str | None, status: int) -> None:
    answer = await client.post("/e/dev", json={"name": "a"}, headers={} if origin is None else {"origin": origin})
    assert answer.status_code == status
    assert len(engine.events) == (status == 200)


async def test_what_runs_here(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).json() == {"app": "shop", "status": 200}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/e/dev", 405), ("POST", "/nowhere", 404), ("POST", "/e/a/b", 404)])
async def test_other_paths_and_methods(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    assert (await client.request(method, path)).status_code == status


async def test_it_serves_a_socket_and_stops_though_a_client_stays(engine: Engine, anyio_backend: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop = anyio.Event()
    app = server.application(engine.send, dict[str, Any])
    async with httpx.AsyncClient(base_url=url) as client:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:

                async def serve() -> None:
                    await hosting.serve(app, listener, stop.wait, loop=anyio_backend)

                tasks.start_soon(serve)
                assert (await client.post("/events", json={"name": "a"})).json() == {"ids": ["id-0"], "status": 200}
                stop.set()
        with pytest.raises(httpx.TransportError):
            await client.post("/events", json={"name": "b"})
    assert [event.name for event in engine.events] == ["a"]
