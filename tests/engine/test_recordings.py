"""Every run of the engine can be had as a recording: its steps, defers, attempts, order and end, from its log."""

import pathlib

import anyio
import pytest

import inngest_gen as ig
from inngest_gen import jsonvalue
from inngest_gen.engine.store.reader import Reader
from inngest_gen.recording.format import dumps, loads
from inngest_gen.recording.recording import Recording
from tests.driver import corpus
from tests.engine import rig


def corpus_app() -> ig.App:
    app = ig.App("recorded")
    for handler in corpus.HANDLERS:
        app.function(handler.__name__, trigger=f"go/{handler.__name__}", retries=0)(handler)
    return app


@pytest.mark.parametrize("name", [handler.__name__ for handler in corpus.HANDLERS])
async def test_a_recording_has_what_the_engine_tells_of_the_run(path: pathlib.Path, name: str) -> None:
    async with rig.engine(path, corpus_app(), corpus.APP) as engine:
        run = next(one for one in await engine.run(ig.Event(f"go/{name}", {"n": 1}), timeout=rig.PATIENCE_S) if one.parent_run_id is None)
        recording = await engine.recording(run.id)
    assert loads(dumps(recording)) == recording
    assert (recording.run_id, recording.function, recording.app, recording.max_attempts) == (run.id, f"recorded-{name}", "recorded", 1)
    assert (recording.kind, recording.status, recording.attempt) == ("event", run.status, run.attempt)
    assert recording.events == (run.event,)
    assert (None if recording.output is None else jsonvalue.decode(recording.output)) == run.output
    assert (recording.error is None) == (run.error is None)
    assert recording.code
    of_run = [
        (s.id, s.hash, s.index, s.kind, s.position, s.path, s.at, s.status, s.result, s.started, s.ended, len(s.attempts))
        for s in run.steps
    ]
    recorded = [
        (s.id, s.hash, s.index, s.kind, s.position, s.path, s.at, s.status, s.result, s.started, s.ended, len(s.attempts))
        for s in recording.steps
    ]
    assert recorded == of_run
    assert [(d.id, d.status, d.function, d.run_id) for d in recording.defers] == [
        (d.id, d.status, d.function_id, d.run_id) for d in run.defers
    ]
    finished = recording.finished()
    assert [step.rank for step in finished] == list(range(1, len(finished) + 1))
    assert {step.hash for step in finished} == {step.hash for step in recording.steps if step.status in {"completed", "failed"}}


def ids(recording: Recording) -> list[str]:
    return [step.id for step in recording.finished()]


async def test_ranks_are_the_order_of_completion(path: pathlib.Path) -> None:
    app = ig.App("order")
    gates = {name: anyio.Event() for name in "abc"}

    async def body(name: str) -> str:
        await gates[name].wait()
        return name

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(*[ctx.step.run(name, body, name) for name in "abc"])

    async with rig.engine(path, app) as engine:
        await engine.send(ig.Event("go"))
        reader = Reader(path)
        try:
            for done, name in enumerate("cab", 1):
                gates[name].set()
                await rig.eventually(lambda done=done: len(only(reader).finished()) == done)  # type: ignore[misc]
            recording = only(reader)
        finally:
            reader.close()
    assert ids(recording) == ["c", "a", "b"]
    assert [step.id for step in recording.steps] == ["a", "b", "c"]
    assert [step.branch for step in recording.steps] == ["parallel[0]", "parallel[1]", "parallel[2]"]


def only(reader: Reader) -> Recording:
    found = [reader.recording(run.id) for run in reader.runs()]
    assert len(found) == 1
    assert found[0] is not None
    return found[0]


