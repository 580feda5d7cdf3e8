"""Requests: which there are once something is launched, with their arguments and what they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from inngest_gen.debugger.dap import arguments as args
from inngest_gen.debugger.dap import looking, moving
from inngest_gen.debugger.dap.adapter import Adapter
from inngest_gen.debugger.dap.clientbreakpoints import FILTERS
from inngest_gen.debugger.dap.refused import Refused

Handler = Callable[[Adapter, Any], Awaitable[dict[str, Any]]]

REQUESTS: Final[dict[str, tuple[type[args.Arguments], Handler]]] = {
    "setBreakpoints": (args.SetBreakpoints, moving.set_breakpoints),
    "setFunctionBreakpoints": (args.SetFunctionBreakpoints, moving.set_function_breakpoints),
    "setExceptionBreakpoints": (args.SetExceptionBreakpoints, moving.set_exception_breakpoints),
    "breakpointLocations": (args.BreakpointLocations, moving.breakpoint_locations),
    "continue": (args.OfThread, moving.go_on),
    "next": (args.OfThread, moving.step_over),
    "stepIn": (args.OfThread, moving.step_in),
    "stepOut": (args.OfThread, moving.step_out),
    "stepBack": (args.OfThread, moving.step_back),
    "reverseContinue": (args.OfThread, moving.reverse_continue),
    "pause": (args.OfThread, moving.pause),
    "restart": (args.Arguments, moving.restart),
    "restartFrame": (args.OfFrame, moving.restart_frame),
    "gotoTargets": (args.GotoTargets, moving.goto_targets),
    "goto": (args.Goto, moving.goto),
    "setVariable": (args.SetVariable, moving.set_variable),
    "threads": (args.Arguments, looking.threads),
    "stackTrace": (args.StackTrace, looking.stack_trace),
    "scopes": (args.OfFrame, looking.scopes),
    "variables": (args.Variables, looking.variables),
    "evaluate": (args.Evaluate, looking.evaluate),
    "completions": (args.Completions, looking.completions),
    "exceptionInfo": (args.OfThread, looking.exception_info),
    "source": (args.SourceOf, looking.source),
}
"""By command. What begins and ends a conversation (initialize, launch, attach, configurationDone, terminate, disconnect) is not the session's."""

CONFIGURING: Final = {"setBreakpoints", "setFunctionBreakpoints", "setExceptionBreakpoints", "breakpointLocations", "threads", "source"}
"""Those that may come before configurationDone."""

CAPABILITIES: Final[dict[str, Any]] = {
    "supportsConfigurationDoneRequest": True,
    "supportsFunctionBreakpoints": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsLogPoints": True,
    "supportsBreakpointLocationsRequest": True,
    "supportsExceptionFilterOptions": True,
    "supportsExceptionInfoRequest": True,
    "exceptionBreakpointFilters": [
        {"filter": name, "label": label, "description": description, "default": default, "supportsCondition": True}
        for name, (label, description, default, _) in FILTERS.items()
    ],
    "supportsStepBack": True,
    "supportsRestartFrame": True,
    "supportsRestartRequest": True,
    "supportsGotoTargetsRequest": True,
    "supportsSetVariable": True,
    "supportsEvaluateForHovers": True,
    "supportsCompletionsRequest": True,
    "completionTriggerCharacters": [looking.COMMAND],
    "supportsDelayedStackTraceLoading": True,
    "supportsTerminateRequest": True,
    "supportTerminateDebuggee": True,
}
"""What the client is told that there is."""


async def answer(adapter: Adapter, command: str, given: object) -> dict[str, Any]:
    """Answer a request: its body. Raises Refused, and what the session raises."""
    known = REQUESTS.get(command)
    if known is None:
        raise Refused(f"there is no request {command!r} here")
    model, handler = known
    return await handler(adapter, args.read(model, given))
