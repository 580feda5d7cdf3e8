"""Targets and breakpoints: where moves stop, forwards and backwards, and what logpoints say."""

from dataclasses import replace
from pathlib import Path

import pytest

import inngest_gen as ig
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.source import yield_line
from inngest_gen.debugger.stop import Mark, Stop
from inngest_gen.debugger.target import KINDS, target
from inngest_gen.errors import MisuseError
from inngest_gen.intents.step import Step
from tests.debugger.rig import line_of, session_of
from tests.driver import corpus
from tests.driver.corpus import echo, fails

NAME = Path(__file__).name


async def inner(ctx: ig.Context, n: int) -> ig.Flow:
    yield ctx.step.run("inner", echo, n)
    yield ig.Done(n)


async def loop(ctx: ig.Context) -> ig.Flow:
    total = 0
    for n in range(4):
        total += yield ctx.step.run("add", echo, n)
    first = yield ctx.group.parallel(
        ctx.step.run("left", echo, 1),
        inner(ctx, 2),
    )
    try:
        yield ctx.step.run("fails", fails, "no")
    except ig.StepError:
        yield ctx.defer("note", corpus.note, {})
    yield ctx.step.sleep("nap", 1)
    yield ig.Done([total, first])


async def opened() -> Session:
    return await session_of(loop, None, corpus.APP)


def told(stop: Stop) -> tuple[int, str]:
    return stop.number, stop.state if stop.intent is None else stop.intent.id or stop.intent.kind


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("add", [1, 2, 3, 4]),
        ("step:add", [1, 2, 3, 4]),
        ("a*", [1, 2, 3, 4]),
        ("inner", [7]),
        ("left", [6]),
        ("step.sleep", [11]),
        ("group.parallel", [5]),
        ("defer", [10]),
        ("ig.Done", [8, 12]),
        ("function:inner", [7, 8]),
        ("error", [9]),
        ("end", [13]),
        ("frontier", []),
        ("divergence", []),
        ("if total > 2", [4, 5, 6, 9, 10, 11, 12]),
        ("if n == 2", [3, 7, 8]),
        ("if nothing_of_that_name", []),
        (f"{NAME}:{line_of(loop, 'add')}", [1, 2, 3, 4]),
        (f"{__file__}:{line_of(loop, 'nap')}", [11]),
        (f"debugger/{NAME}:{line_of(loop, 'nap')}", [11]),
        # A line of a yield over several lines, and one without a yield: the next yield of the function.
        (f"{NAME}:{line_of(loop, 'inner(ctx, 2)')}", [5, 6]),
        (f"{NAME}:{line_of(loop, 'total = 0')}", [1, 2, 3, 4]),
        (f"nowhere.py:{line_of(loop, 'nap')}", []),
    ],
)
async def test_a_target_is_met_forwards_and_backwards(where: str, numbers: list[int]) -> None:
    session = await opened()
    last = 13
    for known in (False, True):  # by looking at each stop, and by the trail
        found = []
        while (stop := await session.run_to(where)).reason == "run to":
            found.append(stop.number)
        assert (stop.number, stop.reason, stop.state) == (last, "end", "ended")
        assert found == numbers
        back = []
        while (stop := await session.run_to(where, backwards=True)).reason == "run to":
            back.append(stop.number)
        assert (stop.number, stop.reason) == (0, "start")
        assert back == [number for number in reversed(numbers) if number != last]
        if not known:
            assert len(await session.trail()) == last + 1


async def test_a_line_of_the_current_file_needs_no_name() -> None:
    session = await opened()
    assert (await session.run_to(f":{line_of(loop, 'nap')}")).number == 11


async def test_a_target_may_be_a_function_of_the_mark() -> None:
    session = await opened()

    def deep(mark: Mark) -> bool:
        return mark.path.startswith("parallel[1]")

    assert (await session.run_to(deep)).number == 7
    assert session.break_at(deep).target.text == "deep"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("", "a target is a step's id"),
        ("if", None),
        ("if 1 +", "is no expression"),
        (":7", "names a line of the current file, but there is none"),
    ],
)
def test_what_is_no_target_is_refused(where: str, words: str | None) -> None:
    if words is None:
        assert target(where).what == "step"  # a step may be called so
        return
    with pytest.raises(MisuseError, match=words):
        target(where)