async def test_options_attempts_and_waits_of_a_run_under_way(path: pathlib.Path) -> None:
    app = ig.App("waits")

    def fails() -> None:
        raise ValueError("down")

    @app.function("f", trigger="go", retries=2, backoff="1h")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(
            ctx.step.sleep("nap", "2h"),
            ctx.step.wait_for_event("paid", "payment/received", match="data.id", timeout="3h"),
            ctx.step.wait_for_signal("go-on", "signal", timeout="4h"),
            ctx.step.run(ig.Id("flaky", name="A flaky one"), fails).timeout("1m"),
        )

    async with rig.engine(path, app, clock=ig.VirtualClock(rig.START)) as engine:
        await engine.send(ig.Event("go", {"id": 1}))
        reader = Reader(path)
        try:
            await rig.eventually(lambda: len(only(reader).steps) == 4 and all(step.status == "waiting" for step in only(reader).steps))
            recording = only(reader)
        finally:
            reader.close()
    assert (recording.status, recording.has_ended, recording.finished()) == ("running", False, [])
    assert [step.options for step in recording.steps] == [
        {"duration_s": 7200},
        {"event": "payment/received", "timeout_s": 10800, "match": "data.id"},
        {"signal": "signal", "timeout_s": 14400, "on_conflict": "fail"},
        {"timeout_s": 60},
    ]
    assert [step.due is not None and step.due.timestamp() - rig.START for step in recording.steps] == [7200, 10800, 14400, 3600]
    flaky = recording.steps[3]
    assert (flaky.id, flaky.name, flaky.data, flaky.error) == ("flaky", "A flaky one", None, None)
    [attempt] = flaky.attempts
    assert (attempt.number, attempt.error.name, attempt.error.message, attempt.retry_at) == (0, "ValueError", "down", flaky.due)


async def test_a_defer_tells_which_body_made_it_and_what_became_of_it(path: pathlib.Path) -> None:
    app = ig.App("defers")

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ig.Done()

    async def body(ctx: ig.Context) -> None:
        ctx.defer("by the body", note, {"x": 1}).submit()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("by the handler", note, {}, meta={"k": "v"})
        yield ctx.defer("refused", note, 7)
        taken_back = yield ctx.defer("taken back", note, {})
        yield ctx.step.run("body", body, ctx)
        yield taken_back.abort()

    async with rig.engine(path, app) as engine:
        runs = await engine.run(ig.Event("go"), timeout=rig.PATIENCE_S)
        recording = await engine.recording(rig.of(runs, "f").id)
        deferred = [await engine.recording(run.id) for run in rig.all_of(runs, "note")]
    step = recording.steps[0].hash
    assert [(one.id, one.step, one.status) for one in recording.defers] == [
        ("by the handler", None, "scheduled"),
        ("refused", None, "rejected"),
        ("taken back", None, "aborted"),
        ("by the body", step, "scheduled"),
    ]
    assert "must be a JSON object" in str(recording.defers[1].reason)
    assert recording.defers[0].meta == {"k": "v"}
    assert {one.run_id for one in deferred} == {one.run_id for one in recording.defers if one.run_id}
    for one in deferred:
        assert (one.kind, one.parent_run_id, [parent.run_id for parent in one.parents]) == ("defer", recording.run_id, [recording.run_id])
        assert [dict(event.data) for event in one.events] == [{"x": 1} if one.run_id == recording.defers[3].run_id else {}]


async def test_a_failure_handlers_recording_has_the_error_it_handles(path: pathlib.Path) -> None:
    app = ig.App("failing")

    async def on_failure(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(str(ctx.error))

    @app.function("f", trigger="go", retries=1, backoff=0, on_failure=on_failure)
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)
        raise LookupError("gone")

    async with rig.engine(path, app) as engine:
        runs = await engine.run(ig.Event("go"), timeout=rig.PATIENCE_S)
        recording = await engine.recording(rig.of(runs, "f").id)
        handler = await engine.recording(rig.of(runs, "f-failure").id)
    assert (recording.attempt, recording.max_attempts) == (1, 2)
    assert [note.kind for note in recording.notes] == ["handler", "handler"]
    assert recording.error is not None
    assert (recording.error.name, recording.error.message) == ("LookupError", "gone")
    assert handler.failure is not None
    assert (handler.kind, handler.failure.name, handler.output) == ("failure", "LookupError", b'"LookupError: gone"')


async def test_a_recording_of_a_run_that_is_not_there(path: pathlib.Path) -> None:
    async with rig.engine(path, corpus.APP) as engine:
        with pytest.raises(ig.RunNotFound):
            await engine.recording("01KB82PJYQ0000000000000000")
