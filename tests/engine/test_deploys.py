"""Deploys with runs in flight: changed code is matched by step id; unchanged code that leaves its record blocks the run until it is put right."""

import pathlib
import textwrap
from typing import Any

import anyio
import pytest

import inngest_gen as ig
from tests.engine.rig import PATIENCE_S, START, engine, eventually, outcome, step

HOUR = 3600


class Versions:
    """One file that apps made of different sources run over, an hour of its time later each."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.calls: list[str] = []
        self.hours = 0
        self.settings: dict[str, Any] = {}

    def app(self, source: str) -> ig.App:
        app = ig.App("shop", retries=0)

        def body(name: str) -> str:
            self.calls.append(name)
            return name

        namespace = {"app": app, "ig": ig, "body": body, "settings": self.settings, "__name__": "deployed"}
        exec(compile(textwrap.dedent(source), "deployed.py", "exec"), namespace)
        return app

    async def deploy(self, source: str, *, retry: bool = False) -> ig.Run:
        """Run this source for an hour of the clock's time; the first time its run is started. Gives the run."""
        clock = ig.VirtualClock(START + self.hours * HOUR)
        self.hours += 1
        async with engine(self.path, self.app(source), clock=clock) as its_engine:
            if self.hours == 1:
                await its_engine.send(ig.Event("go"))
            [one] = await its_engine.runs(function="f")
            if retry:
                await its_engine.retry(one.id)
            await eventually(lambda: its_engine._idle() and not (its_engine._timers and its_engine._timers[0][0] <= clock.now()))
            return await its_engine.get(one.id)


@pytest.fixture
def versions(path: pathlib.Path) -> Versions:
    return Versions(path)


def handler(*lines: str, before: str = "") -> str:
    """The source of an app whose function `f` has these lines."""
    return "\n".join([before, '@app.function("f", trigger="go")', "async def f(ctx):", *(f"    {line}" for line in lines)])


A = 'a = yield ctx.step.run("a", body, "a")'
B = 'b = yield ctx.step.run("b", body, "b")'
C = 'c = yield ctx.step.run("c", body, "c")'
NAP = 'yield ctx.step.sleep("nap", "1h")'


