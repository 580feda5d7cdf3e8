"""Plan: which faults a simulated run meets, and in which order its bodies finish. A director that follows it.

A fault has its place by name (a step's id, what is written), not by a number over all: so one can be left out and the others stay where they are,
which is what makes a failing plan simple.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, get_args

from inngest_gen.errors import ConfigError
from inngest_gen.testing.director import Crash, Director

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

FaultKind = Literal["crash", "crash after", "kill", "lose", "slow", "duplicate"]
KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)
Places = Mapping[FaultKind, Mapping[str, int]]
"""How often each place of a kind of fault was come to."""

_SAID: Final = {
    "crash": "step {at!r} crashes before its body{nth}",
    "crash after": "step {at!r} crashes after its body{nth}",
    "kill": "the engine is killed after it wrote {at}{nth}",
    "lose": "what the body of step {at!r} gives is lost, and it runs again{nth}",
    "slow": "what the body of step {at!r} gives is written down only after {seconds:g} s{nth}",
    "duplicate": "{at} is delivered twice{nth}",
}
_DELAYS_S: Final = (1, 60, 3600, 86_400)
_FAULTS: Final = 4
_CHOICES: Final = 12
_READY: Final = 4
"""How many things that are ready at a time an order tells apart."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its `kind`; `at` which place, a step's id or what is written or delivered; the `nth` time that it is come to, from 1.

    A "slow" one takes `seconds`. Raises ConfigError for a kind that is none and for an `nth` below 1.
    """

    kind: FaultKind
    at: str
    nth: int = 1
    seconds: float = 0

    def __post_init__(self) -> None:
        check_kinds([self.kind])
        if self.nth < 1:
            raise ConfigError(f"a fault comes the first time or later, not the {self.nth!r}th")

    def __str__(self) -> str:
        nth = "" if self.nth == 1 else f", the {self.nth}. time"
        return _SAID[self.kind].format(at=self.at, seconds=self.seconds, nth=nth)

    def __repr__(self) -> str:
        more = (f", {self.nth}" if self.nth > 1 else "") + (f", seconds={self.seconds:g}" if self.seconds else "")
        return f"Fault({self.kind!r}, {self.at!r}{more})"


@dataclass(frozen=True, slots=True)
class Plan:
    """The `faults` of a run, and the `order` of what is ready at a time: numbers of what comes next, then always the first."""

    faults: tuple[Fault, ...] = ()
    order: tuple[int, ...] = ()

    def __str__(self) -> str:
        told = [str(fault) for fault in self.faults]
        if any(self.order):
            told.append(f"what is ready at a time comes in the order {', '.join(map(str, self.order))}")
        return "; ".join(told) or "nothing goes wrong, and what is ready first comes first"


def check_kinds(kinds: Collection[str]) -> None:
    """Raise ConfigError for a kind of fault that is none."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ConfigError(f"no kinds of faults: {', '.join(map(repr, unknown))}; there are {', '.join(KINDS)}")


def plans(places: Places) -> SearchStrategy[Plan]:
    """Give a Hypothesis strategy of plans with faults at these places: the fewer, earlier and shorter, the simpler."""
    from hypothesis import strategies as st

    # One draw for the order and one for each fault: a list of numbers, and a part of a fault at a time, would take longer than a simulated run.
    order = st.binary(max_size=_CHOICES).map(lambda drawn: tuple(byte % _READY for byte in drawn))
    each = [
        st.integers(0, (count + 1) * len(_delays(kind)) - 1).map(partial(_fault, kind, place))  # faults let things come once more
        for kind, known in places.items()
        for place, count in known.items()
    ]
    if not each:
        return st.builds(Plan, st.just(()), order)
    faults = st.lists(st.one_of(each), max_size=_FAULTS, unique_by=lambda one: (one.kind, one.at, one.nth)).map(tuple)
    return st.builds(Plan, faults, order)


def _fault(kind: FaultKind, place: str, number: int) -> Fault:
    """Give one of the faults that may come at a place: the earlier and shorter, the lower its number."""
    nth, delay = divmod(number, len(_delays(kind)))
    return Fault(kind, place, nth + 1, _delays(kind)[delay])


def _delays(kind: FaultKind) -> tuple[float, ...]:
    return _DELAYS_S if kind == "slow" else (0,)


class Planned(Director):
    """Does what a plan says. Counts the faults that came, and the places that were come to."""

    def __init__(self, plan: Plan) -> None:
        self._faults: dict[tuple[FaultKind, str, int], Fault] = {(fault.kind, fault.at, fault.nth): fault for fault in plan.faults}
        self._order = iter(plan.order)
        self.came: Counter[FaultKind] = Counter()
        self.places: dict[FaultKind, Counter[str]] = {kind: Counter() for kind in KINDS}

    def pick(self, many: int) -> int:
        """Choose as the plan says, then the first."""
        return next(self._order, 0) % many if many > 1 else 0

    def crash(self, step_id: str, *, last: bool) -> Crash | None:
        """Crash where the plan says, but no last attempt: faults alone make no step fail for good."""
        before, after = self._comes("crash", step_id, but=last), self._comes("crash after", step_id, but=last)
        return "before" if before else "after" if after else None

    def loses(self, step_id: str) -> bool:
        """Lose what the plan says."""
        return self._comes("lose", step_id) is not None

    def slow(self, step_id: str) -> float:
        """Take as long as the plan says."""
        fault = self._comes("slow", step_id)
        return 0 if fault is None else fault.seconds

    def kills(self, written: str) -> bool:
        """Kill after what the plan says was written."""
        return self._comes("kill", written) is not None

    def duplicates(self, delivered: str) -> bool:
        """Deliver twice what the plan says."""
        return self._comes("duplicate", delivered) is not None

    def _comes(self, kind: FaultKind, place: str, *, but: bool = False) -> Fault | None:
        nth = self.places[kind][place] + 1
        self.places[kind][place] = nth
        fault = None if but else self._faults.get((kind, place, nth))
        if fault is not None:
            self.came[kind] += 1
        return fault
