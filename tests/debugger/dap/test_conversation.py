"""Whole conversations, under each loop: every request does what the protocol says, and every message is as its schema says."""

from dataclasses import replace

import pytest

from tests.debugger.dap import shop
from tests.debugger.dap.client import Client, Failed, opens, recording, talking

LOOPS = ["asyncio", "trio"]


async def started(client: Client, **arguments: object) -> None:
    await client.launched(**arguments)
    await client.begin()


@pytest.mark.parametrize("loop", LOOPS)
async def test_from_launch_to_disconnect(loop: str) -> None:
    async with talking(loop=loop) as client:
        capabilities = await client.launched(run="last", app="shop:app")
        assert capabilities["supportsStepBack"] is True
        assert {one["filter"] for one in capabilities["exceptionBreakpointFilters"]} == {"step-error", "handler-error", "divergence"}
        stopped = await client.begin()
        assert (stopped["reason"], stopped["threadId"], stopped["description"]) == ("entry", 1, "stop 0: before the first line")
        assert (await client.ask("threads"))["threads"] == [{"id": 1, "name": "order"}]
        [frame] = await client.stack()
        assert (frame["name"], frame["source"]["path"]) == ("order_placed", shop.FILE)
        stopped = await client.go("next")
        assert stopped["reason"] == "step"
        assert stopped["description"].startswith("stop 1: step.run 'load' load('o1') → {'lines': ['tea', 'tea', 'cup'], ")
        [frame] = await client.stack()
        assert (frame["line"], frame["column"], frame["canRestart"]) == (shop.line("load"), 1, True)
        stopped = await client.go("continue")
        assert stopped["reason"] == "end"
        assert stopped["description"].startswith("stop 15: the handler has returned {'amount': \"step 'pay': ")
        assert stopped["description"].endswith("}, as recorded")
        [frame] = await client.stack()  # there is no frame any more, but there is something to see
        assert frame["line"] == shop.line("done")
        await client.ask("continue", threadId=1)
        assert await client.until("exited") == {"exitCode": 0}
        assert await client.until("terminated") == {}
        await client.ask("disconnect")
    assert client.ended is False


async def test_steps_go_over_into_out_of_and_back() -> None:
    async with talking() as client:
        await started(client)
        await client.go("next")
        assert (await client.go("next"))["description"] == "stop 2: sub-flow total(lines=['tea', 'tea', 'cup'])"
        assert (await client.go("next"))["description"] == "stop 7: defer 'receipt' shop-receipt {'amount': 17}"
        stopped = await client.go("stepBack")
        assert (stopped["reason"], stopped["description"]) == ("step", "stop 6: ig.Done 17")
        await client.go("stepBack")
        assert [one["name"] for one in await client.stack()] == ["total", "order_placed"]
        assert [one["line"] for one in await client.stack()] == [shop.line("price"), shop.line("sub-flow")]
        assert (await client.go("stepOut"))["description"].startswith("stop 7: defer")
        stopped = await client.go("reverseContinue")
        assert (stopped["reason"], stopped["description"]) == ("entry", "stop 0: before the first line")
        assert (await client.go("stepBack"))["description"] == "stop 0: before the first line"
        await client.go("next")
        await client.go("stepIn")
        assert (await client.go("stepIn"))["description"] == "stop 3: step.run 'price' price_of('tea') → 4"


async def test_what_handlers_print_comes_with_its_stop_also_where_it_is_gone_past() -> None:
    async with talking() as client:
        await started(client)
        await client.go("next")
        await client.go("next")
        assert client.output("stdout") == ""
        await client.go("stepIn")
        assert client.output("stdout") == "pricing tea\n"
        await client.go("stepBack")
        assert client.output("stdout") == "pricing tea\n"
        await client.go("continue")
        assert client.output("stdout").splitlines() == [
            "pricing tea",
            "pricing tea",
            "pricing tea",
            "pricing cup",
            "pricing tea",
            "pricing cup",
        ]


