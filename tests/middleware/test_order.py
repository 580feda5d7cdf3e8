"""In which order the hooks of a request are called, those of several middlewares among them."""

import pathlib
from typing import Any

import pytest

import inngest_gen as ig
from tests.engine.rig import PATIENCE_S, engine, run, run_one
from tests.middleware.recorder import recorder


def declared(level: str, log: list[str]) -> tuple[list[Any], list[Any]]:
    """Two recorders: both of the app, both of the function, or one of each. The first is outside the second."""
    one, two = recorder(log, "1"), recorder(log, "2")
    return {"app": ([one, two], []), "function": ([], [one, two]), "both": ([one], [two])}[level]


levels = pytest.mark.parametrize("level", ["app", "function", "both"])


def both(text: str) -> list[str]:
    """What comes in, and what only looks on: the first, then the second."""
    return [f"{text} (1)", f"{text} (2)"]


def outwards(text: str) -> list[str]:
    """What goes out: the second, then the first."""
    return [f"{text} (2)", f"{text} (1)"]


@levels
async def test_a_run_that_is_suspended_once(path: pathlib.Path, level: str) -> None:
    log: list[str] = []
    of_app, of_function = declared(level, log)
    app = ig.App("shop", middleware=of_app)

    def body() -> str:
        log.append("body")
        return "result"

    @app.function("f", trigger="go", middleware=of_function)
    async def f(ctx: ig.Context) -> ig.Flow:
        log.append("top")
        yield ctx.step.run("one", body)
        yield ctx.step.sleep("nap", 1)
        log.append("bottom")
        yield ig.Done("end")

    assert (
        log
        == {
            "app": ["on_register shop/None (1)", "on_register shop/None (2)"],
            "function": ["on_register shop/f (1)", "on_register shop/f (2)"],
            "both": ["on_register shop/None (1)", "on_register shop/f (2)"],
        }[level]
    )
    log.clear()
    assert (await run_one(path, app)).output == "end"
    assert log == [
        # The first stay in memory: a body runs, and its result comes to the handler.
        *both("transform_function_input"),
        *both("on_memoization_end"),  # nothing is recorded
        *both("on_run_start"),
        *both("wrap_function: before"),
        "top",
        *both("transform_step_input one fresh"),
        *both("on_step_start one"),
        *both("wrap_step one fresh: before"),
        "body",
        *outwards("wrap_step one fresh: after"),
        *both("on_step_complete one 'result'"),
        *outwards("wrap_step one memoized: before"),  # a result that comes in: the first is next to the record
        *both("wrap_step one memoized: after"),
        *both("transform_step_input nap fresh"),
        *outwards("wrap_function: let go"),
        # The second one: the same results come from the record.
        *both("transform_function_input"),
        *both("wrap_function: before"),
        "top",
        *both("transform_step_input one memoized"),
        *outwards("wrap_step one memoized: before"),
        *both("wrap_step one memoized: after"),
        *both("transform_step_input nap memoized"),
        *both("on_memoization_end"),
        *outwards("wrap_step nap memoized: before"),
        *both("wrap_step nap memoized: after"),
        "bottom",
        *outwards("wrap_function: after"),
        *both("on_run_complete 'end'"),
    ]


@levels
async def test_events_sent_by_a_step_and_by_the_app(path: pathlib.Path, level: str) -> None:
    log: list[str] = []
    of_app, of_function = declared(level, log)
    app = ig.App("shop", middleware=of_app)

    @app.function("f", trigger="go", middleware=of_function)
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.send_event("send", ig.Event("sent", id="e1"))))

    log.clear()
    async with engine(path, app) as its_engine:
        await app.send(ig.Event("other"))
        of_the_app = {
            "app": [
                *outwards("transform_send_event ['other']"),
                *both("wrap_send_event: before"),
                *outwards("wrap_send_event: after"),
            ],
            "function": [],
            "both": ["transform_send_event ['other'] (1)", "wrap_send_event: before (1)", "wrap_send_event: after (1)"],
        }[level]
        assert log == of_the_app
        log.clear()
        [one] = await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
    assert one.output == ["e1"]
    start = log.index("transform_step_input send fresh (2)")
    assert log[start + 1 : -4] == [
        *outwards("transform_send_event ['sent']"),
        *both("wrap_send_event: before"),
        *outwards("wrap_send_event: after"),
        # It has no body: no on_step hooks, and wrap_step only for what is recorded.
        *outwards("wrap_step send memoized: before"),
        *both("wrap_step send memoized: after"),
    ]