def test_every_kind_of_step_is_a_target() -> None:
    def all_kinds(cls: type) -> set[str]:
        return {cls.kind}.union(*map(all_kinds, cls.__subclasses__()))  # type: ignore[attr-defined]

    import inngest_gen.intents.http  # noqa: F401 - so that its steps are there

    assert all_kinds(Step) - {"step"} <= KINDS


def test_yields_of_a_file_are_found_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("async def f():\n    a = 1\n    b = yield g(\n        1,\n    )\n    def h():\n        yield 2\n\nx = 1\n")
    assert [yield_line(str(file), line) for line in range(1, 10)] == [3, 3, 3, 3, 3, None, None, None, None]
    assert yield_line(str(tmp_path / "nothing.py"), 1) is None


# Breakpoints.


async def test_to_continue_stops_at_each_breakpoint_and_at_the_end() -> None:
    session = await opened()
    add = session.break_at("add")
    nap = session.break_at("step.sleep")
    stops = [await session.continue_() for _ in range(6)]
    assert [told(stop) for stop in stops] == [(1, "add"), (2, "add"), (3, "add"), (4, "add"), (11, "nap"), (13, "ended")]
    assert [stop.reason for stop in stops] == ["breakpoint"] * 5 + ["end"]
    assert [stop.hit for stop in stops] == [(add.id,)] * 4 + [(nap.id,), ()]
    back = [await session.reverse_continue() for _ in range(6)]
    assert [told(stop) for stop in back] == [(11, "nap"), (4, "add"), (3, "add"), (2, "add"), (1, "add"), (0, "start")]
    assert [stop.hit for stop in back] == [(nap.id,)] + [(add.id,)] * 4 + [()]
    assert back[-1].reason == "start"


async def test_without_breakpoints_it_goes_to_the_ends() -> None:
    session = await opened()
    assert (await session.continue_()).state == "ended"
    assert (await session.continue_()).reason == "end"
    assert (await session.reverse_continue()).state == "start"


async def test_a_condition_and_how_often() -> None:
    session = await opened()
    session.break_at("add", condition="n % 2")
    assert [(await session.continue_()).number for _ in range(3)] == [2, 4, 13]
    session.clear()
    session.break_at("add", hits="3")
    assert [(await session.continue_()).number for _ in range(1)] == [13]  # it is behind
    assert [(await session.reverse_continue()).number for _ in range(2)] == [3, 0]
    session.clear()
    session.break_at("add", hits=">= 2", condition="n > 0")
    assert [(await session.continue_()).number for _ in range(3)] == [3, 4, 13]


@pytest.mark.parametrize(
    ("hits", "numbers"),
    [("2", [2]), ("== 2", [2]), (">2", [3, 4]), ("<=2", [1, 2]), ("< 2", [1]), ("%2", [2, 4]), ("%0", []), (None, [1, 2, 3, 4])],
)
async def test_hits_are_counted_from_the_runs_start_wherever_one_stands(hits: str | None, numbers: list[int]) -> None:
    session = await opened()
    session.break_at("add", hits=hits)
    for start in (0, 2):
        await session.goto(start)
        found = []
        while (stop := await session.continue_()).reason == "breakpoint":
            found.append(stop.number)
        assert found == [number for number in numbers if number > start]


async def test_a_logpoint_says_something_and_does_not_stop() -> None:
    session = await opened()
    session.break_at("add", log="n is {n}, total {total}, {nothing}")
    session.break_at("left")
    stop = await session.continue_()
    assert told(stop) == (6, "left")
    # The last `add` has not come yet where its yield is.
    assert stop.logged == tuple(
        f"n is {n}, total {total}, NameError: name 'nothing' is not defined" for n, total in [(0, 0), (1, 0), (2, 1), (3, 3)]
    )
    assert (await session.continue_()).logged == ()


async def test_breakpoints_are_taken_away_and_switched_off() -> None:
    session = await opened()
    one = session.break_at("add")
    two = session.break_at("left")
    assert (one.id, two.id) == (1, 2)
    session.clear(one.id)
    assert (await session.continue_()).number == 6
    with pytest.raises(MisuseError, match="there is no breakpoint 1"):
        session.clear(1)
    session.clear()
    assert session.breakpoints == {}
    assert session.break_at("nap").id == 3


@pytest.mark.parametrize(
    ("options", "words"), [({"condition": "1 +"}, "is no expression"), ({"hits": "often"}, "the hits 'often' are none")]
)
async def test_a_breakpoint_that_is_none_is_refused(options: dict[str, str], words: str) -> None:
    session = await opened()
    with pytest.raises(MisuseError, match=words):
        session.break_at("add", **options)
    assert session.breakpoints == {}


