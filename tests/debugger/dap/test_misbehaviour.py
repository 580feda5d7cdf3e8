"""What clients, editors and handlers do wrong: each request gets its response, nothing crashes, nothing hangs."""

import pathlib
import re
import sys
import threading
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inngest_gen as ig
from inngest_gen.debugger.dap import arguments, conversation
from inngest_gen.debugger.dap import stage as stage_module
from inngest_gen.debugger.dap.framing import encode
from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.dap.requests import REQUESTS
from inngest_gen.debugger.dap.stage import Stage
from tests.debugger import rig
from tests.debugger.dap import shop
from tests.debugger.dap.client import PATIENCE_S, Client, Failed, opens, recording, talking
from tests.driver.corpus import echo

# Requests.


async def test_requests_out_of_order_are_refused_with_what_comes_first() -> None:
    async with talking() as client:
        for command in ("launch", "threads", "configurationDone"):
            with pytest.raises(Failed, match="not now: the first request is initialize"):
                await client.ask(command)
        await client.ask("initialize", adapterID="x")
        with pytest.raises(Failed, match="not now: launch or attach comes first"):
            await client.ask("configurationDone")
        with pytest.raises(Failed, match="not now"):
            await client.ask("initialize", adapterID="x")
        await client.ask("launch")
        with pytest.raises(Failed, match="not now: configurationDone comes first"):
            await client.ask("next", threadId=1)
        assert (await client.ask("threads"))["threads"] == [{"id": 1, "name": "order"}]
        await client.begin()
        with pytest.raises(Failed, match="not now: it is under way already"):
            await client.ask("configurationDone")
        with pytest.raises(Failed, match="not now"):
            await client.ask("launch")
        await client.go("next")
        await client.ask("disconnect")


async def test_what_is_no_request_is_answered_all_the_same() -> None:
    async with talking() as client:
        for message, words in [
            (b"Content-Length: 2\r\n\r\n[]", "a message is a JSON object"),
            (b"Content-Length: 2\r\n\r\n{}", 'with the type "request"'),
            (b"Content-Length: 3\r\n\r\nno!", "the content is no JSON"),
            (encode({"type": "request", "seq": "1", "command": "threads"}), "a request has a number, seq"),
            (encode({"type": "request", "seq": 4}), "a request has a number, seq"),
            (b"Content-Length: 99999999\r\n\r\n" + b"x" * 99_999, "too long"),
            (b"", ""),
        ]:
            if not message:
                await client.stream.send(b"x" * (99_999_999 - 99_999))
                break
            await client.stream.send(message)
            response = await client.message()
            assert (response["success"], response["command"]) in [(False, ""), (False, "threads")]
            assert words in response["message"]
        await client.stream.send(encode({"type": "response", "seq": 1, "request_seq": 1, "success": True, "command": "runInTerminal"}))
        await client.launched()
        for command, given_, words in [
            ("fly", {}, "there is no request 'fly' here"),
            ("stackTrace", {}, "threadId: Field required"),
            ("stackTrace", {"threadId": "one"}, "threadId: Input should be a valid integer"),
            ("evaluate", [], "the arguments are none: Input should be a valid dictionary"),
            ("setBreakpoints", {"source": {}}, "source.path: a breakpoint is on a line of a file"),
        ]:
            await client.stream.send(encode({"type": "request", "seq": 900, "command": command, "arguments": given_}))
            response = await client.answer(900)
            assert (response["success"], response["command"]) == (False, command)
            assert words in response["message"] or "not now" in response["message"]


