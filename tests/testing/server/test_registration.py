"""How apps come to the test server, and what it refuses (sections E3 and E4 of the behaviours)."""

import socket
from typing import Any

import anyio
import pytest

from inngest_gen.clock import SystemClock
from inngest_gen.errors import ServerError
from inngest_gen.testing import Server
from inngest_gen.testing.server.registration import Invalid, Trigger, read_app
from inngest_gen.testing.server.signature import hashed, sign, verify
from tests.testing.server.scripted import SDK, Answer, App, op, post, start

KEY = "signkey-test-f00f3005a3666b359a79c2bc3380ce2715e62727ac461ae1a2618f8766029c9f"


def function(**fields: Any) -> dict[str, Any]:
    step = {"id": "step", "name": "step", "runtime": {"type": "http", "url": "http://localhost/x?fnId=app-f&stepId=step"}}
    return {"id": "app-f", "name": "f", "triggers": [{"event": "go"}], "steps": {"step": step}, **fields}


def payload(*functions: Any) -> dict[str, Any]:
    return {"url": "http://localhost/x", "appName": "app", "sdk": SDK, "functions": list(functions)}


async def test_an_app_is_asked_to_register_itself() -> None:
    async with Server() as server:
        app = App(server, {"go": lambda call: None})
        registered = await server.register(app)
        assert registered.name == "app"
        assert [one.slug for one in registered.functions] == ["app-go"]
        assert list(server.functions) == ["app-go"]
        assert await server.register(app) == registered


async def test_an_app_is_asked_for_its_functions_in_band() -> None:
    async with Server() as server:
        registered = await server.register(App(server, {"go": lambda call: "ok"}), in_band=True)
        assert registered.name == "app"
        [record] = await server.run({"name": "go"})
    assert record.output == "ok"


async def test_a_new_registration_takes_the_place_of_the_old() -> None:
    async with Server() as server:
        await start(server, old=lambda call: None)
        await start(server, new=lambda call: None)
        assert list(server.functions) == ["app-new"]


async def test_an_app_that_does_not_register_is_shown_with_its_answer() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async with Server() as server:
        with pytest.raises(ServerError, match="answered hello, but it has not registered at http://127.0.0.1"):
            await server.register(silent)
        with pytest.raises(ServerError, match="cannot be reached: ConnectError"):
            await server.register("http://127.0.0.1:1/api/inngest")


async def test_a_refused_registration_is_shown_with_its_reasons() -> None:
    async with Server() as server:
        app = App(server, {"go": lambda call: None}, config={"go": {"batchEvents": {"maxSize": 1, "timeout": "1s"}}})
        with pytest.raises(ServerError, match="did not register: it answered 400 .*batch size cannot be smaller than 2: 1"):
            await server.register(app)


async def test_the_server_kind_that_an_app_expects_is_checked() -> None:
    async with Server() as server:
        answer = await post(f"{server.url}/fn/register", payload(function()), x_inngest_expected_server_kind="cloud")
    assert (answer.status_code, answer.json()) == (400, {"error": "Expected server kind dev, got cloud"})


async def test_a_registration_says_whether_it_is_news() -> None:
    async with Server() as server:
        answers = [(await post(f"{server.url}/fn/register", payload(function()))).json() for _ in range(2)]
    assert [one["modified"] for one in answers] == [True, False]
    assert answers[0]["app_id"] == answers[1]["app_id"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "A function name is required"),
        ({"triggers": [{"event": f"e{n}"} for n in range(11)]}, "max number of triggers: 10"),
        ({"triggers": [{"event": "a"}, {"event": "a"}]}, "duplicate trigger a"),
        ({"triggers": [{}]}, "must supply an event name or a cron schedule"),
        ({"triggers": [{"event": "a", "cron": "* * * * *"}]}, "cannot have both"),
        ({"triggers": [{"cron": "soon"}]}, "'soon' isn't a valid cron schedule"),
        ({"triggers": [{"event": "a", "expression": "size(event.data) > 1"}]}, "does not understand 'size"),
        ({"cancel": [{"event": "a"}] * 6}, "max number of cancellation events: 5"),
        ({"concurrency": [{"limit": 1}] * 3}, "allowed max of: 2"),
        ({"concurrency": {"fn": [{"limit": 1}] * 2}}, "Only one function concurrency limit is allowed"),
        ({"batchEvents": {"maxSize": 1, "timeout": "1s"}}, "smaller than 2: 1"),
        ({"batchEvents": {"maxSize": 2, "timeout": "500ms"}}, "more than 1s"),
        ({"batchEvents": {"maxSize": 2, "timeout": "2s"}, "debounce": {"period": "1s"}}, "Batching and debouncing"),
        ({"batchEvents": {"maxSize": 2, "timeout": "2s"}, "cancel": [{"event": "a"}]}, "Batching and cancellation"),
        ({"batchEvents": {"maxSize": 2, "timeout": "2s"}, "singleton": {"mode": "skip"}}, "Batching and singletons"),
        ({"batchEvents": {"maxSize": 2, "timeout": "2s"}, "priority": {"run": "1"}}, "Priority.Run and Batch"),
        ({"rateLimit": {"limit": 1, "period": "25h"}}, "period must be less than 24h"),
        ({"rateLimit": {"limit": 0, "period": "1h"}}, "limit must be greater than 0"),
        ({"rateLimit": {"limit": 1}}, "period must be specified"),
        ({"debounce": {"period": "8d"}}, "The debounce period of '8d'"),
        ({"debounce": {"period": "500ms"}}, "The debounce period of '500ms'"),
        ({"throttle": {"limit": 1, "period": "soon"}}, "throttle.period: invalid duration 'soon'"),
        ({"timeouts": {"start": "soon"}}, "timeouts.start: invalid duration 'soon'"),
        ({"singleton": {"mode": "both"}}, "both does not belong to SingletonMode values"),
        ({"steps": {}}, "Functions must contain one step"),
    ],
)
def test_what_the_server_refuses(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_app(payload(function(**fields)))
    assert reason in str(refused.value)
    assert str(refused.value).startswith("function app-f: ")


def test_limits_themselves_are_allowed_and_options_are_kept() -> None:
    options = {
        "concurrency": [{"limit": 1, "key": "event.data.x"}, {"limit": 2, "scope": "account"}],
        "rateLimit": {"limit": 1, "period": "24h"},
        "debounce": {"period": "7d", "key": "event.data.x"},
        "throttle": {"limit": 1, "period": "1m", "burst": 2},
        "cancel": [{"event": f"e{n}"} for n in range(5)],
        "timeouts": {"start": "1h", "finish": "2h"},
        "singleton": {"mode": "cancel"},
        "priority": {"run": "event.data.urgent ? 120 : 0"},
    }
    [one] = read_app(payload(function(**options))).functions
    assert {key: one.config[key] for key in options} == options
    assert (one.retries, one.finish_s) == (4, 7200)


def test_an_app_without_a_name_and_two_functions_of_one_id_are_refused() -> None:
    with pytest.raises(Invalid, match="App ID required"):
        read_app({"functions": []})
    with pytest.raises(Invalid, match="function app-f is there twice"):
        read_app(payload(function(), function()))


def test_the_python_sdk_s_spelling_of_the_app_s_name_will_do() -> None:
    assert read_app({"appname": "app", "functions": []}).name == "app"


def test_retries_are_capped() -> None:
    step = {**function()["steps"]["step"], "retries": {"attempts": 50}}
    [one] = read_app(payload(function(steps={"step": step}))).functions
    assert one.retries == 20


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("app/user.created", "app/user.created", True),
        ("app/*", "app/user.created", True),
        ("app/user.*", "app/user.created", True),
        ("app/us*", "app/user.created", False),
        ("*", "app/user.created", False),
        ("app/*", "other/user", False),
    ],
)
def test_wildcards_are_those_of_the_server(pattern: str, name: str, matches: bool) -> None:
    assert Trigger(event=pattern, expression=None).matches(name) is matches


