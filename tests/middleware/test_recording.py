"""RecordingMiddleware: the recording of a run that ends is a file that can be debugged; a run never fails for it."""

import dataclasses
import errno
import json
import logging
import os
import pathlib
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import inngest_gen as ig
from inngest_gen.debugger import Recording, Session, check, loads
from inngest_gen.middleware.recording import _put
from inngest_gen.testing import Server
from tests.debugger.stock import RAN, dead, price
from tests.engine.rig import engine


def shop(middleware: Any, **options: Any) -> ig.App:
    app = ig.App("shop", middleware=[middleware], **options)

    @app.deferred("note")
    async def note(ctx: ig.DeferContext[Any]) -> ig.Flow:
        yield ig.Done(ctx.data["n"])

    async def told(ctx: ig.Context) -> ig.Flow:
        yield ig.Done(str(ctx.error))

    @app.function("order", trigger="order/placed", on_failure=told, retries=0)
    async def order(ctx: ig.Context) -> ig.Flow:
        total = 0
        for n in range(2):
            total += yield ctx.step.run("price", price, n)
        yield ctx.defer("early", note, {"n": 1})
        yield ctx.step.sleep("nap", "1h")
        late: ig.DeferHandle = yield ctx.defer("late", note, {"n": 2})
        left, right = yield ctx.group.parallel(ctx.step.run("left", price, 10), ctx.step.run("right", price, 20))
        yield late.abort()
        if ctx.data.get("fails"):
            yield ctx.step.run("dead", dead)
        won = yield ctx.group.race(ctx.step.run("quick", price, 1), ctx.step.sleep("slow", "3d"))
        yield ig.Done([total, left, right, won.value, {"card": ctx.data["card"]}])

    return app


@asynccontextmanager
async def server_with(app_of: Any) -> AsyncIterator[Server]:
    async with Server(seed=1) as server:
        await server.register(ig.serve(app_of(**server.settings())))
        yield server


def files(directory: pathlib.Path) -> dict[str, Recording]:
    return {path.stem: loads(path.read_bytes()) for path in directory.iterdir()}


EVENT = ig.Event("order/placed", {"card": "4111"}, id="e1", meta={"sessions": {"org": "acme"}})
OUTPUT = [2, 20, 40, 2, {"card": "4111"}]


async def play(kind: str, middleware: Any, tmp_path: pathlib.Path, event: ig.Event = EVENT, **options: Any) -> list[Any]:
    """Give the runs, of a served app or of one on the embedded engine."""
    if kind == "engine":
        async with engine(tmp_path / "e.db", shop(middleware, **options)) as running:
            return await running.run(event, timeout=30)
    async with server_with(lambda **settings: shop(middleware, checkpointing=kind == "checkpoints", **settings, **options)) as server:
        return await server.run(event)


EVERYWHERE = pytest.mark.parametrize("kind", ["checkpoints", "calls", "engine"])


@EVERYWHERE
async def test_a_run_that_completes_is_written_whole_and_replays(kind: str, tmp_path: pathlib.Path) -> None:
    runs = await play(kind, ig.RecordingMiddleware(tmp_path / "kept" / "here"), tmp_path)
    assert runs[0].output == OUTPUT
    written = files(tmp_path / "kept" / "here")
    assert set(written) == {run.id for run in runs}
    recording = written[runs[0].id]
    assert (recording.app, recording.function, recording.kind, recording.status) == ("shop", "shop-order", "event", "completed")
    assert recording.events[0].data == {"card": "4111"}
    assert recording.sessions == {"org": "acme"}
    assert (recording.output, recording.error) == (json.dumps(OUTPUT, separators=(",", ":")).encode(), None)
    assert recording.created is not None
    places = [(step.position, step.path, step.at is not None and "test_recording.py:" in step.at) for step in recording.steps]
    assert places == [
        (0, "", True), (1, "", True), (2, "", True), (3, "parallel[0]", True), (4, "parallel[1]", True), (5, "race[0]", True), (None, "", False),
    ]  # fmt: skip
    steps = {(step.id, step.index): (step.kind, step.status, step.result) for step in recording.steps}
    assert steps == {
        ("price", 0): ("step.run", "completed", 0),
        ("price", 1): ("step.run", "completed", 2),
        ("nap", 0): ("step.sleep", "completed", None),
        ("left", 0): ("step.run", "completed", 20),
        ("right", 0): ("step.run", "completed", 40),
        ("quick", 0): ("step.run", "completed", 2),
        ("slow", 0): ("step.sleep", "abandoned", None),
    }
    assert {defer.id: (defer.status, defer.data) for defer in recording.defers} == {
        "early": ("after_run", b'{"n":1}'),
        "late": ("aborted", None),
    }
    note = next(one for one in written.values() if one.kind == "defer")
    assert (note.parent_run_id, note.output) == (runs[0].id, b"1")

    app = shop(ig.RecordingMiddleware(tmp_path / "none"))
    RAN.clear()
    async with Session(recording, app) as session:
        stop = await session.finish()
        assert stop.end is not None
        assert (stop.end.how, stop.end.as_recorded) == ("returned", True)
        assert (await session.back(2)).number == stop.number - 2
    assert (await check(recording, app)).compatible
    assert RAN == []
    assert not (tmp_path / "none").exists(), "a replay writes nothing"


