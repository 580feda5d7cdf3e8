"""Commands: a session's methods by name, with arguments as JSON or as words: what `debug --json` and `debug --plain` speak, and other views may.

Promises: `perform` answers every request with one JSON object, errors of the request included; what leaves it otherwise is a defect, or the loop's
own.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from inngest_gen.calls.failure import Failure
from inngest_gen.debugger.breakpoint import Breakpoint
from inngest_gen.debugger.history import History
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import as_json
from inngest_gen.errors import InngestGenError, MisuseError

Kind = Literal["int", "text", "json", "bool", "path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An argument: `kind` is its type, `rest` says that as words it takes the rest of the line."""

    name: str
    kind: Kind = "text"
    required: bool = False
    rest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its `name` and `short` forms, what it answers with (`key`), and in a line what it does."""

    name: str
    key: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    short: tuple[str, ...] = ()
    call: Callable[[Session, Mapping[str, Any]], Awaitable[Any]]


def _awaited(value: Any) -> Callable[..., Awaitable[Any]]:
    async def call(session: Session, given: Mapping[str, Any]) -> Any:
        return value(session, given)

    return call


def _step(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `replace`: which of result and error are given."""
    return {name: given[name] for name in ("step", "result", "error", "name") if name in given}


def _breakpoint(one: Breakpoint) -> dict[str, Any]:
    return {
        "id": one.id,
        "target": one.target.text,
        "line": one.target.line or None,
        "condition": one.condition,
        "hits": one.hits,
        "log": one.log,
    }


def _history(one: History, current: str) -> dict[str, Any]:
    edits = [{"id": edit.id, "hash": edit.hash, "how": edit.how} for edit in one.edits]
    return {"name": one.name, "parent": one.parent, "current": one.name == current, "held": one.held, "edits": edits}


async def _break(session: Session, given: Mapping[str, Any]) -> Any:
    return _breakpoint(session.break_at(given["target"], **{name: given.get(name) for name in ("condition", "hits", "log")}))


async def _reload(session: Session, given: Mapping[str, Any]) -> Any:  # noqa: ARG001 - a Command's call
    verdict = await session.reload()
    return {"verdict": verdict, "stop": session.stop}


_COUNT = Parameter(name="count", kind="int")
_FRAME = Parameter(name="frame", kind="int")
_TARGET = Parameter(name="target", required=True, rest=True)
_STEP = Parameter(name="step")
_NAME = Parameter(name="name")


