"""Hooks may be sync or async, and say what they give."""

import dataclasses
from collections.abc import Sequence
from typing import Any, assert_type

import inngest_gen as ig


class Sync(ig.Middleware):
    def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
        return dataclasses.replace(step, args=(1,))

    def transform_send_event(self, events: Sequence[ig.Event]) -> list[ig.Event]:
        return [*events]

    def on_run_start(self, run: ig.RunInfo) -> None:
        assert_type(run.events, tuple[ig.Event, ...])


class Async(ig.Middleware):
    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate

    async def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
        return input

    async def on_step_error(self, step: ig.StepInfo, error: BaseException, final: bool) -> None:
        assert_type(step.run, ig.RunInfo)

    async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
        return await next()

    async def wrap_send_event(self, events: Sequence[ig.Event], next: ig.Next[list[str]]) -> list[str]:
        return await next()


app = ig.App("shop", middleware=[Sync, Async, lambda: Async(0.5)])


@app.function("f", middleware=[Sync])
async def f(ctx: ig.Context) -> ig.Flow:
    yield ig.Done()


@app.deferred("d", middleware=[Sync, lambda: Async(0.5)])
async def d(ctx: ig.DeferContext) -> ig.Flow:
    yield ig.Done()