async def test_calls_are_signed_and_answers_looked_at() -> None:
    class Signing(App):
        async def _answer(self, query: Any, call: Any) -> Answer:
            headers = self.headers[-1]
            assert headers["x-inngest-signature"].startswith("t=")
            return Answer(
                b'"ok"', 200, {"x-inngest-signature": sign(KEY, b'"ok"', SystemClock().now())} if call["event"]["data"].get("sign") else {}
            )

        async def _register(self, headers: Any, url: str) -> Answer:
            answer = await post(f"{self.server.url}/fn/register", self.registration(url), authorization=f"Bearer {hashed(KEY)}")
            return Answer(answer.json(), answer.status_code)

    async with Server(signing_key=KEY, event_key="ek") as server:
        app = Signing(server, {"go": lambda call: None})
        await server.register(app)
        [signed] = await server.run({"name": "go", "data": {"sign": True}})
        [unsigned] = await server.run({"name": "go"})
        assert server.env() == {
            "INNGEST_DEV": "0",
            "INNGEST_BASE_URL": server.url,
            "INNGEST_SIGNING_KEY": KEY,
            "INNGEST_EVENT_KEY": "ek",
        }
    [call] = signed.calls
    assert call.signature_problem is None
    assert verify(call.headers["X-Inngest-Signature"], call.body, (KEY,), SystemClock().now()) is None
    assert unsigned.calls[0].signature_problem == "the header '' is no signature"


async def test_an_app_behind_a_socket_is_called_there() -> None:
    """Served by hypercorn under either loop: sockets both ways."""
    from hypercorn.config import Config

    async def serve(app: Any, listener: socket.socket, done: anyio.Event) -> None:
        import sniffio

        config = Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.errorlog = None
        if sniffio.current_async_library() == "trio":
            from hypercorn.trio import serve as run_server
        else:
            from hypercorn.asyncio import serve as run_server  # type: ignore[assignment]
        await run_server(app, config, shutdown_trigger=done.wait)

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with Server() as server, anyio.create_task_group() as tasks:
        app = App(server, {"go": lambda call: [op("Sleep", "nap", name="1h")] if not call["steps"] else {"host": app.headers[-1]["host"]}})

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                while True:
                    message = await receive()
                    await send({"type": f"{message['type']}.complete"})
                    if message["type"] == "lifespan.shutdown":
                        return
            await app(scope, receive, send)

        done = anyio.Event()
        tasks.start_soon(serve, asgi, listener, done)
        await server.register(f"http://127.0.0.1:{port}/api/inngest")
        [record] = await server.run({"name": "go"})
        done.set()
    assert record.output == {"host": f"127.0.0.1:{port}"}


async def test_an_app_that_cannot_be_reached_is_called_again_and_the_run_fails() -> None:
    async with Server() as server:
        await post(f"{server.url}/fn/register", payload(function()))
        server._world.functions["app-f"] = read_app(
            {
                "appName": "app",
                "functions": [function(steps={"step": {**function()["steps"]["step"], "runtime": {"url": "http://127.0.0.1:1/x"}}})],
            }
        ).functions[0]
        [record] = await server.run({"name": "go"})
    assert record.status == "failed"
    assert len(record.calls) == 5
    assert record.error is not None
    assert "Unable to reach SDK URL: ConnectError" in record.error["message"]
