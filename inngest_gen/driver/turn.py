"""What a driver turn tells the engine: the ops that are new at the frontier, those no longer wanted, the end."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType
from typing import Any

from inngest_gen.errors import NonDeterminismError
from inngest_gen.intents.step import Step


class Op:
    """A step at the frontier: it was yielded and has no result yet.

    `hash` is the record's key and `index` the repeat (0 for the first use of the id); `position` counts the steps of the run in the order of
    their yields; `path` names the branch ("" for the handler itself, "parallel[0]/quote" in a branch); `place` is where the yield is: its code and
    line.
    """

    __slots__ = ("hash", "index", "path", "place", "position", "step")

    def __init__(self, step: Step[Any], hash: str, index: int, position: int, path: str, place: tuple[CodeType, int] | None) -> None:
        self.step: Step[Any] = step
        self.hash: str = hash
        self.index: int = index
        self.position: int = position
        self.path: str = path
        self.place: tuple[CodeType, int] | None = place

    @property
    def at(self) -> str:
        """Where the yield is, as "file:line"; "?" where that is not known."""
        return "?" if self.place is None else f"{self.place[0].co_filename}:{self.place[1]}"

    def __repr__(self) -> str:
        return f"<op {self.step!r} at position {self.position}>"


@dataclass(frozen=True, slots=True)
class Planned:
    """What the record holds of an unfinished step, by position: a replay of unchanged code must ask for it there.

    One of a branch has a `path`, and may be asked for elsewhere (see Memo).
    """

    hash: str
    kind: str
    label: str | None = None
    at: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """The handler ended with `value`."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The handler ended with `error`. `final` says that no further attempt may help: a memoized error, misuse, NonRetriableError."""

    error: BaseException
    final: bool


@dataclass(frozen=True, slots=True)
class Diverged:
    """The replay left the record: the run is blocked until its code is put right."""

    error: NonDeterminismError


Ended = Returned | Raised | Diverged


class Turn:
    """The outcome of one driver turn.

    `new` are ops that came to the frontier, in the order of their yields; `dropped` those of losers, no longer wanted; `ended` is set when the
    handler has ended. `yielded` counts the intents of this turn; `paused` says that the budget ran out, and then nothing is new yet.
    Lazy operations are taken with `Execution.drain` when a message leaves.
    """

    __slots__ = ("dropped", "ended", "new", "paused", "yielded")

    def __init__(self) -> None:
        self.new: list[Op] = []
        self.dropped: list[Op] = []
        self.ended: Ended | None = None
        self.yielded: int = 0
        self.paused: bool = False
