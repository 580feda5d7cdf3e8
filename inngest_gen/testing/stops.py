"""Stop: where a handler has come to with the first so many results of its record, as a value that another process can compare.

Promises: two stops are equal where the handler has asked for the same, with the same arguments as far as they can become JSON, or has ended alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inngest_gen import jsonvalue
from inngest_gen.app.function import Function
from inngest_gen.calls.memo import Memo
from inngest_gen.calls.request import CallRequest
from inngest_gen.driver.turn import Diverged, Ended, Op, Raised
from inngest_gen.engine.rules import received
from inngest_gen.errors import InngestGenError
from inngest_gen.recording.recording import RecordedStep, Recording
from inngest_gen.testing.rebuilt import MUTED, WORDS, parts


@dataclass(frozen=True, slots=True)
class Asked:
    """A step that was asked for. `given` has what it was made with, as JSON text; None where a value cannot become JSON."""

    hash: str
    kind: str
    id: str
    path: str
    at: str | None
    given: Mapping[str, str | None]

    def __str__(self) -> str:
        return f"{self.kind} {self.id!r} at {self.at}"


@dataclass(frozen=True, slots=True)
class Stop:
    """The handler's attempt, how many results it had, and what it has come to: steps it waits for, or its end as text."""

    attempt: int
    results: int
    asked: tuple[Asked, ...]
    ended: str | None

    def json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Stop:
        """Read what `json` gave."""
        asked = tuple(Asked(**one) for one in value["asked"])
        return cls(value["attempt"], value["results"], asked, value["ended"])


def stop_at(attempt: int, results: int, ops: Iterable[Op], ended: Ended | None) -> Stop:
    """Make the stop of a handler that waits for `ops`, or has ended."""
    return Stop(attempt, results, tuple(map(_asked, ops)), None if ended is None else _end(ended))


def _asked(op: Op) -> Asked:
    step = op.step
    return Asked(op.hash, step.kind, step.id, op.path, op.at, {name: _text(value) for name, value in parts(step)})


def _text(value: object) -> str | None:
    if callable(value):
        return getattr(value, "__qualname__", None)
    try:
        return jsonvalue.encode(value, "an argument").decode()
    except InngestGenError:
        return None


def _end(ended: Ended) -> str:
    if isinstance(ended, Raised):
        return f"raised {type(ended.error).__name__}"
    if isinstance(ended, Diverged):
        return str(ended.error)
    text = _text(ended.value)
    return "ended" if text is None else f"ended with {text}"


def difference(live: Stop, replayed: Stop) -> str | None:
    """Say how a replay's stop differs from that of the live handler, None where it does not."""
    if live.ended is None and replayed.ended is None:
        for one, other in zip(live.asked, replayed.asked, strict=False):
            if (one.hash, one.kind) != (other.hash, other.kind):
                return f"it has asked for {one}\n  and then for {other}"
            for name, first in one.given.items():
                second = other.given.get(name)
                if None not in {first, second} and first != second:
                    return f"{one} is given another {WORDS.get(name, name)}: {first} first, then {second}"
        if len(live.asked) != len(replayed.asked):
            return f"it has asked for {_list(live)}\n  and then for {_list(replayed)}"
    elif live.ended != replayed.ended:
        return f"it has {live.ended or f'asked for {_list(live)}'}\n  and then it has {replayed.ended or f'asked for {_list(replayed)}'}"
    return None


def _list(stop: Stop) -> str:
    return ", ".join(map(str, stop.asked)) or "nothing"


async def replayed(function: Function, recording: Recording, stop: Stop) -> Stop:
    """Rebuild a handler from the first results of a recording; give where it comes to."""
    finished = recording.finished()[: stop.results]
    failure = recording.failure
    call = CallRequest(
        run_id=recording.run_id,
        events=recording.events,
        attempt=stop.attempt,
        max_attempts=recording.max_attempts or 1,
        error=None if failure is None else failure.error(),
        parents=recording.parents,
    )
    chain = function.chain()
    if chain is not None:
        chain.mute()
    execution = function.begin(
        call,
        memos={step.hash: _memo(step) for step in finished},
        strict=True,
        data=await function.receive(received.data_for(recording.events[0])) if chain is None else None,
        chain=chain,
    )
    execution.repeats = True
    execution.lazy.log = MUTED
    try:
        turn = await execution.turn()
        return stop_at(stop.attempt, stop.results, [leaf.op for leaf in execution.pending.values()], turn.ended)
    finally:
        await execution.let_go()


def _memo(step: RecordedStep) -> Memo:
    error = None if step.error is None else step.error.error()
    position = step.position if step.branch is None else None
    return Memo(step.result, error, position, step.kind, step.id, step.at, step.branch)
