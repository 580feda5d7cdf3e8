"""`step.fetch` and `step.ai.infer` on the embedded engine, which makes the requests itself; a real HTTP server on loopback answers."""

import pathlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypedDict

import anyio
import anyio.abc
import orjson
import pytest

import inngest_gen as ig
from tests.engine.rig import run_one, step


class Asked:
    """What a server was asked, and what it answers: (status, headers, body) in turn, the last one for ever."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            received = b""
            while b"\r\n\r\n" not in received:
                received += await stream.receive()
            head, _, body = received.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
            while len(body) < int(headers.get("content-length", 0)):
                body += await stream.receive()
            self.requests.append((first.rpartition(" ")[0], headers, body))
            status, more, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            fields = {"content-length": str(len(answer)), "connection": "close", **more}
            told = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
            await stream.send(f"HTTP/1.1 {status} x\r\n{told}\r\n".encode() + answer)


@asynccontextmanager
async def answering(*answers: tuple[int, dict[str, str], bytes]) -> AsyncIterator[Asked]:
    asked = Asked(*answers)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    asked.url = f"http://127.0.0.1:{port}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, asked.serve)
        yield asked
        tasks.cancel_scope.cancel()


def app_that(make: Any) -> ig.App:
    app = ig.App("shop", backoff=1)

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        made = make(ctx)
        yield made
        result = made.result
        yield ctx.step.sleep("nap", "1h")  # what comes after is a replay
        yield ig.Done([result.status, dict(result.headers), result.body] if isinstance(result, ig.Response) else result)

    return app


async def test_a_response_is_the_result_whatever_its_status(path: pathlib.Path) -> None:
    async with answering((404, {"x-a": "1"}, b'{"no": "such thing"}')) as asked:
        one = await run_one(path, app_that(lambda ctx: ctx.step.fetch("get", f"{asked.url}/thing?x=1", headers={"x-b": "2"})))
        assert one.status == "completed"
        status, headers, body = one.output
        assert (status, headers["x-a"], body) == (404, "1", '{"no": "such thing"}')
        [(line, sent, _)] = asked.requests
        assert line == "GET /thing?x=1"
        assert sent["x-b"] == "2"


async def test_a_body_that_is_no_text_is_sent_as_json(path: pathlib.Path) -> None:
    async with answering((200, {}, b"")) as asked:
        await run_one(path, app_that(lambda ctx: ctx.step.fetch("post", asked.url, method="post", body={"a": [1, 2.0]})))
        [(line, sent, body)] = asked.requests
        assert line == "POST /"
        assert (sent["content-type"], orjson.loads(body)) == ("application/json", {"a": [1, 2]})


async def test_what_gets_no_answer_is_tried_again_and_then_fails_the_step(path: pathlib.Path) -> None:
    async with answering((200, {}, b"")) as asked:
        url = asked.url
    one = await run_one(path, app_that(lambda ctx: ctx.step.fetch("get", url)))
    assert one.status == "failed"
    assert one.error is not None
    assert one.error.name == "GatewayError"
    assert "Error making gateway request" in one.error.message
    assert len(step(one, "get").attempts) == 5


async def test_an_answer_that_is_too_large_is_refused(path: pathlib.Path) -> None:
    async with answering((200, {}, b"x" * (4 * 1024 * 1024 + 1))) as asked:
        one = await run_one(path, app_that(lambda ctx: ctx.step.fetch("get", asked.url)))
        assert one.error is not None
        assert one.error.name == "TooLarge"


class Answer(TypedDict):
    text: str


class TestInfer:
    @pytest.mark.parametrize(
        ("model", "line", "header"),
        [
            (lambda url: ig.Model.openai("m", "key", base_url=url), "POST /chat/completions", ("authorization", "Bearer key")),
            (lambda url: ig.Model.anthropic("m", "key", max_tokens=9, base_url=url), "POST /messages", ("x-api-key", "key")),
            (
                lambda url: ig.Model.gemini("m", "key", base_url=url),
                "POST /models/m:generateContent?key=key",
                ("content-type", "application/json"),
            ),
            (lambda url: ig.Model(url + "/b?x=1", "bedrock", "AWS4"), "POST /b?x=1", ("authorization", "AWS4")),
        ],
    )
    async def test_the_key_is_sent_as_the_format_says(self, path: pathlib.Path, model: Any, line: str, header: tuple[str, str]) -> None:
        async with answering((200, {}, b'{"text": "hi"}')) as asked:
            one = await run_one(path, app_that(lambda ctx: ctx.step.ai.infer("ask", model(asked.url), {"messages": ["?"]}).returns(Answer)))
            assert one.output == {"text": "hi"}
            [(asked_line, sent, body)] = asked.requests
            assert asked_line == line
            assert sent[header[0]] == header[1]
            assert orjson.loads(body)["messages"] == ["?"]

    async def test_a_refusal_is_tried_again(self, path: pathlib.Path) -> None:
        async with answering((429, {}, b"slow down"), (200, {}, b'{"n": 1}')) as asked:
            one = await run_one(path, app_that(lambda ctx: ctx.step.ai.infer("ask", ig.Model(asked.url), {})))
            assert one.output == {"n": 1}
            [failed] = [attempt.error for attempt in step(one, "ask").attempts if attempt.error is not None]
            assert failed.name == "AIGatewayError"
            assert failed.message == "Error making AI request: unsuccessful status code: 429: slow down"

    async def test_a_key_is_in_no_repr(self) -> None:
        assert "secret" not in repr(ig.Model("http://x", auth_key="secret", headers={"x": "secret"}))

    async def test_wrap_is_a_step_with_a_body(self, path: pathlib.Path) -> None:
        app = app_that(lambda ctx: ctx.step.ai.wrap("ask", lambda question: {"asked": question}, "why"))
        one = await run_one(path, app)
        assert one.output == {"asked": "why"}
        assert step(one, "ask").kind == "step.ai.wrap"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda ctx: ctx.step.fetch("x", "/relative"), "a URL here is absolute"),
        (lambda ctx: ctx.step.fetch("x", "http://x", method="GET /"), "an HTTP method is a word"),
        (lambda ctx: ctx.step.fetch("x", "http://x", headers={"a": 1}), "headers are strings"),
        (lambda ctx: ctx.step.fetch("x", "http://x", body={"a": object()}), "cannot become JSON"),
        (lambda ctx: ctx.step.ai.infer("x", "gpt", {}), "takes an ig.Model"),
        (lambda ctx: ctx.step.ai.infer("x", ig.Model("http://x"), []), "is a JSON object"),
        (lambda ctx: ctx.step.ai.wrap("x", 3), "needs a function"),
    ],
)
async def test_mistakes_are_named(path: pathlib.Path, make: Any, words: str) -> None:
    one = await run_one(path, app_that(make))
    assert one.error is not None
    assert words in one.error.message