COMMANDS: Final[tuple[Command, ...]] = (
    Command(name="start", key="stop", help="go to the start", call=lambda session, _: session.start()),
    Command(
        name="step", key="stop", short=("s",), help="go to the next intent, or COUNT on", parameters=(_COUNT,),
        call=lambda session, given: session.step(given.get("count", 1)),
    ),
    Command(name="over", key="stop", short=("n", "next"), help="go on in this flow, over sub-flows", call=lambda session, _: session.step_over()),
    Command(name="in", key="stop", short=("i",), help="go on in this flow or into its sub-flow", call=lambda session, _: session.step_in()),
    Command(name="out", key="stop", short=("o",), help="go on until this flow has ended", call=lambda session, _: session.step_out()),
    Command(
        name="back", key="stop", short=("b",), help="go to the intent before, or COUNT back", parameters=(_COUNT,),
        call=lambda session, given: session.back(given.get("count", 1)),
    ),
    Command(
        name="goto", key="stop", short=("g",), help="go to a stop by its number", parameters=(Parameter(name="number", kind="int", required=True),),
        call=lambda session, given: session.goto(given["number"]),
    ),
    Command(name="finish", key="stop", short=("f",), help="go to the last stop", call=lambda session, _: session.finish()),
    Command(
        name="run_to", key="stop", short=("r", "to"), help="go on to a target", parameters=(_TARGET, Parameter(name="backwards", kind="bool")),
        call=lambda session, given: session.run_to(given["target"], backwards=given.get("backwards", False)),
    ),
    Command(
        name="back_to", key="stop", short=("rb",), help="go back to a target", parameters=(_TARGET,),
        call=lambda session, given: session.run_to(given["target"], backwards=True),
    ),
    Command(name="continue", key="stop", short=("c",), help="go on to the next breakpoint", call=lambda session, _: session.continue_()),
    Command(
        name="reverse", key="stop", short=("rc",), help="go back to the last breakpoint", call=lambda session, _: session.reverse_continue()
    ),
    Command(name="stop", key="stop", short=("w", "where"), help="say where it stands", call=_awaited(lambda session, _: session.stop)),
    Command(
        name="break", key="breakpoint", help="set a breakpoint at a target",
        parameters=(_TARGET, Parameter(name="condition"), Parameter(name="hits"), Parameter(name="log")), call=_break,
    ),
    Command(
        name="breakpoints", key="breakpoints", short=("bl",), help="list the breakpoints",
        call=_awaited(lambda session, _: [_breakpoint(one) for one in session.breakpoints.values()]),
    ),
    Command(
        name="clear", key="cleared", help="take a breakpoint away, or all", parameters=(Parameter(name="number", kind="int"),),
        call=_awaited(lambda session, given: session.clear(given.get("number"))),
    ),
    Command(
        name="locals", key="variables", short=("l",), help="list the locals of a frame, or what is inside one at a path",
        parameters=(_FRAME, Parameter(name="path", kind="path"), Parameter(name="start", kind="int"), _COUNT),
        call=_awaited(
            lambda session, given: session.variables(
                given.get("frame"), given.get("path", ()), start=given.get("start", 0), count=given.get("count")
            )
        ),
    ),
    Command(
        name="evaluate", key="evaluation", short=("p", "print"), help="evaluate an expression in the innermost frame",
        parameters=(Parameter(name="expression", required=True, rest=True), _FRAME),
        call=_awaited(lambda session, given: session.evaluate(given["expression"], given.get("frame"))),
    ),
    Command(
        name="last_change", key="change", short=("lc",), help="say when a local last became what it is",
        parameters=(Parameter(name="local", required=True), _FRAME),
        call=lambda session, given: session.last_change(given["local"], given.get("frame")),
    ),
    Command(
        name="changes_since", key="changes", help="say which locals are not as at an earlier stop",
        parameters=(Parameter(name="number", kind="int", required=True),), call=lambda session, given: session.changes_since(given["number"]),
    ),
    Command(name="trail", key="marks", short=("t",), help="list all stops in a line each", call=lambda session, _: session.trail()),
    Command(name="unstable", key="unstable", help="say what is not the same in two replays", call=lambda session, _: session.unstable()),
    Command(
        name="result", key="result", help="give a step's whole result, by its hash or id", parameters=(Parameter(name="step", required=True),),
        call=_awaited(lambda session, given: session.result(given["step"])),
    ),
    Command(
        name="replace", key="stop", help="give a step another result (JSON), in a history of its own",
        parameters=(_STEP, Parameter(name="result", kind="json", rest=True), Parameter(name="error"), _NAME),
        call=lambda session, given: session.replace(**_step(given)),
    ),
    Command(
        name="fail", key="stop", help="give a step an error, in a history of its own", parameters=(_STEP, Parameter(name="error", rest=True)),
        call=lambda session, given: session.replace(given.get("step"), error=given.get("error", "Error")),
    ),
    Command(name="match_by_id", key="stop", help="go on past a divergence, by step ids alone", call=lambda session, _: session.match_by_id()),
    Command(
        name="histories", key="histories", short=("h",), help="list the histories",
        call=_awaited(lambda session, _: [_history(one, session.history.name) for one in session.histories.values()]),
    ),
    Command(
        name="switch", key="stop", help="go to another history", parameters=(Parameter(name="name", required=True, rest=True),),
        call=lambda session, given: session.switch(given["name"]),
    ),
    Command(
        name="live", key="stop", help="run a step at the frontier for real (needs --live)", parameters=(_STEP, _NAME),
        call=lambda session, given: session.run_live(given.get("step"), name=given.get("name")),
    ),
    Command(name="reload", key="reloaded", help="load the edited code and replay on it", call=_reload),
    Command(name="check", key="verdict", help="say whether the whole recording replays on this code", call=lambda session, _: session.check()),
    Command(
        name="source", key="lines", help="give the lines of a source file", parameters=(Parameter(name="file", required=True, rest=True),),
        call=_awaited(lambda session, given: session.source(given["file"])),
    ),
)  # fmt: skip
"""Every command."""