# Breakpoints.


@pytest.mark.parametrize("loop", LOOPS)
async def test_lines_conditions_hits_and_logpoints(loop: str) -> None:
    async with talking(loop=loop) as client:
        await client.launched(stopOnEntry=False)
        price, done = shop.line("price"), shop.line("done")
        told = await client.breakpoints(
            {"line": price, "condition": "item == 'cup'"},
            {"line": price - 1, "hitCondition": "4"},
            {"line": price, "logMessage": "{item} after {amount}"},
            {"line": done},
            {"line": 3},
            {"line": price, "condition": "item =="},
            {"line": price, "hitCondition": "often"},
        )
        assert [(one["verified"], one["line"]) for one in told[:5]] == [
            (True, price),
            (True, price),
            (True, price),
            (True, done),
            (False, 3),
        ]
        assert told[4]["message"] == "a replay stops at yields, and there is none at this line or after it in its function"
        assert (told[5]["verified"], told[6]["verified"]) == (False, False)
        assert "is no expression" in told[5]["message"]
        assert "the hits 'often' are none" in told[6]["message"]
        stopped = await client.begin()
        assert (stopped["reason"], stopped["hitBreakpointIds"]) == ("breakpoint", [told[0]["id"]])
        assert stopped["description"] == "stop 5: step.run 'price' price_of('cup') → 9"
        assert client.output("console") == "'tea' after 0\n'tea' after 4\n'cup' after 8\n"
        assert (await client.go("continue"))["hitBreakpointIds"] == [told[1]["id"]]
        assert (await client.go("continue"))["hitBreakpointIds"] == [told[0]["id"]]
        assert (await client.go("continue"))["hitBreakpointIds"] == [told[3]["id"]]
        assert (await client.go("reverseContinue"))["hitBreakpointIds"] == [told[0]["id"]]
        assert await client.breakpoints({"line": done}) == [{"id": 8, "verified": True, "source": {"path": shop.FILE}, "line": done}]
        assert (await client.go("continue"))["hitBreakpointIds"] == [8]
        assert (await client.go("reverseContinue"))["reason"] == "entry"


async def test_a_step_over_stops_at_a_breakpoint_in_the_sub_flow() -> None:
    async with talking() as client:
        await client.launched()
        await client.breakpoints({"line": shop.line("price"), "condition": "amount == 8"})
        await client.begin()
        await client.go("next")
        await client.go("next")
        assert (await client.go("next"))["reason"] == "breakpoint"
        assert (await client.go("stepOut"))["description"].startswith("stop 7")


async def test_flows_are_stopped_at_where_they_begin() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        wanted = [{"name": "total"}, {"name": "order"}, {"name": "nothing"}, {"name": "shop.total", "condition": "len(lines) == 2"}]
        told = (await client.ask("setFunctionBreakpoints", breakpoints=wanted))["breakpoints"]
        assert [one["verified"] for one in told] == [True, True, False, True]
        assert told[2]["message"] == "this run has no flow 'nothing'; it has: order_placed, total"
        stops = [await client.begin(), await client.go("continue"), await client.go("continue")]
        assert [(one["reason"], one["description"][:7], one["hitBreakpointIds"]) for one in stops] == [
            ("function breakpoint", "stop 1:", [2]),
            ("function breakpoint", "stop 3:", [1]),
            ("function breakpoint", "stop 9:", [1, 4]),
        ]
        assert (await client.go("continue"))["reason"] == "end"


