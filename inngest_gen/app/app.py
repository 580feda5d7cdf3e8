"""App: the functions that belong together, and the settings they share."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from inngest_gen.app.context import Context, DeferContext
from inngest_gen.app.function import DeferredFunction, Function, FunctionOptions, check_id
from inngest_gen.app.scorer import ScorerOf, scoring
from inngest_gen.clock import SystemClock
from inngest_gen.codecs import Schema
from inngest_gen.errors import ConfigError, MisuseError
from inngest_gen.event import Event
from inngest_gen.loops import in_loop
from inngest_gen.middleware.info import Registration
from inngest_gen.middleware.middleware import MiddlewareFactory
from inngest_gen.middleware.stack import Stack
from inngest_gen.options import flow as flow_options
from inngest_gen.options.checkpointing import Checkpointing
from inngest_gen.options.checkpointing import checkpointing as checkpoint_option
from inngest_gen.options.combination import flow_control
from inngest_gen.options.retries import DEFAULT_RETRIES, Backoff, backoff, retries
from inngest_gen.options.settings import Limits, Settings
from inngest_gen.options.trigger import EventType, Trigger, triggers
from inngest_gen.sessions import folded_meta, handed_on

if TYPE_CHECKING:
    from inngest_gen.net.api import Api  # whoever has an engine in this process need not wait for what a server takes

D = TypeVar("D")

HandlerOf = Callable[[Context[D]], AsyncGenerator[Any, Any]] | Callable[[Context[D]], Coroutine[Any, Any, Any]]
DeferHandlerOf = Callable[[DeferContext[D]], AsyncGenerator[Any, Any]] | Callable[[DeferContext[D]], Coroutine[Any, Any, Any]]


class Sends(Protocol):
    """What takes an app's events: an engine in this process."""

    async def send(self, *events: Event) -> list[str]:
        """Send events; gives their ids."""
        ...

    def send_from_thread(self, events: Sequence[Event]) -> list[str]:
        """Send events from a thread without a loop."""
        ...

    async def note(self, run_id: str, text: str) -> None:
        """Note something in the timeline of a run. Raises RunNotFound."""
        ...