_BY_NAME: Final = {name: command for command in COMMANDS for name in (command.name, *command.short)}


def find(name: object) -> Command:
    """Find a command by its name or a short form. Raises MisuseError."""
    command = _BY_NAME.get(name) if isinstance(name, str) else None
    if command is None:
        raise MisuseError(f"there is no command {name!r}; there are: {', '.join(one.name for one in COMMANDS)}")
    return command


async def perform(session: Session, request: Mapping[str, Any]) -> dict[str, Any]:
    """Carry a request out:

    {"command": ..., arguments...}, and any "id". Gives {"id": ..., "command": ..., key: value} or, with "error", what was wrong.
    """
    answer: dict[str, Any] = {name: request[name] for name in ("id", "command") if name in request}
    try:
        command = find(request.get("command"))
        given = _checked(command, {name: value for name, value in request.items() if name not in {"id", "command"}})
        answer[command.key] = as_json(await command.call(session, given))
    except InngestGenError as error:
        answer["error"] = {"name": type(error).__name__, "message": str(error)}
    except Exception as error:  # noqa: BLE001 - reload runs the user's modules, which may raise anything
        answer["error"] = {"name": type(error).__name__, "message": Failure.of(error).message, "stack": Failure.of(error).stack}
    return answer


def _checked(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in command.parameters}
    unknown = sorted(set(given) - set(known))
    if unknown:
        takes = ", ".join(known) or "none"
        raise MisuseError(f"{command.name} takes no {', '.join(unknown)}; it takes: {takes}")
    missing = [name for name, parameter in known.items() if parameter.required and given.get(name) is None]
    if missing:
        raise MisuseError(f"{command.name} needs {', '.join(missing)}")
    for name, value in given.items():
        if value is not None or known[name].kind == "json":
            _check_kind(command, known[name], value)
    return {name: value for name, value in given.items() if value is not None or known[name].kind == "json"}


def _check_kind(command: Command, parameter: Parameter, value: object) -> None:
    fits: dict[Kind, bool] = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "text": isinstance(value, str),
        "bool": isinstance(value, bool),
        "path": isinstance(value, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in value),
        "json": True,
    }
    if not fits[parameter.kind]:
        words = {"int": "an integer", "text": "a string", "bool": "true or false", "path": "a list of integers"}
        raise MisuseError(f"{command.name}: {parameter.name} must be {words[parameter.kind]}, not {type(value).__name__}")


def request_of(line: str) -> dict[str, Any]:
    """Read a line of words as a request: `step 3`, `break add if n == 2`, `replace price 7`. Raises MisuseError."""
    word, _, rest = line.strip().partition(" ")
    command = find(word)
    rest = rest.strip()
    request: dict[str, Any] = {"command": command.name}
    if command.name == "break" and " if " in rest:
        rest, _, request["condition"] = rest.partition(" if ")
    for parameter in command.parameters:
        if not rest:
            break
        if parameter.rest:
            piece, rest = rest, ""
        else:
            piece, _, rest = rest.partition(" ")
        rest = rest.strip()
        request[parameter.name] = _read(command, parameter, piece)
    if rest:
        raise MisuseError(f"{command.name} takes no more than {usage(command)!r}")
    return request


def _read(command: Command, parameter: Parameter, piece: str) -> Any:
    try:
        match parameter.kind:
            case "int":
                return int(piece)
            case "json":
                return json.loads(piece)
            case "path":
                return [int(part) for part in piece.split(".")]
            case "bool":
                return piece.lower() in {"1", "true", "yes", "backwards"}
            case _:
                return piece
    except ValueError:
        wanted = {"int": "a number", "json": "JSON", "path": "numbers with dots between them"}[parameter.kind]
        raise MisuseError(f"{command.name}: {parameter.name.upper()} is {wanted}, not {piece!r}") from None


def usage(command: Command) -> str:
    """Write how a command is written as words."""
    words = [command.name]
    for parameter in command.parameters:
        name = parameter.name.upper()
        words.append(name if parameter.required else f"[{name}]")
    return " ".join(words)
