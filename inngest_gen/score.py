"""Score: what a scorer makes of a run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from inngest_gen.errors import ConfigError

__all__ = ["Score"]

NAME_BYTES: Final = 128
"""The server's `metadata.MaxScoreNameByteLength`."""
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f']")
_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Score:
    """A score of a run: `name` and `value`, a finite number or a bool. Return it from a scorer, or yield `Done(Score(...))`.

    It is a score of the run that deferred the scorer, or of the run `run_id`; with `step_id`, the id of one of that run's steps, of that step. The
    name has up to 128 bytes, without single quotes and control characters (server: pkg/tracing/metadata/score.go). Raises ConfigError.
    """

    name: str
    value: float | bool
    run_id: str | None = None
    step_id: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigError(f"a score's name is a non-empty string, not {self.name!r}")
        if _FORBIDDEN.search(self.name):
            raise ConfigError(f"a score's name has neither single quotes nor control characters: {self.name!r}")
        if len(self.name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
            raise ConfigError(f"a score's name has at most {NAME_BYTES} bytes: {self.name[:40]!r}...")
        value = self.value
        if not isinstance(value, bool) and not (isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= _EXACT):
            raise ConfigError(f"the value of score {self.name!r} is a finite number or a bool, not {value!r}")
        for name, id in (("run_id", self.run_id), ("step_id", self.step_id)):
            if id is not None and (not isinstance(id, str) or not id.strip()):
                raise ConfigError(f"the {name} of score {self.name!r} is a non-empty string or None, not {id!r}")

    def json(self) -> dict[str, Any]:
        """Give it as JSON values, without what is None."""
        given = {"name": self.name, "value": self.value, "run_id": self.run_id, "step_id": self.step_id}
        return {name: value for name, value in given.items() if value is not None}
