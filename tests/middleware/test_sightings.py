"""What a process saw of a run is in its recording: attempts, times, the code, defers with their data and fate; what it did not see is null."""

import pathlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.calls.failure import Failure
from inngest_gen.clock import Clock
from inngest_gen.debugger import Recording, Session, loads
from inngest_gen.ids import step_hash
from inngest_gen.middleware.sightings import RunSeen, Sightings
from inngest_gen.recording.recording import RecordedDefer
from inngest_gen.testing import Server
from tests.engine.rig import START, engine

Middlewares = Callable[[Clock], list[Any]]

TRIED: dict[str, int] = {}


def fails_first(what: str) -> str:
    TRIED[what] = TRIED.get(what, 0) + 1
    if TRIED[what] == 1:
        raise ConnectionError(f"{what} is away")
    return what


def shop(members: list[Any], **options: Any) -> ig.App:
    app = ig.App("shop", middleware=members, retries=2, **options)

    @app.deferred("note")
    async def note(ctx: ig.DeferContext[Any]) -> ig.Flow:
        yield ig.Done(ctx.data["n"])

    def stock(what: str) -> str:
        ig.defer("of a body", note, {"n": 3}).submit()
        return fails_first(what)

    def refuses() -> None:
        raise ig.NonRetriableError("never")

    @app.function("order", trigger="go")
    async def order(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("plain", len, "abc")
        yield ctx.defer(ig.Id("kept", name="Kept"), note, {"n": 1}, meta={"sessions": {"by": "me"}})
        aborted: ig.DeferHandle = yield ctx.defer("aborted", note, {"n": 2})
        yield ctx.defer("wrong", print, {"n": 2})  # type: ignore[arg-type]
        got = yield ctx.step.run("stock", stock, "tea")
        yield ctx.step.sleep("nap", "1h")
        yield aborted.abort()
        try:
            yield ctx.step.run("refuses", refuses)
        except ig.StepError as error:
            got += error.message
        if "handler" not in TRIED:
            fails_first("handler")
        yield ctx.defer("last", note, {"n": 4})
        yield ctx.group.race(ctx.step.run("quick", len, "ab"), ctx.step.sleep("slow", "3d"))
        yield ig.Done(got)

    return app


async def recorded(kind: str, members: Middlewares, kept: pathlib.Path, tmp_path: pathlib.Path) -> Recording:
    """Run it, and give the recording in a directory."""
    TRIED.clear()
    if kind == "engine":
        clock = ig.VirtualClock(START, jumps=True)
        async with engine(tmp_path / "e.db", shop(members(clock)), clock=clock) as running:
            run_id = (await running.run(ig.Event("go"), timeout=30))[0].id
    else:
        async with Server(seed=1) as server:
            await server.register(ig.serve(shop(members(server.clock), checkpointing=kind == "checkpoints", **server.settings())))
            run_id = (await server.run(ig.Event("go")))[0].id
    return loads((kept / f"{run_id}.json").read_bytes())


EVERYWHERE = pytest.mark.parametrize("kind", ["checkpoints", "calls", "engine"])


@EVERYWHERE
async def test_what_a_process_saw_from_the_beginning_is_all_there(kind: str, tmp_path: pathlib.Path) -> None:
    recording = await recorded(kind, lambda clock: [ig.RecordingMiddleware(tmp_path / "kept", clock=clock)], tmp_path / "kept", tmp_path)
    assert recording.status == "completed"
    steps = {step.id: step for step in recording.steps}
    assert {id: step.attempt for id, step in steps.items()} == {
        "plain": 0, "stock": 1, "nap": None, "refuses": 0, "quick": 0, "slow": None,
    }  # fmt: skip
    failed = {id: [(one.number, str(one.error)) for one in step.attempts] for id, step in steps.items() if step.attempts}
    assert failed == {"stock": [(0, "ConnectionError: tea is away")], "refuses": [(0, "NonRetriableError: never")]}
    [first] = steps["stock"].attempts
    stock = steps["stock"]
    assert first.error.stack is not None
    assert in_order(recording.started, first.started, first.at, stock.started, stock.ended, recording.ended)
    assert first.at is not None
    assert stock.started is not None
    assert stock.started > first.at, "there was a pause between"
    nap = steps["nap"]
    assert nap.started is not None
    assert nap.ended is not None
    assert (nap.ended - nap.started).total_seconds() == pytest.approx(3600, abs=5)
    assert (steps["slow"].started is not None, steps["slow"].ended, steps["slow"].status) == (True, None, "abandoned")
    assert [(note.kind, note.text) for note in recording.notes] == [
        ("handler", "attempt 0 of the handler failed: ConnectionError: handler is away")
    ]
    defers = {defer.id: defer for defer in recording.defers}
    assert {id: (defer.status, defer.function, defer.data) for id, defer in defers.items()} == {
        "kept": ("after_run", "shop-note", b'{"n":1}'),
        "aborted": ("aborted", "shop-note", None),
        "wrong": ("rejected", None, None),
        "of a body": ("after_run", "shop-note", b'{"n":3}'),
        "last": ("after_run", "shop-note", b'{"n":4}'),
    }
    assert (defers["kept"].name, defers["kept"].meta) == ("Kept", {"sessions": {"by": "me"}})
    assert defers["of a body"].step == stock.hash
    assert "no deferred function" in (defers["wrong"].reason or "")
    async with Session(recording, shop([], dev=True)) as session:
        assert session.code == "recorded"
        stop = await session.finish()
        assert stop.end is not None
        assert stop.end.as_recorded
        at_stock = await session.run_to("stock", backwards=True)
        assert at_stock.intent is not None
        assert at_stock.intent.memo is not None
        assert at_stock.intent.memo.failed == 1


@EVERYWHERE
async def test_what_another_process_saw_is_null_and_a_note_says_so(kind: str, tmp_path: pathlib.Path) -> None:
    def members(clock: Clock) -> list[Any]:
        one, other = (ig.RecordingMiddleware(tmp_path / name, clock=clock) for name in ("one", "other"))
        return [lambda: (one if TRIED.get("tea", 0) < 2 else other)()]

    recording = await recorded(kind, members, tmp_path / "other", tmp_path)
    steps = {step.id: step for step in recording.steps}
    plain = steps["plain"]
    assert (plain.attempt, plain.attempts, plain.started, plain.ended) == (None, (), None, None)
    assert steps["quick"].attempt == 0
    assert recording.started is None
    assert recording.code is not None
    assert recording.notes[0].text.startswith("not all of this run was seen")
    known = {defer.id: defer for defer in recording.defers}
    assert known["last"].data == b'{"n":4}'
    assert ("kept" in known, step_hash("kept") in known) == (False, kind != "engine")


def in_order(*moments: datetime | None) -> bool:
    known = [moment for moment in moments if moment is not None]
    return len(known) == len(moments) and known == sorted(known)


# What is kept.


def test_runs_seen_least_recently_are_forgotten_first_and_the_one_at_hand_never() -> None:
    sightings = Sightings(kept_bytes=10_000)
    for number in range(100):
        run = sightings.of(f"r{number}")
        run.began = 1.0
        run.deferred(RecordedDefer(id="d", hash="d", data=b"x" * 1_000))
        assert sightings.of("r0").began == 1.0, "it was seen a moment ago"
        assert sightings.of(f"r{number}") is run
    assert 3 <= len(sightings) <= 10
    assert sightings.of("r50").began is None
    big = sightings.of("big")
    big.attempt_failed("h", 0, 1.0, Failure(name="E", message="x" * 50_000), final=False)
    assert sightings.of("big") is big
    assert len(sightings) == 1


def test_some_runs_that_have_ended_are_kept_for_an_end_that_is_asked_for_again() -> None:
    sightings = Sightings()
    for number in range(200):
        sightings.of(f"r{number}").began = float(number)
        sightings.over(f"r{number}")
        sightings.over(f"r{number}")
    assert len(sightings) == 64
    assert sightings.of("r199").began == 199.0
    assert sightings.of("r1").began is None


def test_an_attempt_whose_beginning_was_not_seen_has_no_time_for_it() -> None:
    run = RunSeen()
    run.attempt_failed("h", 2, 5.0, Failure(name="E", message=""), final=True)
    step = run.steps["h"]
    assert (step.failed[2].started, step.started, step.ended, step.attempt) == (None, None, 5.0, None)
    run.has_result("h", 9.0)
    assert step.ended == 5.0


async def test_it_is_what_the_engine_itself_recorded(tmp_path: pathlib.Path) -> None:
    TRIED.clear()
    clock = ig.VirtualClock(START, jumps=True)
    middleware = ig.RecordingMiddleware(tmp_path / "kept", clock=clock)
    async with engine(tmp_path / "e.db", shop([middleware]), clock=clock) as running:
        run_id = (await running.run(ig.Event("go"), timeout=30))[0].id
        theirs = await running.recording(run_id)
    ours = loads((tmp_path / "kept" / f"{run_id}.json").read_bytes())
    for name in ("run_id", "app", "function", "kind", "status", "events", "parents", "sessions", "max_attempts", "code", "output", "error"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert [note for note in ours.notes if note.kind == "handler"] == [note for note in theirs.notes if note.kind == "handler"]
    same = ("id", "name", "hash", "index", "kind", "path", "at", "position", "options", "status", "rank", "data", "error")
    for mine, other in zip(ours.steps, theirs.steps, strict=True):
        lost = mine.status == "abandoned"  # it does not come by again
        assert {name: getattr(mine, name) for name in same if not (lost and name in {"path", "at", "position"})} == {
            name: getattr(other, name) for name in same if not (lost and name in {"path", "at", "position"})
        }
        assert [(one.number, one.error, one.at, one.started) for one in mine.attempts] == [
            (one.number, one.error, one.at, one.started) for one in other.attempts
        ]
        if mine.attempt is not None:
            assert (mine.attempt, mine.started, mine.ended) == (other.attempt, other.started, other.ended)
    assert {(one.id, one.hash, one.name, one.function, one.step, one.data, str(one.meta)) for one in ours.defers} == {
        (one.id, one.hash, one.name, one.function, one.step, one.data, str(one.meta)) for one in theirs.defers
    }
    fates = {"scheduled": "after_run"}
    assert {(one.id, one.status) for one in ours.defers} == {(one.id, fates.get(one.status, one.status)) for one in theirs.defers}