async def test_errors_are_stopped_at_where_that_is_wanted() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        options = [{"filterId": "divergence", "condition": "amount > 1"}]
        told = await client.ask("setExceptionBreakpoints", filters=["step-error", "uncaught"], filterOptions=options)
        assert [one["verified"] for one in told["breakpoints"]] == [True, False, True]
        assert "there is no filter 'uncaught'" in told["breakpoints"][1]["message"]
        stopped = await client.begin()
        assert (stopped["reason"], stopped["text"]) == ("exception", "StepError: ValueError: no money for 17")
        info = await client.ask("exceptionInfo", threadId=1)
        assert (info["exceptionId"], info["description"], info["breakMode"]) == ("StepError", "ValueError: no money for 17", "always")
        assert info["details"]["typeName"] == "ValueError"
        await client.go("stepBack")
        with pytest.raises(Failed, match="there is no error at this stop"):
            await client.ask("exceptionInfo", threadId=1)
        await client.ask("setExceptionBreakpoints", filters=[])
        assert (await client.go("continue"))["reason"] == "end"


async def test_the_lines_at_which_it_can_stop_are_told() -> None:
    async with talking() as client:
        await client.launched()
        locations = await client.ask("breakpointLocations", source={"path": shop.FILE}, line=shop.line("load"), endLine=shop.line("defer"))
        assert [one["line"] for one in locations["breakpoints"]] == [shop.line("load"), shop.line("sub-flow"), shop.line("defer")]


# Branches.


async def test_branches_are_threads() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("pay")})
        await client.begin()
        while True:
            stopped = await client.go("stepBack")
            if stopped["description"].startswith("stop 10:"):
                break
        threads = {one["name"]: one["id"] for one in (await client.ask("threads"))["threads"]}
        assert set(threads) == {"order", "parallel[first] total", "parallel[stock] step.run 'stock'"}
        assert stopped["threadId"] == threads["parallel[stock] step.run 'stock'"]
        frames = await client.stack(threads["parallel[first] total"])
        assert [(one["name"], one.get("presentationHint")) for one in frames] == [
            ("total", None),
            ("[first] of group.parallel", "label"),
            ("order_placed", None),
        ]
        step, label, root = await client.stack(stopped["threadId"])
        assert (step["name"], step["line"], root["line"]) == ("step.run 'stock'", shop.line("parallel"), shop.line("parallel"))
        assert label["line"] == 0
        # What a branch waits for can be seen, and set, wherever the replay stands.
        memo = await client.rows(await client.scope("Memo", thread=threads["parallel[first] total"]))
        assert memo["result"]["value"] == "4"
        evaluated = await client.ask("evaluate", expression="item", frameId=(await client.stack(threads["parallel[first] total"]))[0]["id"])
        assert evaluated["result"] == "'tea'"
        assert (await client.ask("evaluate", expression="order['lines']", frameId=label["id"]))["result"] == "['tea', 'tea', 'cup']"
        # A step of another branch goes on to where that has come next.
        stopped = await client.go("next", threadId=threads["parallel[first] total"])
        assert stopped["description"] == "stop 11: step.run 'price' price_of('cup') → 9"
        assert (stopped["threadId"], stopped["reason"]) == (threads["parallel[first] total"], "step")
        stopped = await client.go("next", threadId=threads["order"])
        assert stopped["description"].startswith("stop 13: step.run 'pay'")
        with pytest.raises(Failed, match="there is no thread"):
            await client.stack(threads["parallel[first] total"])


async def test_stacks_are_given_in_pieces() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("price")})
        await client.begin()
        told = await client.ask("stackTrace", threadId=1, startFrame=1, levels=5)
        assert ([one["name"] for one in told["stackFrames"]], told["totalFrames"]) == (["order_placed"], 2)
        assert (await client.ask("stackTrace", threadId=1, startFrame=7))["stackFrames"] == []
        first = await client.ask("stackTrace", threadId=1, startFrame=0, levels=1)
        assert first["stackFrames"][0]["id"] == (await client.stack())[0]["id"]


# Variables.


