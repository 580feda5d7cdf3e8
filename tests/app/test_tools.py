"""ctx.step and ctx.group make intents, do nothing else, and refuse wrong arguments on the spot."""

# mypy: disable-error-code="unused-awaitable"

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.app.tools import GroupTools, StepTools
from inngest_gen.intents.group import Parallel, Race
from inngest_gen.intents.step import Invoke, Run, SendEvent, SendSignal, Sleep, SleepUntil, Step, WaitForEvent, WaitForSignal

app = ig.App("shop")


@app.function("other")
async def other(ctx: ig.Context) -> ig.Flow:
    yield ig.Done()


async def flow() -> ig.Flow:
    yield ig.Done()


async def body(*args: Any, **kwargs: Any) -> int:
    return 1


made: list[Step[Any]] = []
step = StepTools(made, app.slug_of)
group = GroupTools()

MAKERS: dict[str, Callable[[Any], Step[Any]]] = {
    "run": lambda id: step.run(id, body),
    "sleep": lambda id: step.sleep(id, 1),
    "sleep_until": lambda id: step.sleep_until(id, "2030-01-01T00:00:00Z"),
    "wait_for_event": lambda id: step.wait_for_event(id, "a/b", timeout=1),
    "wait_for_signal": lambda id: step.wait_for_signal(id, "s", timeout=1),
    "send_signal": lambda id: step.send_signal(id, "s"),
    "send_event": lambda id: step.send_event(id, ig.Event("a/b")),
    "invoke": lambda id: step.invoke(id, other),
}


@pytest.fixture(autouse=True)
def _nothing_made() -> None:
    made.clear()


@pytest.mark.parametrize("maker", MAKERS)
class TestEveryStep:
    def test_it_knows_its_id_its_name_and_its_line(self, maker: str) -> None:
        make = MAKERS[maker]
        one = make("load")
        assert (one.id, one.name, one.hash) == ("load", "load", None)
        assert one.kind == f"step.{maker}"
        assert repr(one) == f"<step.{maker} 'load'>"
        assert one.made_at == f"{__file__}:{make.__code__.co_firstlineno}"
        named = make(ig.Id("load", name="Load it"))
        assert (named.id, named.name) == ("load", "Load it")
        assert made == [one, named]

    def test_an_empty_id_is_refused(self, maker: str) -> None:
        with pytest.raises(ig.MisuseError, match="an id must not be empty"):
            MAKERS[maker]("")
        assert not made

    @pytest.mark.parametrize("id", [None, 1, b"x", ["x"]])
    def test_an_id_that_is_no_string_is_refused(self, maker: str, id: object) -> None:
        with pytest.raises(ig.MisuseError, match=f"an id is a string or ig.Id, not {type(id).__name__}"):
            MAKERS[maker](id)

    def test_it_has_no_result_before_its_yield(self, maker: str) -> None:
        one = MAKERS[maker]("load")
        with pytest.raises(ig.MisuseError, match=r"has no result yet: yield it first \(.*test_tools.py:\d+\)"):
            _ = one.result

    async def test_it_cannot_be_awaited_nor_tested(self, maker: str) -> None:
        one = MAKERS[maker]("load")
        with pytest.raises(ig.MisuseError, match=f"step.{maker} 'load' was awaited"):
            await one
        with pytest.raises(ig.MisuseError, match=f"step.{maker} 'load' was used as a condition"):
            bool(one)


