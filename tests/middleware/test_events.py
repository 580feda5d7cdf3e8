"""Hooks of sent events: from the app, from a thread without a loop, from a step."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

import inngest_gen as ig
from tests.engine.rig import PATIENCE_S, engine, of, outcome, run, run_one, step


class Stamps(ig.Middleware):
    def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
        return [dataclasses.replace(event, data={**event.data, "stamp": True}) for event in events]


def listening(*middleware: Any, **options: Any) -> ig.App:
    app = ig.App("shop", middleware=middleware, **options)

    @app.function("heard", trigger="said")
    async def heard(ctx: ig.Context) -> Any:
        return dict(ctx.data)

    return app


class TestFromTheApp:
    async def test_send_and_send_sync_pass_the_app_s_hooks(self, path: pathlib.Path) -> None:
        app = listening(Stamps)
        async with engine(path, app) as its_engine:
            [one] = await app.send(ig.Event("said", {"n": 1}))
            [two] = await anyio.to_thread.run_sync(lambda: app.send_sync(ig.Event("said", {"n": 2})))
            for id in (one, two):
                [heard] = await its_engine.run(ig.Event("said", id=id), timeout=PATIENCE_S)
                assert heard.output["stamp"] is True

    async def test_engine_send_passes_none(self, path: pathlib.Path) -> None:
        assert (await run_one(path, listening(Stamps), "said")).output == {}

    async def test_events_may_be_left_out_and_added(self, path: pathlib.Path) -> None:
        class Doubles(ig.Middleware):
            async def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
                kept = [event for event in events if event.name == "said"]
                return [*kept, *kept]

        app = listening(Doubles)
        async with engine(path, app) as its_engine:
            assert len(await app.send(ig.Event("unsaid"), ig.Event("said"))) == 2
            for one in await its_engine.runs():
                await its_engine.wait(one.id)
            assert len(await its_engine.runs()) == 2

    async def test_what_the_wrapper_gives_is_what_the_sender_gets(self, path: pathlib.Path) -> None:
        sent: list[list[ig.Event]] = []

        class Backs(ig.Middleware):
            async def wrap_send_event(self, events: Sequence[ig.Event], next: ig.Next[list[str]]) -> list[str]:
                sent.append(list(events))
                return [f"backed up {id}" for id in await next()]

        app = listening(Backs, Stamps)
        async with engine(path, app):
            assert await app.send(ig.Event("said", id="e1")) == ["backed up e1"]
        assert sent == [[ig.Event("said", {"stamp": True}, id="e1")]]

    async def test_errors_reach_the_sender(self, path: pathlib.Path) -> None:
        class Fails(ig.Middleware):
            def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
                raise LookupError("no key")

        app = listening(Fails)
        async with engine(path, app) as its_engine:
            with pytest.raises(ig.MiddlewareError, match=r"Fails\.transform_send_event failed: LookupError: no key"):
                await app.send(ig.Event("said"))
            assert not await its_engine.runs()

    @pytest.mark.parametrize("given", [None, ["said"], 5])
    async def test_what_are_no_events_is_refused(self, path: pathlib.Path, given: Any) -> None:
        class Odd(ig.Middleware):
            def transform_send_event(self, events: Sequence[ig.Event]) -> Any:
                return given

        app = listening(Odd)
        async with engine(path, app):
            with pytest.raises(ig.MisuseError, match=r"Odd\.transform_send_event gives"):
                await app.send(ig.Event("said"))

    async def test_a_hook_that_waits_cannot_be_had_without_a_loop(self, path: pathlib.Path) -> None:
        class Waits(ig.Middleware):
            async def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
                await Later()
                return events

        class Later:
            def __await__(self) -> Any:
                yield "something that only a loop understands"

        app = listening(Waits)
        async with engine(path, app):
            with pytest.raises(ig.MisuseError, match="app.send_sync has no event loop: use `await app.send"):
                await anyio.to_thread.run_sync(lambda: app.send_sync(ig.Event("said")))


class TestFromAStep:
    async def test_the_function_s_hooks_come_first_and_the_app_s_last(self, path: pathlib.Path) -> None:
        class Own(ig.Middleware):
            def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
                assert "stamp" not in events[0].data
                return [dataclasses.replace(event, data={**event.data, "own": True}) for event in events]

        app = listening(Stamps)

        @app.function("f", trigger="go", middleware=[Own])
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.send_event("say", ig.Event("said"))

        assert of(await run(path, app), "heard").output == {"own": True, "stamp": True}

    async def test_events_are_sent_once_however_often_the_hook_fails_before(self, path: pathlib.Path) -> None:
        tried: list[int] = []

        class Flaky(ig.Middleware):
            async def wrap_send_event(self, events: Sequence[ig.Event], next: ig.Next[list[str]]) -> list[str]:
                tried.append(1)
                await anyio.lowlevel.checkpoint()
                ids = await next()
                if len(tried) < 3:
                    raise ConnectionError("the back-up is away")
                return ids

        app = listening(Flaky, backoff=1)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            ids = yield ctx.step.send_event("say", ig.Event("said"))
            yield ctx.step.sleep("nap", 1)
            yield ig.Done(ids)

        one, heard = await run(path, app)
        assert len(tried) == 3
        assert one.output == [heard.event.id]
        say = step(one, "say")
        assert [attempt.error.name for attempt in say.attempts] == ["ConnectionError"] * 2
        assert say.result == one.output

    async def test_a_hook_that_fails_for_good_fails_the_step(self, path: pathlib.Path) -> None:
        class Fails(ig.Middleware):
            async def wrap_send_event(self, events: Sequence[ig.Event], next: ig.Next[list[str]]) -> list[str]:
                raise ig.NonRetriableError("no")

        app = listening(Fails)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.send_event("say", ig.Event("said"))
            except ig.StepError as error:
                yield ig.Done(error.name)

        assert (await run_one(path, app)).output == "NonRetriableError"

    async def test_a_hook_may_send_nothing_and_give_the_result(self, path: pathlib.Path) -> None:
        class Keeps(ig.Middleware):
            async def wrap_send_event(self, events: Sequence[ig.Event], next: ig.Next[list[str]]) -> list[str]:
                return []

        app = listening(Keeps)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.send_event("say", ig.Event("said"))))

        assert (await run_one(path, app)).output == []

    async def test_what_cannot_be_sent_is_raised_at_next(self, path: pathlib.Path) -> None:
        met: list[str] = []

        class Looks(ig.Middleware):
            async def wrap_send_event(self, events: Sequence[ig.Event], next: ig.Next[list[str]]) -> list[str]:
                try:
                    return await next()
                except ig.NotJSON as error:
                    met.append(type(error).__name__)
                    raise

        app = listening(Looks)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.send_event("say", ig.Event("said", {"x": {1}}))

        assert outcome(await run_one(path, app))[0] == "NotJSON"
        assert met == ["NotJSON"]

    async def test_in_a_group_beside_others(self, path: pathlib.Path) -> None:
        app = listening(Stamps)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            event, *ids = yield ctx.group.parallel(
                ctx.step.wait_for_event("wait", "said", timeout="1h"),
                ctx.step.send_event("say", ig.Event("said")),
                ctx.step.send_event("say too", ig.Event("other")),
            )
            yield ig.Done([event.data["stamp"], len(ids)])

        assert of(await run(path, app), "f").output == [True, 2]

    async def test_an_event_id_is_kept(self, path: pathlib.Path) -> None:
        app = listening(Stamps)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            one = yield ctx.step.send_event("say", ig.Event("said", id="mine"))
            two = yield ctx.step.send_event("again", ig.Event("said", id="mine"))
            yield ig.Done([one, two])

        one, _ = await run(path, app)
        assert one.output == [["mine"], ["mine"]]
