"""Middleware on the wire: the same hooks, in the same order, as on the embedded engine, once a call."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.ids import step_hash
from inngest_gen.middleware.info import ReplyInfo, RequestInfo, RunInfo, StepInfo
from tests.serving.rig import Rig, names
from tests.serving.scenarios import make
from tests.serving.test_server import OUTPUTS, run_of, serving


class Log(ig.Middleware):
    lines: list[str]

    async def wrap_request(self, request: RequestInfo, next: Callable[[], Awaitable[ReplyInfo]]) -> ReplyInfo:
        self.lines.append(f"request {request.slug}")
        reply = await next()
        self.lines.append(f"reply {reply.status}")
        return ReplyInfo(status=reply.status, headers={**reply.headers, "x-seen": "yes"}, body=reply.body)

    def on_run_start(self, run: RunInfo) -> None:
        self.lines.append("run start")

    def on_run_complete(self, run: RunInfo, output: Any) -> None:
        self.lines.append(f"run complete {output}")

    def on_run_error(self, run: RunInfo, error: BaseException, final: bool) -> None:
        self.lines.append(f"run error {error} {final}")

    def on_memoization_end(self, run: RunInfo) -> None:
        self.lines.append("memoization end")

    async def wrap_function(self, run: RunInfo, next: Callable[[], Awaitable[Any]]) -> Any:
        self.lines.append("function")
        value = await next()
        self.lines.append("function done")
        return value

    async def wrap_step(self, step: StepInfo, next: Callable[[], Awaitable[Any]]) -> Any:
        self.lines.append(f"step {step.id} {step.memoized}")
        return await next()

    async def wrap_send_event(self, events: Any, next: Callable[[], Awaitable[list[str]]]) -> list[str]:
        self.lines.append(f"send {[event.name for event in events]}")
        return await next()


def logged(handler: Any, **options: Any) -> tuple[Rig, list[str]]:
    lines: list[str] = []

    class Own(Log):
        pass

    Own.lines = lines
    app = ig.App("shop", dev=True, retries=2, middleware=[Own], **options)
    app.function("f", trigger="go")(handler)
    return Rig(app), lines


async def two(ctx: ig.Context) -> ig.Flow:
    a = yield ctx.step.run("a", lambda: 1)
    b = yield ctx.step.run("b", lambda: 2)
    yield ig.Done(a + b)


async def test_the_order_within_one_call_that_checkpoints() -> None:  # H02, H03
    played, lines = logged(two)
    reply = await played.call()
    assert names(reply) == [("RunComplete", None)]
    assert reply.headers["x-seen"] == "yes"
    assert lines == [
        "request shop-f", "memoization end", "run start", "function",
        "step a False", "step a True", "step b False", "step b True", "function done", "run complete 3", "reply 206",
    ]  # fmt: skip


async def test_the_order_of_calls_that_answer_each_step() -> None:  # H04, H05
    played, lines = logged(two, checkpointing=False)
    await played.call()
    assert lines == ["request shop-f", "memoization end", "run start", "function", "step a False", "reply 206"]
    lines.clear()
    await played.call(steps={step_hash("a"): {"data": 1}})
    assert lines == ["request shop-f", "function", "memoization end", "step a True", "step b False", "reply 206"]
    lines.clear()
    await played.call(steps={step_hash("a"): {"data": 1}, step_hash("b"): {"data": 2}})
    assert lines == [
        "request shop-f", "function", "step a True", "memoization end", "step b True", "function done", "run complete 3", "reply 200",
    ]  # fmt: skip


async def test_a_targeted_call_is_not_the_first_of_its_run() -> None:
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(ctx.step.run("a", int), ctx.step.run("b", int))

    played, lines = logged(f)
    await played.call(step=step_hash("a"), plan=True)
    assert "run start" not in lines


async def test_sent_events_pass_the_hooks() -> None:
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.send_event("send", ig.Event("x"), ig.Event("y"))

    played, lines = logged(f)

    async def send_events(events: Any, *, seed: str | None = None) -> list[str]:
        assert seed is not None
        return [event["name"] for event in events]

    played.api.send_events = send_events  # type: ignore[method-assign]
    await played.call()
    assert "send ['x', 'y']" in lines
    [[sent]] = [one["steps"] for one in played.api.checkpoints]
    assert (sent["op"], sent["data"]) == ("StepRun", ["x", "y"])


SECRET, KEY = "swordfish", bytes(range(32))


def encrypted() -> ig.Middleware:
    return ig.EncryptionMiddleware(KEY)


@pytest.mark.parametrize("mode", ["ckpt", "nockpt"])
@pytest.mark.parametrize("scenario", sorted(OUTPUTS))
async def test_with_encryption_every_scenario_ends_as_without(scenario: str, mode: str) -> None:
    async with serving(lambda **settings: make("shop", checkpointing=mode == "ckpt", middleware=[encrypted], **settings)) as server:
        runs = await server.run({"name": f"shop/{scenario}", "data": {"hello": "world"}})
        one = run_of(runs, scenario)
        assert one.status == "completed", one.log()
        assert ig.EncryptionMiddleware(KEY).decrypt(one.output) == OUTPUTS[scenario]
        assert {run.status for run in runs} == {"completed"}


async def test_what_a_step_gives_and_a_defer_carries_is_not_to_be_read_on_the_wire() -> None:
    def app_of(**settings: Any) -> ig.App:
        app = ig.App("shop", middleware=[encrypted], **settings)

        @app.deferred("mail")
        async def mail(ctx: ig.DeferContext[Any]) -> ig.Flow:
            yield ig.Done(ctx.data["to"] == SECRET)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            got = yield ctx.step.run("a", lambda: SECRET)
            yield ctx.defer("mail", mail, {"to": got})
            yield ctx.step.sleep("nap", "1h")
            yield ig.Done(got == SECRET)

        return app

    async with serving(app_of) as server:
        runs = await server.run({"name": "go", "data": {}})
    reader = ig.EncryptionMiddleware(KEY)
    assert [reader.decrypt(run.output) for run in runs] == [True, True]
    for run in runs:
        for call in run.calls:
            assert SECRET.encode() not in call.body + call.reply


async def test_a_wrap_request_that_gives_no_reply_is_told_so() -> None:
    class Mute(ig.Middleware):
        async def wrap_request(self, request: RequestInfo, next: Callable[[], Awaitable[ReplyInfo]]) -> ReplyInfo:
            await next()
            return None  # type: ignore[return-value]

    app = ig.App("shop", dev=True, middleware=[Mute])
    app.function("f", trigger="go")(two)
    reply = await Rig(app).call()
    assert reply.status == 500
    assert b"a wrap_request hook gives the ReplyInfo that `await next()` gave it, or another, not NoneType" in reply.body