async def test_a_defer_from_its_run_to_the_deferred_function(path: pathlib.Path) -> None:
    log: list[str] = []
    app = ig.App("shop", middleware=[recorder(log, "app")])

    @app.deferred("note", middleware=[recorder(log, "note")])
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        log.append("note")
        yield ig.Done()

    @app.function("f", trigger="go", middleware=[recorder(log, "f")])
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.defer("d", note, {})

    log.clear()
    await run(path, app)
    assert [line for line in log if "defer" in line or line == "note"] == [
        "transform_defer_input d (f)",
        "transform_defer_input d (app)",
        "restore_defer_input (app)",
        "restore_defer_input (note)",
        "note",
    ]
    [restored] = [place for place, line in enumerate(log) if line == "restore_defer_input (note)"]
    assert log[restored + 1] == "transform_function_input (app)"
    assert not [line for line in log if "step" in line]  # a defer is no step (A77, H14)
    assert [line for line in log if line.startswith("on_run_start")] == [
        "on_run_start (app)", "on_run_start (f)", "on_run_start (app)", "on_run_start (note)",
    ]  # fmt: skip


async def test_a_step_that_fails_and_is_tried_again(path: pathlib.Path) -> None:
    log: list[str] = []
    app = ig.App("shop", backoff=1, retries=1, middleware=[recorder(log)])

    def body() -> None:
        log.append("body")
        raise ValueError("no")

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        try:
            yield ctx.step.run("one", body)
        except ig.StepError:
            log.append("caught")

    log.clear()
    await run_one(path, app)
    assert log == [
        "transform_function_input",
        "on_memoization_end",
        "on_run_start",
        "wrap_function: before",
        "transform_step_input one fresh",
        "on_step_start one",
        "wrap_step one fresh: before",
        "body",
        "wrap_step one fresh: ValueError",
        "on_step_error one ValueError retried",
        "wrap_function: let go",
        # The step's next attempt; nothing is recorded yet, but the run has begun.
        "transform_function_input",
        "on_memoization_end",
        "wrap_function: before",
        "transform_step_input one fresh",
        "on_step_start one",
        "wrap_step one fresh: before",
        "body",
        "wrap_step one fresh: ValueError",
        "on_step_error one ValueError final",
        "wrap_step one memoized: before",
        "wrap_step one memoized: StepError",
        "caught",
        "wrap_function: after",
        "on_run_complete None",
    ]


async def test_a_handler_that_fails_and_is_tried_again(path: pathlib.Path) -> None:
    log: list[str] = []
    app = ig.App("shop", backoff=1, retries=1, middleware=[recorder(log)])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        log.append("top")
        yield ctx.step.sleep("nap", 1)
        raise ValueError("no")

    log.clear()
    await run_one(path, app)
    assert [line for line in log if "step" not in line and "input" not in line] == [
        "on_memoization_end",
        "on_run_start",
        "wrap_function: before",
        "top",
        "wrap_function: let go",
        "wrap_function: before",
        "top",
        "on_memoization_end",
        "wrap_function: ValueError",
        "on_run_error ValueError retried",
        "wrap_function: before",
        "top",
        "on_memoization_end",
        "wrap_function: ValueError",
        "on_run_error ValueError final",
    ]