async def test_scopes_and_what_is_in_them() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("pay")})
        await client.begin()
        scopes = (await client.ask("scopes", frameId=(await client.stack())[0]["id"]))["scopes"]
        assert [one["name"] for one in scopes] == ["Locals", "Intent", "Memo", "Lazy ops", "Run"]
        local = await client.rows(await client.scope("Locals"))
        assert list(local) == ["ctx", "order", "amount", "both"]
        assert (local["amount"]["value"], local["amount"]["type"], local["amount"]["evaluateName"]) == ("17", "int", "amount")
        order = await client.rows(local["order"]["variablesReference"])
        assert order["'lines'"]["evaluateName"] == "order['lines']"
        assert (await client.rows(order["'lines'"]["variablesReference"]))["2"]["evaluateName"] == "order['lines'][2]"
        intent = await client.rows(await client.scope("Intent"))
        assert (intent["kind"]["value"], intent["id"]["value"], intent["position"]["value"]) == ("step.run", "pay", "7")
        memo = await client.rows(await client.scope("Memo"))
        assert (memo["result"]["value"], memo["error"]["value"], memo["how"]["value"]) == (
            "none: it failed",
            "ValueError: no money for 17",
            "recorded",
        )
        lazy = await client.rows(await client.scope("Lazy ops"))
        assert lazy["receipt"]["value"].startswith("defer: ")
        assert (await client.rows(lazy["receipt"]["variablesReference"]))["state"]["value"] == "sent"
        run = await client.rows(await client.scope("Run"))
        assert (run["function"]["value"], run["status"]["value"], run["history"]["value"]) == ("shop-order", "completed", "recorded")
        assert (await client.rows(run["data"]["variablesReference"]))["order_id"]["value"] == "o1"
        steps = await client.rows(run["steps"]["variablesReference"], filter="indexed", start=0, count=2)
        assert list(steps) == ["0: load", "1: price"]
        assert (await client.rows(steps["1: price"]["variablesReference"]))["result"]["value"] == "4"


async def test_long_values_are_listed_by_pages() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("defer")})
        await client.begin()
        order = await client.rows((await client.rows(await client.scope("Locals")))["order"]["variablesReference"])
        notes = order["'notes'"]
        assert (notes["indexedVariables"], "namedVariables" in notes) == (1_500, False)
        reference = notes["variablesReference"]
        assert list(await client.rows(reference, filter="indexed", start=1_498, count=100)) == ["1498", "1499"]
        assert list(await client.rows(reference, filter="indexed", start=10, count=2)) == ["10", "11"]
        assert await client.rows(reference, filter="named") == {}
        assert await client.rows(reference, start=9_999) == {}
        # Who asks for all gets so many, and the rest inside of one more.
        first = await client.rows(reference)
        assert (len(first), first["…"]["value"], first["…"]["indexedVariables"]) == (1_001, "500 more", 500)
        assert list(await client.rows(first["…"]["variablesReference"])) == [str(n) for n in range(1_000, 1_500)]
        pages = await client.rows(first["…"]["variablesReference"], filter="indexed", start=499, count=100)
        assert [one["value"] for one in pages.values()] == ["'note 1499'"]
        # Names by pages, too, where there are many.
        assert order["'by'"]["indexedVariables"] == 150
        assert list(await client.rows(order["'by'"]["variablesReference"], filter="indexed", start=3, count=1)) == ["'k3'"]


async def test_what_is_evaluated_can_be_looked_into() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("price")})
        await client.begin()
        frame = (await client.stack())[0]["id"]
        told = await client.ask("evaluate", expression=" [lines, {'n': amount}] ", frameId=frame, context="watch")
        assert (told["result"], told["type"], told["indexedVariables"]) == ("[['tea', 'tea', 'cup'], {'n': 0}]", "list", 2)
        assert (await client.rows(told["variablesReference"]))["1"]["value"] == "{'n': 0}"
        assert (await client.ask("evaluate", expression="print('x') or item", frameId=frame, context="repl"))["result"] == "'tea'"
        await client.until("output")
        assert client.output("stdout").endswith("x\n")
        for expression, words in [
            ("nothing", "NameError: name 'nothing' is not defined"),
            ("amount = 3", "is a statement"),
            ("1 +", "SyntaxError"),
        ]:
            with pytest.raises(Failed, match=words):
                await client.ask("evaluate", expression=expression, frameId=frame)
        completions = await client.ask("completions", text="len(am", column=7, frameId=frame)
        assert [one["label"] for one in completions["targets"]] == ["amount"]
        completions = await client.ask("completions", text="/re", column=4)
        assert [one["label"] for one in completions["targets"]] == ["/reverse", "/result", "/replace", "/reload"]