async def test_after_a_header_that_is_none_the_conversation_ends() -> None:
    async with talking() as client:
        await client.stream.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        response = await client.message()
        assert response["message"] == "a header without Content-Length: b'GET / HTTP/1.1': the conversation cannot go on"
        with pytest.raises((anyio.EndOfStream, anyio.ClosedResourceError)):
            await client.message()
    assert client.ended is False


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 40) | st.text(max_size=5) | st.just(shop.FILE),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["line", "name", "path", "condition", "filterId"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = [
    "threadId", "frameId", "variablesReference", "expression", "context", "source", "breakpoints", "filters", "filterOptions", "lines", "line", "name",
    "value", "targetId", "start", "count", "filter", "levels", "startFrame", "text", "column",
]  # fmt: skip
drawn_requests = st.lists(
    st.tuples(
        st.sampled_from([*REQUESTS, "configurationDone", "launch", "fly"]), st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
    ),
    max_size=15,
)


@given(requests=drawn_requests)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_drawn_request_gets_one_response_and_the_client_can_go_on(requests: list[tuple[str, dict[str, Any]]]) -> None:
    async with talking() as client:
        await client.launched()
        await client.begin()
        for seq, (command, given_) in enumerate(requests, 1_000):
            await client.stream.send(encode({"type": "request", "seq": seq, "command": command, "arguments": given_}))
            response = await client.answer(seq)
            if response["success"]:
                assert command not in {"launch", "fly"}
            elif "not now: the session has ended" in response["message"]:
                break
            else:
                assert "Error: " not in response["message"].partition(" ")[0], response["message"]
        if not any(one["event"] == "terminated" for one in client.events):
            await client.ask("threads")
        await client.ask("disconnect")


# Handlers.


async def test_a_handler_that_awaits_for_ever_is_paused() -> None:
    async def waits(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo, 1)
        if hangs:
            await anyio.sleep_forever()  # noqa: IGN106 - what the test is about
        yield ctx.step.run("b", echo, 1)

    hangs = False
    app = rig.app_of(waits)
    recorded = await rig.recorded(app)
    hangs = True
    async with talking(opens(found=(recorded, app)), loop="trio") as client:
        await client.launched()
        await client.begin()
        await client.go("next")
        moving = await client.send("continue", threadId=1)
        pausing = await client.send("pause", threadId=1)
        await client.answer(moving)
        await client.answer(pausing)
        stopped = await client.until("stopped")
        assert (stopped["reason"], stopped["description"][:6]) == ("pause", "stop 1")
        assert len(await client.stack()) == 1
        await client.go("stepBack")
        # And it keeps nobody from parting.
        await client.send("continue", threadId=1)
        await client.send("disconnect")
    assert client.ended is False


async def test_code_that_does_not_come_back_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "_GRACE_S", 0.2)
    go_on = False

    spins_now = threading.Event()

    async def spins(ctx: ig.Context) -> ig.Flow:
        while hangs and not go_on:
            spins_now.set()
        yield ctx.step.run("a", echo, 1)

    hangs = False
    app = rig.app_of(spins)
    recorded = await rig.recorded(app)
    hangs = True
    async with talking(opens(found=(recorded, app))) as client:
        await client.launched()
        await client.begin()
        moving = await client.send("next", threadId=1)
        assert await anyio.to_thread.run_sync(spins_now.wait, PATIENCE_S)
        ending = await client.send("terminate")
        await client.answer(moving)
        await client.answer(ending)
        go_on = True  # the thread is let go, for this process goes on
        lines = [rig.line_of(spins, text) for text in ("while hangs", "spins_now.set()")]
        told = [f"the handler's code does not come back ({__file__}:{line}): end the session\n" for line in lines]
        assert client.output("important") in told
        assert any(one["event"] == "terminated" for one in client.events)
        await client.ask("disconnect")


async def test_an_evaluation_that_takes_too_long_is_given_up_with_the_session_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(stage_module, "_GRACE_S", 60)
    async with talking() as client:
        await client.launched()
        await client.begin()
        await client.go("next")
        evaluating = await client.send("evaluate", expression="__import__('time').sleep(1)", context="repl")
        pausing = await client.send("pause", threadId=1)
        assert (await client.answer(evaluating))["message"] == "cancelled: it took too long, and something urgent came"
        await client.answer(pausing)
        assert (await client.until("stopped"))["description"].startswith("stop 1:")
        assert (await client.rows(await client.scope("Locals")))["ctx"]["type"] == "Context"


async def test_the_stage_runs_jobs_in_order_and_hands_over_what_they_raise() -> None:
    async def raises() -> None:
        raise SystemExit(3)

    async def loop() -> str:
        return "trio" if "trio" in type(anyio.lowlevel.current_token()).__name__.lower() else "asyncio"

    for backend in ("asyncio", "trio"):
        async with Stage(backend) as stage:
            assert await stage.run(loop) is not None
            with pytest.raises(SystemExit):
                await stage.run(raises)
            with anyio.move_on_after(0.01) as scope:
                await stage.run(anyio.sleep_forever)
            assert scope.cancelled_caught
            assert not stage.stuck
            assert await stage.run(loop) is not None
        assert not stage._thread.is_alive()


async def test_an_error_that_leaves_the_handler_is_a_stop_with_its_frames() -> None:
    async def breaks(ctx: ig.Context) -> ig.Flow:
        seen = yield ctx.step.run("a", echo, 7)
        raise LookupError(seen)

    app = rig.app_of(breaks)
    async with talking(opens(found=(await rig.recorded(app), app))) as client:
        await client.launched(stopOnEntry=False)
        await client.ask("setExceptionBreakpoints", filters=["handler-error", "divergence"])
        stopped = await client.begin()
        assert (stopped["reason"], stopped["text"]) == ("exception", "LookupError: 7")
        [frame] = await client.stack()
        assert frame["line"] == rig.line_of(breaks, "raise LookupError")
        assert frame["canRestart"] is False
        assert (await client.rows(await client.scope("Locals")))["seen"]["value"] == "7"
        assert (await client.ask("evaluate", expression="seen + 1", frameId=frame["id"]))["result"] == "8"
        assert (await client.ask("exceptionInfo", threadId=1))["breakMode"] == "unhandled"
        assert (await client.go("stepBack"))["description"].startswith("stop 1:")


