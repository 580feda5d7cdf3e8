"""History: what a replay is given: a recording, and what was edited in it. Histories are named and kept side by side.

Promises: a history never changes; an edit makes another. Each replay gets memos of its own, since user code may change what it is handed.
A history whose results were replaced is not held to the recording's order: what comes after may rightly be something else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from orjson import loads

from inngest_gen import jsonvalue
from inngest_gen.calls.failure import Failure
from inngest_gen.calls.lazy import LazyOp, PriorDefers
from inngest_gen.calls.memo import Memo
from inngest_gen.debugger.stop import Missing, Recorded
from inngest_gen.debugger.variables import text
from inngest_gen.driver.turn import Planned
from inngest_gen.errors import StepError
from inngest_gen.recording.recording import RecordedStep, Recording

RECORDED = "recorded"
"""The name of the history as it was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A result (`data`, JSON) or an error that a step has in a history and not in the recording."""

    hash: str
    id: str
    how: Literal["replaced", "injected", "live"]
    data: bytes | None = None
    error: Failure | None = None
    lazy: tuple[LazyOp, ...] = ()
    """What its body deferred when it was run live."""


class _Kept(Memo):
    """A memo that is the same for all replays. Its result is made anew for each, when a step asks for it: most are dropped at once."""

    __slots__ = ("_json",)

    error = None

    def __init__(self, json: bytes | None, *told: Any) -> None:
        self._json = b"null" if json is None else json
        self.position, self.kind, self.label, self.at, self.path = told or (None,) * 5

    @property
    def data(self) -> Any:
        return loads(self._json)


class _KeptFailed(_Kept):
    """One of a step that failed: its error is made anew as well."""

    __slots__ = ("_failure",)

    def __init__(self, failure: Failure, *told: Any) -> None:
        super().__init__(None, *told)
        self._failure = failure

    @property
    def error(self) -> StepError:  # type: ignore[override]
        return self._failure.error()


def as_it_is(memo: Memo, _: object) -> Memo:
    """Take a memo as it is kept."""
    return memo


@dataclass(frozen=True, kw_only=True)
class History:
    """A recording with edits. `parent` is the name of the history that it was made from, `held` whether replays are held to the record's order."""

    name: str
    recording: Recording
    edits: tuple[Edit, ...] = ()
    parent: str | None = None
    held: bool = True

    @cached_property
    def steps(self) -> dict[str, RecordedStep]:
        """The recorded steps by hash."""
        return {step.hash: step for step in self.recording.steps}

    @cached_property
    def edited(self) -> dict[str, Edit]:
        """The edits by hash; the last one of a step counts."""
        return {edit.hash: edit for edit in self.edits}

    @cached_property
    def _order(self) -> tuple[str, ...]:
        """The hashes of the steps with an outcome, in the order of their completion."""
        known = [step.hash for step in self.recording.finished()]
        return (*known, *[hash for hash in self.edited if hash not in set(known)])

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {hash: place for place, hash in enumerate(self._order, 1)}

    def has(self, hash: str) -> bool:
        """Say whether a step has an outcome."""
        return hash in self._ranks

    def failed(self, hash: str) -> bool:
        """Say whether a step's outcome is an error."""
        edit = self.edited.get(hash)
        if edit is not None:
            return edit.error is not None
        step = self.steps.get(hash)
        return step is not None and step.error is not None

    def outcome(self, hash: str) -> Recorded | None:
        """Give a step's outcome, for people."""
        rank = self._ranks.get(hash)
        if rank is None:
            return None
        edit, step = self.edited.get(hash), self.steps.get(hash)
        source = edit if edit is not None else step
        assert source is not None
        return Recorded(
            how="recorded" if edit is None else edit.how,
            text=None if source.data is None else text(jsonvalue.decode(source.data)),
            error=None if source.error is None else source.error.to_json(),
            rank=rank,
            failed=0 if step is None else _failed(step),
            started=None if step is None else _time(step.started),
            ended=None if step is None else _time(step.ended),
        )

    def is_abandoned(self, hash: str) -> bool:
        """Say whether the run did without a step. That holds for the recorded history: an edited one may need it."""
        step = self.steps.get(hash)
        return step is not None and step.status == "abandoned" and not self.edited

    def missing(self, hash: str, *, at_frontier: bool) -> Missing:
        """Say why a step has no outcome."""
        return "abandoned" if self.is_abandoned(hash) else "frontier" if at_frontier else "later"

    def data(self, hash: str) -> bytes | None:
        """Give a step's result as JSON; None where it has none."""
        edit, step = self.edited.get(hash), self.steps.get(hash)
        return edit.data if edit is not None else step.data if step is not None else None

    # For the driver.

    def memos(self) -> dict[str, Memo]:
        """Give the memos for a replay, in the order of completion."""
        return dict(self._kept)

    @cached_property
    def _kept(self) -> dict[str, Memo]:
        found: dict[str, Memo] = {}
        for hash in self._order:
            edit, step = self.edited.get(hash), self.steps.get(hash)
            source = edit if edit is not None else step
            assert source is not None
            told: tuple[Any, ...] = ()
            if step is not None:
                branch = step.branch
                told = step.position if branch is None else None, step.kind, step.id, step.at, branch
            found[hash] = _Kept(source.data, *told) if source.error is None else _KeptFailed(source.error, *told)
        return found

    @cached_property
    def planned(self) -> dict[int, Planned]:
        """What is recorded of unfinished steps by position; where two have one position, the handler's own counts."""
        open_steps = [step for step in self.recording.steps if step.position is not None and not self.has(step.hash)]
        open_steps.sort(key=lambda step: step.branch is None)
        return {
            step.position: Planned(step.hash, step.kind or "step", step.id, step.at, step.branch)
            for step in open_steps
            if step.position is not None
        }

    def prior_defers(self) -> PriorDefers:
        """Give what the driver is to know of the recorded defers."""
        # The engine's own refusal has the data: it came after the handle, which is active. What the handler was told of has none.
        return {
            defer.hash: None if defer.status == "rejected" and defer.data is None else defer.status == "after_run"
            for defer in self.recording.defers
        }

    # Edits.

    def with_edit(self, edit: Edit, name: str) -> History:
        """Make the history with one edit more. A replaced outcome frees it from the record's order."""
        held = self.held and edit.how != "replaced"
        return replace(self, name=name, edits=(*self.edits, edit), parent=self.name if name != self.name else self.parent, held=held)

    def by_id(self, name: str) -> History:
        """Make the same history, with its steps matched by id alone, as an engine does it with changed code."""
        return replace(self, name=name, parent=self.name, held=False)


def recorded(recording: Recording) -> History:
    """Make the history of a recording as it is."""
    # A record that more than one version of the code made may hold what none of them asks for.
    return History(name=RECORDED, recording=recording, held=recording.code != {})


def _failed(step: RecordedStep) -> int:
    """Say how many attempts failed: of some there may be no more than their number."""
    known = 0 if step.attempt is None else step.attempt + (step.error is not None)
    return max(known, len(step.attempts))


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()
