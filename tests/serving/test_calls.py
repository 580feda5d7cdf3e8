"""What a call is answered: execution and planning, failures and their headers, defers on every path, checkpoints and their fallbacks.

Letters and numbers in brackets name the facts in the protocol notes.
"""

import logging
from collections.abc import Callable
from typing import Any, TypedDict

import anyio
import orjson
import pytest

import inngest_gen as ig
from inngest_gen.ids import step_hash
from tests.serving.rig import RUN_ID, Rig, names, ops, retry, stale

H = step_hash
BUFFERED = ig.Checkpointing(buffered_steps=2)


def app_with(handler: Callable[[ig.Context], ig.Flow], *, checkpointing: bool | ig.Checkpointing = True, **options: Any) -> ig.App:
    app = ig.App("shop", dev=True, retries=2, checkpointing=checkpointing)
    app.deferred("note")(note)
    app.function("f", trigger="go", **options)(handler)
    return app


async def note(ctx: ig.DeferContext[Any]) -> ig.Flow:
    yield ig.Done({"data": dict(ctx.data), "parent": ctx.parents[0].run_id, "experiment": ctx.parents[0].experiment})


def rig(handler: Callable[[ig.Context], ig.Flow], *, verdict: Callable[[dict[str, Any]], bool] = lambda _: True, **options: Any) -> Rig:
    return Rig(app_with(handler, **options), verdict)


class Named:
    """Stands for the deferred function: what a defer needs of one."""

    deferred_slug = "shop-note"
    schema = None


NOTE: Any = Named()


class Typed(TypedDict):
    n: int


def defer(ctx: ig.Context, id: str, **data: Any) -> Any:
    return ctx.defer(id, NOTE, data)