class TestRun:
    def test_it_takes_any_callable_with_its_arguments(self) -> None:
        class Callable_:  # noqa: N801
            def __call__(self) -> int:
                return 1

        fns: list[Any] = [body, lambda: 1, functools.partial(body, 1), Callable_(), Callable_, flow, [].append, len]
        for fn in fns:
            one: Run[Any] = step.run("a", fn, 1, x=2)
            assert (one.fn, one.args, dict(one.kwargs)) == (fn, (1,), {"x": 2})

    @pytest.mark.parametrize("fn", [None, 1, "name", [body]])
    def test_what_cannot_be_called_is_refused(self, fn: Any) -> None:
        with pytest.raises(ig.MisuseError, match=rf"step.run 'a' needs a function, not {type(fn).__name__}: .* \(.*test_tools.py:\d+\)"):
            step.run("a", fn)
        assert not made

    def test_a_coroutine_is_refused_and_not_left_unawaited(self) -> None:
        with pytest.raises(ig.MisuseError, match="needs a function, not coroutine: pass it uncalled"):
            step.run("a", body(1))  # type: ignore[call-overload]

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda: step.run("inner", body), "step.run 'inner'"),
            (lambda: step.sleep("nap", 1), "step.sleep 'nap'"),
            (lambda: group.race(flow()), "group.race"),
            (flow, "the sub-flow flow"),
            (lambda: ig.Done(1), "ig.Done"),
            (lambda: [1, flow()], "the sub-flow flow"),
            (lambda: (step.run("inner", body),), "step.run 'inner'"),
            (lambda: {"x": flow()}, "the sub-flow flow"),
        ],
    )
    def test_an_intent_as_an_argument_is_refused(self, make: Callable[[], Any], told: str) -> None:
        for args, kwargs in (((make(),), {}), ((1, make()), {}), ((), {"x": make()})):
            with pytest.raises(ig.MisuseError, match=f"step.run 'a' got {told} as an argument: yield it first"):
                step.run("a", body, *args, **kwargs)

    def test_returns_and_timeout_give_the_step(self) -> None:
        one = step.run("a", body)
        assert one.returns(str) is one  # type: ignore[comparison-overlap]
        assert one.timeout("1m30s") is one
        assert (one.returns_type, one.timeout_s) == (str, 90)

    @pytest.mark.parametrize("limit", [0, "0s", timedelta()])
    def test_a_timeout_is_longer_than_0(self, limit: Any) -> None:
        with pytest.raises(ig.MisuseError, match=r"the timeout of step\.run 'a' must be longer than 0"):
            step.run("a", body).timeout(limit)

    @pytest.mark.parametrize("limit", [-1, "soon", None, True])
    def test_a_timeout_is_a_duration(self, limit: Any) -> None:
        with pytest.raises((ValueError, TypeError), match="duration"):
            step.run("a", body).timeout(limit)


class TestSleeps:
    @pytest.mark.parametrize(
        ("duration", "length"), [("1h30m", 5400), (90, 90), (0.5, 0.5), (timedelta(days=2), 172800), ("2d", 172800), (0, 0)]
    )
    def test_durations(self, duration: Any, length: float) -> None:
        one = step.sleep("s", duration)
        assert type(one) is Sleep
        assert one.duration_s == length

    @pytest.mark.parametrize("duration", ["", "5", "1 fortnight", -1, None, True, float("nan")])
    def test_what_is_no_duration_is_refused(self, duration: Any) -> None:
        with pytest.raises((ValueError, TypeError), match="duration"):
            step.sleep("s", duration)
        assert not made

    @pytest.mark.parametrize("when", [datetime(2030, 1, 1, tzinfo=UTC), "2030-01-01T00:00:00Z", "2030-01-01T01:00:00+01:00"])
    def test_moments(self, when: Any) -> None:
        one = step.sleep_until("s", when)
        assert type(one) is SleepUntil
        assert one.until == 1893456000

    @pytest.mark.parametrize("when", [datetime(2030, 1, 1), "2030-01-01T00:00:00", "tomorrow", 1893456000, None])  # noqa: DTZ001
    def test_a_naive_moment_and_what_is_none_are_refused(self, when: Any) -> None:
        with pytest.raises((ValueError, TypeError), match=r"moment|timezone"):
            step.sleep_until("s", when)
        assert not made


