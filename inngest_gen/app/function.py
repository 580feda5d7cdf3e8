"""Function and DeferredFunction: a handler with what was declared for it."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from inngest_gen.app.codes import prints_of
from inngest_gen.app.context import Context, DeferContext
from inngest_gen.app.tools import StepTools
from inngest_gen.calls.lazy import PriorDefers
from inngest_gen.calls.request import CallRequest, without_own_keys
from inngest_gen.codecs import Schema
from inngest_gen.driver.execution import Enter, Execution
from inngest_gen.driver.history import MemoOf
from inngest_gen.driver.hooked import Beginning, HookedExecution
from inngest_gen.driver.turn import Planned
from inngest_gen.errors import ConfigError
from inngest_gen.middleware.chain import Chain
from inngest_gen.middleware.info import RunInfo
from inngest_gen.middleware.stack import Stack
from inngest_gen.options.checkpointing import Checkpointing
from inngest_gen.options.trigger import Cron, EventTrigger, EventType
from inngest_gen.sessions import handed_on

if TYPE_CHECKING:
    from inngest_gen.app.app import App

D = TypeVar("D")
_BAD_ID = re.compile(r"['\\\r\n]")

Handler = Callable[..., AsyncGenerator[Any, Any] | Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOptions:
    """What was declared for a function, checked. `flow` holds flow-control options by name, without those not declared.

    `checkpointing` is None where each step is reported by itself.
    """

    name: str
    triggers: tuple[EventTrigger | Cron | EventType[Any], ...] = ()
    retries: int = 4
    backoff: Callable[[int], float] | None = None
    flow: Mapping[str, Any] = field(default_factory=dict)
    on_failure: Handler | None = None
    checkpointing: Checkpointing | None = None
    middleware: Stack


def check_id(id: object, whose: str) -> None:
    """Refuse an id that would break the server's expressions, which quote it. Raises ConfigError."""
    if isinstance(id, str) and id and not _BAD_ID.search(id):
        return
    if callable(id):  # @app.function without parentheses gets the handler for an id
        name = getattr(id, "__name__", "id").replace("_", "-")
        raise ConfigError(
            f'{whose} id comes before its handler: @app.function("{name}", ...), and likewise @app.deferred, not the bare decorator'
        )
    raise ConfigError(f"invalid id {id!r}: {whose} id is a non-empty string without quotes, backslashes and line breaks")


class Function:
    """A handler registered under an id. `slug` is "{app id}-{id}", its name to engines. Made by `app.function`."""

    kind: Literal["main", "failure", "defer"] = "main"
    _context: ClassVar[type[Context[Any]]] = Context

    def __init__(self, app: App, id: str, handler: Handler, options: FunctionOptions) -> None:
        check_id(id, "a function's")
        if not isinstance(options.name, str) or not options.name:
            raise ConfigError(f"the name of function {id!r} is a non-empty string, not {options.name!r}")
        if not callable(handler):
            raise ConfigError(f"function {id!r} needs an async generator function or an async function, not {type(handler).__name__}")
        if inspect.isgeneratorfunction(handler):
            raise ConfigError(
                f"function {id!r} is a sync generator function; a handler is an async one: `async def {handler.__name__}(ctx)`"
            )
        self.app: App = app
        self.id: str = id
        self.slug: str = f"{app.id}-{id}"
        self.handler: Handler = handler
        self.options: FunctionOptions = options
        self.schema: Schema | None = None
        self.__name__: str = getattr(handler, "__name__", id)
        self.__qualname__: str = getattr(handler, "__qualname__", id)
        self.__doc__ = handler.__doc__

    def __call__(self, ctx: Context[Any], *args: Any, **kwargs: Any) -> Any:
        """Call the handler: inside another handler this makes it a sub-flow."""
        return self.handler(ctx, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.slug!r}>"

    def begin(
        self,
        call: CallRequest,
        *,
        memos: dict[str, Any] | None = None,
        memo_of: MemoOf | None = None,
        prior_defers: PriorDefers | None = None,
        strict: bool = False,
        planned: Mapping[int, Planned] | None = None,
        data: Any = None,
        chain: Chain | None = None,
        first: bool = False,
        enter: Enter | None = None,
        logger: logging.Logger | None = None,
    ) -> Execution:
        """Make the execution of one call. `data` is what the handler sees as `ctx.data`, from `receive`; `enter` enters what `ctx.using` names.

        A `logger` of the shell's own gets what the run logs, instead of the app's, repeats included.

        With the `chain` of this request (from `chain`) the execution calls its hooks and receives the data itself, in its first turn: `data` is then
        not looked at. `first` tells the hooks that the run begins with this request.
        """
        log = logger or self.app.logger
        given = (call.run_id, memos, memo_of, prior_defers, strict, planned, self.app.defer_errors, log, enter, logger is not None)
        if chain is None:
            execution = Execution(*given)
            self._hand_on(call, execution)
            execution.start(self._called(call, execution, data, log))
            return execution
        hooked = HookedExecution(chain, *given)
        self._hand_on(call, hooked)
        hooked.begin_with(self._beginning(call, hooked, chain, log, first=first))
        return hooked

    def _hand_on(self, call: CallRequest, execution: Execution) -> None:
        """Let `app.send` in the run know which sessions go on."""
        if call.sessions and self.app.settings.session_propagation:
            execution.context.run(handed_on.set, (self.app, call.sessions))

    @cached_property
    def code(self) -> Mapping[str, str] | None:
        """The fingerprints of the code that makes its records, by "module.name", as it was when this was first asked for; None: not known."""
        return prints_of(self)

    def chain(self) -> Chain | None:
        """Make the middleware of one request; None where none is declared."""
        return self.options.middleware.chain()

    def _beginning(self, call: CallRequest, execution: Execution, chain: Chain, log: logging.Logger, *, first: bool) -> Beginning:
        run = RunInfo(
            app_id=self.app.id,
            function_id=self.id,
            slug=self.slug,
            kind=self.kind,
            run_id=call.run_id,
            attempt=call.attempt,
            max_attempts=call.max_attempts,
            events=call.events,
            parents=call.parents,
            code=self.code,
        )

        async def receive() -> None:
            nonlocal call
            call = await chain.receive(call, run)

        async def make() -> object:
            return self._called(call, execution, await self.receive(without_own_keys(call.events[0].data)), log)

        return Beginning(receive=receive, make=make, first=first)

    def _called(self, call: CallRequest, execution: Execution, data: Any, log: logging.Logger) -> object:
        """Call the handler with its context."""
        step = StepTools(execution.made, self.app.slug_of)
        return self.handler(self._context(call, execution, step, data, log))

    async def receive(self, data: Mapping[str, Any]) -> Any:
        """Give `ctx.data` from the event's data: decoded by the schema, if there is one. Raises SchemaError."""
        if self.schema is None:
            return data
        return await self.schema.aload(data) if self.schema.is_async else self.schema.load(data)


class DeferredFunction(Function, Generic[D]):
    """A function that other runs defer. `deferred_slug` marks it for `ctx.defer`. Made by `app.deferred`."""

    kind: Literal["main", "failure", "defer"] = "defer"
    _context: ClassVar[type[Context[Any]]] = DeferContext

    def __init__(self, app: App, id: str, handler: Handler, options: FunctionOptions, schema: Schema | None) -> None:
        super().__init__(app, id, handler, options)
        self.schema: Schema | None = schema
        self.deferred_slug: str = self.slug
