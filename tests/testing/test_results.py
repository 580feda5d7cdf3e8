"""What a test asserts about reads well where it fails: results, steps, defers, timelines, errors."""

import pickle

import pytest

import inngest_gen as ig
from inngest_gen import testing
from inngest_gen.recording.format import dumps, loads

app = ig.App("told", retries=1, backoff="10s")


@app.deferred("mail")
async def mail(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("smtp", lambda: "sent")


@app.function("main", trigger="go")
async def main(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.run(ig.Id("load", name="Load it"), lambda: {"b": 1, "a": "x" * 200})
    yield ctx.defer("kept", mail, {"to": "a"})
    taken: ig.DeferHandle = yield ctx.defer("taken", mail, {"to": "b"})
    yield ctx.step.run("between", lambda: None)
    yield taken.abort()
    yield ctx.group.race(ctx.step.sleep("long", "1d"), patience(ctx))
    try:
        yield ctx.step.run("boom", lambda: 1 / 0)
    except ig.StepError:
        yield ctx.step.wait_for_event("answer", "answer", timeout="90m")
    if ctx.attempt == 0:
        raise LookupError("the handler's own")
    yield ig.Done({"n": 1})


async def patience(ctx: ig.Context) -> ig.Flow:
    yield ctx.step.sleep("short", "500ms")
    yield ig.Done("short")


TIMELINE = f"""\
told-main: completed after 1h30m20s500ms with {{"n":1}}
  event go {{"k":[1]}}
  + [0s] step.run load: {{"a":"{"x" * 91}...
  + [0s] step.run between: null
  - [0s] step.sleep long in race[0]: abandoned
  + [0s] step.sleep short in race[1]/patience: slept after 500ms
  x [500ms] step.run boom: failed with ZeroDivisionError: division by zero after 10s
      attempt 0 failed with ZeroDivisionError: division by zero, next in 10s
  + [10s500ms] step.wait_for_event answer: null after 1h30m
  + defer kept: scheduled told-mail {{"to":"a"}}
  - defer taken: aborted told-mail
  ! [1h30m10s500ms] attempt 0 of the handler failed: LookupError: the handler's own

told-mail: completed after 0s with null
  event inngest/deferred.schedule, deferred by told-main
  + [0s] step.run smtp: "sent\""""


async def test_the_timeline_tells_all_and_is_the_same_each_time() -> None:
    result = await testing.run(main, {"k": [1]})
    assert result.timeline() == TIMELINE
    assert (await testing.run(main, {"k": [1]})).timeline() == TIMELINE
    lines = result.timeline(lines=True)
    assert "step.run boom: failed with ZeroDivisionError: division by zero after 10s (test_results.py:" in lines


async def test_a_timeline_tells_runs_of_one_function_apart() -> None:
    async def twice(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("one", mail, {})
        yield ctx.defer("two", mail, {})

    told = (await testing.run(twice, app=app)).timeline()
    assert "+ defer one: scheduled told-mail {}" in told
    assert "+ defer two: scheduled told-mail #2 {}" in told
    assert "\n\ntold-mail #2: completed" in told


async def test_steps_are_found_by_id_and_a_wrong_id_is_told() -> None:
    result = await testing.run(main, {})
    assert result.steps[0] is result.steps["load"]
    assert result.steps.all("load") == [result.steps["load"]]
    assert "load" in result.steps
    assert "lode" not in result.steps
    assert result.steps["load"] in result.steps
    assert result.steps["load"].name == "Load it"
    assert result.steps != ["load"]
    with pytest.raises(KeyError, match=r"no step 'lode': there are load, .*; did you mean 'load'\?"):
        result.steps["lode"]
    with pytest.raises(KeyError, match="no defer 'x': there are kept, taken"):
        result.defers["x"]


async def test_what_is_compared_is_shown_readably() -> None:
    result = await testing.run(main, {})
    assert repr(result) == "<Result told-main completed: load, between, long, short, boom, answer>"
    assert (
        repr(result.steps)
        == "[load (completed), between (completed), long (abandoned), short (completed), boom (failed), answer (completed)]"
    )
    assert repr(result.defers) == "[kept (scheduled), taken (aborted)]"


@pytest.mark.parametrize(
    "error",
    [testing.ReplayMismatch("no", where="a.py:1"), testing.Stuck("stuck"), testing.RunFailed("failed")],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: testing.CheckFailed) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.where) == (type(error), str(error), error.where)


async def test_a_result_is_a_recording_that_can_be_written_and_read() -> None:
    result = await testing.run(main, {"k": [1]})
    recording = result.recording
    assert (recording.app, recording.function, recording.status, recording.max_attempts) == ("told", "told-main", "completed", 2)
    assert [(step.id, step.status) for step in recording.steps] == [(step.id, step.status) for step in result.steps]
    assert {defer.id: defer.status for defer in recording.defers} == {"kept": "scheduled", "taken": "aborted"}
    assert recording.code is not None
    assert any(name.endswith(".main") for name in recording.code)
    assert loads(dumps(recording)) == recording


async def test_a_defer_that_is_taken_back_before_it_is_sent_is_told_where_it_was_made() -> None:
    app = ig.App("back", dev=True)

    @app.deferred("mail")
    async def mail(ctx: ig.DeferContext) -> None:
        pass

    class Late:
        @staticmethod
        async def __call__(data: object) -> dict[str, str]:
            return {"to": str(data)}

    @app.deferred("checked", schema=Late())
    async def checked(ctx: ig.DeferContext) -> None:
        pass

    def body(ctx: ig.Context) -> None:
        ctx.defer("in body", mail, {}).submit().abort().submit()
        ctx.defer("unchecked", checked, 1).submit().abort().submit()

    async def handler(ctx: ig.Context) -> ig.Flow:
        first: ig.DeferHandle = yield ctx.defer("first", mail, {})
        second: ig.DeferHandle = yield ctx.defer("second", mail, {})
        yield first.abort()
        third: ig.DeferHandle = yield ctx.defer("third", mail, {})
        yield third.abort()
        yield ctx.defer("fourth", mail, {})
        yield ctx.step.run("body", body, ctx)
        yield second.abort()

    result = await testing.run(handler, app=app)
    assert [(one.id, one.status, one.reason is None) for one in result.defers] == [
        ("first", "aborted", False),
        ("second", "aborted", True),
        ("third", "aborted", False),
        ("fourth", "scheduled", True),
        ("in body", "aborted", False),
        ("unchecked", "aborted", False),
    ]
    assert result.defers["first"].run is None
    assert "- defer first: aborted back-mail: it was taken back before it was sent" in result.timeline()
    assert [one.id for one in result.recording.defers] == ["second", "fourth"]  # no engine has heard of the others


async def test_a_defer_that_one_attempt_takes_back_and_the_next_one_sends_is_told_once() -> None:
    app = ig.App("back", dev=True, retries=1)

    @app.deferred("mail")
    async def mail(ctx: ig.DeferContext) -> None:
        pass

    def body(ctx: ig.Context) -> None:
        handle = ctx.defer("mail", mail, {}).submit()
        if ctx.attempt == 0:
            handle.abort().submit()
            raise TimeoutError

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("body", body, ctx)

    result = await testing.run(handler, app=app)
    assert [(one.id, one.status) for one in result.defers] == [("mail", "scheduled")]
