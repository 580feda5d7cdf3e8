"""What the client wants to stop at, kept as it was told and set in the session: lines, flows, filters of errors.

A client gives all breakpoints of a file, or of a kind, at once; what it gave before is gone then. After a reload, lines are looked up anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from inngest_gen.debugger import source
from inngest_gen.debugger.dap.arguments import FilterOption, FunctionBreakpoint, SourceBreakpoint
from inngest_gen.debugger.dap.paths import code_path
from inngest_gen.debugger.session import Session
from inngest_gen.debugger.stop import Mark
from inngest_gen.errors import MisuseError

Kind = Literal["breakpoint", "function breakpoint", "exception"]

FILTERS: Final[dict[str, tuple[str, str, bool, Callable[[Mark], bool]]]] = {
    "step-error": (
        "Step errors", "Stops at a step whose recorded outcome is an error, before that is raised in the handler.", False, lambda mark: mark.failed,
    ),
    "handler-error": (
        "Errors that leave the handler", "Stops where the handler has raised.", True, lambda mark: mark.state == "ended" and mark.raised,
    ),
    "divergence": ("Divergence", "Stops where the replay leaves the record.", True, lambda mark: mark.state == "diverged"),
}  # fmt: skip
"""The filters of errors by name: label, description, whether it is on from the start, and where it stops."""


@dataclass(slots=True)
class _Set:
    """One that the client has set: its `id` is the client's, `session_id` the session's; None: it could not be set."""

    id: int
    kind: Kind
    line: int | None = None
    wanted: SourceBreakpoint | None = None
    session_id: int | None = None
    message: str | None = None


class ClientBreakpoints:
    """The breakpoints of one client."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = 0
        self._lines: dict[str, list[_Set]] = {}
        self._functions: list[_Set] = []
        self._filters: list[_Set] = []
        self._first: frozenset[int] = frozenset()
        self._trail: tuple[Mark, ...] | None = None

    def hit(self, ids: tuple[int, ...]) -> tuple[list[int], list[Kind]]:
        """Give the client's ids and the kinds of breakpoints by the session's ids."""
        every = [*(one for some in self._lines.values() for one in some), *self._functions, *self._filters]
        found = [one for one in every if one.session_id in ids]
        return [one.id for one in found], [one.kind for one in found]

    # Lines.

    def set_lines(self, path: str, wanted: list[SourceBreakpoint]) -> list[dict[str, Any]]:
        """Set those of a file, instead of all before; gives what the client is told of each."""
        self._drop(self._lines.pop(path, []))
        made = [self._new("breakpoint", wanted=one) for one in wanted]
        self._lines[path] = made
        for one in made:
            self._place(path, one)
        return [_told(one, path) for one in made]

    def renew(self) -> list[dict[str, Any]]:
        """Look up all lines anew, after the code has changed; gives what the client is told of each."""
        told: list[dict[str, Any]] = []
        for path, some in self._lines.items():
            self._drop(some)
            for one in some:
                self._place(path, one)
            told += [_told(one, path) for one in some]
        self._trail = None
        return told

    def _place(self, path: str, one: _Set) -> None:
        wanted = one.wanted
        assert wanted is not None
        file = code_path(path)
        line = source.yield_line(file, wanted.line)
        one.line, one.message, one.session_id = line or wanted.line, None, None
        if line is None:
            one.message = "a replay stops at yields, and there is none at this line or after it in its function"
            return
        self._set(one, f"{file}:{line}", wanted.condition, wanted.hit_condition, wanted.log_message)

    # Flows.

    async def set_functions(self, wanted: list[FunctionBreakpoint]) -> list[dict[str, Any]]:
        """Set those on flows; gives what the client is told of each."""
        self._drop(self._functions)
        self._functions = []
        names = {mark.function for mark in await self._session.trail() if mark.kind is not None}
        for one in wanted:
            made = self._new("function breakpoint")
            test = self._begins(one.name)
            self._set(made, test, one.condition, one.hit_condition, None)
            if made.message is None and not any(self._is(one.name, name) for name in names):
                made.message = f"this run has no flow {one.name!r}; it has: {', '.join(sorted(names)) or 'none'}"
            self._functions.append(made)
        return [_told(one) for one in self._functions]

    async def get_ready(self) -> None:
        """Look where flows begin in this history, before a move."""
        if not self._functions:
            return
        trail = await self._session.trail()
        if trail is not self._trail:
            self._trail = trail
            first: dict[int, int] = {}
            for mark in trail:
                if mark.kind is not None:
                    first.setdefault(mark.flow, mark.number)
            self._first = frozenset(first.values())

    def _begins(self, name: str) -> Callable[[Mark], bool]:
        return lambda mark: mark.number in self._first and self._is(name, mark.function, root=mark.flow == 0)

    def _is(self, wanted: str, function: str, *, root: bool = True) -> bool:
        own = self._session.function
        if root and wanted in {own.id, own.slug} and function == getattr(own.handler, "__name__", None):
            return True
        return wanted.rpartition(".")[2].removesuffix("()") == function

    # Errors.

    def set_filters(self, filters: list[str], options: list[FilterOption]) -> list[dict[str, Any]]:
        """Set filters of errors; gives what the client is told of each."""
        self._drop(self._filters)
        self._filters = []
        for name, condition in [*((name, None) for name in filters), *((one.filter_id, one.condition) for one in options)]:
            made = self._new("exception")
            if name in FILTERS:
                self._set(made, FILTERS[name][3], condition, None, None)
            else:
                made.message = f"there is no filter {name!r}; there are: {', '.join(FILTERS)}"
            self._filters.append(made)
        return [_told(one) for one in self._filters]

    # Each of them.

    def _new(self, kind: Kind, wanted: SourceBreakpoint | None = None) -> _Set:
        self._numbers += 1
        return _Set(self._numbers, kind, wanted=wanted)

    def _set(self, one: _Set, where: str | Callable[[Mark], bool], condition: str | None, hits: str | None, log: str | None) -> None:
        try:
            made = self._session.break_at(where, condition=condition or None, hits=hits or None, log=log or None)
        except MisuseError as error:
            one.message = str(error)
        else:
            one.session_id = made.id

    def _drop(self, some: list[_Set]) -> None:
        for one in some:
            if one.session_id is not None:
                self._session.breakpoints.pop(one.session_id, None)  # the user may have cleared it in the console
                one.session_id = None


def _told(one: _Set, path: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"id": one.id, "verified": one.session_id is not None and one.message is None}
    if one.message is not None:
        told["message"] = one.message
    if path is not None:
        told["source"] = {"path": path}
        told["line"] = one.line
    return told