@EVERYWHERE
async def test_a_run_that_fails_is_written_with_its_error_and_so_is_its_failure_handler(kind: str, tmp_path: pathlib.Path) -> None:
    event = ig.Event("order/placed", {"card": "4111", "fails": True})
    runs = await play(kind, ig.RecordingMiddleware(tmp_path / "kept"), tmp_path, event)
    written = files(tmp_path / "kept")
    recording = written[runs[0].id]
    assert recording.status == "failed"
    assert recording.error is not None
    assert recording.error.message == "out of stock"
    assert [(step.id, step.error and step.error.message) for step in recording.steps if step.status == "failed"] == [
        ("dead", "out of stock")
    ]
    handler = next(one for one in written.values() if one.kind == "failure")
    assert handler.failure is not None
    assert handler.failure.message == "out of stock"
    async with Session(recording, shop(ig.LoggingMiddleware)) as session:
        stop = await session.finish()
        assert stop.end is not None
        assert stop.end.how == "raised"


async def test_an_attempt_that_is_tried_again_writes_nothing(tmp_path: pathlib.Path) -> None:
    seen: list[bool] = []

    def app_of(**settings: Any) -> ig.App:
        app = ig.App("shop", middleware=[ig.RecordingMiddleware(tmp_path / "kept")], **settings)

        @app.function("f", trigger="go", retries=1)
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("price", price, 1)
            seen.append((tmp_path / "kept").exists())
            if len(seen) < 2:
                raise ConnectionError("away")

        return app

    async with server_with(app_of) as server:
        [run] = await server.run({"name": "go"})
    assert seen == [False, False]
    assert files(tmp_path / "kept")[run.id].status == "completed"


async def test_only_failed_runs_where_that_is_wanted(tmp_path: pathlib.Path) -> None:
    middleware = ig.RecordingMiddleware(tmp_path / "kept", failed_only=True)
    await play("checkpoints", middleware, tmp_path)
    assert not (tmp_path / "kept").exists()
    await play("checkpoints", middleware, tmp_path, ig.Event("order/placed", {"card": "4111", "fails": True}))
    assert {one.status for one in files(tmp_path / "kept").values()} == {"failed"}


async def test_values_are_redacted_before_they_are_on_disk(tmp_path: pathlib.Path) -> None:
    def hide(path: str, value: Any) -> Any:
        return 0 if path == "steps.left.result" else value

    middleware = ig.RecordingMiddleware(tmp_path / "kept", redact=["**.card", "nothing.here"], hook=hide)
    runs = await play("checkpoints", middleware, tmp_path)
    text = (tmp_path / "kept" / f"{runs[0].id}.json").read_text()
    assert "4111" not in text
    assert text.count("[redacted]") == 2
    recording = loads(text)
    assert next(step.result for step in recording.steps if step.id == "left") == 0
    assert recording.redacted == ("**.card", "nothing.here", "(hook)")
    with pytest.raises(ig.RecordingError, match="is no path"):
        ig.RecordingMiddleware(tmp_path, redact=["a..b"])


