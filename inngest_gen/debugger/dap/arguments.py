"""The arguments of each request that is understood, as values. The protocol's names are told in camelCase, as it writes them.

https://microsoft.github.io/debug-adapter-protocol/specification. What a request has besides is left aside: clients send what newer versions know.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from inngest_gen.debugger.dap.refused import Refused

A = TypeVar("A", bound="Arguments")


class Arguments(BaseModel):
    """Arguments of a request; those of one that has none."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore", hide_input_in_errors=True)


class Initialize(Arguments):
    """What the client can do and how it counts."""

    lines_start_at1: bool = True
    columns_start_at1: bool = True
    path_format: str = "path"
    supports_invalidated_event: bool = False


class Launch(Arguments):
    """What to debug: ours, not the protocol's. None: what the command line says.

    `run` is a run's id or `last`, or the path of a recording; `recording` the path of one; with `server`, a URL, `run` is a run there. `app` is
    MODULE:APP, `db` the engine's file, `loop` the event loop, `cwd` the directory that those are relative to. `stop_on_entry` and `stop_at_end` say
    whether it stops there; `live` whether steps past the end of the record may be run for real.
    """

    run: str | None = None
    recording: str | None = None
    server: str | None = None
    app: str | None = None
    db: str | None = None
    loop: Literal["asyncio", "trio"] | None = None
    cwd: str | None = None
    stop_on_entry: bool = True
    stop_at_end: bool = True
    live: bool = False
    no_debug: bool = False


class Source(Arguments):
    """A file."""

    path: str | None = None
    source_reference: int = 0


class SourceBreakpoint(Arguments):
    """A breakpoint on a line."""

    line: int
    condition: str | None = None
    hit_condition: str | None = None
    log_message: str | None = None


class SetBreakpoints(Arguments):
    """All breakpoints of a file."""

    source: Source
    breakpoints: list[SourceBreakpoint] | None = None
    lines: list[int] | None = None


class FunctionBreakpoint(Arguments):
    """A breakpoint on a flow."""

    name: str
    condition: str | None = None
    hit_condition: str | None = None


class SetFunctionBreakpoints(Arguments):
    """All breakpoints on flows."""

    breakpoints: list[FunctionBreakpoint]


class FilterOption(Arguments):
    """An exception filter with a condition."""

    filter_id: str
    condition: str | None = None


class SetExceptionBreakpoints(Arguments):
    """The exception filters that are on."""

    filters: list[str]
    filter_options: list[FilterOption] | None = None


class BreakpointLocations(Arguments):
    """Lines of a file."""

    source: Source
    line: int
    end_line: int | None = None


class OfThread(Arguments):
    """A thread."""

    thread_id: int


class StackTrace(OfThread):
    """Frames of a thread, `levels` of them (0: all) from `start_frame` on."""

    start_frame: int | None = None
    levels: int | None = None


class OfFrame(Arguments):
    """A frame."""

    frame_id: int


class Variables(Arguments):
    """What is inside a thing."""

    variables_reference: int
    filter: Literal["indexed", "named"] | None = None
    start: int | None = None
    count: int | None = None


class SetVariable(Arguments):
    """Another value for something."""

    variables_reference: int
    name: str
    value: str


class Evaluate(Arguments):
    """An expression."""

    expression: str
    frame_id: int | None = None
    context: str | None = None


class Completions(Arguments):
    """What has been typed so far."""

    text: str
    column: int
    frame_id: int | None = None


class GotoTargets(Arguments):
    """A line of a file."""

    source: Source
    line: int


class Goto(OfThread):
    """A place to go to, by the id that `gotoTargets` gave it."""

    target_id: int


class SourceOf(Arguments):
    """A file whose text is wanted."""

    source: Source | None = None
    source_reference: int = 0


class Disconnect(Arguments):
    """How to part."""

    terminate_debuggee: bool | None = None


def read(model: type[A], given: object) -> A:
    """Read the arguments of a request. Raises Refused, which says what is wrong with them."""
    try:
        return model.model_validate({} if given is None else given)
    except ValidationError as error:
        raise Refused("; ".join(_told(one) for one in error.errors(include_url=False)[:3])) from None


def _told(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    return f"{where}: {error['msg']}" if where else f"the arguments are none: {error['msg']}"