def fails(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


class TestExecuteOrPlan:
    async def abc(self, ctx: ig.Context) -> ig.Flow:
        a, b = yield ctx.group.parallel(ctx.step.run("a", lambda: 1), ctx.step.run("b", lambda: 2))
        yield ig.Done([a, b, (yield ctx.step.run("c", lambda: a + b))])

    async def test_a_single_step_is_run_at_once(self) -> None:
        async def one(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("a", lambda: {"x": 1})))

        reply = await rig(one, checkpointing=False).call()
        [op] = ops(reply)
        assert (op["op"], op["id"], op["data"], op["opts"], op["userland"]) == ("StepRun", H("a"), {"x": 1}, {}, {"id": "a"})
        assert retry(reply) == (None, None)  # D09

    async def test_several_are_planned_and_none_is_run(self) -> None:
        reply = await rig(self.abc).call()
        assert names(reply) == [("StepPlanned", "a"), ("StepPlanned", "b")]

    async def test_planned_ones_are_reported_again_until_they_are_done(self) -> None:  # C65
        reply = await rig(self.abc).call(steps={H("b"): {"data": 2}}, plan=True)
        assert names(reply) == [("StepPlanned", "a")]

    async def test_nothing_is_run_where_the_server_says_so(self) -> None:  # C63
        reply = await rig(self.abc).call(steps={H("a"): {"data": 1}, H("b"): {"data": 2}}, plan=True)
        assert names(reply) == [("StepPlanned", "c")]

    async def test_only_the_target_is_run(self) -> None:  # C64
        ran: list[str] = []

        async def two(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(ctx.step.run("a", ran.append, "a"), ctx.step.run("b", ran.append, "b"))

        played = rig(two)
        reply = await played.call(step=H("b"), plan=True)
        assert names(reply) == [("StepRun", "b")]
        assert ran == ["b"]
        assert not played.api.checkpoints  # F01

    async def test_a_target_that_does_not_come_up_is_told_with_what_did(self) -> None:  # C75
        reply = await rig(self.abc).call(step=H("gone"), plan=True)
        assert reply.status == 500
        assert retry(reply) == ("false", None)
        body = orjson.loads(reply.body)
        assert (body["requestedStep"], body["totalFoundSteps"]) == (H("gone"), 2)
        assert {one["id"] for one in body["foundSteps"]} == {H("a"), H("b")}

    async def test_steps_of_a_race_say_so(self) -> None:  # C49
        async def race(ctx: ig.Context) -> ig.Flow:
            async def leg() -> ig.Flow:
                yield ctx.group.parallel(ctx.step.run("x", int), ctx.step.sleep("y", 5))

            yield ctx.group.race(ctx.step.run("a", int), ctx.step.sleep("b", "10s"), leg())

        wire = ops(await rig(race).call())
        assert [op["opts"].get("parallelMode") for op in wire] == ["race"] * 4

        async def calm(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(ctx.step.run("a", int), ctx.step.sleep("b", "10s"))

        assert [op["opts"] for op in ops(await rig(calm).call())] == [{}, {}]

    async def test_the_recorded_order_decides_a_race(self) -> None:  # C59, C67
        async def race(ctx: ig.Context) -> ig.Flow:
            winner = yield ctx.group.race(ctx.step.run("a", int), ctx.step.run("b", int))
            yield ig.Done(winner.key)

        steps = {H("a"): {"data": "A"}, H("b"): {"data": "B"}}
        assert orjson.loads((await rig(race, checkpointing=False).call(steps=steps, stack=[H("b"), H("a")])).body) == 1
        assert orjson.loads((await rig(race, checkpointing=False).call(steps=steps, stack=[H("a"), H("b")])).body) == 0

    async def test_replaced_inputs_are_what_the_body_gets(self) -> None:  # C53
        async def one(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("a", lambda *args: list(args), "own")))

        [op] = ops(await rig(one, checkpointing=False).call(steps={H("a"): {"input": ["theirs", 2]}}, stack=[]))
        assert (op["data"], op["opts"]) == (["theirs", 2], {"input": ["theirs", 2]})

    async def test_every_kind_of_step_has_its_opcode(self) -> None:
        async def all_kinds(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(
                ctx.step.sleep("nap", 0.2),
                ctx.step.sleep_until("until", "2030-01-01T00:00:00Z"),
                ctx.step.wait_for_event("wait", "paid", match="data.id", timeout="3d"),
                ctx.step.wait_for_signal("signal", "s", timeout="1h"),
                ctx.step.invoke("call", "other", {"x": 1}, timeout="5m"),
                ctx.step.fetch("get", "https://example.com"),
                ctx.step.ai.infer("ask", ig.Model.openai("m", "key"), {"messages": []}),
                ctx.step.send_event("send", ig.Event("x")),
                ctx.step.send_signal("tell", "s"),
            )

        reply = await rig(all_kinds).call()
        assert [op["op"] for op in ops(reply)] == [
            "Sleep", "Sleep", "WaitForEvent", "WaitForSignal", "InvokeFunction", "Gateway", "AIGateway", "StepPlanned", "StepPlanned",
        ]  # fmt: skip

    async def test_what_cannot_be_sent_fails_that_step(self) -> None:
        async def bad(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.parallel(ctx.step.invoke("call", "other", {"x": object()}), ctx.step.sleep("nap", 1))

        wire = ops(await rig(bad).call())
        assert [op["op"] for op in wire] == ["StepFailed", "Sleep"]
        assert wire[0]["error"]["name"] == "NotJSON"


class TestBranchesApart:
    """Where one branch may go on while others wait, the server calls at the end of each step: to each place one of these calls is due."""

    async def legs(self, ctx: ig.Context) -> ig.Flow:
        async def leg(name: str) -> ig.Flow:
            yield ctx.step.run(f"{name}1", str)
            yield ctx.step.run(f"{name}2", str)

        yield ctx.group.parallel(leg("a"), leg("b"), ctx.step.run("c", str))
        yield ctx.step.run("after", str)
        yield ig.Done("end")

    async def race(self, ctx: ig.Context) -> ig.Flow:
        yield ctx.group.race(ctx.step.run("quick", str), ctx.step.run("slow", str), ctx.step.wait_for_event("wait", "e", timeout="1d"))
        yield ctx.step.run("after", str)
        yield ctx.step.sleep("nap", 5)
        yield ig.Done("end")

    def done(self, *ids: str) -> dict[str, Any]:
        return {H(id): {"data": ""} for id in ids}

    async def test_each_step_of_a_sub_flow_lets_its_branch_go_on(self) -> None:
        reply = await rig(self.legs).call()
        assert [(op["name"], op["opts"].get("parallelMode")) for op in ops(reply)] == [("a1", "race"), ("b1", "race"), ("c", "race")]
        reply = await rig(self.legs).call(steps=self.done("a1"), trigger=H("a1"))
        assert names(reply) == [("StepPlanned", "b1"), ("StepPlanned", "c"), ("StepPlanned", "a2")]

    async def test_a_call_that_others_have_overtaken_plans_only_what_it_led_to(self) -> None:
        record = self.done("a1", "b1")
        assert names(await rig(self.legs).call(steps=record, trigger=H("a1"))) == [("StepPlanned", "a2")]
        assert names(await rig(self.legs).call(steps=record, trigger=H("b1"))) == [("StepPlanned", name) for name in ("c", "a2", "b2")]

    async def test_one_call_goes_on_after_the_group(self) -> None:
        record = self.done("a1", "b1", "a2", "c", "b2")
        for trigger in ("a1", "b1", "a2", "c"):
            assert names(await rig(self.legs).call(steps=record, trigger=H(trigger))) == [("None", None)]
        played = rig(self.legs)
        assert names(await played.call(steps=record, trigger=H("b2"))) == [("RunComplete", None)]
        assert played.api.told == [[("StepRun", "after")]]

    async def test_what_comes_after_an_undecided_race_does_not_wait_for_its_losers(self) -> None:
        [op] = ops(await rig(self.race, checkpointing=False).call(steps=self.done("quick"), trigger=H("quick")))
        assert (op["op"], op["name"], op["opts"]) == ("StepRun", "after", {"parallelMode": "race"})
        [op] = ops(await rig(self.race).call(steps=self.done("quick", "after"), trigger=H("after")))
        assert (op["op"], op["opts"]) == ("Sleep", {"parallelMode": "race"})

    @pytest.mark.parametrize("record", [["quick", "slow"], ["quick", "after", "slow"], ["quick", "after", "slow", "nap"]])
    async def test_the_end_of_a_loser_leads_to_nothing(self, record: list[str]) -> None:
        played = rig(self.race)
        assert names(await played.call(steps=self.done(*record), trigger=H("slow"))) == [("None", None)]
        assert not played.api.checkpoints

    async def test_a_loser_that_was_planned_is_not_run_any_more(self) -> None:
        ran: list[str] = []

        async def race(ctx: ig.Context) -> ig.Flow:
            yield ctx.group.race(ctx.step.run("quick", str), ctx.step.run("slow", ran.append, "slow"))
            yield ctx.step.run("after", str)

        assert names(await rig(race).call(steps=self.done("quick"), step=H("slow"), plan=True)) == [("None", None)]
        assert names(await rig(race).call(steps=self.done("quick", "after"), step=H("slow"), plan=True)) == [
            ("None", None)
        ]  # the handler has ended
        assert ran == []

    async def test_a_target_that_has_a_result_leads_to_what_is_next(self) -> None:
        [op] = ops(await rig(self.race).call(steps=self.done("quick"), step=H("quick"), plan=True))
        assert (op["op"], op["opts"]) == ("DiscoveryRequest", {"parallelMode": "race"})

    async def test_a_repeated_call_goes_on_after_the_steps_that_it_had_told(self) -> None:
        record = self.done("quick", "after")
        [op] = ops(await rig(self.race).call(steps=record, trigger=H("quick"), attempt=1))
        assert (op["op"], op["name"]) == ("Sleep", "5s")
        record = self.done("quick", "after", "nap")
        assert names(await rig(self.race).call(steps=record, trigger=H("quick"), attempt=1)) == [("RunComplete", None)]

    async def test_a_call_of_which_nobody_says_what_led_to_it_plans(self) -> None:
        assert names(await rig(self.race).call(steps=self.done("quick"))) == [("StepPlanned", "after")]

    async def test_the_step_after_a_wait_is_planned(self) -> None:
        """Were it to fail for good, the server would not call again: the call at the end of a wait is not known to be a branch's."""
        record = {H("wait"): {"name": "e", "data": {}}}
        assert names(await rig(self.race).call(steps=record, trigger=H("wait"))) == [("StepPlanned", "after")]

    async def test_a_branch_that_once_failed_by_itself_is_not_forgotten(self) -> None:
        """Its step comes up only in a later call, one that another step led to."""

        async def flaky(ctx: ig.Context) -> ig.Flow:
            async def leg() -> ig.Flow:
                yield ctx.step.run("a1", str)
                yield ctx.step.run("a2", str)

            yield ctx.group.parallel(leg(), ctx.step.run("b", str))

        assert names(await rig(flaky).call(steps=self.done("a1", "b"), trigger=H("b"))) == [("StepPlanned", "a2")]


class TestFailures:
    @pytest.mark.parametrize("checkpointing", [True, False])
    @pytest.mark.parametrize(
        ("error", "attempt", "op", "says"),
        [
            (ValueError("x"), 0, "StepError", ("false", None)),
            (ValueError("x"), 2, "StepFailed", ("true", None)),  # D07
            (ig.NonRetriableError("x"), 0, "StepFailed", ("true", None)),  # D04
            (ig.RetryAfterError("x", "10m"), 0, "StepError", ("false", "600")),  # D05
            (ig.RetryAfterError("x", 1.5), 1, "StepError", ("false", "2")),  # D08a
            (ig.RetryAfterError("x", "10m"), 2, "StepFailed", ("true", None)),
        ],
    )
    async def test_a_steps_failure_says_whether_and_when_to_try_again(
        self, error: Exception, attempt: int, op: str, says: Any, checkpointing: bool
    ) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", fails(error))

        reply = await rig(f, checkpointing=checkpointing).call(attempt=attempt)
        [wire] = ops(reply)
        assert (wire["op"], wire["error"]["name"], wire["error"]["message"]) == (op, type(error).__name__, "x")
        assert retry(reply) == says
        assert "inngest_gen" not in wire["error"]["stack"].replace("inngest_gen.errors.", "")

    @pytest.mark.parametrize(
        ("error", "attempt", "status", "says"),
        [
            (ValueError("x"), 0, 500, ("false", None)),  # D02
            (ValueError("x"), 2, 400, ("true", None)),
            (ig.NonRetriableError("x"), 0, 400, ("true", None)),  # D03
            (ig.RetryAfterError("x", 1.5), 0, 500, ("false", "2")),  # D06
        ],
    )
    async def test_a_handlers_failure_likewise(self, error: Exception, attempt: int, status: int, says: Any) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            raise error
            yield

        reply = await rig(f).call(attempt=attempt)
        assert (reply.status, retry(reply)) == (status, says)
        assert orjson.loads(reply.body)["name"] == type(error).__name__

    async def test_without_max_attempts_no_attempt_is_the_last(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            raise ValueError("x")
            yield

        assert (await rig(f).call(attempt=99, max_attempts=None)).status == 500

    async def test_a_recorded_error_that_leaves_the_handler_is_final_and_a_new_one_is_not(self) -> None:  # D08
        async def unchanged(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", int)

        async def changed(ctx: ig.Context) -> ig.Flow:
            try:
                yield ctx.step.run("a", int)
            except ig.StepError as error:
                raise RuntimeError("changed") from error

        steps = {H("a"): {"error": {"name": "ValueError", "message": "x"}}}
        assert (await rig(unchanged).call(steps=steps)).status == 400
        reply = await rig(changed).call(steps=steps)
        assert (reply.status, orjson.loads(reply.body)["name"]) == (500, "RuntimeError")

    async def test_a_result_that_is_no_json_fails_the_run_for_good(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(object())

        reply = await rig(f).call()
        assert (reply.status, orjson.loads(reply.body)["name"]) == (400, "NotJSON")

    async def test_a_handler_that_cannot_be_begun_fails_for_good(self) -> None:
        app = app_with(note)

        @app.function("wrong")
        async def wrong() -> None: ...

        reply = await Rig(app).call("wrong")
        assert (reply.status, retry(reply)) == (400, ("true", None))


class TestDefers:
    """Nothing that was deferred is lost, whichever way a request ends (A10 to A23, A22 a-d, L08, L11 to L13)."""

    async def test_with_the_end_of_the_run(self) -> None:  # A10, A11, C44
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d", n=1)
            yield ig.Done("p")

        for checkpointing in (True, False):
            wire = ops(await rig(f, checkpointing=checkpointing).call())
            assert wire == [
                {"id": H("d"), "op": "DeferAdd", "name": "d", "displayName": "d", "opts": {"fn_slug": "shop-note", "input": {"n": 1}},
                 "userland": {"id": "d"}, "data": None},
                {"op": "RunComplete", "id": "0737c22d3bfae812339732d14d8c7dbd6dc4e09c", "data": "p"},
            ]  # fmt: skip

    async def test_with_planned_steps(self) -> None:  # A13
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d")
            yield ctx.step.sleep("nap", "1s")

        played = rig(f)
        assert names(await played.call()) == [("Sleep", "1s"), ("DeferAdd", "d")]
        assert not played.api.checkpoints

    @pytest.mark.parametrize("checkpointing", [True, False])
    @pytest.mark.parametrize(
        ("error", "attempt", "op", "says"),
        [
            (ValueError("x"), 0, "StepError", ("false", None)),
            (ig.RetryAfterError("x", 1), 0, "StepError", ("false", "1")),  # L11
            (ValueError("x"), 2, "StepFailed", ("true", None)),
            (ig.NonRetriableError("x"), 0, "StepFailed", ("true", None)),
        ],
    )
    async def test_of_a_body_that_fails(self, error: Exception, attempt: int, op: str, says: Any, checkpointing: bool) -> None:  # A15, A22c
        async def f(ctx: ig.Context) -> ig.Flow:
            def body() -> None:
                defer(ctx, "in body").submit()
                raise error

            yield defer(ctx, "before")
            yield ctx.step.run("a", body)

        reply = await rig(f, checkpointing=checkpointing).call(attempt=attempt)
        assert names(reply) == [(op, "a"), ("DeferAdd", "before"), ("DeferAdd", "in body")]
        assert retry(reply) == says

    async def test_of_a_body_that_succeeds_in_a_later_attempt(self) -> None:  # A22b, F18
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", lambda: defer(ctx, "in body").submit() and None)
            yield ctx.step.run("b", int)

        played = rig(f)
        assert names(await played.call(attempt=1)) == [("StepRun", "a"), ("DeferAdd", "in body")]
        assert not played.api.checkpoints

    async def test_beyond_the_limit_are_not_sent_by_a_replay_either(self) -> None:  # B02
        async def f(ctx: ig.Context) -> ig.Flow:
            for n in range(22):
                yield defer(ctx, f"d{n}")
            yield ctx.step.run("a", int)
            yield ctx.step.run("b", int)

        played = rig(f, checkpointing=False)
        assert names(await played.call()) == [("StepRun", "a"), *(("DeferAdd", f"d{n}") for n in range(20))]
        known = {H(f"d{n}"): True for n in range(20)}
        assert names(await played.call(steps={H("a"): {"data": 0}}, defers=known)) == [("StepRun", "b")]

    async def test_of_a_handler_that_fails_go_ahead_in_a_checkpoint(self) -> None:  # A21, L12a
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d")
            raise ig.RetryAfterError("x", 1)

        played = rig(f)
        reply = await played.call()
        assert (reply.status, retry(reply)) == (500, ("false", "1"))
        assert played.api.told == [[("DeferAdd", "d")]]

    async def test_of_a_handler_that_fails_go_alone_where_there_is_no_checkpoint_and_the_next_call_fails(self) -> None:  # L12b
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d")
            raise ig.RetryAfterError("x", 1)

        for played in (rig(f, checkpointing=False), rig(f, verdict=lambda _: False)):  # A22a
            reply = await played.call()
            assert (names(reply), retry(reply)) == ([("DeferAdd", "d")], (None, None))
            reply = await played.call(defers={H("d"): True})
            assert (reply.status, retry(reply)) == (500, ("false", "1"))

    async def test_several_alone_ask_for_one_call_and_not_for_one_each(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d")
            yield defer(ctx, "e")
            raise ValueError("x")

        assert names(await rig(f, checkpointing=False).call()) == [("DeferAdd", "d"), ("DeferAdd", "e"), ("DiscoveryRequest", None)]

    async def test_that_the_server_has_are_not_sent_again(self) -> None:  # A33, A34
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d")
            yield ctx.step.sleep("nap", 1)

        assert names(await rig(f).call(defers={H("d"): True})) == [("Sleep", "1s")]

    async def test_taken_back_before_they_were_sent_leave_no_trace(self) -> None:  # A35, A46
        async def f(ctx: ig.Context) -> ig.Flow:
            handle = yield defer(ctx, "d")
            yield handle.abort()

        assert names(await rig(f).call()) == [("RunComplete", None)]

    async def test_taken_back_after_they_were_sent_are_aborted(self) -> None:  # A03, A41
        async def f(ctx: ig.Context) -> ig.Flow:
            handle = yield defer(ctx, "foo")
            yield ctx.step.run("between", int)
            yield handle.abort()

        played = rig(f)
        reply = await played.call()
        assert played.api.told == [[("StepRun", "between"), ("DeferAdd", "foo")]]
        wire = ops(reply)
        assert [op["op"] for op in wire] == ["DeferAbort", "RunComplete"]
        assert wire[0]["id"] == "be3f1d00dd44d7041469f6ad044b4d520b514d06"  # A04

    async def test_taken_back_while_they_wait_for_a_message_leave_no_trace(self) -> None:  # A46
        async def f(ctx: ig.Context) -> ig.Flow:
            handle = yield defer(ctx, "d")
            yield ctx.step.run("a", int)
            yield handle.abort()
            yield ctx.step.run("b", int)

        played = rig(f, checkpointing=BUFFERED)
        assert names(await played.call()) == [("RunComplete", None)]
        assert played.api.told == [[("StepRun", "a"), ("StepRun", "b")]]

    @pytest.mark.parametrize("checkpointing", [True, False])
    async def test_taken_back_by_a_body_before_they_were_sent_go_ahead_of_their_abort(self, checkpointing: bool) -> None:  # A46
        ran: list[str] = []

        async def f(ctx: ig.Context) -> ig.Flow:
            handle = yield defer(ctx, "d")

            def body() -> None:
                ran.append("a")
                handle.abort().submit()

            yield ctx.step.run("a", body)
            yield ctx.step.sleep("nap", 1)

        played = rig(f, checkpointing=checkpointing)
        reply = await played.call()
        assert played.api.told[0] == [("DeferAdd", "d")]
        if checkpointing:
            assert (played.api.told[1:], names(reply)) == ([[("StepRun", "a"), ("DeferAbort", "d")]], [("Sleep", "1s")])
        else:
            assert names(reply) == [("StepRun", "a"), ("DeferAbort", "d")]
        # Where the checkpoint is refused they go alone, and the body runs again.
        refusing = rig(f, checkpointing=checkpointing, verdict=lambda _: False)
        assert names(await refusing.call()) == [("DeferAdd", "d")]
        assert names(await refusing.call(defers={H("d"): True})) == [("StepRun", "a"), ("DeferAbort", "d")]
        assert ran == ["a", "a", "a"]

    async def test_of_a_refused_checkpoint_come_with_the_reply(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d")
            yield ctx.step.run("a", lambda: defer(ctx, "in body").submit() and None)
            raise AssertionError("not reached")

        assert names(await rig(f, verdict=lambda _: False).call()) == [("StepRun", "a"), ("DeferAdd", "d"), ("DeferAdd", "in body")]

    async def test_that_come_up_in_a_targeted_call_go_with_its_reply(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "d")
            yield ctx.group.parallel(ctx.step.run("a", int), ctx.step.run("b", int))

        assert names(await rig(f).call(step=H("a"), plan=True)) == [("StepRun", "a"), ("DeferAdd", "d")]

    async def test_carry_meta_and_experiment(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.defer("d", NOTE, {"n": 1}, meta={"k": "v"}, experiment={"name": "e", "variant": "a"})

        [op, _] = ops(await rig(f).call())
        assert op["opts"] == {
            "fn_slug": "shop-note", "input": {"n": 1, "_inngestExperiment": {"name": "e", "variant": "a"}}, "meta": {"k": "v"},
        }  # fmt: skip


class TestCheckpoints:
    async def four(self, ctx: ig.Context) -> ig.Flow:
        for id in "abcd":
            yield ctx.step.run(id, lambda id=id: id)
        yield ig.Done("end")

    async def test_steps_are_told_while_the_handler_goes_on(self) -> None:  # F07, A12
        played = rig(self.four)
        assert names(await played.call()) == [("RunComplete", None)]
        assert played.api.told == [[("StepRun", id)] for id in "abcd"]
        first = played.api.checkpoints[0]
        assert (first["qi_id"], first["request_id"], first["fn_id"]) == ("qi", "req", "1939b197-13a5-5215-9881-2cf22482353e")

    async def test_in_batches(self) -> None:
        played = rig(self.four, checkpointing=BUFFERED)
        assert names(await played.call()) == [("RunComplete", None)]
        assert played.api.told == [[("StepRun", "a"), ("StepRun", "b")], [("StepRun", "c"), ("StepRun", "d")]]

    async def test_what_is_below_a_batch_goes_with_the_end(self) -> None:  # F06
        played = rig(self.four, checkpointing=ig.Checkpointing(buffered_steps=5))
        assert names(await played.call()) == [*[("StepRun", id) for id in "abcd"], ("RunComplete", None)]
        assert not played.api.checkpoints

    async def test_a_result_has_passed_json_when_the_handler_gets_it(self) -> None:  # F19
        async def f(ctx: ig.Context) -> ig.Flow:
            got = yield ctx.step.run("a", lambda: {"t": (1, 2.0)})
            yield ig.Done(repr(got))

        [op] = ops(await rig(f).call())
        assert op["data"] == "{'t': [1, 2]}"

    @pytest.mark.parametrize("taken", [True, False])
    async def test_before_planned_steps(self, taken: bool) -> None:  # F08, F09
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", int)
            yield ctx.group.parallel(ctx.step.run("b", int), ctx.step.run("c", int))

        played = rig(f, checkpointing=BUFFERED, verdict=lambda _: taken)
        reply = await played.call()
        assert names(reply) == ([("StepPlanned", "b"), ("StepPlanned", "c")] if taken else [("StepRun", "a")])
        assert played.api.told == ([[("StepRun", "a")]] if taken else [])

    @pytest.mark.parametrize("taken", [True, False])
    async def test_before_a_failed_step(self, taken: bool) -> None:  # F09, L13
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", int)
            yield ctx.step.run("b", fails(ig.NonRetriableError("x")))

        played = rig(f, checkpointing=BUFFERED, verdict=lambda _: taken)
        reply = await played.call()
        assert names(reply) == ([("StepFailed", "b")] if taken else [("StepRun", "a")])
        assert retry(reply) == (("true", None) if taken else (None, None))

    @pytest.mark.parametrize("taken", [True, False])
    async def test_before_a_handlers_failure(self, taken: bool) -> None:  # F11
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", int)
            raise ValueError("x")

        played = rig(f, checkpointing=BUFFERED, verdict=lambda _: taken)
        reply = await played.call()
        if taken:
            assert reply.status == 500
            assert played.api.told == [[("StepRun", "a")]]
        else:
            assert names(reply) == [("StepRun", "a")]

    async def test_a_full_batch_that_is_not_taken_is_all_in_the_reply(self) -> None:  # F10
        assert names(await rig(self.four, checkpointing=BUFFERED, verdict=lambda _: False).call()) == [("StepRun", "a"), ("StepRun", "b")]

    async def test_a_stale_call_stops_at_once_and_says_what_it_had_not_sent(self, caplog: pytest.LogCaptureFixture) -> None:  # F13
        ran: list[str] = []

        async def f(ctx: ig.Context) -> ig.Flow:
            yield defer(ctx, "gone")
            yield ctx.step.run("a", ran.append, "a")
            yield ctx.step.run("b", ran.append, "b")

        reply = await rig(f, verdict=stale).call()
        [op] = ops(reply)
        assert (op["op"], bool(op["id"]), retry(reply)) == ("None", True, (None, None))  # the server acts on it all the same
        assert ran == ["a"]
        assert f"defer 'gone' of run {RUN_ID} is dropped" in caplog.text

    async def test_the_next_new_step_goes_back_to_the_server_once_time_is_up(self) -> None:  # F17, K06
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", lambda: played.clock.advance_to(played.clock.now() + 11))
            yield ctx.step.run("b", int)

        played = rig(f)
        assert names(await played.call()) == [("StepPlanned", "b")]
        assert played.api.told == [[("StepRun", "a")]]

    async def test_time_that_is_up_after_the_last_step_changes_nothing(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", lambda: played.clock.advance_to(played.clock.now() + 11))
            yield ig.Done(1)

        played = rig(f)
        assert names(await played.call()) == [("RunComplete", None)]

    async def test_at_intervals_while_a_body_runs(self) -> None:  # F20
        told = anyio.Event()

        def verdict(_: dict[str, Any]) -> bool:
            told.set()
            return True

        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", int)
            yield ctx.step.run("b", told.wait)

        played = rig(f, checkpointing=ig.Checkpointing(buffered_steps=9, max_interval=0.01), verdict=verdict)
        with anyio.fail_after(10):
            assert names(await played.call()) == [("StepRun", "b"), ("RunComplete", None)]
        assert played.api.told == [[("StepRun", "a")]]

    async def test_a_stale_call_is_stopped_within_a_body(self, caplog: pytest.LogCaptureFixture) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", int)
            yield ctx.step.run("b", anyio.sleep_forever)

        played = rig(f, checkpointing=ig.Checkpointing(buffered_steps=9, max_interval=0.01), verdict=stale)
        with anyio.fail_after(10):
            assert [op["op"] for op in ops(await played.call())] == ["None"]

    @pytest.mark.parametrize("catches", [False, True])
    async def test_a_call_that_is_stale_as_its_last_step_ends_says_nothing_of_its_result(self, catches: bool) -> None:
        told = anyio.Event()

        def verdict(body: dict[str, Any]) -> bool:
            if not catches:
                told.set()  # the body goes on before it can be cancelled
            return stale(body)

        async def body() -> None:
            try:
                await told.wait()
            except BaseException:
                assert catches

        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", int)
            yield ctx.step.run("b", body)
            yield ig.Done("stale")

        played = rig(f, checkpointing=ig.Checkpointing(buffered_steps=9, max_interval=0.01), verdict=verdict)
        with anyio.fail_after(10):
            assert [op["op"] for op in ops(await played.call())] == ["None"]

    async def test_a_step_in_which_the_clock_is_set_back_took_no_time(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("a", setattr, played.clock, "_now", played.clock.now() - 5)

        played = rig(f, checkpointing=False)
        [op] = ops(await played.call())
        assert (op["op"], op["timing"]["b"]) == ("StepRun", 0)

    async def test_a_thousand_steps_are_one_call(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            total = 0
            for n in range(1000):
                total += yield ctx.step.run("n", lambda n=n: n)
            yield ig.Done(total)

        played = rig(f)
        [op] = ops(await played.call())
        assert op["data"] == sum(range(1000))
        assert len(played.api.checkpoints) == 1000


class TestWhatHandlersGet:
    async def test_a_deferred_function_gets_its_data_and_its_parent(self) -> None:  # A72, A73
        data = {
            "n": 1, "_inngest": {"fn_slug": "shop-note", "parent_fn_slug": "shop-f", "parent_run_id": "R"},
            "_inngestExperiment": {"name": "e"},
        }  # fmt: skip
        reply = await Rig(app_with(note, checkpointing=False)).call("note", data=data)
        assert orjson.loads(reply.body) == {"data": {"n": 1}, "parent": "R", "experiment": {"name": "e"}}

    async def test_a_deferred_function_without_a_parent_is_refused(self) -> None:
        reply = await Rig(app_with(note)).call("note", data={"n": 1})
        assert reply.status == 400
        assert "names no parent run" in orjson.loads(reply.body)["message"]

    async def test_data_that_does_not_fit_fails_for_good(self) -> None:  # A55, A56, K09
        app = app_with(note)

        @app.deferred("typed", schema=Typed)
        async def typed(ctx: ig.DeferContext[Typed]) -> ig.Flow:
            raise AssertionError("not reached")
            yield

        data = {"n": "no number", "_inngest": {"parent_fn_slug": "shop-f", "parent_run_id": "R"}}
        reply = await Rig(app).call("typed", data=data)
        assert (reply.status, retry(reply)) == (400, ("true", None))
        assert "n" in orjson.loads(reply.body)["message"]

    async def test_a_failure_handler_gets_the_error(self) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done()

        async def on_failure(ctx: ig.Context) -> ig.Flow:
            assert ctx.error is not None
            yield ig.Done([ctx.error.name, ctx.error.message, ctx.data["run_id"]])

        played = rig(f, on_failure=on_failure, checkpointing=False)
        reply = await played.call("f-failure", data={"run_id": "R", "error": {"error": "x", "name": "ValueError", "message": "x"}})
        assert orjson.loads(reply.body) == ["ValueError", "x", "R"]

    async def test_log_lines_of_what_is_replayed_are_silent(self, caplog: pytest.LogCaptureFixture) -> None:  # C97
        caplog.set_level(logging.INFO)

        async def f(ctx: ig.Context) -> ig.Flow:
            ctx.logger.info("first")
            yield ctx.step.run("a", int)
            ctx.logger.info("second")

        await rig(f).call(steps={H("a"): {"data": 1}})
        assert [record.message for record in caplog.records if record.name == "inngest_gen.shop"] == ["second"]

    async def test_what_is_recorded_and_not_asked_for_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done(1)

        assert names(await rig(f).call(steps={H("a"): {"data": 1}})) == [("RunComplete", None)]
        assert "ended without asking for 1 recorded steps" in caplog.text