async def test_declared_first_it_has_what_the_server_has_and_after_the_encryption_plain_values(tmp_path: pathlib.Path) -> None:
    encryption = ig.EncryptionMiddleware(ig.EncryptionMiddleware.generate_key())

    def app_of(**settings: Any) -> ig.App:
        members = [ig.RecordingMiddleware(tmp_path / "sealed"), encryption, ig.RecordingMiddleware(tmp_path / "plain")]
        app = ig.App("shop", middleware=members, **settings)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ig.Done((yield ctx.step.run("price", price, 21)))

        return app

    async with server_with(app_of) as server:
        [run] = await server.run({"name": "go"})
    sealed, plain = (files(tmp_path / name)[run.id] for name in ("sealed", "plain"))
    assert list(sealed.steps[0].result) == ["__encrypted__"]
    assert (plain.steps[0].result, plain.output) == (42, b"42")
    for recording in (sealed, plain):
        async with Session(recording, app_of(dev=True)) as session:
            stop = await session.finish()
            assert stop.end is not None
            assert stop.end.how == "returned"


async def test_a_file_is_whole_and_its_owners_alone(tmp_path: pathlib.Path) -> None:
    runs = await play("checkpoints", ig.RecordingMiddleware(tmp_path / "kept"), tmp_path)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(f"{run.id}.json" for run in runs), "no other file is left"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept").iterdir()} == {0o600}


def fails_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


@pytest.mark.parametrize("wrong", ["a full disk", "no directory", "the hook"])
async def test_what_goes_wrong_is_a_log_line_and_leaves_no_file(
    wrong: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hook(path: str, value: Any) -> Any:
        raise KeyError(path)

    directory = tmp_path / "kept"
    if wrong == "no directory":
        directory.write_text("a file")
    elif wrong == "a full disk":
        fails_to_write(monkeypatch)
    with caplog.at_level(logging.ERROR, "inngest_gen.recording"):
        runs = await play("checkpoints", ig.RecordingMiddleware(directory, hook=hook if wrong == "the hook" else None), tmp_path)
    assert runs[0].output == OUTPUT
    lines = [record.getMessage() for record in caplog.records if record.name == "inngest_gen.recording"]
    assert len(lines) == len(runs)
    assert lines[0].startswith(f"the recording of run {runs[0].id} was not written: ")
    assert {"a full disk": "No space left", "no directory": "File exists", "the hook": "KeyError"}[wrong] in lines[0]
    assert wrong == "no directory" or not directory.exists() or list(directory.iterdir()) == []


async def test_a_disk_that_hangs_holds_up_no_run(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda _: free.wait(30))
    with caplog.at_level(logging.ERROR, "inngest_gen.recording"):
        try:
            runs = await play("checkpoints", ig.RecordingMiddleware(tmp_path / "kept", patience=0.02), tmp_path)
        finally:
            free.set()
    assert runs[0].output == OUTPUT
    assert "the disk took longer than 0.02 s" in caplog.text


@pytest.mark.parametrize("run_id", ["../../outside", "a/b", "", ".hidden", "x" * 65])
async def test_a_run_id_that_is_no_files_name_is_refused(run_id: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="cannot be a file's name"):
        _put(tmp_path / "kept", run_id, b"{}")
    assert list(tmp_path.iterdir()) == []


class Renames(ig.Middleware):
    def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
        return dataclasses.replace(step, id=f"{step.id}!")


@EVERYWHERE
async def test_steps_that_other_middleware_renames_are_there_once(kind: str, tmp_path: pathlib.Path) -> None:
    def app_of(**settings: Any) -> ig.App:
        app = ig.App("shop", middleware=[ig.RecordingMiddleware(tmp_path / "kept"), Renames], **settings)

        @app.function("f", trigger="go")
        async def f(ctx: ig.Context) -> ig.Flow:
            yield ctx.step.run("one", price, 1)
            yield ctx.group.race(ctx.step.sleep("slow", "3d"), ctx.step.run("quick", price, 2))
            yield ig.Done((yield ctx.step.run("last", price, 3)))

        return app

    if kind == "engine":
        async with engine(tmp_path / "e.db", app_of()) as running:
            run_id = (await running.run(ig.Event("go"), timeout=30))[0].id
    else:
        async with server_with(lambda **settings: app_of(checkpointing=kind == "checkpoints", **settings)) as server:
            run_id = (await server.run(ig.Event("go")))[0].id
    recording = files(tmp_path / "kept")[run_id]
    # The loser has the name that the handler gave it: with what it was renamed, nothing of it comes by again.
    assert [(step.id, step.status) for step in recording.steps] == [
        ("one!", "completed"), ("slow", "abandoned"), ("quick!", "completed"), ("last!", "completed"),
    ]  # fmt: skip
    assert (await check(recording, app_of(dev=True))).compatible
