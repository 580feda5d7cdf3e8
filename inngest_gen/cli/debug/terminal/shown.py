"""Shown: all that the view shows at a moment. Steering changes it, panes and layout only read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from inngest_gen.cli.debug.terminal.cells import Line
from inngest_gen.debugger.breakpoint import Breakpoint
from inngest_gen.debugger.stop import Mark, Recorded, Stop
from inngest_gen.debugger.variables import Variable

PaneName = Literal["source", "stop", "locals", "timeline", "branches", "defers"]

PANES: Final[tuple[PaneName, ...]] = ("source", "stop", "locals", "timeline", "branches", "defers")
"""In the order in which Tab goes through them."""


@dataclass(frozen=True, slots=True)
class Station:
    """A frame that can be looked at: one of the stack, or of another branch. `line` 0: it is not known."""

    frame: int
    function: str
    file: str
    line: int
    end_line: int
    in_stack: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A local, or what is inside one.

    `names` is its way from the frame; `opened` None: there is nothing inside. `before` is its text at the stop before.
    """

    variable: Variable
    names: tuple[str, ...]
    opened: bool | None
    changed: bool = False
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked for in the last line.

    `action` says what for, `text` stands there already, `default` is meant where nothing is typed.
    """

    action: str
    label: str
    text: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    """A text over the whole screen. `has_topics`: its lines that are not indented are headings."""

    title: str
    lines: tuple[str, ...]
    has_topics: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """What is under way: for so many seconds; `reached` is how many steps its replay has come to.

    `ending`: it was interrupted, and goes on until the handler's own code lets it end.
    """

    what: str
    seconds: float
    reached: int
    ending: bool = False


@dataclass(slots=True)
class Shown:
    """What there is to see. `source` gives the lines of a file in colours, `signs` the table of signs that the terminal can show."""

    run: str
    stop: Stop
    told: Mapping[str, Any]
    """The stop as JSON values."""
    source: Callable[[str], list[Line]]
    signs: Mapping[str, str]
    code: str = "recorded"
    marks: tuple[Mark, ...] | None = None
    """All stops of the history; None: they are not known yet."""
    outcome: Callable[[str], Recorded | None] = lambda _: None
    """What a step gives in this history, by its hash."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """How many attempts of a step failed, by its hash, where any did."""
    edited: Mapping[str, str] = field(default_factory=dict)
    """How a step's outcome was edited in this history, by its hash."""
    breakpoints: tuple[Breakpoint, ...] = ()
    histories: int = 1
    stations: tuple[Station, ...] = ()
    chosen: int = 0
    rows: tuple[Row, ...] = ()
    place: tuple[str, int] | None = None
    """The file and line that the source shows where there is no frame."""
    focus: PaneName = "source"
    cursor: int | None = None
    """The line of the focused pane that is chosen; None: the pane's own."""
    zoomed: bool = False
    message: tuple[str, ...] = ()
    failed: bool = False
    """Whether the message is of something that went wrong."""
    pager: Pager | None = None
    top: int = 0
    """The first line of the pager that is shown."""
    prompt: Prompt | None = None
    busy: Busy | None = None

    @property
    def station(self) -> Station | None:
        """The frame that is looked at."""
        return self.stations[self.chosen] if self.chosen < len(self.stations) else None
