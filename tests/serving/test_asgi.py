"""The ASGI application: where it answers, what bodies it takes in, and how it fits into routers."""

import gzip
import zlib
from typing import Any

import anyio
import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

import inngest_gen as ig

CALL = orjson.dumps(
    {"ctx": {"run_id": "01M81RASKSAK7FY1P7FRJ85TMY", "stack": {"stack": [], "current": 0}},
     "event": {"name": "go", "data": {"x": 1}}, "events": [{"name": "go", "data": {"x": 1}}], "steps": {}}
)  # fmt: skip
CALL_URL = "/api/inngest?fnId=shop-f&stepId=step"


def app(**settings: Any) -> ig.App:
    app = ig.App("shop", dev=True, **settings)

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(ctx.data)

    return app


def client(application: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://shop.example.com:8000")


async def test_alone_it_answers_on_its_path_only() -> None:
    async with client(ig.serve(app())) as http:
        answer = await http.post(CALL_URL, content=CALL)
        assert (answer.status_code, answer.json()) == (200, {"x": 1})
        assert answer.headers["x-inngest-framework"] == "asgi"
        assert (await http.get("/api/inngest/")).status_code == 200
        missing = await http.get("/")
        assert (missing.status_code, missing.json()["message"]) == (404, "nothing is served here: the app's path is /api/inngest")
    async with client(ig.serve(app(), path="/x")) as http:
        assert (await http.get("/x")).status_code == 200
        assert (await http.get("/api/inngest")).status_code == 404


async def test_a_branch_whose_name_is_no_latin_1_is_told_as_utf_8() -> None:
    async with client(ig.serve(ig.App("shop", dev=True, env="枝"))) as http:
        assert (b"x-inngest-env", "枝".encode()) in (await http.get("/api/inngest")).headers.raw


async def test_in_a_router_it_answers_where_it_was_put() -> None:
    served = ig.serve(app())
    for route in (Route("/jobs", served), Mount("/jobs", served), Mount("/jobs", ig.serve(app(), path="/"))):
        async with client(Starlette(routes=[route])) as http:
            answer = await http.post("/jobs?fnId=shop-f&stepId=step", content=CALL, follow_redirects=True)
            assert answer.json() == {"x": 1}
            assert answer.headers["x-inngest-framework"] == "starlette"
    async with client(Starlette(routes=[Mount("/", served)])) as http:
        assert (await http.post(CALL_URL, content=CALL)).json() == {"x": 1}
        assert [(await http.get(other)).status_code for other in ("/", "/other")] == [404, 404]  # it is sent what no other route has
    within = Starlette(routes=[Route("/jobs", served)])
    async with client(Starlette(routes=[Mount("/", within)])) as http:
        assert (await http.get("/jobs")).status_code == 200


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("GZIP ", gzip.compress)]
)
async def test_packed_bodies_are_unpacked(encoding: str, pack: Any) -> None:
    async with client(ig.serve(app())) as http:
        answer = await http.post(CALL_URL, content=pack(CALL), headers={"content-encoding": encoding})
        assert (answer.status_code, answer.json()) == (200, {"x": 1})


@pytest.mark.parametrize(
    ("encoding", "body", "status", "words"),
    [
        ("br", b"x", 415, "'br' is not known"),
        ("gzip", b"no gzip", 400, "is not packed as"),
        ("gzip", gzip.compress(CALL)[:-9], 400, "ends too early"),
        ("gzip", gzip.compress(b" " * 2_000_000), 413, "larger than 1,000,000 bytes"),
        ("identity", b" " * 1_000_001, 413, "larger than 1,000,000 bytes"),
    ],
)
async def test_bodies_that_are_refused(encoding: str, body: bytes, status: int, words: str) -> None:
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"content-encoding", encoding.encode()), (b"content-length", str(len(body)).encode())]
    await ig.serve(app(limits=ig.Limits(request_bytes=1_000_000)))(scope(headers=headers), receive, send)
    assert (messages[0]["status"], words in messages[1]["body"].decode()) == (status, True), messages


async def test_a_body_without_a_length_is_cut_off_at_the_limit() -> None:
    sent = 0

    served = ig.serve(app(limits=ig.Limits(request_bytes=1_000_000)))
    messages: list[Any] = []

    async def receive() -> Any:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": b" " * 100_000, "more_body": True}

    async def send(message: Any) -> None:
        messages.append(message)

    await served(scope(), receive, send)
    assert messages[0]["status"] == 413
    assert sent <= 12


@pytest.mark.parametrize("limit", [2_000, 5_000_000])
async def test_a_body_that_is_said_to_be_too_large_is_not_waited_for(limit: int) -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"content-length", str(limit + 1).encode())]
    with anyio.fail_after(10):
        await ig.serve(app(limits=ig.Limits(request_bytes=limit)))(scope(headers=headers), anyio.sleep_forever, send)
    assert messages[0]["status"] == 413
    assert (b"x-inngest-sdk-handled", b"true") in messages[0]["headers"]  # E23


async def test_a_body_that_does_not_come_is_waited_for_no_longer_than_the_limit() -> None:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    with anyio.fail_after(10):
        await ig.serve(app(limits=ig.Limits(request_timeout=0.01)))(scope(), anyio.sleep_forever, send)
    assert messages[0]["status"] == 408
    assert (b"x-inngest-sdk-handled", b"true") in messages[0]["headers"]  # E23


async def test_a_client_that_goes_away_is_sent_nothing() -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise AssertionError("not reached")

    await ig.serve(app())(scope(), receive, send)


async def test_lifespan_and_other_protocols() -> None:
    served = ig.serve(app())
    asked = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(asked)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await served({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(NotImplementedError, match="speaks HTTP"):
        await served({"type": "other"}, receive, send)


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "http://shop.example.com/api/inngest"),
        ({"scheme": "https", "headers": [(b"host", b"a.b:8443")]}, "https://a.b:8443/api/inngest"),
        ({"headers": [], "server": ("10.0.0.7", 80)}, "http://10.0.0.7:80/api/inngest"),
        ({"headers": [], "server": ("/run/app.sock", None)}, "http://localhost/api/inngest"),
    ],
)
async def test_the_url_that_is_registered_is_the_one_that_was_asked(more: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    served = ig.serve(app())
    seen: list[str] = []

    async def handle(request: Any) -> Any:
        seen.append(request.url)
        raise ValueError

    monkeypatch.setattr(served.endpoint, "handle", handle)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None: ...

    with pytest.raises(ValueError, match="^$"):
        await served(scope(**more), receive, send)
    assert seen == [url]


def scope(**more: Any) -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "path": "/api/inngest", "query_string": b"", "scheme": "http", "headers": [(b"host", b"shop.example.com")],
        **more,
    }  # fmt: skip
