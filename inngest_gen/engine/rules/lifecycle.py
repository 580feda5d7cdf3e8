"""A run's life as a table: state -> what happens -> next state.

A run is queued when its event is taken in and running from its first turn on. Sleeping and waiting runs are running: only their frames are gone.
It ends completed, failed or cancelled. Blocked is a run whose replay left its record: it waits for `retry`. A failed run can be retried as well.
"""

from __future__ import annotations

from typing import Final, Literal

Status = Literal["queued", "running", "completed", "failed", "cancelled", "blocked"]
Happening = Literal["start", "complete", "fail", "cancel", "block", "retry"]

TABLE: Final[dict[Status, dict[Happening, Status]]] = {
    "queued": {"start": "running", "cancel": "cancelled", "fail": "failed"},
    "running": {"start": "running", "complete": "completed", "fail": "failed", "cancel": "cancelled", "block": "blocked"},
    "blocked": {"retry": "running", "cancel": "cancelled"},
    "failed": {"retry": "running"},
    "completed": {},
    "cancelled": {},
}

ENDED: Final[frozenset[Status]] = frozenset({"completed", "failed", "cancelled"})


def after(status: Status, happening: Happening) -> Status | None:
    """Give the next state, or None where that cannot happen to a run in this state."""
    return TABLE[status].get(happening)
