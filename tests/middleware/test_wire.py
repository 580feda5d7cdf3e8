"""The same middleware on an Inngest server: what goes over the wire, and in which order the hooks are called."""

import pathlib
from collections.abc import Sequence
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen import testing
from tests.engine.rig import run
from tests.middleware.recorder import recorder
from tests.middleware.test_encryption import KEY, SECRET, shop

modes = pytest.mark.parametrize("checkpointing", [True, False])


def of(runs: Sequence[Any], function: str) -> list[Any]:
    return [one for one in runs if one.function == f"shop-{function}"]


@modes
async def test_nothing_secret_is_on_the_wire_and_everything_is_read_back(checkpointing: bool) -> None:
    encryption = ig.EncryptionMiddleware(KEY, event_data=True, accept_plain=False)
    async with testing.Server(seed=1) as server:
        app = shop(encryption, checkpointing=checkpointing, **server.settings())
        await server.register(ig.serve(app))
        await app.send(ig.Event("go", {"number": SECRET}))
        await server.finish()
        [f] = of(server.runs, "f")
        assert f.status == "completed", f.error
        assert encryption.decrypt(f.output) == {
            "card": "S3CRET charged", "invoked": {"invoked": SECRET}, "event": {"number": SECRET}, "signal": {"number": SECRET},
        }  # fmt: skip
        assert [encryption.decrypt(note.output) for note in of(server.runs, "note")] == [{"deferred": SECRET}] * 2
        exchanged = [call for one in server.runs for call in one.calls] + list(server.requests)
        assert len(exchanged) > 10
        assert not [call for call in exchanged if SECRET.encode() in call.body or SECRET.encode() in call.reply]


@modes
async def test_the_same_look_at_the_wire_finds_what_is_not_encrypted(checkpointing: bool) -> None:
    async with testing.Server(seed=1) as server:
        app = shop(ig.EncryptionMiddleware(KEY, decrypt_only=True), checkpointing=checkpointing, **server.settings())
        await server.register(ig.serve(app))
        await app.send(ig.Event("go", {"number": SECRET}))
        await server.finish()
        exchanged = [call for one in server.runs for call in one.calls] + list(server.requests)
        assert [call for call in exchanged if SECRET.encode() in call.body or SECRET.encode() in call.reply]


async def test_hooks_are_called_as_on_the_embedded_engine(path: pathlib.Path) -> None:
    """With checkpointing a call is what a stay in memory is; the request itself is the wire's own."""

    def app(log: list[str], **settings: Any) -> ig.App:
        made = ig.App("shop", middleware=[recorder(log, "app")], **settings)

        @made.deferred("note")
        async def note(ctx: ig.DeferContext) -> ig.Flow:
            yield ig.Done("noted")

        @made.function("f", trigger="go", middleware=[recorder(log, "f")], retries=0)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", lambda: 1)
            yield ctx.defer("d", note, {})
            try:
                yield ctx.step.run("bad", int, "x")
            except ig.StepError:
                pass
            yield ctx.step.sleep("nap", 1)
            yield ctx.step.send_event("say", ig.Event("said", id="e1"))
            yield ig.Done("end")

        log.clear()
        return made

    embedded: list[str] = []
    await run(path, app(embedded))
    wired: list[str] = []
    async with testing.Server(seed=1) as server:
        await server.register(ig.serve(app(wired, checkpointing=True, **server.settings())))
        runs = await server.run(ig.Event("go"))
    assert [one.status for one in runs] == ["completed", "completed"]

    def told_of_steps(log: list[str]) -> list[str]:
        return [line for line in log if any(word in line for word in ("step", "send", "defer", "run_start", "run_complete"))]

    # A step that failed is answered at once: the handler meets its error in the next call, and what was recorded passes there again.
    fresh = [line for line in told_of_steps(wired) if "memoized" not in line and "transform_step_input" not in line]
    assert fresh == [line for line in told_of_steps(embedded) if "memoized" not in line and "transform_step_input" not in line]
    assert set(told_of_steps(wired)) == set(told_of_steps(embedded))


async def test_wrap_request_sees_the_call_and_may_change_the_answer() -> None:
    seen: list[Any] = []

    class Looks(ig.Middleware):
        async def wrap_request(self, request: ig.RequestInfo, next: ig.Next[ig.ReplyInfo]) -> ig.ReplyInfo:
            self.slug = request.slug
            reply = await next()
            seen.append((request.method, request.slug, reply.status))
            return ig.ReplyInfo(status=reply.status, headers={**reply.headers, "x-mine": "yes"}, body=reply.body)

        def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
            seen.append(self.slug)

    async with testing.Server(seed=1) as server:
        app = ig.App("shop", middleware=[Looks], **server.settings())

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        await server.register(ig.serve(app))
        [one] = await server.run(ig.Event("go"))
    assert seen == [("POST", "shop-f", 206), "shop-f", ("POST", "shop-f", 206)]
    assert all(call.reply_headers["x-mine"] == "yes" for call in one.calls)


@modes
async def test_a_wrapper_is_closed_when_the_call_ends_before_the_run(checkpointing: bool) -> None:
    log: list[str] = []
    async with testing.Server(seed=1) as server:
        app = ig.App("shop", middleware=[recorder(log)], checkpointing=checkpointing, **server.settings())

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.sleep("nap", 1)

        await server.register(ig.serve(app))
        await server.run(ig.Event("go"))
    assert [line for line in log if line.startswith("wrap_function")] == [
        "wrap_function: before", "wrap_function: let go", "wrap_function: before", "wrap_function: after",
    ]  # fmt: skip
