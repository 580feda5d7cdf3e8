"""Moving: what the requests do that set breakpoints, move the replay and change its history. Each gets the adapter and arguments and gives a body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from inngest_gen.debugger import source
from inngest_gen.debugger.dap import arguments as args
from inngest_gen.debugger.dap.adapter import Adapter
from inngest_gen.debugger.dap.paths import code_path
from inngest_gen.debugger.dap.refused import Refused
from inngest_gen.debugger.dap.things import named
from inngest_gen.errors import InngestGenError

Body = dict[str, Any]

_TARGETS: Final = 100
"""So many places to go to are told for a line."""


# Breakpoints.


async def set_breakpoints(adapter: Adapter, given: args.SetBreakpoints) -> Body:
    """Set the breakpoints of a file."""
    path = given.source.path
    if path is None:
        raise Refused("source.path: a breakpoint is on a line of a file")
    wanted = given.breakpoints if given.breakpoints is not None else [args.SourceBreakpoint(line=line) for line in given.lines or []]
    wanted = [one.model_copy(update={"line": adapter.our_line(one.line)}) for one in wanted]
    return {"breakpoints": [adapter.lined(one) for one in adapter.breakpoints.set_lines(path, wanted)]}


async def set_function_breakpoints(adapter: Adapter, given: args.SetFunctionBreakpoints) -> Body:
    """Set the breakpoints on flows."""
    return {"breakpoints": await adapter.breakpoints.set_functions(given.breakpoints)}


async def set_exception_breakpoints(adapter: Adapter, given: args.SetExceptionBreakpoints) -> Body:
    """Set the filters of errors."""
    return {"breakpoints": adapter.breakpoints.set_filters(given.filters, given.filter_options or [])}


async def breakpoint_locations(adapter: Adapter, given: args.BreakpointLocations) -> Body:
    """List the lines at which a replay can stop."""
    first = adapter.our_line(given.line)
    last = first if given.end_line is None else adapter.our_line(given.end_line)
    lines = sorted({start for start, _, _, _ in source.yields(code_path(given.source.path or "")) if first <= start <= last})
    return {"breakpoints": [{"line": adapter.line(line)} for line in lines]}


# Moves.


def _move(adapter: Adapter, move: Callable[[], Awaitable[object]], *, forward: bool = True, reason: str | None = None) -> None:
    async def then() -> None:
        await adapter.breakpoints.get_ready()
        await move()
        await adapter.arrived(forward=forward, reason=reason)

    adapter.then = then


async def go_on(adapter: Adapter, given: args.OfThread) -> Body:  # noqa: ARG001 - all branches go on
    """Go on to the next breakpoint, or to the end."""
    adapter.then = adapter.go_on
    return {"allThreadsContinued": True}


async def step_over(adapter: Adapter, given: args.OfThread) -> Body:
    """Go on in a flow, over its sub-flows."""
    return _step(adapter, given.thread_id, adapter.session.step_over)


async def step_in(adapter: Adapter, given: args.OfThread) -> Body:
    """Go on in a flow or into its sub-flow."""
    return _step(adapter, given.thread_id, adapter.session.step_in)


async def step_out(adapter: Adapter, given: args.OfThread) -> Body:
    """Go on until a flow has ended."""
    return _step(adapter, given.thread_id, adapter.session.step_out)


def _step(adapter: Adapter, thread: int, move: Callable[[], Awaitable[object]]) -> Body:
    """Step in the branch that has come to this stop; any step of another branch goes on to where that has come next."""
    session = adapter.session
    strand = adapter.numbers.strand(thread)
    if strand.key == adapter.numbers.current:
        _move(adapter, move)
        return {}
    flow = next((level.frame for level in strand.levels if level.frame is not None), 0)

    async def to_branch() -> None:
        there = session.break_at(lambda mark: mark.flow == flow and mark.kind is not None and not mark.in_group)
        try:
            await session.continue_()
        finally:
            session.clear(there.id)

    _move(adapter, to_branch, reason="step")
    return {}


async def step_back(adapter: Adapter, given: args.OfThread) -> Body:  # noqa: ARG001 - there is one way back
    """Go to the stop before."""
    _move(adapter, adapter.session.back, forward=False)
    return {}


async def reverse_continue(adapter: Adapter, given: args.OfThread) -> Body:  # noqa: ARG001 - as above
    """Go back to the last breakpoint, or to the start."""
    _move(adapter, adapter.session.reverse_continue, forward=False)
    return {}


async def pause(adapter: Adapter, given: args.OfThread) -> Body:  # noqa: ARG001 - all branches stand still
    """Stand still, as it does already: what was under way has been cancelled."""

    async def then() -> None:
        await adapter.arrived(forward=False, reason="pause")

    adapter.then = then
    return {}


async def restart(adapter: Adapter, given: args.Arguments) -> Body:  # noqa: ARG001 - what is debugged stays the same
    """Load edited code and go to the start."""

    async def then() -> None:
        await adapter.reload()
        await adapter.session.start()
        await adapter.enter()

    adapter.then = then
    return {}


async def restart_frame(adapter: Adapter, given: args.OfFrame) -> Body:
    """Go back to the first stop of a flow."""
    level = adapter.numbers.level(given.frame_id)
    first = next((mark.number for mark in await adapter.session.trail() if mark.flow == level.frame and mark.kind is not None), None)
    if first is None:
        raise Refused("this is no frame of a flow that has come to a yield: there is nowhere to go back to")
    _move(adapter, lambda: adapter.session.goto(first), forward=False, reason="goto")
    return {}


async def goto_targets(adapter: Adapter, given: args.GotoTargets) -> Body:
    """List the stops at a line; a target's id is the stop's number."""
    file = code_path(given.source.path or "")
    line = source.yield_line(file, adapter.our_line(given.line))
    marks = [mark for mark in await adapter.session.trail() if mark.at == f"{file}:{line}" and mark.kind is not None]
    return {
        "targets": [
            {"id": mark.number, "label": f"stop {mark.number}: {mark.kind} {mark.id or ''}".rstrip(), "line": adapter.line(line or 0)}
            for mark in marks[:_TARGETS]
        ]
    }


async def goto(adapter: Adapter, given: args.Goto) -> Body:
    """Go to a stop, forwards or backwards."""
    last = (await adapter.session.trail())[-1].number
    if not 0 <= given.target_id <= last:
        raise Refused(f"there is no stop {given.target_id}: the last one is {last}")
    forward = given.target_id > adapter.session.stop.number
    _move(adapter, lambda: adapter.session.goto(given.target_id), forward=forward, reason="goto")
    return {}


# What if.


async def set_variable(adapter: Adapter, given: args.SetVariable) -> Body:
    """Set a part of a step's result, or its error, in another history; or go to another history."""
    thing = adapter.numbers.thing(given.variables_reference)
    row = named(thing, given.name)
    if row.set is None:
        raise Refused(
            f"{row.name} cannot be set: each replay makes it anew. Set the result of the step that it came from: in Memo, or in Run under steps",
            shown=True,
        )
    before, history = adapter.session.stop, adapter.session.history.name
    try:
        await row.set(given.value)
    except InngestGenError as error:
        raise Refused(str(error), shown=True) from None
    now = named(thing, given.name)
    adapter.changed(before, history)
    told = adapter.numbers.variable(now)
    return {name: told[name] for name in ("value", "type", "variablesReference", "namedVariables", "indexedVariables") if name in told}
