"""A measured figure beside its target: `what` in words, a value, how far its samples spread, and the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report. `limit` is the target and `aim` what is hoped for; without a limit the figure is for information.

    `loop` is the event loop it holds for, `better` says which side of the limit is good, `low` and `high` are the least and the greatest sample;
    `detail` has both sides in absolute terms.
    """

    name: str
    what: str
    loop: str = ""
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    aim: float | None = None
    better: Literal["less", "more"] = "more"
    detail: str = ""
    samples: tuple[float, ...] = field(default=(), repr=False)

    @property
    def verdict(self) -> str:
        """Say "pass", "pass, aim" or "MISS"; nothing where there is no target."""
        if self.limit is None:
            return ""
        if not self._meets(self.limit):
            return "MISS"
        return "pass, aim" if self.aim is not None and self._meets(self.aim) else "pass"

    @property
    def target(self) -> str:
        """The target in words."""
        if self.limit is None:
            return ""
        bound = f"{'<=' if self.better == 'less' else '>='} {number(self.limit)}"
        return bound if self.aim is None else f"{bound} (aim {number(self.aim)})"

    def _meets(self, bound: float) -> bool:
        return self.value <= bound if self.better == "less" else self.value >= bound

    def to_json(self) -> dict[str, Any]:
        """Everything, for a program to read."""
        return {
            "name": self.name, "what": self.what, "loop": self.loop, "value": self.value, "unit": self.unit, "low": self.low, "high": self.high,
            "limit": self.limit, "aim": self.aim, "better": self.better, "verdict": self.verdict, "detail": self.detail,
            "samples": self.samples,
        }  # fmt: skip


def of_samples(samples: Iterable[float], **told: Any) -> Figure:
    """Make a figure of its samples: their median, and how far they spread."""
    every = tuple(samples)
    return Figure(value=statistics.median(every), low=min(every), high=max(every), samples=every, **told)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide sample by sample: both were taken in the same moment, so what slows the machine down slows both."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def number(value: float) -> str:
    """Write a number with three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
