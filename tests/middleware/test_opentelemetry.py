"""OpenTelemetryMiddleware: whose spans there are, under which parents, and what is current where."""

import pathlib
from typing import Any

import anyio.lowlevel
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

import inngest_gen as ig
from inngest_gen.middleware.opentelemetry import _made_of
from tests.engine.rig import PATIENCE_S, Gate, engine, eventually, of, run, run_one


class Traces:
    """A provider that keeps its spans."""

    def __init__(self, **options: Any) -> None:
        self.provider = TracerProvider(**options)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def middleware(self) -> ig.OpenTelemetryMiddleware:
        return ig.OpenTelemetryMiddleware(self.provider)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span


@pytest.fixture
def traces() -> Traces:
    return Traces()


def parent_id(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    id: int = span.context.span_id
    return id


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    id: int = span.context.trace_id
    return id


async def test_requests_attempts_and_defers_have_spans_in_one_trace(path: pathlib.Path, traces: Traces) -> None:
    app = ig.App("shop", backoff=1, middleware=[traces.middleware])
    tried: list[int] = []

    def flaky() -> int:
        tried.append(1)
        if len(tried) == 1:
            raise ValueError("not yet")
        return 1

    @app.deferred("note")
    async def note(ctx: ig.DeferContext) -> ig.Flow:
        yield ctx.step.run("write", lambda: 1)

    def defers(ctx: ig.Context) -> None:
        ctx.defer("from-body", note, {}).submit()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("load", flaky)
        yield ctx.defer("from-handler", note, {})
        yield ctx.step.run("defers", defers, ctx)
        yield ctx.step.sleep("nap", 1)

    one = of(await run(path, app), "f")
    runs = traces.named("run f")
    assert [dict(span.attributes or {}).get("inngest_gen.suspended", False) for span in runs] == [True, True, False]
    assert all(span.kind is SpanKind.CONSUMER for span in runs)
    assert dict(runs[2].attributes or {}) == {
        "inngest_gen.run_id": one.id, "inngest_gen.app": "shop", "inngest_gen.function": "f", "inngest_gen.attempt": 0,
    }  # fmt: skip
    assert {trace_id(span) for span in traces.spans} == {trace_id(runs[0])}  # those of the deferred runs too

    failed, loaded = traces.named("step load")
    assert (parent_id(failed), parent_id(loaded)) == (span_id(runs[0]), span_id(runs[1]))
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "ValueError: not yet")
    assert [event.name for event in failed.events] == ["exception"]
    assert dict(loaded.attributes or {}) == {
        "inngest_gen.run_id": one.id, "inngest_gen.step.id": "load", "inngest_gen.step.kind": "step.run", "inngest_gen.step.attempt": 1,
    }  # fmt: skip

    from_handler, from_body = traces.one("defer from-handler"), traces.one("defer from-body")
    assert parent_id(from_handler) == span_id(runs[1])
    assert parent_id(from_body) == span_id(traces.one("step defers"))
    assert from_body.kind is SpanKind.PRODUCER
    assert sorted(parent_id(span) or 0 for span in traces.named("run note")) == sorted([span_id(from_handler), span_id(from_body)])
    assert len(traces.named("step write")) == 2


async def test_a_span_is_current_in_its_body_and_never_in_the_handler(path: pathlib.Path, traces: Traces) -> None:
    app = ig.App("shop", middleware=[traces.middleware])
    tracer = traces.provider.get_tracer("user")

    def current() -> str:
        return f"{trace.get_current_span().get_span_context().span_id:016x}"

    def in_thread() -> str:
        with tracer.start_as_current_span("inner thread"):
            return current()

    async def in_task() -> str:
        with tracer.start_as_current_span("inner task"):
            await anyio.lowlevel.checkpoint()
        return current()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        here = [current()]
        a, b = yield ctx.group.parallel(ctx.step.run("thread", in_thread), ctx.step.run("task", in_task))
        here.append(current())
        yield ctx.step.sleep("nap", 1)
        here.append(current())
        yield ig.Done([here, a, b])

    with tracer.start_as_current_span("whoever opened the engine") as outer:
        one = await run_one(path, app)
    here, a, b = one.output
    assert set(here) == {f"{outer.get_span_context().span_id:016x}"}  # that of the context which the run was started in, never one of ours
    assert a == f"{span_id(traces.one('inner thread')):016x}"
    assert parent_id(traces.one("inner thread")) == span_id(traces.one("step thread"))
    assert parent_id(traces.one("inner task")) == span_id(traces.one("step task"))
    assert b == f"{span_id(traces.one('step task')):016x}"
    assert {parent_id(traces.one("step thread")), parent_id(traces.one("step task"))} == {span_id(traces.named("run f")[0])}
    assert trace_id(traces.named("run f")[0]) != outer.get_span_context().trace_id


async def test_a_run_goes_on_in_the_trace_of_whoever_sent_its_event(path: pathlib.Path, traces: Traces) -> None:
    app = ig.App("shop", middleware=[traces.middleware])
    tracer = traces.provider.get_tracer("user")

    @app.function("heard", trigger="said")
    async def heard(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)

    def says() -> None:
        app.send_sync(ig.Event("said"))

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.send_event("say", ig.Event("said"))
        yield ctx.step.run("says", says)

    async with engine(path, app) as its_engine:
        with tracer.start_as_current_span("web request") as request:
            [id] = await app.send(ig.Event("go", meta={"sessions": {"s": "x"}}))
        runs = await its_engine.run(ig.Event("go", id=id), timeout=PATIENCE_S)
        await eventually(lambda: len(traces.named("run heard")) == 4)
    context = request.get_span_context()
    assert of(runs, "f").event.meta == {
        "sessions": {"s": "x"},
        "traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}",
    }
    [run_f] = traces.named("run f")
    assert parent_id(run_f) == context.span_id
    assert {trace_id(span) for span in traces.spans} == {context.trace_id}
    assert {parent_id(span) for span in traces.named("run heard")} == {span_id(run_f), span_id(traces.one("step says"))}