async def test_a_divergence_is_an_exception_with_both_sides_and_other_code_is_warned_of() -> None:
    async def strays(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("a", echo, 7)
        yield ctx.step.run("b" if changed else "c", echo, 7)

    changed = False
    app = rig.app_of(strays)
    recorded = await rig.recorded(app)
    changed = True

    async def another(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("other", echo, 7)

    async with talking(opens(found=(recorded, app))) as client:
        await client.launched(stopOnEntry=False)
        await client.ask("setExceptionBreakpoints", filters=["divergence"])
        stopped = await client.begin()
        assert stopped["reason"] == "exception"
        info = await client.ask("exceptionInfo", threadId=1)
        assert info["exceptionId"] == "NonDeterminismError"
        assert "recorded: step.run 'c'" in info["details"]["stackTrace"]
        assert "yielded:  step.run 'b'" in info["details"]["stackTrace"]
        assert client.output("important") == ""
    bare = replace(recorded, steps=tuple(replace(step, at=None) for step in recorded.steps))
    async with talking(opens(found=(bare, app))) as client:
        await client.launched(stopOnEntry=False)
        await client.ask("setExceptionBreakpoints", filters=["divergence"])
        await client.begin()
        told = (await client.ask("exceptionInfo", threadId=1))["details"]["stackTrace"]
        assert re.match(r"recorded: step\.run 'c' at position \d+\nyielded:  step\.run 'b' at .*test_misbehaviour\.py:\d+\n", told)
    async with talking(opens(found=(recorded, rig.app_of(another)))) as client:
        await client.launched()
        await client.begin()
        assert client.output("important") == "note: the handler's code is not that which made the recording\n"


# Launching.


async def test_a_launch_that_fails_says_why_and_may_be_tried_again() -> None:
    fails = True

    def opener(launch: arguments.Launch) -> Any:
        print("the app is loaded")
        if fails:
            raise Refused("there is no such run", shown=True)
        return recording(), shop.app

    async with talking(opener) as client:
        await client.ask("initialize", adapterID="x")
        response = await client.answer(await client.send("launch"))
        assert response["body"]["error"] == {"id": 1, "format": "there is no such run", "showUser": True}
        with pytest.raises(Failed, match="loop: Input should be 'asyncio' or 'trio'"):
            await client.ask("launch", loop="twisted")
        fails = False
        await client.ask("launch", loop="trio")
        await client.begin()
        assert client.output("stdout") == "the app is loaded\n"
    async with talking(opens(found=(recording(), ig.App("empty")))) as client:
        await client.ask("initialize", adapterID="x")
        with pytest.raises(Failed, match="app 'empty' has no function 'shop-order'"):
            await client.ask("launch")
        await client.ask("disconnect")


CODE = """
import inngest_gen as ig

app = ig.App("edited")

@app.function("f", trigger="go", retries=0)
async def handler(ctx):
    first = yield ctx.step.run("first", len, "abc")
    second = yield ctx.step.run("second", len, "abcd")
    yield ig.Done(first + second)
"""


async def test_a_restart_loads_edited_code_with_its_breakpoints_moved(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "edited_shop.py"
    path.write_text(CODE)
    try:
        import edited_shop  # type: ignore[import-not-found]

        recorded = await rig.recorded(edited_shop.app)
        async with talking(opens(found=(recorded, edited_shop.app))) as client:
            await client.launched(stopOnEntry=False)
            told = await client.ask("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": 9}])
            assert told["breakpoints"][0]["line"] == 9
            assert (await client.begin())["reason"] == "breakpoint"
            path.write_text(
                CODE.replace("    second =", "    # one line\n    # and another\n    second =").replace("first + second", "second - first")
            )
            assert "origin" in (await client.stack())[0]["source"]
            stopped = await client.go("restart")
            assert (stopped["reason"], stopped["description"]) == ("breakpoint", "stop 2: step.run 'second' len('abcd') → 4")
            [frame] = await client.stack()
            assert (frame["line"], "origin" in frame["source"]) == (11, False)
            changed = next(one["body"] for one in client.events if one["event"] == "breakpoint")
            assert (changed["reason"], changed["breakpoint"]["line"]) == ("changed", 11)
            assert "reloaded: edited-f" in client.output("console")
            assert "the handler's code is not that which made the recording" in client.output("important")
            assert (await client.go("continue"))["description"].endswith("returned 1, otherwise than recorded")
            path.write_text("def broken(:\n")
            await client.go("restart")
            assert "the edited code does not load, and the old code stays in use: SyntaxError" in client.output("important")
            assert (await client.go("continue"))["description"].endswith("returned 1, otherwise than recorded")
    finally:
        sys.modules.pop("edited_shop", None)


async def test_a_symbolic_link_to_the_code_is_the_code(tmp_path: pathlib.Path) -> None:
    link = tmp_path / "shop.py"
    link.symlink_to(shop.FILE)
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        told = await client.ask("setBreakpoints", source={"path": str(link)}, breakpoints=[{"line": shop.line("pay")}])
        assert told["breakpoints"][0]["verified"] is True
        assert (await client.begin())["reason"] == "breakpoint"


async def test_a_client_that_goes_away_ends_the_conversation() -> None:
    async with talking() as client:
        await client.launched()
        await client.begin()
    assert client.ended is False
    async with talking() as client:
        assert isinstance(client, Client)
