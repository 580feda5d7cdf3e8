"""Real traffic as a script: an app that answers a test server's calls with what Inngest's JavaScript SDK answered the real one.

`Script(name)` reads a capture of tests/captures; `Script.app(server)` is an ASGI application that registers what that SDK registered, answers each call
with the recorded answer, in the recorded order, and makes the recorded checkpoints before it.
"""

import json
import pathlib
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import anyio.lowlevel
import httpx

from inngest_gen.testing import Server

CAPTURES = pathlib.Path(__file__).parents[2] / "captures"


def load(name: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = json.loads((CAPTURES / f"{name}.json").read_text())
    return messages


@dataclass
class Exchange:
    """A recorded call: its request, its answer, and the checkpoints that the app made before it answered."""

    request: dict[str, Any]
    response: dict[str, Any]
    asked: int
    answered: int
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    request_id: str | None = None
    """The id of the test server's call that was answered with this one."""

    @property
    def key(self) -> tuple[str, str]:
        query = dict(parse_qsl(urlsplit(self.request["path"]).query))
        return query["fnId"], query["stepId"]


@dataclass
class Script:
    name: str
    exchanges: list[Exchange] = field(default_factory=list)
    posted: list[httpx.Response] = field(default_factory=list)
    fresh: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        messages = load(self.name)
        answers = {one["seq"]: (place, one) for place, one in enumerate(messages) if one["kind"] == "response"}
        for asked, message in enumerate(messages):
            if message["kind"] == "request" and message["direction"] == "server->sdk":
                answered, answer = answers[message["seq"]]
                self.exchanges.append(Exchange(message, answer, asked, answered))
        for message in messages:
            if message["kind"] == "request" and message["direction"] == "sdk->server":
                [mine] = [one for one in self.exchanges if one.request["json"]["ctx"]["request_id"] == message["json"]["request_id"]]
                mine.checkpoints.append(message)

    @property
    def path(self) -> str:
        path: str = self.exchanges[0].request["path"]
        return urlsplit(path).path

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = self.exchanges[0].request["json"]["event"]
        return event

    def app(self, server: Server) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            if scope["method"] == "PUT":
                await self._register(server, json.loads(body)["url"])
                await _reply(send, 200, {"x-inngest-sdk": "inngest-js:v4.24.0"}, {"message": "Successfully registered", "modified": True})
                return
            query = dict(parse_qsl(scope["query_string"].decode()))
            await self._answer(server, (query["fnId"], query["stepId"]), json.loads(body), send)

        return app

    async def _register(self, server: Server, url: str) -> None:
        [recorded] = [
            one["json"]
            for one in load("js-sync")
            if one["path"] == "/fn/register" and one["kind"] == "request" and one["json"]["url"].endswith(self.path)
        ]
        payload = json.loads(json.dumps(recorded).replace(recorded["url"], url))
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:
            (await client.post(f"{server.url}/fn/register", json=payload)).raise_for_status()

    async def _answer(self, server: Server, key: tuple[str, str], call: Any, send: Any) -> None:
        ctx = call["ctx"]
        mine = next(one for one in self.exchanges if one.request_id is None and one.key == key)
        mine.request_id = ctx["request_id"]
        self._learn(mine.request["json"], call)
        for recorded in mine.checkpoints:
            told = {name: ctx[name] for name in ("run_id", "fn_id", "qi_id", "request_id", "generation_id")}
            async with httpx.AsyncClient(verify=False, trust_env=False) as client:
                url = f"{server.url}/v1/checkpoint/{ctx['run_id']}/async"
                self.posted.append(await client.post(url, json=recorded["json"] | told))
        # What was asked and answered before is asked and answered before.
        while any(one.request_id is None for one in self.exchanges if one.asked < mine.answered) or any(
            not self._handled(server, one) for one in self.exchanges if one.answered < mine.answered
        ):
            await anyio.lowlevel.checkpoint()
        names = ("content-type", "x-inngest-sdk", "x-inngest-req-version", "x-inngest-no-retry", "retry-after")
        headers = {name.lower(): value for name, value in mine.response["headers"] if name.lower() in names}
        longest_first = sorted(self.fresh, key=len, reverse=True)
        text = re.sub("|".join(map(re.escape, longest_first)), lambda found: self.fresh[found[0]], json.dumps(mine.response["json"]))
        await _reply(send, mine.response["status"], headers, json.loads(text))

    def _learn(self, recorded: Any, fresh: Any) -> None:
        # The SDK's answers hold ids that it was told: ours are others.
        if isinstance(recorded, dict) and isinstance(fresh, dict):
            for key in recorded.keys() & fresh.keys():
                self._learn(recorded[key], fresh[key])
        elif isinstance(recorded, list) and isinstance(fresh, list):
            for one, other in zip(recorded, fresh, strict=False):
                self._learn(one, other)
        elif isinstance(recorded, str) and isinstance(fresh, str) and recorded != fresh:
            self.fresh[recorded] = fresh

    def _handled(self, server: Server, exchange: Exchange) -> bool:
        calls = [call for run in server.runs for call in run.calls if call.headers.get("X-Request-Id") == exchange.request_id]
        return exchange.request_id is not None and all(call.handled for call in calls)


async def _reply(send: Any, status: int, headers: dict[str, str], value: Any) -> None:
    fields = [(name.encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


# Ids, times and trace spans differ between two servers; which of them are the same must not.
VOLATILE = {
    "ulid": re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}"),
    "uuid": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "trace": re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]"),
    "span": re.compile(r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z"),
}


class Names:
    """Gives the same name to the same id, in the order in which they turn up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def plain(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self.plain(one, name) for name, one in sorted(value.items())}
        if isinstance(value, list):
            return [self.plain(one, key) for one in value]
        if key in ("ts", "expire") and isinstance(value, int):
            return "milliseconds"
        if not isinstance(value, str):
            return value
        if key.lower() in ("job_id", "qi_id", "x-inngest-job-id"):
            return self._name("job" if "job" in key.lower() else "reference", value)
        for kind, pattern in VOLATILE.items():
            for found in pattern.findall(value):
                value = value.replace(found, self._name(kind, found))
        return value

    def _name(self, kind: str, text: str) -> str:
        if kind == "time":
            return kind
        return self._names.setdefault(text, f"<{kind} {len(self._names)}>")