async def prints(ctx: ig.Context) -> ig.Flow:
    for n in range(3):
        print("at", n)  # noqa: IGN107 - what the tests are about
        yield ctx.step.run("add", echo, n)
        yield loud(ctx, n)


async def loud(ctx: ig.Context, n: int) -> ig.Flow:
    yield ctx.step.run("first", echo, n)
    print("between", n)  # noqa: IGN107 - as above
    yield ctx.step.run("second", echo, n)


async def test_steps_over_and_out_stop_at_breakpoints_on_the_way() -> None:
    session = await session_of(prints)
    session.break_at("second", condition="n == 1")
    await session.step(2)
    assert told(await session.step_over()) == (5, "add")
    assert session.stop.reason == "step"
    await session.step()
    stop = await session.step_over()
    assert (told(stop), stop.reason, stop.hit) == ((8, "second"), "breakpoint", (1,))
    await session.goto(7)
    assert told(await session.step_out()) == (8, "second")
    assert told(await session.step_out()) == (9, "add")


async def test_what_was_printed_on_the_way_is_told_with_where_it_stops() -> None:
    session = await session_of(prints)
    session.break_at("add", hits="3")
    session.break_at("first", log="n is {n}")
    stop = await session.continue_()
    assert "".join(one.text for one in stop.passed) == "at 0\nbetween 0\nat 1\nbetween 1\n"
    assert [one.text for one in stop.output] == ["at 2\n"]
    assert stop.logged == ("n is 0", "n is 1")
    assert (await session.step()).passed == ()
    await session.goto(2)
    assert [one.text for one in (await session.step_over()).passed] == ["between 0\n"]
    assert [one.text for one in (await session.finish()).passed] == []


@pytest.mark.parametrize("ended", [("third",), ("second",), ("third", "second"), ()])
async def test_the_frontier_is_the_first_step_without_a_result_in_a_group_too(ended: tuple[str, ...]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("zeroth", echo, 0)
        yield ctx.group.race(ctx.step.sleep("loser", "1h"), ctx.step.run("winner", echo, 0))

        async def branch() -> ig.Flow:
            yield ctx.step.run("third", echo, 3)
            yield ctx.step.run("fourth", echo, 4)

        yield ctx.group.parallel(ctx.step.run("first", echo, 1), ctx.step.run("second", echo, 2), branch())

    whole = await session_of(handler)
    done = {"zeroth", "winner", *ended}
    steps = [
        step if step.id in done or step.id == "loser" else replace(step, rank=None, data=None, status="running")
        for step in whole.recording.steps
        if step.id != "fourth"
    ]
    ranked = sorted((step for step in steps if step.rank is not None), key=lambda step: step.rank or 0)
    ranks = {step.hash: rank for rank, step in enumerate(ranked, 1)}
    steps = [replace(step, rank=ranks.get(step.hash)) for step in steps]
    session = Session(replace(whole.recording, steps=tuple(steps), status="running", output=None), whole.function)
    await session.start()
    stop = await session.run_to("frontier")
    assert stop.intent is not None
    assert (stop.reason, stop.state, stop.intent.id, stop.intent.missing) == ("run to", "yield", "first", "frontier")
    last = await session.finish()
    assert (last.state, last.number > stop.number) == ("frontier", True)
    assert await session.run_to("frontier", backwards=True) == stop
    session.break_at("frontier")
    await session.start()
    assert [(await session.continue_()).number for _ in range(2)] == [stop.number, last.number]
    assert [mark.number for mark in await session.trail() if mark.frontier] == [stop.number]
    # What another gets in its place is no frontier any more: that is the next one then.
    await session.replace("first", result=1)
    after = await session.run_to("frontier")
    assert after.intent is not None
    assert after.intent.id == ("fourth" if "second" in ended and "third" in ended else "third" if "second" in ended else "second")


async def test_a_run_that_ended_without_its_last_step_has_its_frontier_at_its_end() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("one", echo, 0)
        yield ctx.step.sleep("two", "1h")

    whole = await session_of(handler)
    steps = [step if step.id == "one" else replace(step, rank=None, data=None, status="abandoned") for step in whole.recording.steps]
    session = Session(replace(whole.recording, steps=tuple(steps), status="cancelled", output=None), whole.function)
    await session.start()
    stop = await session.run_to("frontier")
    assert (stop.number, stop.state, stop.reason) == (2, "frontier", "run to")
