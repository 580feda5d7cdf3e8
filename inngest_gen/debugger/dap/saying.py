"""Saying: what is told of a stop: why it stopped there, and the lines for the console. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from inngest_gen.debugger.dap.clientbreakpoints import Kind
from inngest_gen.debugger.stop import Divergence, Intent, Missing, Stop

_REASONS: Final = {
    "start": "entry",
    "restart": "entry",
    "step": "step",
    "back": "step",
    "run to": "step",
    "goto": "goto",
    "breakpoint": "breakpoint",
}
_MISSING: Final[dict[Missing, str]] = {
    "frontier": "no result yet: the frontier",
    "later": "no result yet in the record",
    "abandoned": "no result: the run went on, or ended, without it",
}
_WORDS: Final = {
    "edited": "what if",
    "switched": "another history",
    "reloaded": "reloaded code",
    "live": "a step was run live",
    "frontier": "the end of the record",
    "end": "the end",
}


def stopped(stop: Stop, kinds: list[Kind], reason: str | None = None) -> dict[str, Any]:
    """Say why it stopped: the reason (for clients), the description (for people), the text."""
    why = _reason(stop, kinds) if kinds or reason is None else reason
    told: dict[str, Any] = {"reason": why, "description": f"stop {stop.number}: {what(stop)}", "allThreadsStopped": True}
    history = "" if stop.history == "recorded" else f"history {stop.history!r}"
    words = "; ".join(part for part in (_WORDS.get(stop.reason, ""), history) if part)
    error = exception(stop) if why == "exception" else None
    text = f"{error['exceptionId']}: {error['description']}" if error is not None else words
    if text:
        told["text"] = text
    return told


def _reason(stop: Stop, kinds: list[Kind]) -> str:
    for kind in ("exception", "breakpoint", "function breakpoint"):
        if kind in kinds:
            return kind
    if stop.divergence is not None:
        return "exception"
    return _REASONS.get(stop.reason, "goto" if stop.reason not in {"frontier", "end"} else stop.reason)


def what(stop: Stop) -> str:
    """Say in a line where it stands."""
    if stop.divergence is not None:
        return "the replay leaves the record"
    if stop.end is not None:
        end = stop.end
        how = f"returned {end.value}" if end.how == "returned" else f"raised {_error(end.error)}"
        return f"the handler has {how}" + {True: ", as recorded", False: ", otherwise than recorded", None: ""}[end.as_recorded]
    if stop.state == "frontier" and stop.intent is None:
        return "the record ends here"
    if stop.intent is None:
        return "before the first line"
    return intent(stop.intent)


def intent(one: Intent) -> str:
    """Say an intent and its memo in a line."""
    memo = one.memo
    if memo is None:
        return one.text if one.missing is None else f"{one.text} ({_MISSING[one.missing]})"
    return f"{one.text} ✗ {_error(memo.error)}" if memo.error is not None else f"{one.text} → {memo.text}"


def _side(one: Divergence, what: str, at: str | None) -> str:
    """Say one side of a divergence, and where it is: by its line, or else by its position."""
    return f"{what} at {at or f'position {one.position}'}"


def exception(stop: Stop) -> dict[str, Any] | None:
    """Describe the error of a stop, as `exceptionInfo` answers; None where there is none."""
    if stop.divergence is not None:
        one = stop.divergence
        return {
            "exceptionId": "NonDeterminismError", "description": one.text, "breakMode": "always",
            "details": {
                "typeName": "NonDeterminismError", "message": one.text,
                "stackTrace": f"recorded: {_side(one, one.recorded or 'nothing', one.recorded_at)}\n"
                f"yielded:  {_side(one, one.yielded or 'nothing more', one.yielded_at)}\nlikely cause: {one.cause}",
            },
        }  # fmt: skip
    error, name = None, None
    if stop.end is not None and stop.end.error is not None:
        error = stop.end.error
    elif stop.intent is not None and stop.intent.memo is not None and stop.intent.memo.error is not None:
        error, name = stop.intent.memo.error, "StepError"
    if error is None:
        return None
    details = {"typeName": str(error.get("name")), "message": str(error.get("message", "")), "stackTrace": error.get("stack")}
    return {
        "exceptionId": name or str(error.get("name")), "description": _error(error) if name else str(error.get("message", "")),
        "breakMode": "always" if name else "unhandled", "details": {key: value for key, value in details.items() if value is not None},
    }  # fmt: skip


def outputs(stop: Stop, *, forward: bool) -> Iterator[tuple[str, str]]:
    """Give what is written to the console at a stop: category, text. What handlers print is shown where their code is gone over forwards."""
    for said in stop.logged:
        yield "console", f"{said}\n"
    if forward:
        for one in (*stop.passed, *stop.output):
            yield ("console" if one.stream == "log" else one.stream), one.text
    for note in stop.notes:
        yield ("important" if stop.number == 0 else "console"), f"note: {note}\n"
    for odd in stop.unstable:
        name = "the intent" if odd.name is None else odd.name
        yield "important", f"unstable: at stop {odd.number} {name} was {odd.first}, and is now {odd.now}\n"
    if stop.divergence is not None:
        yield "stderr", f"{stop.divergence.text}\n"
    elif stop.is_last:
        yield "console", f"{what(stop)}\n"


def _error(error: dict[str, Any] | None) -> str:
    return "" if error is None else f"{error.get('name')}: {error.get('message')}"
