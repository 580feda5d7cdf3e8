"""Middleware stands around what a test runs as around what an engine runs; that a handler is rebuilt is told to no hook that only looks on."""

from collections.abc import Sequence
from typing import Any

import inngest_gen as ig
from inngest_gen import testing


class Watching(ig.Middleware):
    """Notes what it is told."""

    told: list[str] = []  # noqa: RUF012 - of all requests

    def on_run_start(self, run: ig.RunInfo) -> None:
        self.told.append("start")

    def on_memoization_end(self, run: ig.RunInfo) -> None:
        self.told.append("memoization end")

    def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
        self.told.append(f"complete {output}")

    def on_step_complete(self, step: ig.StepInfo, output: Any) -> None:
        self.told.append(f"{step.id} {output}")


class Changing(ig.Middleware):
    """Changes what steps get, what they give, and what is sent."""

    def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
        import dataclasses

        return dataclasses.replace(step, args=(*step.args, "more")) if step.id == "join" else step

    async def wrap_step(self, step: ig.StepInfo, next: Any) -> Any:
        value = await next()
        return value.upper() if step.id == "join" and not step.memoized else value

    def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
        return [ig.Event(event.name, {**event.data, "by": "middleware"}) for event in events]


async def join(*words: str) -> str:
    return " ".join(words)


async def handler(ctx: ig.Context) -> ig.Flow:
    said = yield ctx.step.run("join", join, "a", "b")
    yield ctx.step.sleep("nap", "1h")
    yield ctx.step.send_event("tell", ig.Event("told"))
    yield ig.Done(said)


def declared(*middleware: Any) -> ig.Function:
    return ig.App("test", middleware=middleware).function("handler", trigger="go")(handler)


async def test_hooks_that_look_on_are_told_once() -> None:
    Watching.told.clear()
    result = await testing.run(declared(Watching))
    assert result.output == "a b"
    assert Watching.told == ["memoization end", "start", "join a b", "complete a b"]


async def test_hooks_that_change_something_are_called() -> None:
    result = await testing.run(declared(Changing))
    assert result.output == "A B MORE"
    assert result.steps["join"].args == ("a", "b", "more")
    assert [(event.name, event.data) for event in result.events] == [("told", {"by": "middleware"})]


async def test_a_stand_in_is_wrapped_like_a_body() -> None:
    result = await testing.run(declared(Changing), steps={"join": lambda *words: "+".join(words)})
    assert result.output == "A+B+MORE"