async def test_without_a_parent_all_requests_of_a_run_are_in_a_trace_made_of_its_id(path: pathlib.Path, traces: Traces) -> None:
    app = ig.App("shop", middleware=[traces.middleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)
        yield ctx.step.sleep("again", 1)

    one = await run_one(path, app)
    root = _made_of(one.id, sampled=True)
    assert {trace_id(span) for span in traces.named("run f")} == {root.trace_id}
    assert {parent_id(span) for span in traces.named("run f")} == {root.span_id}
    assert len(traces.named("run f")) == 3


@pytest.mark.parametrize(("sampler", "spans"), [(ALWAYS_OFF, 0), (ParentBased(ALWAYS_OFF), 0), (ParentBased(TraceIdRatioBased(1)), 2)])
async def test_the_sampler_for_roots_decides_and_for_all_requests_of_a_run_alike(path: pathlib.Path, sampler: Any, spans: int) -> None:
    traces = Traces(sampler=sampler)
    app = ig.App("shop", middleware=[traces.middleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)

    await run_one(path, app)
    assert len(traces.spans) == spans


async def test_half_of_the_runs_whole_or_not_at_all(path: pathlib.Path) -> None:
    traces = Traces(sampler=ParentBased(TraceIdRatioBased(0.5)))
    app = ig.App("shop", middleware=[traces.middleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.sleep("nap", 1)

    async with engine(path, app) as its_engine:
        for _ in range(40):
            await its_engine.run(ig.Event("go"), timeout=PATIENCE_S)
    of_each: dict[int, int] = {}
    for span in traces.spans:
        of_each[trace_id(span)] = of_each.get(trace_id(span), 0) + 1
    assert set(of_each.values()) == {2}
    assert 5 < len(of_each) < 35


async def test_a_handler_that_fails_is_told_by_its_span(path: pathlib.Path, traces: Traces) -> None:
    app = ig.App("shop", retries=0, middleware=[traces.middleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> None:
        raise LookupError("gone")

    await run_one(path, app)
    span = traces.one("run f")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "LookupError: gone")


async def test_the_span_of_an_attempt_that_was_cancelled_is_ended(path: pathlib.Path, traces: Traces) -> None:
    app = ig.App("shop", middleware=[traces.middleware])
    gate = Gate()

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.group.parallel(ctx.step.run("one", gate.passed), ctx.step.sleep("nap", "1h"))

    async with engine(path, app, clock=ig.VirtualClock(1_790_000_000)) as its_engine:
        await its_engine.send(ig.Event("go"))
        await gate.reached.wait()
        [one] = await its_engine.runs()
        await its_engine.cancel(one.id)
        await eventually(lambda: len(traces.spans) == 2)
    assert {span.name for span in traces.spans} == {"run f", "step one"}


async def test_a_call_s_header_names_the_parent() -> None:
    """What serving hands to `wrap_request`, the same instance finds when the handler begins."""
    traces = Traces()
    middleware = traces.middleware()
    request = ig.RequestInfo(
        method="POST", url="/api/inngest", headers={"traceparent": f"00-{7:032x}-{9:016x}-01"}, body=b"", slug="shop-f",
    )  # fmt: skip
    info = ig.RunInfo(
        app_id="shop", function_id="f", slug="shop-f", kind="main", run_id="01GQ3HTEZ01M7R8Z9PR1DMHDN1", attempt=0, max_attempts=1,
        events=(ig.Event("go", meta={"traceparent": f"00-{1:032x}-{2:016x}-01"}),),
    )  # fmt: skip

    async def handler() -> str:
        return "end"

    async def answer() -> ig.ReplyInfo:
        assert await middleware.wrap_function(info, handler) == "end"
        return ig.ReplyInfo(status=200, headers={}, body=b"")

    assert (await middleware.wrap_request(request, answer)).status == 200
    span = traces.one("run f")
    assert (trace_id(span), parent_id(span)) == (7, 9)


@pytest.mark.parametrize(
    "meta", [{"traceparent": 5}, {"traceparent": "nonsense"}, {"traceparent": None}, {"traceparent": f"00-{0:032x}-{0:016x}-01"}]
)
async def test_a_traceparent_that_is_none_is_as_if_there_were_none(path: pathlib.Path, traces: Traces, meta: Any) -> None:
    app = ig.App("shop", middleware=[traces.middleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> None:
        pass

    one = await run_one(path, app, ig.Event("go", meta=meta))
    assert one.status == "completed"
    assert trace_id(traces.one("run f")) == _made_of(one.id, sampled=True).trace_id


async def test_the_global_provider_is_taken_where_none_is_given(path: pathlib.Path) -> None:
    """Without the SDK, or before it is set up, spans are those of the API that do nothing."""
    app = ig.App("shop", middleware=[ig.OpenTelemetryMiddleware])

    @app.function("f", trigger="go")
    async def f(ctx: ig.Context) -> ig.Flow:
        yield ctx.step.run("one", lambda: 1)

    assert (await run_one(path, app)).status == "completed"