async def test_a_scope_without_anything_in_it_may_be_asked_for_what_is_in_it() -> None:
    async with talking() as client:
        await started(client)
        assert await client.scope("Memo") == 0
        assert await client.rows(0) == {}


async def test_ids_of_frames_and_things_end_with_their_stop() -> None:
    async with talking() as client:
        await started(client)
        frame, reference = (await client.stack())[0]["id"], await client.scope("Run")
        await client.go("next")
        with pytest.raises(Failed, match=f"there is no frame {frame} any more: the replay has moved on"):
            await client.ask("scopes", frameId=frame)
        with pytest.raises(Failed, match="there is nothing with the reference"):
            await client.rows(reference)


# What if.


@pytest.mark.parametrize("loop", LOOPS)
async def test_to_set_a_result_is_a_history_of_its_own(loop: str) -> None:
    async with talking(loop=loop) as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("price"), "condition": "item == 'cup'"})
        await client.begin()
        memo = await client.scope("Memo")
        told = await client.ask("setVariable", variablesReference=memo, name="result", value="900")
        assert told == {"value": "900", "type": "int", "variablesReference": 0}
        assert await client.until("invalidated") == {"areas": ["all"]}
        assert "this is history 'what if 1' (price replaced); `/switch NAME` goes to another: 'recorded'\n" in client.output("console")
        assert (await client.rows(await client.scope("Run")))["history"]["value"] == "what if 1"
        await client.breakpoints()
        await client.ask("setExceptionBreakpoints", filters=["step-error"])
        stopped = await client.go("continue")
        assert (stopped["reason"], stopped["description"]) == (
            "exception",
            "stop 13: step.run 'pay' pay(908) ✗ ValueError: no money for 17",
        )
        # Back to the record by name.
        run = await client.scope("Run")
        assert (await client.ask("setVariable", variablesReference=run, name="history", value="recorded"))["value"] == "recorded"
        await client.until("invalidated")
        evaluated = await client.ask("evaluate", expression="amount", frameId=(await client.stack())[0]["id"])
        assert evaluated["result"] == "17"


async def test_parts_of_results_and_errors_of_steps_that_are_passed_are_set() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("pay")})
        await client.begin()
        steps = (await client.rows(await client.scope("Run")))["steps"]["variablesReference"]
        load = (await client.rows(steps, filter="indexed", start=0, count=1))["0: load"]["variablesReference"]
        result = await client.rows((await client.rows(load))["result"]["variablesReference"])
        told = await client.ask("setVariable", variablesReference=result["lines"]["variablesReference"], name="1", value='"cup"')
        assert (told["value"], told["type"]) == ("'cup'", "str")
        stopped = await client.until("stopped")  # it was passed: now it stands at its yield
        assert (stopped["description"][:7], stopped["text"]) == ("stop 1:", "what if; history 'what if 1'")
        await client.go("next")
        assert (await client.go("stepBack"))["description"].startswith(
            "stop 1: step.run 'load' load('o1') → {'lines': ['tea', 'cup', 'cup']"
        )
        memo = await client.scope("Memo")
        assert (await client.ask("setVariable", variablesReference=memo, name="error", value="KeyError: o1"))["value"] == "KeyError: o1"
        await client.until("invalidated")
        stopped = await client.go("continue")
        assert (stopped["reason"], stopped["text"]) == ("end", "the end; history 'what if 2'")
        assert "the handler has raised KeyError: o1, otherwise than recorded" in stopped["description"]
        await client.ask("continue", threadId=1)
        assert await client.until("exited") == {"exitCode": 1}


