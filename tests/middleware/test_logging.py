"""LoggingMiddleware: one record for each thing that happens, with fields, and none for what is replayed."""

import logging
import pathlib
from typing import Any

import pytest

import inngest_gen as ig
from tests.engine.rig import engine, of, run, run_one

STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "inngest_gen.runs"]


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that a record has of its own."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


async def test_each_happening_is_told_once_though_the_run_is_replayed(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    app = ig.App("shop", middleware=[ig.LoggingMiddleware])

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> None:
        pass

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("load", lambda: 1)
        yield ctx.defer("d", note, {})
        yield ctx.step.sleep("nap", 1)
        yield ctx.step.send_event("say", ig.Event("said", id="e1"))
        yield ctx.step.sleep("again", 1)

    with caplog.at_level(logging.INFO, "inngest_gen.runs"):
        runs = await run(path, app)
    one = of(runs, "f")
    told = [record for record in records(caplog) if getattr(record, "run_id", None) == one.id]
    assert [record.happening for record in told] == [  # type: ignore[attr-defined]
        "run.started", "step.completed", "defer.added", "events.sent", "run.completed",
    ]  # fmt: skip
    assert {record.levelno for record in told} == {logging.INFO}
    started, loaded, deferred, sent, _ = told
    common = {"run_id": one.id, "app_id": "shop", "function_id": "f", "attempt": 0}
    assert fields(started) == {**common, "happening": "run.started"}
    duration = fields(loaded).pop("duration_s")
    assert 0 < duration < 60
    assert fields(loaded) == {
        **common, "happening": "step.completed", "step_id": "load", "step_kind": "step.run", "step_attempt": 0, "duration_s": duration,
    }  # fmt: skip
    assert fields(deferred) == {**common, "happening": "defer.added", "defer_id": "d", "deferred_function": "shop-note"}
    assert fields(sent) == {**common, "happening": "events.sent", "event_ids": ["e1"]}
    assert started.getMessage() == f"run {one.id} of shop-f starts (go)"
    assert loaded.getMessage() == f"step.run 'load' of run {one.id} of shop-f is complete after {duration:.3f} s"


async def test_failures_say_whether_there_will_be_another_attempt(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    app = ig.App("shop", retries=1, backoff=1, middleware=[ig.LoggingMiddleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("load", lambda: 1 / 0)
        except ig.StepError:
            raise LookupError("gone") from None

    with caplog.at_level(logging.INFO, "inngest_gen.runs"):
        one = await run_one(path, app)
    failed = [record for record in records(caplog) if "failed" in record.happening]  # type: ignore[attr-defined]
    assert [(record.happening, record.levelname, record.final) for record in failed] == [  # type: ignore[attr-defined]
        ("step.failed", "WARNING", False), ("step.failed", "ERROR", True), ("run.failed", "WARNING", False), ("run.failed", "ERROR", True),
    ]  # fmt: skip
    assert (
        failed[0].getMessage()
        == f"step.run 'load' of run {one.id} of shop-f failed and will be tried again: ZeroDivisionError: division by zero"
    )
    assert failed[1].getMessage().startswith(f"step.run 'load' of run {one.id} of shop-f, attempt 2 of 2 failed for good")
    assert failed[1].exc_info is not None
    assert failed[0].exc_info is None
    assert failed[3].error_name == "LookupError"  # type: ignore[attr-defined]


async def test_beginnings_of_steps_are_for_debugging(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    app = ig.App("shop", middleware=[ig.LoggingMiddleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("load", lambda: 1)

    with caplog.at_level(logging.DEBUG, "inngest_gen.runs"):
        await run_one(path, app)
    assert [record.happening for record in records(caplog)] == [  # type: ignore[attr-defined]
        "run.started", "step.started", "step.completed", "run.completed",
    ]  # fmt: skip


async def test_a_logger_and_a_level_may_be_given_and_app_send_is_told(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    app = ig.App("shop", middleware=[ig.LoggingMiddleware(logging.getLogger("mine"), level=logging.DEBUG)])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> None:
        pass

    with caplog.at_level(logging.DEBUG, "mine"):
        async with engine(path, app) as its_engine:
            [id] = await app.send(ig.Event("go"))
            await its_engine.run(ig.Event("go", id=id), timeout=30)
    told = [
        (record.levelname, record.getMessage().replace(" of shop-f", "").partition(" ")[2])
        for record in caplog.records
        if record.name == "mine"
    ]
    assert told[0] == ("DEBUG", "app sent 1 events (go)")
    assert not [level for level, _ in told if level != "DEBUG"]


async def test_nothing_of_the_data_is_logged(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    app = ig.App("shop", middleware=[ig.LoggingMiddleware])

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> None:
        pass

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("load", str, "SECRET")
        yield ctx.defer("d", note, {"x": "SECRET"})
        yield ctx.step.send_event("say", ig.Event("said", {"x": "SECRET"}))
        yield ig.Done("SECRET")

    with caplog.at_level(logging.DEBUG, "inngest_gen.runs"):
        await run(path, app, "go", {"x": "SECRET"})
    assert records(caplog)
    assert not [record for record in records(caplog) if "SECRET" in f"{record.getMessage()}{vars(record)}"]
