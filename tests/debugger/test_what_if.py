"""What if: results are replaced and put in, histories stand side by side; steps are run live only where that is asked for."""

import json

import pytest

import inngest_gen as ig
from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.history import RECORDED
from inngest_gen.debugger.session import Session
from inngest_gen.errors import MisuseError, NotJSON
from tests.debugger import rig
from tests.debugger.rig import session_of, walk
from tests.driver import corpus
from tests.driver.corpus import echo

ran: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


async def price(item: str) -> int:
    ran.append(item)
    return 7


async def refuses(item: str) -> int:
    ran.append(item)
    print(f"asked for {item}")
    raise LookupError(f"no {item}")


async def order(ctx: ig.Context) -> ig.Flow:
    cost = yield ctx.step.run("price", price, "a")
    if cost > 10:
        try:
            yield ctx.step.run("approve", refuses, "approval")
        except ig.StepError as error:
            yield ig.Done(f"refused: {error.name}")
        yield ctx.step.sleep("wait", "1d")
    yield ctx.step.run("ship", echo, cost)
    yield ig.Done(cost)


def value(session: Session) -> str | None:
    end = session.stop.end
    return None if end is None else end.value or (end.error or {}).get("message")


async def test_a_result_is_replaced_in_a_history_of_its_own() -> None:
    session = await session_of(order)
    ran.clear()
    recorded = await walk(session)
    stop = await session.replace("price", result=8)
    assert (stop.history, stop.number, stop.reason) == ("what if 1", 1, "edited")
    assert stop.intent is not None
    assert stop.intent.memo is not None
    assert (stop.intent.memo.how, stop.intent.memo.text, stop.intent.memo.rank) == ("replaced", "8", 1)
    await session.finish()
    assert value(session) == "8"
    assert session.stop.end is not None
    assert session.stop.end.as_recorded is False
    assert await session.switch(RECORDED) == recorded[-1]
    assert value(session) == "7"
    assert list(session.histories) == ["recorded", "what if 1"]
    assert session.histories["what if 1"].parent == "recorded"
    assert ran == []


async def test_another_path_comes_to_a_frontier_where_outcomes_are_put_in() -> None:
    session = await session_of(order)
    ran.clear()
    await session.replace("price", result=11, name="dear")
    stop = await session.finish()
    assert (stop.state, stop.history) == ("frontier", "dear")
    assert stop.intent is not None
    assert (stop.intent.id, stop.intent.memo) == ("approve", None)
    assert stop.notes == ("the record holds 1 step(s) that were not asked for: ship",)
    stop = await session.replace(result=True)
    assert (stop.history, stop.number, stop.state) == ("dear", stop.number, "yield")
    assert stop.intent is not None
    assert stop.intent.memo is not None
    assert (stop.intent.memo.how, stop.intent.memo.text) == ("injected", "True")
    await session.finish()
    await session.replace("wait", result=None)
    await session.finish()
    assert value(session) == "11"
    assert [(edit.id, edit.how) for edit in session.history.edits] == [("price", "replaced"), ("approve", "injected"), ("wait", "injected")]
    assert list(session.histories) == ["recorded", "dear"]
    assert ran == []


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("TooDear: by far", "TooDear"),
        ("by far", "Error"),
        (LookupError("by far"), "LookupError"),
        (Failure(name="X", message="by far"), "X"),
    ],
)
async def test_an_error_is_put_in(error: str | BaseException | Failure, name: str) -> None:
    session = await session_of(order)
    await session.replace("price", result=11)
    await session.finish()
    stop = await session.replace("approve", error=error)
    assert stop.intent is not None
    assert stop.intent.memo is not None
    assert stop.intent.memo.error is not None
    assert (stop.intent.memo.error["name"], stop.intent.memo.error["message"]) == (name, "by far")
    await session.finish()
    assert value(session) == f"'refused: {name}'"


async def test_a_recorded_result_becomes_an_error() -> None:
    session = await session_of(order)
    await session.replace("price", error="ValueError: broken")
    await session.finish()
    assert value(session) == "broken"


async def test_replacing_again_makes_a_further_history_of_the_one_at_hand() -> None:
    session = await session_of(order)
    await session.replace("price", result=8)
    await session.replace("price", result=9)
    assert [(one.name, one.parent) for one in session.histories.values()] == [
        ("recorded", None),
        ("what if 1", "recorded"),
        ("what if 2", "what if 1"),
    ]
    await session.finish()
    assert value(session) == "9"
    await session.switch("what if 1")
    assert value(session) == "8"


async def test_one_stands_at_the_edited_step_or_before_it() -> None:
    session = await session_of(order)
    assert (await session.replace("ship", result=1)).number == 0
    await session.finish()
    assert (await session.replace("ship", result=2)).number == 2


async def repeated(ctx: ig.Context) -> ig.Flow:
    for n in range(3):
        yield ctx.step.run("same", echo, n)


async def test_of_several_steps_with_one_id_the_hash_tells_or_the_stop() -> None:
    session = await session_of(repeated)
    await session.start()
    with pytest.raises(MisuseError, match="3 steps have the id 'same': say which, by its hash"):
        await session.replace("same", result=9)
    hash = session.recording.steps[2].hash
    await session.replace(hash, result=9)
    assert [edit.hash for edit in session.history.edits] == [hash]
    await session.step(2)
    await session.replace("same", result=8)
    assert session.history.edits[-1].hash == session.recording.steps[1].hash