class App:
    """Functions under one id.

    `id` names the app to engines. `dev` (True, False or a dev server's URL), `base_url`, the keys, `env`, `session_propagation` and `limits` are
    settings of its server: each wins over its environment variable; `app.settings` is what came of them. `app_version` is told to the server.
    `checkpointing` (True, False or `Checkpointing`), `retries` (default 4, at most 20) and `backoff` hold for functions that declare none of their
    own. `defer_errors` is "log" (misuse of defers is logged and skipped) or "raise" (raised at the yield). `logger` is where `ctx.logger` writes.
    `middleware` is a list of Middleware classes, or of functions that make an instance, outermost first; it holds for all functions.
    Raises ConfigError for an empty id, and for a setting or a variable out of range.
    """

    def __init__(
        self,
        id: str,
        *,
        dev: bool | str | None = None,
        event_key: str | None = None,
        signing_key: str | None = None,
        signing_key_fallback: str | None = None,
        base_url: str | None = None,
        env: str | None = None,
        app_version: str | None = None,
        checkpointing: bool | Checkpointing = True,
        session_propagation: bool | None = None,
        limits: Limits | None = None,
        defer_errors: Literal["log", "raise"] = "log",
        retries: int = DEFAULT_RETRIES,
        backoff: Backoff | None = None,
        logger: logging.Logger | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
    ) -> None:
        check_id(id, "an app's")
        if defer_errors not in {"log", "raise"}:
            raise ConfigError(f'defer_errors is "log" or "raise", not {defer_errors!r}')
        if logger is not None and not callable(getattr(logger, "warning", None)):
            raise ConfigError(f"the logger of app {id!r} is a logging.Logger, as logging.getLogger(...) gives it, not {logger!r}")
        self.id: str = id
        self.settings: Settings = Settings.resolve(
            dev=dev,
            base_url=base_url,
            event_key=event_key,
            signing_key=signing_key,
            signing_key_fallback=signing_key_fallback,
            env=env,
            app_version=app_version,
            session_propagation=session_propagation,
            limits=limits,
            environ=os.environ,
        )
        """What the arguments and the environment variables say of the Inngest server."""
        if self.settings.log_level is not None:
            logging.getLogger("inngest_gen").setLevel(self.settings.log_level)
        self.checkpointing: Checkpointing | None = checkpoint_option(checkpointing, f"app {id!r}")
        """How functions that declare nothing else report their steps; None: after each step."""
        self.defer_errors: Literal["log", "raise"] = defer_errors
        self.logger: logging.Logger = logger or logging.getLogger(f"inngest_gen.{id}")
        self.functions: dict[str, Function] = {}
        """The functions by id, in the order of their declaration; failure handlers are under "{id}-failure"."""
        self.engine: Sends | None = None
        """The engine that runs this app in this process, while there is one."""
        self.middleware: Stack = Stack.declared(middleware, Registration(app_id=id), self.logger)
        """The middleware of all functions, and of `send`."""
        self._api: Api | None = None
        self._retries = _checked_retries(retries, f"app {id!r}")
        self._backoff = _checked_backoff(backoff, f"app {id!r}")

    @overload
    def function(
        self,
        id: str,
        *,
        trigger: EventType[D],
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
        **options: Any,
    ) -> Callable[[HandlerOf[D]], Function]: ...
    @overload
    def function(
        self,
        id: str,
        *,
        trigger: Trigger | Sequence[Trigger] | None = None,
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        on_failure: HandlerOf[Any] | None = None,
        concurrency: int | flow_options.Concurrency | Sequence[int | flow_options.Concurrency] | None = None,
        throttle: flow_options.Throttle | None = None,
        rate_limit: flow_options.RateLimit | None = None,
        debounce: flow_options.Debounce | None = None,
        priority: str | None = None,
        batch: flow_options.Batch | None = None,
        idempotency: str | None = None,
        singleton: flow_options.Singleton | None = None,
        timeouts: flow_options.Timeouts | None = None,
        cancel_on: Sequence[flow_options.CancelOn] = (),
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
    ) -> Callable[[HandlerOf[Any]], Function]: ...
    def function(
        self,
        id: str,
        *,
        trigger: Trigger | Sequence[Trigger] | None = None,
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        on_failure: Any = None,
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
        **flow: Any,
    ) -> Callable[[Any], Function]:
        """Register an async generator function (or a plain async function) as a function of this app.

        `trigger` is an event's name (wildcards allowed), an EventTrigger, Cron or EventType, or up to 10 of them; without one it is only
        invoked. `retries` counts further attempts, for each step and for the handler by itself. `on_failure` is a handler that runs when a run
        has failed; its `ctx.error` tells why. `checkpointing` is True, False, `Checkpointing`, or None for the app's. `middleware` stands inside
        the app's, also around `on_failure`. Raises ConfigError for a duplicate id or an option out of range.
        """
        check_id(id, "a function's")
        flow = flow_control(flow, f"function {id!r}")

        def register(handler: Any) -> Function:
            options = FunctionOptions(
                name=id if name is None else name,
                triggers=triggers(trigger),
                retries=self._own_retries(retries, id),
                backoff=self._own_backoff(backoff, id),
                flow=flow,
                on_failure=on_failure,
                checkpointing=self._own_checkpointing(checkpointing, id),
                middleware=self._own_middleware(middleware, id),
            )
            function = Function(self, id, handler, options)
            declared = options.triggers
            if len(declared) == 1 and isinstance(declared[0], EventType):
                function.schema = declared[0].schema
            self._add(function)
            self._add_failure_handler(function)
            return function

        return register

    @overload
    def deferred(
        self,
        id: str,
        *,
        schema: type[D],
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
        **options: Any,
    ) -> Callable[[DeferHandlerOf[D]], DeferredFunction[D]]: ...
    @overload
    def deferred(
        self,
        id: str,
        *,
        schema: Callable[[Any], Any] | None = None,
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
        **options: Any,
    ) -> Callable[[DeferHandlerOf[Any]], DeferredFunction[Any]]: ...
    def deferred(
        self,
        id: str,
        *,
        schema: Any = None,
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        on_failure: Any = None,
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
        **flow: Any,
    ) -> Callable[[Any], DeferredFunction[Any]]:
        """Register a function that other runs defer. `schema` (pydantic model, dataclass, TypedDict, msgspec Struct, attrs class, or a callable,
        sync or async) checks the data where it is deferred and types `ctx.data` here. Raises TypeError for a schema that is no JSON object.
        The other options are those of `function`.
        """
        check_id(id, "a function's")
        if "trigger" in flow:
            raise ConfigError(f"deferred function {id!r} has no trigger: runs that defer it start it")
        flow = flow_control(flow, f"deferred function {id!r}", kind="defer")
        checked = None if schema is None else Schema.of(schema)

        def register(handler: Any) -> DeferredFunction[Any]:
            options = FunctionOptions(
                name=id if name is None else name,
                retries=self._own_retries(retries, id),
                backoff=self._own_backoff(backoff, id),
                flow=flow,
                on_failure=on_failure,
                checkpointing=self._own_checkpointing(checkpointing, id),
                middleware=self._own_middleware(middleware, id),
            )
            function: DeferredFunction[Any] = DeferredFunction(self, id, handler, options, checked)
            self._add(function)
            self._add_failure_handler(function)
            return function

        return register

    @overload
    def scorer(
        self,
        id: str,
        *,
        schema: type[D],
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
        **options: Any,
    ) -> Callable[[ScorerOf[D]], DeferredFunction[D]]: ...
    @overload
    def scorer(
        self,
        id: str,
        *,
        schema: Callable[[Any], Any] | None = None,
        name: str | None = None,
        retries: int | None = None,
        backoff: Backoff | None = None,
        checkpointing: bool | Checkpointing | None = None,
        middleware: Sequence[MiddlewareFactory] = (),
        **options: Any,
    ) -> Callable[[ScorerOf[Any]], DeferredFunction[Any]]: ...
    def scorer(self, id: str, *, schema: Any = None, **options: Any) -> Callable[[Any], DeferredFunction[Any]]:
        """Register a deferred function that scores the run that defers it: it gives a Score, a list of them, or None.

        The scores are written in a step "score" of its own, after the handler; they are its result. The options are those of `deferred`.
        """
        register = self.deferred(id, schema=schema, **options)
        return lambda handler: register(scoring(self, id, handler))

    @property
    def api(self) -> Api:
        """The API of the server that `settings` name; made on first use."""
        if self._api is None:
            from inngest_gen.net.api import Api

            self._api = Api(self.settings)
        return self._api

    async def send(self, *events: Event) -> list[str]:
        """Send events; gives their ids.

        They go to the engine that runs this app in this process, if there is one, else to the Inngest server of `settings`. What a run of this app
        sends from a step's function carries the run's sessions, where they are handed on. Raises what `engine.send` raises; for a server ApiError
        where it does not take them, ConfigError for what it would refuse and without an event key, NotJSON, and TooLarge beyond 3 MiB.
        """
        _check(events)
        return await self.middleware.send(events, self._deliver) if events else []

    def send_sync(self, *events: Event) -> list[str]:
        """Send events from code without a loop, such as a worker thread; blocks until they are taken. Raises MisuseError inside a loop."""
        if in_loop():
            raise MisuseError("app.send_sync would block the event loop: use `await app.send(...)` here")
        _check(events)
        return self.middleware.send_sync(events, self._deliver_here) if events else []

    async def _deliver(self, events: Sequence[Event]) -> list[str]:
        if self.engine is not None:
            return await self.engine.send(*self._with_sessions(events))
        return await self.api.send_events(self._wire(events))

    def _deliver_here(self, events: Sequence[Event]) -> list[str]:
        if self.engine is not None:
            return self.engine.send_from_thread(self._with_sessions(events))
        return self.api.send_events_here(self._wire(events))

    def _wire(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        settings = self.settings
        if settings.mode == "cloud" and settings.event_key is None:
            raise ConfigError(
                f"no engine runs app {self.id!r} in this process, and for an Inngest server there is no event key: open an engine "
                "(`async with ig.Engine(path, apps=[app])`), or set INNGEST_EVENT_KEY, or INNGEST_DEV=1 for a dev server"
            )
        from inngest_gen.protocol.events import wire_event

        now, inherited = SystemClock().now(), self._inherited()
        return [wire_event(event, now=now, sessions=inherited) for event in events]

    def _inherited(self) -> Mapping[str, Any] | None:
        """Give the sessions of the run of this app that the calling code belongs to, if it has some to hand on."""
        run = handed_on.get()
        return run[1] if run is not None and run[0] is self else None  # another app may be another environment's

    def _with_sessions(self, events: Sequence[Event]) -> Sequence[Event]:
        inherited = self._inherited()
        if inherited is None:
            return events
        return [replace(event, meta=folded_meta(event.meta, inherited)) for event in events]

    def slug_of(self, target: object) -> str:
        """Give the slug of an invoke target: a Function, "fn" of this app, or "app-fn". Raises MisuseError for anything else."""
        if isinstance(target, Function):
            return target.slug
        if isinstance(target, str) and target:
            return f"{self.id}-{target}" if target in self.functions else target
        raise MisuseError(f"step.invoke takes a function or its id, not {type(target).__name__}")

    def __repr__(self) -> str:
        return f"<App {self.id!r} with {len(self.functions)} functions>"

    def _add(self, function: Function) -> None:
        if function.id in self.functions:
            raise ConfigError(
                f'Duplicate function ID "{function.id}" in app {self.id!r}: ids must be unique, failure handlers ("<id>-failure") included'
            )
        self.functions[function.id] = function

    def _add_failure_handler(self, function: Function) -> None:
        options = function.options
        if options.on_failure is not None:
            own = FunctionOptions(
                name=f"{options.name} (failure)",
                retries=0,  # it is told once, as on the wire (K08)
                backoff=options.backoff,
                checkpointing=options.checkpointing,
                middleware=options.middleware,
            )
            failure = Function(self, f"{function.id}-failure", options.on_failure, own)
            failure.kind = "failure"
            self._add(failure)

    def _own_retries(self, value: int | None, id: str) -> int:
        checked = retries(value, f"function {id!r}")
        return self._retries if checked is None else checked

    def _own_backoff(self, value: Backoff | None, id: str) -> Callable[[int], float] | None:
        return backoff(value, f"function {id!r}") or self._backoff

    def _own_middleware(self, value: Sequence[MiddlewareFactory], id: str) -> Stack:
        return Stack.declared(value, Registration(app_id=self.id, function_id=id), self.logger, outer=self.middleware)

    def _own_checkpointing(self, value: bool | Checkpointing | None, id: str) -> Checkpointing | None:
        return self.checkpointing if value is None else checkpoint_option(value, f"function {id!r}", self.checkpointing)


def _check(events: Sequence[Event]) -> None:
    for event in events:
        given: object = event  # callers are not always type-checked
        if not isinstance(given, Event):
            raise TypeError(f"send takes ig.Event values, such as ig.Event('order/placed', {{...}}), not {type(event).__name__}")


def _checked_retries(value: int, owner: str) -> int:
    checked = retries(value, owner)
    return DEFAULT_RETRIES if checked is None else checked


def _checked_backoff(value: Backoff | None, owner: str) -> Callable[[int], float] | None:
    return backoff(value, owner)
