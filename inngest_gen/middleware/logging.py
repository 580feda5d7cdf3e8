"""LoggingMiddleware: what happens to runs and steps, as log records with fields.

Promises: a line is written once, when the thing happens: nothing in replays. Refuses: to log data, results or arguments.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from inngest_gen.errors import ConfigError
from inngest_gen.event import Event
from inngest_gen.middleware.info import DeferInput, FunctionInput, RunInfo, StepInfo
from inngest_gen.middleware.middleware import Middleware, Next


class LoggingMiddleware(Middleware):
    """Logs the beginnings and ends of runs and step attempts, defers and sent events.

        ig.App("shop", middleware=[LoggingMiddleware])

    Records go to `logger` (default: the logger "inngest_gen.runs"): ordinary ones with `level`, beginnings of steps with DEBUG, failures that will
    be tried again with WARNING, those for good with ERROR and the traceback. Each has the fields (`extra`) `happening`, `run_id`, `app_id`,
    `function_id` and `attempt`; those of steps `step_id`, `step_kind`, `step_attempt`, and at the end `duration_s`; those of defers `defer_id`.
    """

    def __init__(self, logger: logging.Logger | None = None, *, level: int = logging.INFO) -> None:
        if not isinstance(level, int):
            raise ConfigError(f"the level of LoggingMiddleware is a number such as logging.INFO, not {level!r}")
        if logger is not None and not callable(getattr(logger, "log", None)):
            raise ConfigError(f"the logger of LoggingMiddleware is a logging.Logger, as logging.getLogger(...) gives it, not {logger!r}")
        self._log = logging.getLogger("inngest_gen.runs") if logger is None else logger
        self._level = level
        self._run: RunInfo | None = None
        self._began: dict[str, float] = {}

    def __call__(self) -> LoggingMiddleware:
        """Make the middleware of a request."""
        return LoggingMiddleware(self._log, level=self._level)

    def transform_function_input(self, input: FunctionInput) -> FunctionInput:
        """Remember whose request it is."""
        self._run = input.run
        return input

    def on_run_start(self, run: RunInfo) -> None:
        """Log that the run begins."""
        names = ", ".join(dict.fromkeys(event.name for event in run.events))
        self._say(self._level, "run.started", run, f"{_run(run)} starts ({names})")

    def on_run_complete(self, run: RunInfo, output: Any) -> None:  # noqa: ARG002 - results are not logged
        """Log that the run ended."""
        self._say(self._level, "run.completed", run, f"{_run(run)} is complete")

    def on_run_error(self, run: RunInfo, error: BaseException, final: bool) -> None:
        """Log that the handler failed."""
        self._failed("run.failed", run, _run(run), error, final=final)

    def on_step_start(self, step: StepInfo) -> None:
        """Log that an attempt begins."""
        self._began[step.hash] = time.perf_counter()
        self._say(logging.DEBUG, "step.started", step.run, f"{_step(step)} starts", **_fields(step))

    def on_step_complete(self, step: StepInfo, output: Any) -> None:  # noqa: ARG002 - results are not logged
        """Log that an attempt succeeded."""
        took = self._took(step)
        self._say(
            self._level, "step.completed", step.run, f"{_step(step)} is complete after {took:.3f} s", **_fields(step), duration_s=took
        )

    def on_step_error(self, step: StepInfo, error: BaseException, final: bool) -> None:
        """Log that an attempt failed."""
        self._failed("step.failed", step.run, _step(step), error, final=final, **_fields(step), duration_s=self._took(step))

    def transform_defer_input(self, defer: DeferInput) -> DeferInput:
        """Log that a defer leaves."""
        if self._run is not None:
            text = f"{_run(self._run)} defers {defer.id!r} to {defer.function}"
            self._say(self._level, "defer.added", self._run, text, defer_id=defer.id, deferred_function=defer.function)
        return defer

    async def wrap_send_event(self, events: Sequence[Event], next: Next[list[str]]) -> list[str]:
        """Log that events were sent."""
        ids = await next()
        names = ", ".join(dict.fromkeys(event.name for event in events))
        by = "the app" if self._run is None else _run(self._run)
        self._say(self._level, "events.sent", self._run, f"{by} sent {len(ids)} events ({names})", event_ids=ids)
        return ids

    def _took(self, step: StepInfo) -> float:
        now = time.perf_counter()
        return now - self._began.pop(step.hash, now)

    def _failed(self, happening: str, run: RunInfo, what: str, error: BaseException, *, final: bool, **fields: Any) -> None:
        then = "for good" if final else "and will be tried again"
        level = logging.ERROR if final else logging.WARNING
        text = f"{what} failed {then}: {type(error).__name__}: {error}"
        self._say(level, happening, run, text, error if final else None, final=final, error_name=type(error).__name__, **fields)

    def _say(self, level: int, happening: str, run: RunInfo | None, text: str, error: BaseException | None = None, **fields: Any) -> None:
        if not self._log.isEnabledFor(level):
            return
        if run is not None:
            fields |= {"run_id": run.run_id, "app_id": run.app_id, "function_id": run.function_id, "attempt": run.attempt}
        self._log.log(level, "%s", text, exc_info=error, extra={"happening": happening, **fields})


def _run(run: RunInfo) -> str:
    return f"run {run.run_id} of {run.slug}" + (f", attempt {run.attempt + 1} of {run.max_attempts}" if run.attempt else "")


def _step(step: StepInfo) -> str:
    again = f", attempt {step.attempt + 1} of {step.run.max_attempts}" if step.attempt else ""
    return f"{step.kind} {step.id!r} of run {step.run.run_id} of {step.run.slug}{again}"


def _fields(step: StepInfo) -> dict[str, Any]:
    return {"step_id": step.id, "step_kind": step.kind, "step_attempt": step.attempt}
