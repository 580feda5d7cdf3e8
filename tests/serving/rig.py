"""What tests of serving need: an app's endpoint in front of an API that is played."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

import inngest_gen as ig
from inngest_gen.clock import VirtualClock
from inngest_gen.net.api import Api, Stale
from inngest_gen.protocol.reply import Reply
from inngest_gen.serving.endpoint import Endpoint
from inngest_gen.serving.request import Request

START = 1_795_355_000.0
RUN_ID = "01M81RASKSAK7FY1P7FRJ85TMY"


class PlayedApi(Api):
    """Records what is asked. `verdict` says of each checkpoint whether it is taken; it may raise Stale."""

    def __init__(self, app: ig.App, verdict: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        super().__init__(app.settings)
        self.verdict = verdict
        self.checkpoints: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []

    async def checkpoint(self, run_id: str, body: bytes) -> bool:
        told = orjson.loads(body)
        assert told["run_id"] == run_id
        if not self.verdict(told):
            self.refused.append(told)
            return False
        self.checkpoints.append(told)
        return True

    @property
    def told(self) -> list[list[tuple[str, str | None]]]:
        """The (op, name) pairs of each checkpoint that was taken."""
        return [[(op["op"], op.get("name")) for op in one["steps"]] for one in self.checkpoints]


def stale(_: dict[str, Any]) -> bool:
    raise Stale("dispatched anew")


class Rig:
    """An app's endpoint, and a server's memory of one run: what it would send with the next call."""

    def __init__(self, app: ig.App, verdict: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        self.app = app
        self.api = PlayedApi(app, verdict)
        self.clock = VirtualClock(START)
        self.endpoint = Endpoint(app, api=self.api, clock=self.clock)

    async def call(
        self,
        function: str = "f",
        *,
        steps: Mapping[str, Any] | None = None,
        stack: list[str] | None = None,
        trigger: str | None = None,
        step: str = "step",
        defers: Mapping[str, bool] | None = None,
        data: Any = None,
        attempt: int = 0,
        max_attempts: int | None = 3,
        plan: bool = False,
        headers: Mapping[str, str] | None = None,
        **ctx: Any,
    ) -> Reply:
        stack = list(steps or {}) if stack is None else stack
        event = {"name": "go", "data": {} if data is None else data, "id": "E", "ts": int(START * 1000), "user": {}}
        body = {
            "ctx": {
                "attempt": attempt, "disable_immediate_execution": plan, "env": "", "fn_id": "1939b197-13a5-5215-9881-2cf22482353e",
                "qi_id": "qi", "run_id": RUN_ID, "step_id": "step", "use_api": False,
                "stack": {"current": 0 if trigger is None else stack.index(trigger) + 1, "stack": stack},
                **({} if max_attempts is None else {"max_attempts": max_attempts}), **ctx,
            },
            "event": event, "events": [event], "steps": dict(steps or {}), "use_api": False, "version": 2,
            "defers": {hash: {"abortable": abortable} for hash, abortable in (defers or {}).items()},
        }  # fmt: skip
        url = f"http://localhost:8000/api/inngest?fnId={self.app.id}-{function}&stepId={step}"
        request = Request(method="POST", url=url, headers={"x-request-id": "req", **(headers or {})}, body=orjson.dumps(body))
        return await self.endpoint.handle(request)


def ops(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 206, (reply.status, reply.body)
    found: list[dict[str, Any]] = orjson.loads(reply.body)
    return found


def names(reply: Reply) -> list[tuple[str, str | None]]:
    return [(op["op"], op.get("name")) for op in ops(reply)]


def retry(reply: Reply) -> tuple[str | None, str | None]:
    """What a reply says of retries: X-Inngest-No-Retry and Retry-After."""
    return reply.headers.get("x-inngest-no-retry"), reply.headers.get("retry-after")
