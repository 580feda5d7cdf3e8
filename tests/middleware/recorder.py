"""A middleware that writes down every hook that is called, and changes nothing."""

from collections.abc import Sequence
from typing import Any

import inngest_gen as ig


def recorder(log: list[str], name: str = "") -> type[ig.Middleware]:
    """A class whose hooks write into `log`, with `name` after each line."""
    end = f" ({name})" if name else ""

    def note(text: str) -> None:
        log.append(f"{text}{end}")

    class Recorder(ig.Middleware):
        def on_register(self, registration: ig.Registration) -> None:
            note(f"on_register {registration.app_id}/{registration.function_id}")

        def restore_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
            note("restore_defer_input")
            return defer

        def transform_function_input(self, input: ig.FunctionInput) -> ig.FunctionInput:
            note("transform_function_input")
            return input

        def on_memoization_end(self, run: ig.RunInfo) -> None:
            note("on_memoization_end")

        async def on_run_start(self, run: ig.RunInfo) -> None:
            note("on_run_start")

        async def wrap_function(self, run: ig.RunInfo, next: ig.Next) -> Any:
            note("wrap_function: before")
            try:
                result = await next()
            except GeneratorExit:
                note("wrap_function: let go")
                raise
            except Exception as error:
                note(f"wrap_function: {type(error).__name__}")
                raise
            note("wrap_function: after")
            return result

        async def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
            note(f"transform_step_input {step.id} {_state(step)}")
            return step

        def on_step_start(self, step: ig.StepInfo) -> None:
            note(f"on_step_start {step.id}")

        async def wrap_step(self, step: ig.StepInfo, next: ig.Next) -> Any:
            note(f"wrap_step {step.id} {_state(step)}: before")
            try:
                result = await next()
            except Exception as error:
                note(f"wrap_step {step.id} {_state(step)}: {type(error).__name__}")
                raise
            note(f"wrap_step {step.id} {_state(step)}: after")
            return result

        async def on_step_complete(self, step: ig.StepInfo, output: Any) -> None:
            note(f"on_step_complete {step.id} {output!r}")

        def on_step_error(self, step: ig.StepInfo, error: BaseException, final: bool) -> None:
            note(f"on_step_error {step.id} {type(error).__name__} {'final' if final else 'retried'}")

        def on_run_complete(self, run: ig.RunInfo, output: Any) -> None:
            note(f"on_run_complete {output!r}")

        async def on_run_error(self, run: ig.RunInfo, error: BaseException, final: bool) -> None:
            note(f"on_run_error {type(error).__name__} {'final' if final else 'retried'}")

        async def transform_defer_input(self, defer: ig.DeferInput) -> ig.DeferInput:
            note(f"transform_defer_input {defer.id}")
            return defer

        def transform_send_event(self, events: Sequence[ig.Event]) -> Sequence[ig.Event]:
            note(f"transform_send_event {[event.name for event in events]}")
            return events

        async def wrap_send_event(self, events: Sequence[ig.Event], next: ig.Next[list[str]]) -> list[str]:
            note("wrap_send_event: before")
            ids = await next()
            note("wrap_send_event: after")
            return ids

    return Recorder


def _state(step: ig.StepInfo) -> str:
    return "memoized" if step.memoized else "fresh"