class TestChangedCode:
    async def test_a_new_step_in_front_runs_and_recorded_ones_keep_their_results(self, versions: Versions) -> None:
        await versions.deploy(handler(A, B, NAP, C))
        one = await versions.deploy(handler('n = yield ctx.step.run("new", body, "new")', A, B, NAP, C, "yield ig.Done([n, a, b, c])"))
        assert (one.status, one.output) == ("completed", ["new", "a", "b", "c"])
        assert versions.calls == ["a", "b", "new", "c"]

    async def test_steps_may_change_places(self, versions: Versions) -> None:
        await versions.deploy(handler(A, B, NAP, C))
        one = await versions.deploy(handler(B, A, NAP, C, "yield ig.Done([a, b, c])"))
        assert one.output == ["a", "b", "c"]
        assert versions.calls == ["a", "b", "c"]

    async def test_steps_that_are_no_longer_asked_for_are_noted_once(self, versions: Versions) -> None:
        await versions.deploy(handler(A, B, NAP, C))
        await versions.deploy(handler(A, NAP, C, 'yield ctx.step.sleep("more", "1h")', 'yield ctx.step.sleep("more", "1h")'))
        await versions.deploy(handler(A, NAP, C, 'yield ctx.step.sleep("more", "1h")', 'yield ctx.step.sleep("more", "1h")'))
        one = await versions.deploy(handler(A, NAP, C, 'yield ctx.step.sleep("more", "1h")', 'yield ctx.step.sleep("more", "1h")'))
        assert one.status == "completed"
        assert [note.text for note in one.notes if note.kind == "note"] == [
            "the code has changed: 1 recorded step(s) were not asked for: b"
        ]

    async def test_a_recorded_step_that_is_asked_for_later_is_not_noted(self, versions: Versions) -> None:
        await versions.deploy(handler(A, B, NAP, C))
        one = await versions.deploy(handler('yield ctx.step.sleep("new", 1)', A, B, NAP, C))
        one = await versions.deploy(handler('yield ctx.step.sleep("new", 1)', A, B, NAP, C))
        assert one.status == "completed"
        assert one.notes == ()

    async def test_a_sleep_that_is_asked_for_later_has_gone_on(self, versions: Versions) -> None:
        await versions.deploy(handler(NAP, A))
        one = await versions.deploy(handler('yield ctx.step.run("new", body, "new")', NAP, A, "yield ig.Done(a)"))
        assert one.output == "a"

    async def test_a_wait_that_is_gone_does_no_harm(self, versions: Versions) -> None:
        await versions.deploy(handler('yield ctx.step.wait_for_event("wait", "never", timeout="30d")', A))
        one = await versions.deploy(handler(A, "yield ig.Done(a)"))
        assert one.status == "running"  # nothing wakes it before its wait is over, or somebody does
        assert versions.calls == []

    async def test_a_change_in_a_sub_flow_is_a_change(self, versions: Versions) -> None:
        sub = (
            "async def sub(ctx):\n    x = yield ctx.step.run({0}, body, {0})\n    yield ctx.step.sleep('nap', '1h')\n    yield ig.Done(x)\n"
        )
        lines = ("x = yield sub(ctx)", "yield ig.Done(x)")
        await versions.deploy(handler(*lines, before=sub.format("'old'")))
        one = await versions.deploy(handler(*lines, before=sub.format("'new'")))
        assert (one.status, one.output) == ("completed", "new")
        assert versions.calls == ["old", "new"]

    async def test_repeats_are_matched_by_their_number(self, versions: Versions) -> None:
        loop = ("got = []", "for n in range({0}):", '    got.append((yield ctx.step.run("s", body, str(n))))', NAP, "yield ig.Done(got)")
        await versions.deploy(handler(*(line.format(2) for line in loop)))
        one = await versions.deploy(handler(*(line.format(3) for line in loop)))
        assert one.output == ["0", "1", "2"]
        assert versions.calls == ["0", "1", "2"]

    async def test_comments_line_numbers_and_other_functions_are_no_change(self, versions: Versions) -> None:
        await versions.deploy(handler(A, NAP, C))
        versions.settings["x"] = 1
        other = '# a comment\n\n\n@app.function("other")\nasync def other(ctx):\n    yield ctx.step.run("z", body, "z")\n'
        one = await versions.deploy(handler("# another", A, "", NAP, C, before=other))
        assert one.status == "completed"

    async def test_a_run_that_began_under_one_code_and_went_on_under_another_stays_lenient(self, versions: Versions) -> None:
        old = handler(A, NAP, 'yield ctx.step.sleep("nap 2", "1h")', C)
        new = handler(B, A, NAP, 'yield ctx.step.sleep("nap 2", "1h")', C)
        await versions.deploy(old)
        await versions.deploy(new)
        one = await versions.deploy(old)  # rolled back: the record holds steps of both
        assert one.status == "completed"
        assert versions.calls == ["a", "b", "c"]

    async def test_parallel_branches_may_be_added(self, versions: Versions) -> None:
        a, b, c = (f'ctx.step.run("{name}", body, "{name}")' for name in "abc")
        await versions.deploy(handler(f"x = yield ctx.group.parallel({a}, {b})", NAP, "yield ig.Done(list(x))"))
        one = await versions.deploy(handler(f"x = yield ctx.group.parallel({a}, {c}, {b})", NAP, "yield ig.Done(list(x))"))
        assert one.output == ["a", "c", "b"]
        assert sorted(versions.calls) == ["a", "b", "c"]  # once each; trio starts tasks in any order

    async def test_a_deferred_id_that_was_sent_is_not_sent_again(self, versions: Versions) -> None:
        deferred = '@app.deferred("note")\nasync def note(ctx):\n    yield ctx.step.run("note", body, "note")\n'
        await versions.deploy(handler('yield ctx.defer("d", note, {})', NAP, before=deferred))
        one = await versions.deploy(handler(A, 'yield ctx.defer("d", note, {})', NAP, before=deferred))
        assert [(defer.id, defer.status) for defer in one.defers] == [("d", "scheduled")]
        assert versions.calls.count("note") == 1


