"""Durable execution whose handlers are async generators: `import inngest_gen as ig`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inngest_gen.app.app import App
from inngest_gen.app.context import Context, DeferContext, defer
from inngest_gen.app.function import DeferredFunction, Function
from inngest_gen.errors import (
    ApiError,
    ConfigError,
    DecryptionError,
    DeferError,
    EngineError,
    EngineLocked,
    InngestGenError,
    MiddlewareError,
    MisuseError,
    NonDeterminismError,
    NonRetriableError,
    NotJSON,
    RecordingError,
    RetryAfterError,
    RunNotFound,
    SchemaError,
    StepError,
    StoreError,
    TooLarge,
    UnsupportedOption,
)
from inngest_gen.event import Event
from inngest_gen.intents.defer import DeferHandle
from inngest_gen.intents.done import Done
from inngest_gen.intents.group import Winner
from inngest_gen.intents.http import Model, Response
from inngest_gen.intents.intent import Flow, Id, Intent
from inngest_gen.intents.step import Step
from inngest_gen.middleware.info import (
    DeferInfo,
    DeferInput,
    FunctionInput,
    Registration,
    ReplyInfo,
    RequestInfo,
    RunInfo,
    StepInfo,
    StepPlace,
)
from inngest_gen.middleware.middleware import Middleware, Next
from inngest_gen.options.checkpointing import Checkpointing
from inngest_gen.options.flow import Batch, CancelOn, Concurrency, Debounce, RateLimit, Singleton, Throttle, Timeouts
from inngest_gen.options.settings import Limits
from inngest_gen.options.trigger import Cron, EventTrigger, EventType
from inngest_gen.score import Score

if TYPE_CHECKING:
    from inngest_gen.clock import VirtualClock
    from inngest_gen.engine.engine import Engine
    from inngest_gen.engine.run import Run
    from inngest_gen.middleware.encryption import EncryptionMiddleware
    from inngest_gen.middleware.logging import LoggingMiddleware
    from inngest_gen.middleware.opentelemetry import OpenTelemetryMiddleware
    from inngest_gen.middleware.recording import RecordingMiddleware
    from inngest_gen.serving.asgi import serve

_LAZY = {
    "EncryptionMiddleware": "inngest_gen.middleware.encryption",
    "Engine": "inngest_gen.engine.engine",
    "LoggingMiddleware": "inngest_gen.middleware.logging",
    "OpenTelemetryMiddleware": "inngest_gen.middleware.opentelemetry",
    "RecordingMiddleware": "inngest_gen.middleware.recording",
    "Run": "inngest_gen.engine.run",
    "VirtualClock": "inngest_gen.clock",
    "serve": "inngest_gen.serving.asgi",
}


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'inngest_gen' has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


__all__ = [
    "ApiError",
    "App",
    "Batch",
    "CancelOn",
    "Checkpointing",
    "Concurrency",
    "ConfigError",
    "Context",
    "Cron",
    "Debounce",
    "DecryptionError",
    "DeferContext",
    "DeferError",
    "DeferHandle",
    "DeferInfo",
    "DeferInput",
    "DeferredFunction",
    "Done",
    "EncryptionMiddleware",
    "Engine",
    "EngineError",
    "EngineLocked",
    "Event",
    "EventTrigger",
    "EventType",
    "Flow",
    "Function",
    "FunctionInput",
    "Id",
    "InngestGenError",
    "Intent",
    "Limits",
    "LoggingMiddleware",
    "Middleware",
    "MiddlewareError",
    "MisuseError",
    "Model",
    "Next",
    "NonDeterminismError",
    "NonRetriableError",
    "NotJSON",
    "OpenTelemetryMiddleware",
    "RateLimit",
    "RecordingError",
    "RecordingMiddleware",
    "Registration",
    "ReplyInfo",
    "RequestInfo",
    "Response",
    "RetryAfterError",
    "Run",
    "RunInfo",
    "RunNotFound",
    "SchemaError",
    "Score",
    "Singleton",
    "Step",
    "StepError",
    "StepInfo",
    "StepPlace",
    "StoreError",
    "Throttle",
    "Timeouts",
    "TooLarge",
    "UnsupportedOption",
    "VirtualClock",
    "Winner",
    "defer",
    "serve",
]