async def test_what_cannot_be_set_says_why() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False)
        await client.breakpoints({"line": shop.line("price")})
        await client.begin()
        local, memo = await client.scope("Locals"), await client.scope("Memo")
        for reference, name, value, words in [
            (local, "amount", "3", "amount cannot be set: each replay makes it anew. Set the result of the step"),
            (local, "nothing", "3", "there is no 'nothing' there"),
            (memo, "rank", "3", "rank cannot be set"),
            (memo, "result", "amount + 1", "'amount \\+ 1' is neither JSON nor a Python literal"),
            (memo, "result", "1e999", "inf"),
            (memo, "result", "{1: 2}", "key"),
            (await client.scope("Run"), "history", "nowhere", "there is no history 'nowhere'"),
        ]:
            with pytest.raises(Failed, match=words):
                await client.ask("setVariable", variablesReference=reference, name=name, value=value)
            assert (await client.rows(local))["amount"]["value"] == "0"
        assert (await client.ask("setVariable", variablesReference=memo, name="result", value="{'a': (1, True)}"))[
            "value"
        ] == "{'a': [1, True]}"


async def test_commands_are_carried_out_in_the_console() -> None:
    async with talking() as client:
        await started(client)

        async def say(words: str) -> str:
            text: str = (await client.ask("evaluate", expression=words, context="repl"))["result"]
            return text

        assert "/last_change" in await say("/help")
        assert "stop 1 · run to" in await say("/run_to load")
        assert (await client.until("stopped"))["description"].startswith("stop 1:")
        assert "stop 1 · edited · history 'what if 1'" in await say('/replace load {"lines": []}')
        await client.until("invalidated")
        assert "> what if 1 from 'recorded': load replaced" in await say("/histories")
        assert "! no step of this run has the id or the hash 'x'" in await say("/replace x 1")
        with pytest.raises(Failed, match="there is no command 'fly'"):
            await say("/fly")
        assert "1: pay" in await say("/break pay")
        assert (await client.go("continue"))["reason"] == "breakpoint"
        # What the console clears the client may clear once more.
        await client.breakpoints({"line": shop.line("pay")})
        assert "cleared" in await say("/clear")
        await client.breakpoints()


@pytest.mark.parametrize("loop", LOOPS)
async def test_past_the_record_results_are_set_or_a_step_is_run_for_real(loop: str) -> None:
    unfinished = replace(recording(), steps=(), defers=(), status="running", output=None)
    async with talking(opens(found=(unfinished, shop.app)), loop=loop) as client:
        await client.launched(live=True)
        await client.begin()
        stopped = await client.go("continue")
        assert (stopped["reason"], stopped["description"]) == (
            "frontier",
            "stop 1: step.run 'load' load('o1') (no result yet: the frontier)",
        )
        assert (await client.rows(await client.scope("Memo")))["result"]["value"] == "none yet: this is the frontier; set it to go on"
        assert "history 'live 1'" in (await client.ask("evaluate", expression="/live", context="repl"))["result"]
        await client.until("invalidated")
        assert (await client.rows(await client.scope("Memo")))["how"]["value"] == "live"
        stopped = await client.go("continue")
        assert stopped["description"] == "stop 3: step.run 'price' price_of('tea') (no result yet: the frontier)"
        assert (await client.ask("setVariable", variablesReference=await client.scope("Memo"), name="result", value="7"))["value"] == "7"
        await client.until("invalidated")
        await client.go("next")
        assert (await client.ask("evaluate", expression="amount", frameId=(await client.stack())[0]["id"]))["result"] == "7"
    async with talking(opens(found=(unfinished, shop.app))) as client:
        await started(client)
        assert "! nothing is run for real unless" in (await client.ask("evaluate", expression="/live", context="repl"))["result"]


# Goto, restart, the end.