SWITCHED = handler('first = yield ctx.step.run(settings.get("first", "first"), body, "first")', A, NAP, C, "yield ig.Done([first, a, c])")


class TestUnchangedCode:
    async def test_another_sequence_blocks_the_run(self, versions: Versions, caplog: pytest.LogCaptureFixture) -> None:
        await versions.deploy(SWITCHED)
        versions.settings["first"] = "other"
        one = await versions.deploy(SWITCHED)
        assert one.status == "blocked"
        assert not one.has_ended
        assert one.error is not None
        assert one.error.name == "NonDeterminismError"
        for words in ("at position 0", "step.run 'first' at deployed.py:", "yielded step.run 'other' at deployed.py:", "likely cause"):
            assert words in one.error.message
        assert [note.kind for note in one.notes] == ["blocked"]
        assert versions.calls == ["first", "a"]
        assert f"run {one.id} is blocked" in caplog.text

    async def test_retry_after_the_cause_is_gone_goes_on(self, versions: Versions) -> None:
        await versions.deploy(SWITCHED)
        versions.settings["first"] = "other"
        await versions.deploy(SWITCHED)
        again = await versions.deploy(SWITCHED, retry=True)
        assert again.status == "blocked"  # as long as it isn't put right
        del versions.settings["first"]
        one = await versions.deploy(SWITCHED, retry=True)
        assert (one.status, one.output, one.error) == ("completed", ["first", "a", "c"], None)
        assert versions.calls == ["first", "a", "c"]

    async def test_retry_after_a_fix_of_the_code_goes_on_by_step_ids(self, versions: Versions) -> None:
        await versions.deploy(SWITCHED)
        versions.settings["first"] = "other"
        await versions.deploy(SWITCHED)
        fixed = handler('first = yield ctx.step.run("first", body, "first")', A, NAP, C, "yield ig.Done([first, a, c])")
        one = await versions.deploy(fixed, retry=True)
        assert (one.status, one.output) == ("completed", ["first", "a", "c"])
        assert versions.calls == ["first", "a", "c"]

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            # what it does where settings["on"] is set, against what it did before
            (handler('if not settings.get("on"):', f"    {A}", B, NAP), "position 0"),
            (handler('if settings.get("on"):', f"    {C}", A, NAP), "position 0"),
            (handler(A, 'if settings.get("on"):', "    return", NAP), "nothing more"),
            (handler(A, 'if settings.get("on"):', '    yield ctx.step.sleep("nap", "1h")', "else:", '    yield ctx.step.run("nap", body, "x")', NAP), "step.sleep"),
            (handler('order = ("a", "b") if settings.get("on") else ("b", "a")', "for name in order:", "    yield ctx.step.run(name, body, name)", NAP), "position 0"),
            (handler('yield ctx.step.sleep("nap" + str(settings.get("on")), "1h")'), "position 0"),
        ],
    )  # fmt: skip
    async def test_every_kind_of_difference(self, versions: Versions, source: str, words: str) -> None:
        await versions.deploy(source)
        versions.settings["on"] = True
        one = await versions.deploy(source)
        assert one.status == "blocked", outcome(one)
        assert one.error is not None
        assert words in one.error.message

    async def test_a_blocked_run_counts_as_ended_for_those_who_wait(self, versions: Versions) -> None:
        source = handler('yield ctx.step.run(settings["n"], body, "x")', 'yield ctx.step.sleep("nap", 5)')
        versions.settings["n"] = "one"
        app = versions.app(source)
        async with engine(versions.path, app, clock=ig.VirtualClock(START)) as its_engine:
            clock = its_engine._clock
            assert isinstance(clock, ig.VirtualClock)
            runs: list[ig.Run] = []

            async def wait() -> None:
                runs.extend(await its_engine.run(ig.Event("go"), timeout=PATIENCE_S))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await eventually(lambda: its_engine._timers and its_engine._idle())
                versions.settings["n"] = "two"
                clock.advance_to(START + 5)
            assert [one.status for one in runs] == ["blocked"]
            assert (await its_engine.wait(runs[0].id)).status == "blocked"
            assert [one.status for one in await its_engine.runs(status="blocked")] == ["blocked"]
            await its_engine.cancel(runs[0].id)
            assert (await its_engine.get(runs[0].id)).status == "cancelled"

    @pytest.mark.parametrize("asleep", [False, True])
    async def test_a_branch_that_failed_by_itself_and_goes_further_the_next_time_is_no_difference(
        self, versions: Versions, asleep: bool
    ) -> None:
        fails = "if not settings.get('on'):\n        raise ValueError('busy')\n"
        leg = f"async def leg(ctx):\n    {fails}    yield ig.Done((yield ctx.step.run('a', body, 'a')))\n"
        first = 'yield ctx.step.sleep("nap", "1h")' if asleep else "pass"
        nap = f"async def other(ctx):\n    {first}\n    yield ig.Done((yield ctx.step.run('b', body, 'b')))\n"
        lines = ("got = yield ctx.group.parallel(leg(ctx), other(ctx))", C, "yield ig.Done([*got, c])")
        source = handler(*lines, before=leg + nap).replace('trigger="go"', 'trigger="go", retries=3, backoff="1h"')
        await versions.deploy(source)
        versions.settings["on"] = True
        one = await versions.deploy(source)
        assert (one.status, one.output) == ("completed", ["a", "b", "c"])
        assert sorted(versions.calls) == ["a", "b", "c"]

    async def test_one_id_in_two_branches_is_not_given_the_result_of_the_other(self, versions: Versions) -> None:
        leg = (
            "async def leg(ctx, name):\n    if name == 'x' and not settings.get('on'):\n        raise ValueError('busy')\n"
            "    yield ig.Done((yield ctx.step.run('s', body, name)))\n"
        )
        source = handler("got = yield ctx.group.parallel(leg(ctx, 'x'), leg(ctx, 'y'))", "yield ig.Done(list(got))", before=leg)
        source = source.replace('trigger="go"', 'trigger="go", retries=3, backoff="1h"')
        await versions.deploy(source)
        versions.settings["on"] = True
        one = await versions.deploy(source)
        assert one.status == "blocked"
        assert one.error is not None
        assert "recorded of parallel[1]/leg: give the steps of each branch ids of their own" in one.error.message

    async def test_a_handler_whose_code_cannot_be_known_is_matched_by_id(self, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(_: object) -> Any:
            raise TypeError("compiled")

        monkeypatch.setattr("inngest_gen.app.codes.fingerprint", unknown)
        versions = Versions(path)
        await versions.deploy(SWITCHED)
        versions.settings["first"] = "other"
        one = await versions.deploy(SWITCHED)
        assert (one.status, one.output) == ("completed", ["first", "a", "c"])
        assert versions.calls == ["first", "a", "first", "c"]


async def test_attempts_of_a_step_go_on_under_changed_code(versions: Versions) -> None:
    flaky = "def broken():\n    raise ValueError({0!r})\n"
    lines = ('yield ctx.step.run("s", broken)',)
    source = handler(*lines, before=flaky.format("old")).replace('trigger="go"', 'trigger="go", retries=2, backoff="1h"')
    await versions.deploy(source)
    await versions.deploy(source)
    one = await versions.deploy(source.replace('run("s", broken)', 'run("s", body, "fixed")').replace("yield ctx", "x = yield ctx"))
    assert one.status == "completed"
    assert [attempt.number for attempt in step(one, "s").attempts] == [0, 1]
