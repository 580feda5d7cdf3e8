"""Hooks that change nothing change nothing: every handler runs, replays and is freed as without them."""

import dataclasses
import gc
import logging
import weakref
from typing import Any

import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

import inngest_gen as ig
from inngest_gen.calls.request import CallRequest
from inngest_gen.driver.execution import Execution
from inngest_gen.driver.turn import Planned
from inngest_gen.middleware.stack import Stack
from tests.driver.corpus import HANDLERS, Handler, drawn, programs
from tests.driver.shell import RUN_ID, End, Shell, Stop, shuffled

seeds = st.integers(0, 2**32)
handlers = st.one_of(st.sampled_from(HANDLERS), programs.map(drawn))
gaps = st.lists(st.integers(1, 25), max_size=8)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Any:
    """Duplicates and misuse are drawn in masses."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Passes(ig.Middleware):
    """Has every hook of a run, lets everything pass, and gives way to the loop now and then."""

    async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
        return await next()

    def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
        return input

    def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
        return step

    async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
        if step.hash[0] < "2":
            await anyio.lowlevel.checkpoint()
        return await next()

    def on_memoization_end(self, run: ig.RunInfo) -> None:
        pass

    async def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
        return dataclasses.replace(defer)


class Hooked(Shell):
    """The driver's shell, with middleware. `middleware` are the classes."""

    middleware: tuple[Any, ...] = (Passes, Passes)

    def __init__(self, handler: Any, data: Any = None, **options: Any) -> None:
        super().__init__(handler, data, **options)
        stack = Stack.declared(self.middleware, ig.Registration(app_id="test"), logging.getLogger("test"))
        self.function.options = dataclasses.replace(self.function.options, middleware=stack)

    def _chain(self) -> Any:
        return self.function.chain()

    def begin(self, *, attempt: int = 0) -> Execution:
        record = self.record
        planned: dict[int, Planned] | None = dict(record.planned) if self.strict else None
        self.execution = self.function.begin(
            CallRequest(run_id=RUN_ID, events=(ig.Event("test/event", self.data),), attempt=attempt),
            memos=record.memos(),
            prior_defers=record.prior(),
            strict=self.strict,
            planned=planned,
            chain=self._chain(),
            first=not record.steps,
        )
        return self.execution


def stops(gaps: list[int]) -> Stop:
    left = list(gaps)
    since = 0

    def stop(point: int) -> bool:
        nonlocal since
        since += 1
        if left and since >= left[0]:
            left.pop(0)
            since = 0
            return True
        return False

    return stop


def recorded(shell: Shell) -> Any:
    """The record, but for what a plain shell and a hooked one call at different times."""
    return [(entry.hash, entry.position, entry.data, entry.failure) for entry in shell.record.steps.values()], shell.record.scheduled()


def comparable(end: End) -> Any:
    return end.kind, end.value, end.error, end.final


@given(handler=handlers, seed=seeds, gaps=gaps, budget=st.sampled_from([None, 1, 3]))
async def test_a_run_through_hooks_is_the_run_without(handler: Handler, seed: int, gaps: list[int], budget: int | None) -> None:
    plain = Shell(handler, order=shuffled(seed))
    end = await plain.run()
    hooked = Hooked(handler, order=shuffled(seed), budget=budget)
    assert comparable(await hooked.run(stop=stops(gaps))) == comparable(end)
    assert recorded(hooked) == recorded(plain)
    assert comparable(await hooked.replay()) == comparable(end)


async def test_a_muted_chain_changes_values_as_ever_and_tells_nobody() -> None:
    told: list[str] = []

    class Adds(ig.Middleware):
        async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
            return await next() + 1

        async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
            return [await next()]

        def on_run_start(self, run: ig.RunInfo) -> None:
            told.append("start")

        def on_memoization_end(self, run: ig.RunInfo) -> None:
            told.append("end")

        def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
            told.append("complete")

    class Muted(Hooked):
        middleware = (Adds,)

        def _chain(self) -> Any:
            chain = self.function.chain()
            chain.mute()
            return chain

    async def handler(ctx: ig.Context) -> ig.Flow:
        yield ig.Done((yield ctx.step.run("a", int)))

    assert (await Muted(handler).run()).value == [1]
    assert told == []


class Local:
    """Something that a frame holds."""


async def test_what_hooks_and_handler_hold_is_freed_when_the_run_is_let_go() -> None:
    refs: list[weakref.ref[Local]] = []

    def local() -> Local:
        made = Local()
        refs.append(weakref.ref(made))
        return made

    class Holds(ig.Middleware):
        async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
            held = local()
            try:
                return await next()
            finally:
                del held

        async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
            held = local()
            value = await next()
            del held
            return value

    class Shelled(Hooked):
        middleware = (Holds, Holds)

    async def handler(ctx: ig.Context) -> ig.Flow:
        held = local()
        yield ctx.step.run("a", int)
        try:
            yield ctx.step.run("bad", int, "x")
        except ig.StepError:
            yield ctx.step.run("b", int)
        del held

    gc.disable()
    try:
        for point in (3, 7, 11, 13):
            shell = Shelled(handler)
            await shell.run(stop=point.__eq__)
            assert len(refs) > 5
            assert [ref for ref in refs if ref() is not None] == []
            refs.clear()
    finally:
        gc.enable()
