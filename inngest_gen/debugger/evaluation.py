"""Evaluation: expressions of a user's, run in a frame because they asked for it. This is the one place where a look runs code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.capture import Tape, capturing, current_tape
from inngest_gen.debugger.frames import LiveFrame
from inngest_gen.debugger.stop import Output
from inngest_gen.debugger.variables import Variable, variable
from inngest_gen.errors import MisuseError

_BRACES: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an expression came to: its value, or the `error` that it raised, as JSON; and what it printed."""

    expression: str
    value: Variable | None
    error: dict[str, Any] | None
    output: tuple[Output, ...] = ()

    @property
    def text(self) -> str:
        """The value or the error in a line."""
        if self.value is not None:
            return self.value.text
        error = self.error or {}
        return f"{error.get('name')}: {error.get('message')}"


def evaluate(expression: str, live: LiveFrame, kept: list[object] | None = None) -> Evaluation:
    """Evaluate an expression in a frame. The value is added to `kept`: its variable's path then begins with -1 for the first one there, and so on."""
    tape = Tape()
    token = current_tape.set(tape)
    try:
        with capturing():
            value = _value(expression, live)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's expression raises
        failure = Failure.of(error).to_json()
        return Evaluation(expression=expression, value=None, error=failure, output=tape.output())
    finally:
        current_tape.reset(token)
    path: tuple[int, ...] = ()
    if kept is not None:
        kept.append(value)
        path = (-len(kept),)
    return Evaluation(expression=expression, value=variable(expression, value, path), error=None, output=tape.output())


def truth(expression: str, frames: Sequence[LiveFrame]) -> bool:
    """Say whether an expression is true in the innermost frame; one that raises, because a name is not there yet for instance, is not."""
    if not frames:
        return False
    try:
        with capturing():
            return bool(_value(expression, frames[0]))
    except (Exception, SystemExit):  # noqa: BLE001 - as above
        return False


def filled(log: str, frames: Sequence[LiveFrame]) -> str:
    """Fill in the {expressions} of a logpoint's text."""

    def fill(found: re.Match[str]) -> str:
        if not frames:
            return "?"
        value = evaluate(found[1], frames[0])
        return value.text

    return _BRACES.sub(fill, log)


def _value(expression: str, live: LiveFrame) -> Any:
    try:
        code = compile(expression.strip(), "<expression>", "eval")
    except SyntaxError as error:
        if _is_statement(expression):
            raise MisuseError(
                f"{expression!r} is a statement: only expressions can be evaluated; `replace` changes what a step gave"
            ) from None
        raise error from None
    # One namespace, so that comprehensions and lambdas in the expression see the locals.
    return eval(code, {"exit": _exit, "quit": _exit, **live.frame.f_globals, **live.values()})  # noqa: S307 - what it is for


def _exit(*_: object) -> None:
    """Stand for Python's own, which close stdin before they raise."""
    raise MisuseError("an expression cannot leave the debugger: the command `quit` does")


def _is_statement(expression: str) -> bool:
    try:
        compile(expression.strip(), "<statement>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
