"""Small apps for tests of the server: each function is a Python function from a call's body to an answer."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import anyio
import httpx

from inngest_gen.testing import Server

SDK = "inngest-test:v1.0.0"


def sha(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def op(kind: str, id: str, **fields: Any) -> dict[str, Any]:
    return {"op": kind, "id": sha(id), "name": id, "displayName": id, "opts": {}, "userland": {"id": id}, "data": None, **fields}


def run(id: str, data: Any = None) -> dict[str, Any]:
    return op("StepRun", id, data=data)


def defer(id: str, function: str = "app-later", given: Any = None, **opts: Any) -> dict[str, Any]:
    return op("DeferAdd", id, opts={"fn_slug": function, "input": {"n": 1} if given is None else given, **opts})


def abort(id: str) -> dict[str, Any]:
    return {**op("DeferAbort", id, opts={"target_hashed_id": sha(id)}), "id": sha(sha(id) + ":abort")}


def failed(id: str, kind: str = "StepError", **error: Any) -> dict[str, Any]:
    return op(kind, id, error={"name": "Boom", "message": "boom", "stack": "", **error})


def complete(data: Any = None) -> dict[str, Any]:
    return {"op": "RunComplete", "id": "0737c22d3bfae812339732d14d8c7dbd6dc4e09c", "data": data}


@dataclass(frozen=True)
class Answer:
    """What a function answers: a list is a 206 of ops, anything else a 200 with that result."""

    body: Any
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    sdk: bool = True


def error(status: int = 500, *, no_retry: bool = False, after: str | None = None, message: str = "boom") -> Answer:
    headers = {"x-inngest-no-retry": "true" if no_retry else "false"}
    if after is not None:
        headers["retry-after"] = after
    return Answer({"name": "Boom", "message": message, "stack": "at boom"}, status, headers)


Body = Callable[[Any], Any]


@dataclass
class App:
    """An app whose functions are `name -> body`; `triggers` are by name, the default is an event of that name; `config` adds to registrations.

    A body is told the call as JSON, with `target` (the step, or None). It may be async and gives what `Answer` says, an Answer, or raw bytes.
    """

    server: Server
    functions: Mapping[str, Body]
    triggers: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    retries: int = 2
    name: str = "app"
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers of all calls."""

    def registration(self, url: str) -> dict[str, Any]:
        return {
            "url": url, "deployType": "ping", "framework": "test", "appName": self.name, "sdk": SDK, "v": "0.1",
            "functions": [
                {
                    "id": f"{self.name}-{name}",
                    "name": name,
                    "triggers": self.triggers.get(name, [{"event": name}]),
                    "steps": {
                        "step": {
                            "id": "step",
                            "name": "step",
                            "runtime": {"type": "http", "url": f"{url}?fnId={self.name}-{name}&stepId=step"},
                            "retries": {"attempts": self.retries},
                        }
                    },
                    **self.config.get(name, {}),
                }
                for name in self.functions
            ],
        }  # fmt: skip

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        if scope["method"] == "PUT":
            answer = await self._register(headers, json.loads(body)["url"])
        else:
            self.headers.append(headers)
            answer = await self._answer(dict(parse_qsl(scope["query_string"].decode())), json.loads(body))
        fields = {"content-type": "application/json", "x-inngest-req-version": "2", **answer.headers}
        if answer.sdk:
            fields["x-inngest-sdk"] = SDK
        status = answer.status or (206 if isinstance(answer.body, list) else 200)
        await send({"type": "http.response.start", "status": status, "headers": [(k.encode(), v.encode()) for k, v in fields.items()]})
        await send(
            {"type": "http.response.body", "body": answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()}
        )

    async def _register(self, headers: Mapping[str, str], url: str) -> Answer:
        if headers.get("x-inngest-sync-kind") == "in_band":
            registration = self.registration(url)
            inline = {key: registration[key] for key in ("url", "sdk", "functions")}
            return Answer({"app_id": self.name, **inline}, headers={"x-inngest-sync-kind": "in_band"})
        response = await post(f"{self.server.url}/fn/register", self.registration(url))
        return Answer(response.json(), response.status_code)

    async def _answer(self, query: Mapping[str, str], call: Any) -> Answer:
        call["target"] = None if query["stepId"] == "step" else query["stepId"]
        value = self.functions[query["fnId"].removeprefix(f"{self.name}-")](call)
        if isinstance(value, Awaitable):
            value = await value
        return value if isinstance(value, Answer) else Answer(value)

    async def checkpoint(self, call: Any, *ops: Any, **changes: Any) -> httpx.Response:
        """Make the checkpoint that an SDK would make for a call."""
        ctx = call["ctx"]
        body = {key: ctx[key] for key in ("run_id", "fn_id", "qi_id", "request_id", "generation_id")}
        return await post(f"{self.server.url}/v1/checkpoint/{ctx['run_id']}/async", {**body, "steps": ops, "ts": 0, **changes})


async def never(call: Any) -> Any:
    """Do not answer."""
    await anyio.sleep_forever()


async def post(url: str, body: Any, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            return await client.post(url, content=body, headers=names)
        return await client.post(url, json=body, headers=names)


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:
        return await client.get(url, headers=headers)


async def start(
    server: Server,
    *,
    triggers: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    retries: int = 2,
    **functions: Body,
) -> App:
    """Make an app of functions and register it."""
    app = App(server, functions, triggers or {}, config or {}, retries)
    await server.register(app)
    return app


DEFERRED = {"later": [{"event": "inngest/deferred.schedule", "expression": "event.data._inngest.fn_slug == 'app-later'"}]}
"""The trigger of a deferred function `later`."""