@pytest.mark.parametrize(
    ("step", "given", "error", "words"),
    [
        (None, {"result": 1}, MisuseError, "there is not one step at this stop"),
        ("nothing", {"result": 1}, MisuseError, "no step of this run has the id or the hash 'nothing'"),
        ("price", {}, MisuseError, "give either a result or an error"),
        ("price", {"result": 1, "error": "x"}, MisuseError, "give either a result or an error"),
        ("price", {"result": {1, 2}}, NotJSON, "the result of step 'price' cannot become JSON"),
    ],
)
async def test_what_cannot_be_edited_is_refused(step: str | None, given: dict[str, object], error: type[Exception], words: str) -> None:
    session = await session_of(order)
    with pytest.raises(error, match=words):
        await session.replace(step, **given)  # type: ignore[arg-type]
    assert list(session.histories) == ["recorded"]
    assert (await session.step()).number == 1


async def test_there_is_no_history_of_an_unknown_name() -> None:
    session = await session_of(order)
    with pytest.raises(MisuseError, match="there is no history 'x'; there are: recorded"):
        await session.switch("x")


async def branches(ctx: ig.Context) -> ig.Flow:
    winner = yield ctx.group.race(ctx.step.run("a", echo, "a"), ctx.step.run("b", echo, "b"))
    values = yield ctx.group.parallel(ctx.step.run("c", echo, 1), ctx.step.run("d", echo, 2))
    yield ig.Done([winner.key, *values])


async def test_the_order_of_completion_is_kept_by_what_is_replaced() -> None:
    session = await session_of(branches)
    ranks = {step.id: step.rank for step in session.recording.steps}
    await session.replace("d", result=20)
    await session.finish()
    assert value(session) == str([*json.loads(session.recording.output or b"")[:2], 20])
    await session.run_to("d", backwards=True)
    assert session.stop.intent is not None
    assert session.stop.intent.memo is not None
    assert session.stop.intent.memo.rank == ranks["d"]


# Live.


async def test_nothing_is_run_unless_the_session_is_made_for_it() -> None:
    session = await session_of(order)
    await session.replace("price", result=11)
    await session.finish()
    ran.clear()
    with pytest.raises(MisuseError, match="nothing is run for real unless"):
        await session.run_live()
    assert ran == []


async def test_a_step_is_run_live_one_attempt_at_a_time() -> None:
    app = rig.app_of(order, retries=1)
    recording = await rig.recorded(app)
    async with Session(recording, app, live=True) as session:
        ran.clear()
        await session.replace("price", result=11)
        await session.finish()
        stop = await session.run_live()
        assert (stop.state, stop.reason, ran) == ("frontier", "live", ["approval"])
        assert "attempt 0 of step.run 'approve' failed: LookupError: no approval; 1 more may be run" in stop.notes
        assert [(one.stream, one.text) for one in stop.output] == [("stdout", "asked for approval\n")]
        stop = await session.run_live("approve")
        assert (stop.state, ran) == ("yield", ["approval", "approval"])
        assert stop.notes == ("attempt 1 of step.run 'approve' failed: LookupError: no approval; that was the last of 2",)
        assert stop.intent is not None
        assert stop.intent.memo is not None
        assert stop.intent.memo.how == "live"
        await session.finish()
        assert value(session) == "'refused: LookupError'"
        assert session.history.name == "what if 1"
        assert [step.id for step in recording.steps] == ["price", "ship"]


async def defers_in_body(ctx: ig.Context) -> str:
    ctx.defer("made live", corpus.note, {"n": 1}).submit()
    return ctx.run_id


def sync_body(ctx: ig.Context) -> float:
    return ctx.random.random()


async def under_way(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.sleep("nap", "1d")
    id = yield ctx.step.run("body", defers_in_body, ctx)
    chance = yield ctx.step.run("chance", sync_body, ctx)
    yield ctx.step.invoke("invoke", "other")
    yield ig.Done([id, chance])


async def test_a_run_goes_on_live_in_a_history_of_its_own() -> None:
    app = rig.app_of(under_way)
    recording = rig.of_corpus()["linear"]
    recording = type(recording)(run_id=recording.run_id, function="test-f", events=(ig.Event("go"),))
    async with Session(recording, app, live=True) as session:
        await session.finish()
        stop = await session.run_live()
        assert (stop.history, stop.state) == ("live 1", "yield")  # a sleep passes at once
        await session.finish()
        stop = await session.run_live()
        assert stop.intent is not None
        assert stop.intent.memo is not None
        assert stop.intent.memo.text == repr(recording.run_id)
        await session.finish()
        assert [(one.id, one.by, one.state, one.leaves_with) for one in session.stop.lazy] == [
            ("made live", "body", "waiting", "the result of step 'body'"),
        ]  # fmt: skip
        await session.run_live()
        await session.finish()
        with pytest.raises(MisuseError, match="'invoke' needs an engine or a server, which a debugger leaves alone"):
            await session.run_live()
        await session.replace("invoke", result=None)
        await session.finish()
        assert session.stop.state == "ended"
        assert list(session.histories) == ["recorded", "live 1"]
        with pytest.raises(MisuseError, match="is not at the frontier here"):
            await session.run_live("body")


async def test_after_an_edit_that_is_refused_the_session_can_still_be_looked_into() -> None:
    async def handler(ctx: ig.Context) -> ig.Flow:
        found = yield ctx.step.run("a", echo, 1)
        yield ctx.step.run("b", echo, found)

    session = await session_of(handler)
    await session.step(2)
    with pytest.raises(NotJSON):
        await session.replace(result=float("inf"))
    assert session.evaluate("found").text == "1"
    with pytest.raises(MisuseError):
        await session.replace("nothing", result=1)
    assert session.evaluate("found").text == "1"