class TestWaitsAndSends:
    def test_wait_for_event(self) -> None:
        one = step.wait_for_event("w", "a/b", timeout="3d", match="data.id", if_="async.data.x > 1")
        assert type(one) is WaitForEvent
        assert (one.event, one.timeout_s, one.match, one.if_) == ("a/b", 259200, "data.id", "async.data.x > 1")

    @pytest.mark.parametrize("event", ["", None, ig.Event("a/b"), 1])
    def test_an_awaited_event_is_named(self, event: Any) -> None:
        with pytest.raises(ig.MisuseError, match="wait_for_event needs the event's name"):
            step.wait_for_event("w", event, timeout=1)

    @pytest.mark.parametrize("wrong", ["", 1, ["data.id"]])
    @pytest.mark.parametrize("option", ["match", "if_"])
    def test_match_and_if_are_strings(self, option: str, wrong: Any) -> None:
        with pytest.raises(ig.MisuseError, match=f"^{option} is "):
            step.wait_for_event("w", "a/b", timeout=1, **{option: wrong})

    @pytest.mark.parametrize("timeout", [None, "x", -1])
    def test_a_wait_has_a_timeout(self, timeout: Any) -> None:
        with pytest.raises((ValueError, TypeError), match="duration"):
            step.wait_for_event("w", "a/b", timeout=timeout)
        with pytest.raises((ValueError, TypeError), match="duration"):
            step.wait_for_signal("w", "s", timeout=timeout)
        with pytest.raises(TypeError, match="timeout"):
            step.wait_for_event("w", "a/b")  # type: ignore[call-arg]

    def test_signals(self) -> None:
        wait = step.wait_for_signal("w", "s", timeout=5, on_conflict="replace")
        assert type(wait) is WaitForSignal
        assert (wait.signal, wait.timeout_s, wait.on_conflict) == ("s", 5, "replace")
        send = step.send_signal("x", "s", {"a": 1})
        assert type(send) is SendSignal
        assert (send.signal, send.data) == ("s", {"a": 1})

    @pytest.mark.parametrize("signal", ["", None, 1])
    def test_a_signal_is_named(self, signal: Any) -> None:
        with pytest.raises(ig.MisuseError, match="wait_for_signal needs the signal's name"):
            step.wait_for_signal("w", signal, timeout=1)
        with pytest.raises(ig.MisuseError, match="send_signal needs the signal's name"):
            step.send_signal("w", signal)

    def test_a_conflict_is_failed_or_replaced(self) -> None:
        with pytest.raises(ig.MisuseError, match='on_conflict is "fail" or "replace", not \'ignore\''):
            step.wait_for_signal("w", "s", timeout=1, on_conflict="ignore")  # type: ignore[arg-type]

    def test_send_event(self) -> None:
        a, b = ig.Event("a"), ig.Event("b")
        one = step.send_event("s", a, b)
        assert type(one) is SendEvent
        assert one.events == (a, b)
        with pytest.raises(ig.MisuseError, match="at least one event"):
            step.send_event("s")

    @pytest.mark.parametrize("event", ["a/b", {"name": "a/b"}, [ig.Event("a/b")], None])
    def test_what_is_sent_is_an_event(self, event: Any) -> None:
        with pytest.raises(ig.MisuseError, match=f"send_event takes ig.Event values, not {type(event).__name__}"):
            step.send_event("s", event)

    def test_invoke(self) -> None:
        for target, slug in ((other, "shop-other"), ("other", "shop-other"), ("elsewhere-fn", "elsewhere-fn")):
            one = step.invoke("i", target, {"x": 1}, timeout="1h")
            assert type(one) is Invoke
            assert (one.function, one.data, one.timeout_s) == (slug, {"x": 1}, 3600)
        assert step.invoke("i", other).timeout_s is None

    @pytest.mark.parametrize("target", [None, "", 1, flow])
    def test_what_is_invoked_is_a_function_or_its_id(self, target: Any) -> None:
        with pytest.raises(ig.MisuseError, match=r"step\.invoke takes a function or its id"):
            step.invoke("i", target)


class TestGroups:
    def test_branches_are_steps_sub_flows_and_groups(self) -> None:
        branches = (step.sleep("s", 1), flow(), group.race(flow()))
        one = group.parallel(*branches, return_exceptions=True)
        assert type(one) is Parallel
        assert (one.branches, one.keys, one.return_exceptions) == (branches, (0, 1, 2), True)
        named = group.race(x=flow(), y=step.sleep("s", 1))
        assert type(named) is Race
        assert named.keys == ("x", "y")

    @pytest.mark.parametrize("branch", [None, 1, flow, [], body, ig.Done(1), ig.Event("x")])
    @pytest.mark.parametrize("make", [group.parallel, group.race])
    def test_what_is_no_branch_is_refused_by_its_place(self, make: Any, branch: Any) -> None:
        with pytest.raises(ig.MisuseError, match=r"branch 1 of group\.\w+ must be a step, a group or a sub-flow"):
            make(flow(), branch)
        with pytest.raises(ig.MisuseError, match=r"branch 'x' of group\.\w+ must be a step, a group or a sub-flow"):
            make(x=branch)

    @pytest.mark.parametrize("make", [group.parallel, group.race])
    def test_branches_are_positional_or_named(self, make: Any) -> None:
        with pytest.raises(ig.MisuseError, match="by position or by name, not both"):
            make(flow(), x=flow())

    @pytest.mark.parametrize("make", [group.parallel, group.race])
    def test_a_branch_stands_in_a_group_once(self, make: Any) -> None:
        one = flow()
        with pytest.raises(ig.MisuseError, match="got the same branch twice"):
            make(one, flow(), one)

    def test_a_race_has_a_branch(self) -> None:
        with pytest.raises(ig.MisuseError, match="at least one branch"):
            group.race()
        assert group.parallel().branches == ()
