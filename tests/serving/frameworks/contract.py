"""What holds through every framework: recorded scenarios to their ends, limits, methods, errors. Each framework's test inherits it."""

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import orjson
import pytest

import inngest_gen as ig
from inngest_gen.testing.server.server import Server
from tests.serving import scenarios
from tests.serving.test_server import EVENT_KEY, KEY, OUTPUTS, run_of

CALL = orjson.dumps(
    {"ctx": {"run_id": "01M81RASKSAK7FY1P7FRJ85TMY", "stack": {"stack": [], "current": 0}},
     "event": {"name": "go", "data": {"x": 1}}, "events": [{"name": "go", "data": {"x": 1}}], "steps": {}}
)  # fmt: skip
LIMIT = 100_000
BAD: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"{", {}, 400, "no JSON"),
    (b"", {}, 400, "no JSON"),
    (b"[" * 50_000, {}, 400, "no JSON"),
    (b'{"ctx": 1}', {}, 400, "ctx must be an object"),
    (b"x", {"content-encoding": "br"}, 415, "'br' is not known"),
    (b"no gzip", {"content-encoding": "gzip"}, 400, "is not packed as"),
    (b"a=1", {"content-type": "application/x-www-form-urlencoded"}, 400, "no JSON"),
    (b"--x\r\n", {"content-type": "multipart/form-data; boundary=x"}, 400, "no JSON"),
]
"""Bodies that are none: the body, its headers, the status of the answer and words of it."""


@dataclass(frozen=True)
class Host:
    """Where an app is served: an ASGI application, which is called in this process, or the URL of a server on loopback; and the app's path there."""

    web: Any
    path: str = "/api/inngest"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        if isinstance(self.web, str):
            async with httpx.AsyncClient(base_url=self.web, trust_env=False) as http:
                yield http
        else:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.web), base_url="http://shop.example.com") as http:
                yield http

    async def register_at(self, server: Server, **how: Any) -> Any:
        if isinstance(self.web, str):
            return await server.register(f"{self.web}{self.path}", **how)
        return await server.register(self.web, path=self.path, **how)


Hosting = Callable[[ig.App], AbstractAsyncContextManager[Host]]


def small_app() -> ig.App:
    app = ig.App("shop", dev=True, limits=ig.Limits(request_bytes=LIMIT))

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(ctx.data)

    return app


@pytest.mark.filterwarnings("ignore:Async generator 'httpx._content:ResourceWarning")  # httpx's, of a body that is not read to its end
@pytest.mark.filterwarnings("ignore:Async generator 'tests.serving.frameworks.contract:ResourceWarning")
class Contract:
    """`framework` is what the app says that it runs in; `hosting` serves an app in it."""

    framework: ClassVar[str]
    hosting: ClassVar[Hosting]

    @pytest.mark.parametrize("mode", ["ckpt", "nockpt"])
    @pytest.mark.parametrize("scenario", ["steps", "deferinstep", "fnerror"])
    async def test_scenarios_end_as_everywhere(self, scenario: str, mode: str) -> None:
        async with Server(signing_key=KEY, event_key=EVENT_KEY, seed=1) as server:
            app = scenarios.make("shop", checkpointing=mode == "ckpt", dev=False, base_url=server.url, signing_key=KEY, event_key=EVENT_KEY)
            async with type(self).hosting(app) as host:
                await host.register_at(server)
                runs = await server.run({"name": f"shop/{scenario}", "data": {"hello": "world"}})
                one = run_of(runs, scenario)
                assert (one.status, one.output) == ("completed", OUTPUTS[scenario]), one.error
                assert {run.status for run in runs} == {"completed"}
                calls = [call for run in runs for call in run.calls if call.direction == "app"]
                assert not [call.signature_problem for call in calls if call.signature_problem]
                assert {call.reply_headers["x-inngest-framework"] for call in calls} == {self.framework}

    @pytest.mark.parametrize("in_band", [False, True])
    async def test_the_server_is_told_the_url_that_it_asked(self, in_band: bool) -> None:
        async with Server(seed=1) as server:
            async with type(self).hosting(scenarios.make("shop", dev=server.url)) as host:
                registered = await host.register_at(server, in_band=in_band)
                assert registered.url.endswith(host.path)
                assert registered.url.startswith("http:")
                assert {function.url.partition("?")[0] for function in registered.functions} == {registered.url}

    async def test_a_call_is_answered(self) -> None:
        async with type(self).hosting(small_app()) as host, host.client() as http:
            url = f"{host.path}?fnId=shop-f&stepId=step"
            answer = await http.post(url, content=CALL, headers={"traceparent": "00-ab-cd-01"})
            assert (answer.status_code, answer.json()) == (200, {"x": 1}), answer.text
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-inngest-framework"] == self.framework
            assert answer.headers["traceparent"] == "00-ab-cd-01"
            assert (await http.get(host.path)).json()["function_count"] == 1
            packed = await http.post(url, content=gzip.compress(CALL), headers={"content-encoding": "gzip"})
            assert (packed.status_code, packed.json()) == (200, {"x": 1})

    async def test_what_is_too_large_is_refused(self) -> None:
        async with type(self).hosting(small_app()) as host, host.client() as http:
            for body, headers in ((b" " * (LIMIT + 1), {}), (gzip.compress(b" " * (LIMIT + 1)), {"content-encoding": "gzip"})):
                answer = await http.post(host.path, content=body, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (413, "body_refused"), answer.text
            exact = CALL + b" " * (LIMIT - len(CALL))
            assert (await http.post(f"{host.path}?fnId=shop-f&stepId=step", content=exact)).status_code == 200

    async def test_a_body_without_a_length_is_read_to_its_end(self) -> None:
        async def pieces(body: bytes) -> AsyncIterator[bytes]:
            for start in range(0, len(body), 10_000):
                yield body[start : start + 10_000]

        async with type(self).hosting(small_app()) as host, host.client() as http:
            url = f"{host.path}?fnId=shop-f&stepId=step"
            answer = await http.post(url, content=pieces(CALL))
            assert (answer.status_code, answer.json()) == (200, {"x": 1})
            large = await http.post(url, content=pieces(b" " * (LIMIT + 50_000)))
            assert (large.status_code, large.json()["code"]) == (413, "body_refused")

    async def test_other_methods_are_refused_by_the_app(self) -> None:
        async with type(self).hosting(small_app()) as host, host.client() as http:
            for method in ("DELETE", "PATCH", "OPTIONS", "HEAD"):
                answer = await http.request(method, host.path)
                assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, PUT"), method
                assert answer.headers["x-inngest-framework"] == self.framework

    async def test_a_bad_body_is_told_what_is_wrong(self) -> None:
        async with type(self).hosting(small_app()) as host, host.client() as http:
            for body, headers, status, words in BAD:
                answer = await http.post(f"{host.path}?fnId=shop-f&stepId=step", content=body, headers=headers)
                assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text

    async def test_the_cloud_is_refused_what_is_not_signed(self) -> None:
        app = ig.App("shop", dev=False, signing_key=KEY)
        async with type(self).hosting(app) as host, host.client() as http:
            answer = await http.post(f"{host.path}?fnId=shop-f&stepId=step", content=CALL)
            assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized")
            assert {name for name in answer.headers if name.startswith("x-inngest")} == {"x-inngest-sdk-handled"}
