"""Code: whether a function's code is that which made a recording, and what that says of a divergence."""

from __future__ import annotations

from typing import Final, Literal

from inngest_gen.app.codes import prints_of
from inngest_gen.app.function import Function
from inngest_gen.driver.divergence import UNSTABLE
from inngest_gen.recording.recording import Recording

CodeState = Literal["recorded", "changed", "unknown"]

_EDITED: Final = (
    "the code is not that which made the record, and asks for other steps, or in another order; where that is meant, runs that are under way go on by"
    " the ids of their steps"
)


def code_state(recording: Recording, function: Function) -> CodeState:
    """Say whether a function's code is that which made a recording."""
    if not recording.code:
        return "unknown"
    prints = prints_of(function)
    if prints is None:
        return "unknown"
    # By the hashes alone: a file may have been loaded under another module's name then.
    return "recorded" if sorted(prints.values()) == sorted(recording.code.values()) else "changed"


def likely(cause: str, recording: Recording, function: Function) -> str:
    """Give the likely cause of a divergence: where the code was edited that comes before what may change between replays of the same code."""
    return cause.replace(UNSTABLE, _EDITED) if UNSTABLE in cause and code_state(recording, function) == "changed" else cause
