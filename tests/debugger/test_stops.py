"""What a stop holds: the intent and its memo, the stack and the tree, locals and what changed, defers, output, the end."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.cli.debug import telling
from inngest_gen.debugger.dap import saying
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Deferred, Node, Stop
from inngest_gen.errors import MisuseError
from tests.debugger import rig
from tests.debugger.rig import line_of, session_of, walk
from tests.driver import corpus
from tests.driver.corpus import echo, fails


async def quote(ctx: ig.Context, order: dict[str, Any]) -> ig.Flow:
    rate = yield ctx.step.run("rate", echo, 3)
    yield ig.Done(rate * order["amount"])


async def order_placed(ctx: ig.Context) -> ig.Flow:
    order = yield ctx.step.run(ig.Id("load", name="Load it"), echo, {"amount": 7})
    seen = [order["amount"]]
    stock, price = yield ctx.group.parallel(ctx.step.run("stock", echo, "there"), quote(ctx, order))
    seen.append(price)
    order = None
    try:
        yield ctx.step.run("fails", fails, "no")
    except ig.StepError as error:
        seen.append(str(error))
    yield ctx.step.sleep("nap", "1h")
    yield ig.Done({"stock": stock, "seen": seen})


def local(stop: Stop, name: str, frame: int = 0) -> str | None:
    return next((one.text for one in stop.frames[frame].locals if one.name == name), None)


async def test_before_the_first_line_the_arguments_are_there() -> None:
    session = await session_of(order_placed)
    stop = session.stop
    assert (stop.number, stop.state, stop.reason, stop.intent, stop.settled) == (0, "start", "start", None, ())
    assert [(frame.id, frame.function) for frame in stop.frames] == [(0, "order_placed")]
    assert [one.name for one in stop.frames[0].locals] == ["ctx"]
    assert stop.at is not None
    assert (stop.at.file, stop.at.line) == (__file__, order_placed.__code__.co_firstlineno)


async def test_the_intent_of_a_step_and_its_memo() -> None:
    session = await session_of(order_placed)
    stop = await session.step()
    intent = stop.intent
    assert intent is not None
    assert (intent.kind, intent.id, intent.name, intent.index, intent.position, intent.path) == ("step.run", "load", "Load it", 0, 0, "")
    assert intent.hash == session.recording.steps[0].hash
    assert intent.text == "step.run 'load' echo({'amount': 7})"
    line = line_of(order_placed, 'Id("load"')
    assert intent.made_at == f"{__file__}:{line}"
    assert stop.at is not None
    assert (stop.at.line, stop.at.end_line, stop.at.function) == (line, line, "order_placed")
    memo = intent.memo
    assert memo is not None
    assert (memo.how, memo.text, memo.error, memo.rank, memo.failed) == ("recorded", "{'amount': 7}", None, 1, 0)
    assert session.result(intent.hash) == session.result("load") == {"amount": 7}
    with pytest.raises(ig.MisuseError, match="no step of this run has the id or the hash 'laod'"):
        session.result("laod")
    assert stop.state == "yield"


async def test_the_memo_of_a_step_that_failed_is_its_error() -> None:
    session = await session_of(order_placed)
    stop = await session.run_to("error")
    assert stop.intent is not None
    assert (stop.intent.id, stop.reason) == ("fails", "run to")
    memo = stop.intent.memo
    assert memo is not None
    assert memo.error is not None
    assert (memo.text, memo.error["name"], memo.error["message"], memo.failed) == (None, "ValueError", "no", 1)
    after = await session.step()
    assert [(one.id, one.how) for one in after.settled] == [("fails", "error")]
    assert local(after, "seen") == "[7, 21, \"step 'fails': ValueError: no\"]"


async def test_why_a_step_has_no_outcome_is_told() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.race(ctx.step.sleep("never", "1h"), ctx.step.run("first", echo, 1))
        yield ctx.group.parallel(ctx.step.run("open", echo, 2), ctx.step.run("done", echo, 3))
        yield ig.Done()

    def missing(stop: Stop) -> str | None:
        assert stop.intent is not None
        return stop.intent.missing

    session = await session_of(handler)
    stop = await session.run_to("never")
    assert missing(stop) == "abandoned"
    assert "  result    none: the run went on, or ended, without it" in telling.lines({"stop": stop.to_json()}, session.source)
    assert saying.what(stop) == "step.sleep 'never' duration_s=3600.0 (no result: the run went on, or ended, without it)"
    assert missing(await session.run_to("first")) is None
    assert missing(await session.run_to("group.parallel")) is None
    # Of a run under way: one of two steps has its result, and the run waits for the other.
    steps = [
        replace(step, rank=None, data=None, status="running") if step.id == "open" else replace(step, rank=step.rank and min(step.rank, 2))
        for step in session.recording.steps
    ]
    session = Session(replace(session.recording, steps=tuple(steps), status="running", output=None), session.function)
    stop = await session.run_to("open")
    assert (stop.state, missing(stop)) == ("yield", "frontier")
    assert saying.what(stop) == "step.run 'open' echo(2) (no result yet: the frontier)"
    assert missing(await session.run_to("done")) is None
    assert (await session.run_to("frontier")).state == "frontier"
    # Where the race is to end otherwise, its loser is needed.
    session = Session(replace(session.recording, steps=()), session.function)
    stop = await session.finish()
    assert (stop.state, missing(stop)) == ("frontier", "frontier")


async def test_options_of_other_steps_are_told() -> None:
    session = await session_of(order_placed)
    stop = await session.run_to("step.sleep")
    assert stop.intent is not None
    assert (stop.intent.options, stop.intent.text) == ({"duration_s": 3600}, "step.sleep 'nap' duration_s=3600.0")


async def test_the_stack_and_the_tree_of_branches() -> None:
    session = await session_of(order_placed)
    group = await session.run_to("group.parallel")
    assert group.intent is not None
    assert group.intent.text == "group.parallel of 2 (0: step.run 'stock', 1: quote(order={'amount': 7}))"
    root = group.tree
    assert root is not None
    assert (root.kind, root.label, root.state, root.frame) == ("flow", "order_placed", "running", 0)
    [node] = root.children
    assert (node.kind, node.label, node.path) == ("group", "group.parallel", "parallel")
    assert [(one.kind, one.label, one.key, one.state) for one in node.children] == [
        ("step", "step.run 'stock'", 0, "unstarted"),
        ("flow", "quote", 1, "unstarted"),
    ]
    stock = await session.step()
    assert stock.intent is not None
    assert (stock.intent.id, stock.intent.branch, stock.intent.path) == ("stock", 0, "parallel[0]")
    assert [frame.function for frame in stock.frames] == ["order_placed"]
    rate = await session.step()
    assert rate.intent is not None
    assert (rate.intent.id, rate.intent.path) == ("rate", "parallel[1]/quote")
    assert [(frame.id, frame.function, frame.path) for frame in rate.frames] == [(1, "quote", "parallel[1]/quote"), (0, "order_placed", "")]
    assert rate.tree is not None
    branches = rate.tree.children[0].children
    assert [(one.kind, one.state, one.memoized, one.hash is not None) for one in branches] == [
        ("step", "waiting", True, True),
        ("flow", "running", None, False),
    ]
    assert branches[1].at == f"{__file__}:{line_of(quote, 'rate')}"
    assert [(one.kind, one.label, one.memoized) for one in branches[1].children] == [("step", "step.run 'rate'", True)]
    done: Node | None = (await session.step()).tree
    assert done is not None
    assert {one.label: one.state for one in done.children[0].children}["quote"] == "ending"
    after = await session.run_to("fails")
    assert after.tree is not None
    assert [one.kind for one in after.tree.children] == ["step"]


async def test_locals_and_what_changed_since_the_stop_before() -> None:
    session = await session_of(order_placed)
    await session.run_to("group.parallel")
    stop = session.stop
    assert {one.name: one.text for one in stop.frames[0].locals if one.name != "ctx"} == {"order": "{'amount': 7}", "seen": "[7]"}
    assert [(one.frame, one.name, one.before, one.after) for one in stop.changed] == [
        (0, "order", None, "{'amount': 7}"),
        (0, "seen", None, "[7]"),
    ]
    stop = await session.run_to("fails")
    assert {(one.name, one.before, one.after) for one in stop.changed} == {
        ("stock", None, "'there'"), ("price", None, "21"), ("order", "{'amount': 7}", "None"), ("seen", "[7]", "[7, 21]"),
    }  # fmt: skip
    stop = await session.run_to("rate", backwards=True)
    assert [(one.frame, one.name) for one in stop.changed] == [(1, "order")]
    since = {(one.name, one.before, one.after) for one in await (await at(session, "nap")).changes_since(1)}
    assert ("price", None, "21") in since
    assert ("seen", None, "[7, 21, \"step 'fails': ValueError: no\"]") in since


async def at(session: Session, target: str) -> Session:
    await session.start()
    await session.run_to(target)
    return session


async def test_when_a_local_last_changed() -> None:
    session = await session_of(order_placed)
    await session.run_to("nap")
    change = await session.last_change("seen")
    assert change is not None
    assert (change.before, change.after) == ("[7, 21]", "[7, 21, \"step 'fails': ValueError: no\"]")
    assert change.number == session.stop.number
    await session.back()
    change = await session.last_change("seen")
    assert change is not None
    assert (change.before, change.after, change.mark.id) == ("[7]", "[7, 21]", "fails")
    change = await session.last_change("order")
    assert change is not None
    assert (change.before, change.after) == ("{'amount': 7}", "None")
    await session.run_to("rate", backwards=True)
    own = await session.last_change("order")
    outer = await session.last_change("order", frame=0)
    assert own is not None
    assert outer is not None
    assert (own.number, own.before) == (session.stop.number, None)
    assert outer.number < own.number
    assert await session.last_change("nothing of that name") is None
    with pytest.raises(MisuseError, match="no frame 9 here"):
        await session.last_change("order", frame=9)


async def test_values_are_listed_by_their_path() -> None:
    session = await session_of(order_placed)
    await session.run_to("fails")
    seen = next(one for one in session.variables() if one.name == "seen")
    assert (seen.type, seen.size, seen.text) == ("list", 2, "[7, 21]")
    assert [(one.name, one.text) for one in session.variables(0, seen.path)] == [("0", "7"), ("1", "21")]
    assert [one.name for one in session.variables(0, seen.path, start=1, count=5)] == ["1"]
    assert [one.name for one in session.variables(start=1, count=2)] == [one.name for one in session.variables()][1:3]
    for path in [(99,), (*seen.path, 7), (*seen.path, 0, 0)]:
        with pytest.raises(MisuseError, match="no value at|no frame"):
            session.variables(0, path[:-1] if path[-1] == 0 else path) if path[-1] != 0 else session.variables(0, path)
    with pytest.raises(MisuseError, match="no frame 5 here"):
        session.variables(5)


async def test_an_expression_is_evaluated_in_a_frame_and_its_effects_last_until_the_next_move() -> None:
    session = await session_of(order_placed)
    await session.run_to("fails")
    assert session.evaluate("[one * 2 for one in seen if one < price]").text == "[14]"
    assert session.evaluate("seen.append(print('hi') or 99)").output[0].text == "hi\n"
    assert session.evaluate("seen").text == "[7, 21, 99]"
    raised = session.evaluate("seen[9]")
    assert (raised.value, raised.text) == (None, "IndexError: list index out of range")
    assert session.evaluate("seen = 1").text.startswith("MisuseError: 'seen = 1' is a statement")
    assert session.evaluate("1 +").text.startswith("SyntaxError")
    assert session.evaluate("exit()").text.startswith("MisuseError: an expression cannot leave the debugger")
    assert session.evaluate("__import__('sys').exit(3)").text == "SystemExit: 3"
    stop = await session.step()
    assert local(stop, "seen") == "[7, 21, \"step 'fails': ValueError: no\"]"
    assert stop.unstable == ()
    await session.run_to("rate", backwards=True)
    assert session.evaluate("order['amount']").text == "7"
    assert session.evaluate("seen", frame=0).text == "[7]"


async def test_what_handler_code_prints_and_logs_is_shown_with_its_stop(capsys: pytest.CaptureFixture[str]) -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        print("one")  # noqa: IGN107 - what the test is about
        yield ctx.step.run("a", echo)
        print("two", end="")  # noqa: IGN107 - as above
        ctx.logger.warning("three %d", 3)
        print("four")  # noqa: IGN107 - as above
        yield ctx.step.run("b", echo)

    app = rig.app_of(handler)
    recording = await rig.recorded(app)
    capsys.readouterr()
    async with Session(recording, app) as session:
        stops = await walk(session)
        assert [[(one.stream, one.text) for one in stop.output] for stop in stops] == [
            [], [("stdout", "one\n")], [("stdout", "two"), ("log", "WARNING: three 3\n"), ("stdout", "four\n")], [],
        ]  # fmt: skip
        assert await session.goto(2) == stops[2]
        assert await session.goto(1) == stops[1]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


# Defers.


async def body_that_defers(ctx: ig.Context) -> None:
    ctx.defer("by the body", corpus.note, {"n": 1}).submit()


async def defers(ctx: ig.Context) -> ig.Flow:
    yield ctx.defer("first", corpus.note, {"n": 0})
    taken_back = yield ctx.defer("taken back", corpus.note, {})
    yield ctx.step.run("body", body_that_defers, ctx)
    yield taken_back.abort()
    yield ctx.defer("bad", corpus.note, 7)
    yield ctx.step.run("more", echo)
    yield ctx.defer("last", corpus.note, {})


def lane(stop: Stop) -> list[tuple[Any, ...]]:
    return [(one.id, one.state, one.by, one.fate) for one in stop.lazy]


async def test_the_lazy_lane_fills_as_defers_are_made() -> None:
    session = await session_of(defers, None, corpus.APP)
    stops = await walk(session)
    first = ("first", "sent", None, "scheduled")
    taken_back = ("taken back", "sent", None, "aborted")
    body = ("by the body", "sent", "body", "scheduled")
    bad = ("bad", "sent", None, "rejected")
    assert [lane(stop) for stop in stops] == [
        [],
        [first],
        [first, taken_back],
        [first, taken_back],
        [first, taken_back, body],
        [first, taken_back, body, bad],
        [first, taken_back, body, bad],
        [first, taken_back, body, bad, ("last", "sent", None, "scheduled")],
        [first, taken_back, body, bad, ("last", "sent", None, "scheduled")],
    ]
    fates = {one.id: one for one in stops[-1].lazy}
    assert fates["first"].run_id is not None
    assert fates["first"].data == "{'n': 0}"
    assert fates["bad"].kind == "rejected"
    assert "must be a JSON object" in str(fates["bad"].reason)
    assert stops[1].resumes is not None
    assert stops[1].resumes.startswith("DeferHandle(active=True")


async def test_what_the_record_does_not_have_waits_for_the_next_message() -> None:
    app = rig.app_of(defers)
    recording = await rig.recorded(app, None, corpus.APP)
    under_way = replace(recording, status="running", steps=(), defers=(), output=None)
    async with Session(under_way, app) as session:
        await session.step(2)
        assert {(one.id, one.state, one.leaves_with) for one in session.stop.lazy} == {
            ("first", "waiting", "the next step's message, or the end of the run"),
            ("taken back", "waiting", "the next step's message, or the end of the run"),
        }
        stop = await session.step()
        assert stop.state == "frontier"
        assert {one.leaves_with for one in stop.lazy} == {"the message of step.run 'body'"}
        assert all(isinstance(one, Deferred) for one in stop.lazy)


# The end.


async def test_the_end_shows_the_result_and_whether_it_is_as_recorded() -> None:
    app = rig.app_of(order_placed)
    recording = await rig.recorded(app)
    async with Session(recording, app) as session:
        stop = await session.finish()
        assert stop.end is not None
        assert (stop.end.how, stop.end.as_recorded) == ("returned", True)
        assert stop.end.value == "{'stock': 'there', 'seen': [7, 21, \"step 'fails': ValueError: no\"]}"
        assert (stop.at, stop.frames, stop.tree) == (None, (), None)
    async with Session(replace(recording, output=b"1"), app) as session:
        stop = await session.finish()
        assert stop.end is not None
        assert stop.end.as_recorded is False


async def helper(value: int) -> int:
    return 1 // value


async def test_an_error_that_leaves_the_handler_keeps_its_frames() -> None:
    async def inner(ctx: ig.Context) -> ig.Flow:
        divisor = yield ctx.step.run("a", echo, 0)
        quotient = await helper(divisor)
        yield ig.Done(quotient)

    async def handler(ctx: ig.Context) -> ig.Flow:
        outer = "here"
        yield inner(ctx)
        yield ig.Done(outer)

    session = await session_of(handler)
    stop = await session.finish()
    assert stop.end is not None
    assert stop.end.error is not None
    assert (stop.end.how, stop.end.error["name"], stop.end.as_recorded) == ("raised", "ZeroDivisionError", True)
    assert [(frame.id, frame.function.rpartition(".")[2]) for frame in stop.frames] == [(-1, "helper"), (-2, "inner"), (-3, "handler")]
    assert [local(stop, name, n) for n, name in enumerate(["value", "divisor", "outer"])] == ["0", "0", "'here'"]
    assert stop.at is not None
    assert stop.at.line == line_of(helper, "1 // value")
    assert session.evaluate("value + 1").text == "1"
    assert session.evaluate("outer", frame=-3).text == "'here'"
    with pytest.raises(MisuseError, match="frames of an error"):
        await session.last_change("value")
    marks = await session.trail()
    assert marks[-1].raised
    assert await session.run_to("error", backwards=True) != stop
    assert (await session.run_to("error")).number == stop.number


async def test_an_error_of_a_mistake_is_shown_where_the_handler_made_it() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        branches: Any = ["no branch"]
        yield ctx.group.parallel(*branches)
        yield ig.Done()

    session = await session_of(handler)
    stop = await session.finish()
    assert [frame.function.rpartition(".")[2] for frame in stop.frames] == ["handler"]
    assert stop.at is not None
    assert (stop.at.file, stop.at.line) == (__file__, line_of(handler, "ctx.group.parallel"))


async def test_a_stop_is_json() -> None:
    for name in rig.NAMES:
        async with Session(rig.of_corpus()[name], rig.CORPUS) as session:
            for stop in await walk(session):
                value = stop.to_json()
                assert json.loads(json.dumps(value)) == value
                assert list(value)[:4] == ["number", "history", "state", "reason"]


async def test_a_resource_is_a_stub_and_what_is_used_of_it_is_noted() -> None:
    opened: list[str] = []

    class Client:
        base_url = "http://x"

        def __enter__(self) -> "Client":
            opened.append("opened")
            return self

        def __exit__(self, *exc: object) -> None:
            pass

        def ask(self) -> str:
            return "answer"

    async def handler(ctx: ig.Context) -> ig.Flow:
        client = yield ctx.using(Client())
        yield ctx.step.run("a", echo, 1)
        url = client.base_url
        client.ask().strip()
        yield ctx.step.run("b", echo, 1)
        yield ig.Done(bool(url))

    app = rig.app_of(handler)
    recording = await rig.recorded(app)
    opened.clear()
    async with Session(recording, app) as session:
        stops = await walk(session)
        assert opened == []
        assert stops[1].intent is not None
        assert stops[1].intent.text.startswith("ctx.using ")
        assert stops[1].intent.text.endswith("Client")
        assert stops[1].resumes is not None
        assert [len(stop.notes) for stop in stops] == [0, 0, 0, 2, 0, 0]
        assert "Client.base_url was used, of a resource that is not open" in stops[3].notes[0]
        assert "Client.ask was used" in stops[3].notes[1]
    async with Session(recording, app, using=lambda manager: manager) as session:
        stops = await walk(session)
        assert [stop.notes for stop in stops if stop.notes] == []
        assert local(await session.goto(3), "url") == "'http://x'"
    assert opened == []


async def test_the_source_is_that_of_the_code_that_was_loaded(tmp_path: Path) -> None:
    session = await session_of(order_placed)
    lines = session.source(__file__)
    stop = await session.step()
    assert stop.at is not None
    assert 'ctx.step.run(ig.Id("load"' in lines[stop.at.line - 1]
    assert session.source(str(tmp_path / "nothing.py")) == []


async def test_a_recording_with_other_code_or_redacted_values_says_so_at_the_start() -> None:
    app = rig.app_of(order_placed)
    recording = await rig.recorded(app)
    assert Session(recording, app).code == "recorded"
    changed = replace(recording, code={**dict(recording.code or {}), "x": "y"}, redacted=("**.email",))
    async with Session(changed, app) as session:
        assert session.code == "changed"
        assert session.stop.notes == (
            "the handler's code is not that which made the recording",
            "values of the recording were redacted (**.email): the handler may take another path",
        )
        assert (await session.step()).notes == ()
    assert Session(replace(recording, code=None), app).code == "unknown"


async def test_what_is_inside_an_evaluated_value_is_listed_until_the_next_move() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        found = yield ctx.step.run("a", echo, [1, [2, 3]])
        yield ctx.step.run("b", echo, found)
        yield ctx.step.run("c", echo, found)

    session = await session_of(handler)
    await session.step(2)
    first = session.evaluate("found + [{'k': 'v'}]").value
    second = session.evaluate("{'n': found}").value
    assert first is not None
    assert second is not None
    assert [one.text for one in session.variables(path=first.path, start=1)] == ["[2, 3]", "{'k': 'v'}"]
    [inner] = session.variables(path=second.path)
    assert (inner.name, [one.text for one in session.variables(path=inner.path)]) == ("'n'", ["1", "[2, 3]"])
    await session.step()
    with pytest.raises(MisuseError, match="no value at"):
        session.variables(path=first.path)