@pytest.mark.parametrize("loop", LOOPS)
async def test_one_goes_to_a_line_forwards_and_backwards(loop: str) -> None:
    async with talking(loop=loop) as client:
        await started(client)
        told = (await client.ask("gotoTargets", source={"path": shop.FILE}, line=shop.line("price") - 1))["targets"]
        assert [one["id"] for one in told] == [3, 4, 5, 9, 11]
        assert told[1] == {"id": 4, "label": "stop 4: step.run price", "line": shop.line("price")}
        stopped = await client.go("goto", targetId=5)
        assert (stopped["reason"], stopped["description"]) == ("goto", "stop 5: step.run 'price' price_of('cup') → 9")
        assert (await client.go("goto", targetId=4))["description"] == "stop 4: step.run 'price' price_of('tea') → 4"
        with pytest.raises(Failed, match="there is no stop 99: the last one is 15"):
            await client.ask("goto", threadId=1, targetId=99)
        assert (await client.ask("gotoTargets", source={"path": shop.FILE}, line=2))["targets"] == []
        frames = await client.stack()
        stopped = await client.go("restartFrame", frameId=frames[0]["id"])
        assert stopped["description"].startswith("stop 3:")
        stopped = await client.go("restartFrame", frameId=(await client.stack())[1]["id"])
        assert stopped["description"].startswith("stop 1:")


async def test_the_session_ends_at_once_where_that_is_wanted() -> None:
    async with talking() as client:
        await client.launched(stopOnEntry=False, stopAtEnd=False)
        await client.ask("configurationDone")
        assert await client.until("exited") == {"exitCode": 0}
        await client.until("terminated")
        assert all(one["event"] != "stopped" for one in client.events)
        with pytest.raises(Failed, match="not now: the session has ended"):
            await client.ask("next", threadId=1)
        await client.ask("disconnect")


async def test_without_debugging_it_runs_to_its_end() -> None:
    async with talking() as client:
        await client.launched(noDebug=True)
        await client.breakpoints({"line": shop.line("load")})
        await client.ask("configurationDone")
        await client.until("terminated")
        assert "pricing cup\n" in client.output("stdout")


async def test_to_terminate_ends_it_and_an_attached_client_may_end_the_process() -> None:
    async with talking() as client:
        await started(client)
        await client.ask("terminate")
        await client.until("terminated")
        await client.ask("disconnect")
    assert client.ended is False
    for arguments, ends in [({}, False), ({"terminateDebuggee": True}, True)]:
        async with talking() as client:
            await client.ask("initialize", adapterID="x")
            await client.ask("attach")
            await client.begin()
            assert next(one["body"]["startMethod"] for one in client.events if one["event"] == "process") == "attach"
            await client.ask("disconnect", **arguments)
        assert client.ended is ends


async def test_lines_are_counted_as_the_client_counts() -> None:
    async with talking() as client:
        await client.ask("initialize", adapterID="x", linesStartAt1=False, columnsStartAt1=False)
        await client.ask("launch", stopOnEntry=False)
        [told] = await client.breakpoints({"line": shop.line("pay") - 1})
        assert told["line"] == shop.line("pay") - 1
        stopped = await client.begin()
        assert stopped["hitBreakpointIds"] == [told["id"]]
        [frame] = await client.stack()
        assert (frame["line"], frame["endLine"], frame["column"]) == (shop.line("pay") - 1, shop.line("pay") - 1, 0)
        # And a client that knows no `invalidated` hears `stopped`.
        await client.ask("setVariable", variablesReference=await client.scope("Memo"), name="result", value="1")
        assert (await client.until("stopped"))["text"] == "what if; history 'what if 1'"


async def test_the_source_is_given_as_it_was_loaded() -> None:
    async with talking() as client:
        await started(client)
        told = await client.ask("source", source={"path": shop.FILE}, sourceReference=0)
        assert told["content"].startswith('"""What the tests')
        with pytest.raises(Failed, match="there is no such source here"):
            await client.ask("source", source={"path": "nowhere.py"}, sourceReference=0)
