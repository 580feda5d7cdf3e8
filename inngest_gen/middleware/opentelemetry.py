"""OpenTelemetryMiddleware: spans for runs, step attempts and defers.

Promises: a parent is always named, never taken from what happens to be current: a run goes on in other tasks, processes and machines than it began
in. A span is current in the body of its step attempt, where whatever the body calls finds it, and nowhere else: never over a handler's yield.
All spans of a run are in one trace. Nothing is written in replays. Needs the extra `opentelemetry`; what exports the spans is the application's.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from inngest_gen.event import Event
from inngest_gen.middleware.info import DeferInput, ReplyInfo, RequestInfo, RunInfo, StepInfo
from inngest_gen.middleware.middleware import Middleware, Next

try:
    from opentelemetry import context as otel_context
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as _absent:
    _missing: ImportError | None = _absent
else:
    _missing = None
    _PROPAGATOR: Final = TraceContextTextMapPropagator()

_CARRIED: Final = ("traceparent", "tracestate")
_in_attempt: ContextVar[bool] = ContextVar("inngest_gen_otel_in_attempt", default=False)


class OpenTelemetryMiddleware(Middleware):
    """Makes spans.

        ig.App("shop", middleware=[OpenTelemetryMiddleware])

    "run {function}" for each request of a run (it says with `inngest_gen.suspended` that the run went to sleep), "step {id}" for each attempt of a
    step's function, "defer {id}" for each defer. The parent of a run's spans is what the call's `traceparent` header names, else what the event's
    `meta` carries; without either, all spans of the run are in a trace whose id is made from the run's id. Events that the app sends, and defers,
    carry `traceparent` in their `meta` (an Inngest server does not keep it). `tracer_provider` is the global one if none is given.
    """

    def __init__(self, tracer_provider: trace.TracerProvider | None = None) -> None:
        if _missing is not None:
            raise ImportError(
                "OpenTelemetryMiddleware needs the extra `opentelemetry`: pip install 'inngest-gen[opentelemetry]'"
            ) from _missing
        self._provider = tracer_provider
        self._tracer = trace.get_tracer("inngest_gen", tracer_provider=tracer_provider)
        self._headers: Mapping[str, str] = {}
        self._run: trace.Span | None = None
        self._attempts: dict[str, trace.Span] = {}

    def __call__(self) -> OpenTelemetryMiddleware:
        """Make the middleware of a request."""
        return OpenTelemetryMiddleware(self._provider)

    async def wrap_request(self, request: RequestInfo, next: Next[ReplyInfo]) -> ReplyInfo:
        """Remember the call's headers."""
        self._headers = request.headers
        return await next()

    # Runs.

    async def wrap_function(self, run: RunInfo, next: Next) -> Any:
        """Make the span of the request."""
        attributes: dict[str, str | int] = {
            "inngest_gen.run_id": run.run_id,
            "inngest_gen.app": run.app_id,
            "inngest_gen.function": run.function_id,
            "inngest_gen.attempt": run.attempt,
        }
        parent = self._carried(run)
        links = []
        if parent is None:
            parent = self._made(run)
            links = [trace.Link(_made_of(one.run_id, sampled=True)) for one in run.parents]
        span = self._run = self._tracer.start_span(f"run {run.function_id}", parent, trace.SpanKind.CONSUMER, attributes, links=links)
        try:
            return await next()
        except GeneratorExit:
            span.set_attribute("inngest_gen.suspended", True)
            raise
        except Exception as error:
            _fail(span, error)
            raise
        finally:
            for attempt in self._attempts.values():  # those that were cancelled
                attempt.end()
            span.end()

    def _carried(self, run: RunInfo) -> otel_context.Context | None:
        for source in (self._headers, *(event.meta or {} for event in run.events)):
            carrier = {name: source[name] for name in _CARRIED if isinstance(source.get(name), str)}
            parent = _PROPAGATOR.extract(carrier, otel_context.Context())
            if trace.get_current_span(parent).get_span_context().is_valid:
                return parent
        return None

    def _made(self, run: RunInfo) -> otel_context.Context:
        # The root of a trace is asked for by the sampler that decides for roots, by the trace's id: each request of the run decides alike.
        made = _made_of(run.run_id, sampled=True)
        sampler: Any = getattr(self._provider or trace.get_tracer_provider(), "sampler", None)
        if sampler is not None:
            sampled = sampler.should_sample(otel_context.Context(), made.trace_id, f"run {run.function_id}").decision.is_sampled()
            made = _made_of(run.run_id, sampled=sampled)
        return trace.set_span_in_context(trace.NonRecordingSpan(made), otel_context.Context())

    # Steps.

    def on_step_start(self, step: StepInfo) -> None:
        """Make an attempt's span and let it be current in the body, whose contextvars are its own."""
        attributes: dict[str, str | int] = {
            "inngest_gen.run_id": step.run.run_id,
            "inngest_gen.step.id": step.id,
            "inngest_gen.step.kind": step.kind,
            "inngest_gen.step.attempt": step.attempt or 0,
        }
        span = self._attempts[step.hash] = self._tracer.start_span(f"step {step.id}", self._below_run(), attributes=attributes)
        otel_context.attach(trace.set_span_in_context(span))
        _in_attempt.set(True)

    def on_step_complete(self, step: StepInfo, output: Any) -> None:  # noqa: ARG002 - results are not written down
        """End an attempt's span."""
        span = self._attempts.pop(step.hash, None)
        if span is not None:
            span.end()

    def on_step_error(self, step: StepInfo, error: BaseException, final: bool) -> None:
        """End an attempt's span with its error."""
        span = self._attempts.pop(step.hash, None)
        if span is not None:
            _fail(span, error)
            span.set_attribute("inngest_gen.final", final)
            span.end()

    def _below_run(self) -> otel_context.Context | None:
        """Give the context of what belongs to this request; None, the current one, where there is no run: the app sends."""
        return None if self._run is None else trace.set_span_in_context(self._run, otel_context.Context())

    # What leaves.

    def transform_defer_input(self, defer: DeferInput) -> DeferInput:
        """Make a defer's span, and let the deferred run find it."""
        attributes = {
            "inngest_gen.run_id": defer.run_id,
            "inngest_gen.defer.id": defer.id or "",
            "inngest_gen.defer.function": defer.function,
        }
        parent = None if _in_attempt.get() else self._below_run()
        span = self._tracer.start_span(f"defer {defer.id}", parent, trace.SpanKind.PRODUCER, attributes)
        span.end()
        return dataclasses.replace(defer, meta=_with_trace(defer.meta, trace.set_span_in_context(span, otel_context.Context())))

    def transform_send_event(self, events: Sequence[Event]) -> Sequence[Event]:
        """Let the runs that events start find who sent them."""
        context = self._below_run()
        return [dataclasses.replace(event, meta=_with_trace(event.meta, context)) for event in events]


def _with_trace(meta: Mapping[str, Any] | None, context: otel_context.Context | None) -> Mapping[str, Any] | None:
    carrier: dict[str, Any] = {}
    _PROPAGATOR.inject(carrier, context)
    if not carrier or (meta is not None and "traceparent" in meta):
        return meta
    return {**(meta or {}), **{name: carrier[name] for name in _CARRIED if name in carrier}}


def _made_of(run_id: str, *, sampled: bool) -> trace.SpanContext:
    """Make the context of a root that no span stands for, the same in every request of the run."""
    digest = hashlib.sha256(f"inngest_gen trace {run_id}".encode()).digest()
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
    return trace.SpanContext(int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]), is_remote=True, trace_flags=flags)


def _fail(span: trace.Span, error: BaseException) -> None:
    span.record_exception(error)
    span.set_status(trace.Status(trace.StatusCode.ERROR, f"{type(error).__name__}: {error}"))
